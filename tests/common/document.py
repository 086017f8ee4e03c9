"""The generated parts of docs/lines.md.

python -m tests.common.document    measures the table anew and writes it
"""

import asyncio
from pathlib import Path
import tempfile

from .rows import LINES, ROWS, Row, cells, shown

DOCUMENT = Path(__file__).parents[2] / "docs" / "lines.md"
MODES = "ABCD"
NONE = "–"


def section(name: str) -> str:
    """What stands between the marks of that name."""
    _, found, rest = DOCUMENT.read_text("utf-8").partition(f"<!-- {name} -->\n")
    assert found, name
    return rest.partition(f"<!-- end of {name} -->\n")[0]


def write_section(name: str, text: str) -> None:
    """Put that between the marks instead."""
    before = section(name)
    document = DOCUMENT.read_text("utf-8")
    mark = f"<!-- {name} -->\n"
    DOCUMENT.write_text(document.replace(mark + before, mark + text), "utf-8")


def table(found: dict[Row, str]) -> str:
    """All rows as Markdown."""
    rows = [("Line", "Echo", "Battery", *(f"Mode {mode}" for mode in MODES))]
    for name in LINES:
        for echo in (False, True):
            for battery in (False, True):
                row = [found.get(Row(name, mode, echo, battery)) for mode in MODES]
                if any(row):
                    signs = ("yes" if one else "no" for one in (echo, battery))
                    rows.append((name, *signs, *(shown(cell) if cell else NONE for cell in row)))
    rows.insert(1, ("---",) * len(rows[0]))
    return "\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows) + "\n"


def documented() -> dict[Row, str]:
    """The cells of the table in the document, as it shows them."""
    found = {}
    for text in section("table").strip().splitlines()[2:]:
        name, echo, battery, *shown_cells = (cell.strip() for cell in text.strip("|").split("|"))
        for mode, cell in zip(MODES, shown_cells, strict=True):
            if cell != NONE:
                found[Row(name, mode, echo == "yes", battery == "yes")] = cell
    return found


def main() -> None:
    """Measure every row and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        write_section("table", table(asyncio.run(cells(ROWS, Path(folder)))))


if __name__ == "__main__":
    main()
