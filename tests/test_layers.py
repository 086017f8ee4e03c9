"""Who may know whom: the imports of every file keep to the table in docs/architecture.md."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
import sys

import pytest

ROOT = Path(__file__).parents[1]
COMPONENT = ROOT / "custom_components" / "iec62056"
PROTOCOL = COMPONENT / "protocol"
NAME = "custom_components.iec62056"
# Lower to higher. A room may import every room of an earlier row.
ROWS = (
    {"const"},
    {"protocol"},
    {"state", "entry_data"},
    {"registers"},
    {"derived", "validation"},
    {"messages", "issues"},
    {"meter"},
    {"storage"},
    {"meter_record"},
    {"coordinator"},
    {"statistics"},
    {"runtime"},
    {"meter_replacement", "flows", "entity", "services", "diagnostics"},
    {"repairs"},
    {"sensors", "logbook"},
    {"sensor", "binary_sensor", "button", "system_health", "__init__", "config_flow"},
)
HEIGHT = {room: height for height, rooms in enumerate(ROWS) for room in rooms}
# Of a row with more than one room, these may know another room of the row.
IN_A_ROW = {("issues", "messages")}
MOST_FLOORS = 12
MOST_AT_THE_TOP = 24
MOST_LINES = 400
# Tables of facts, which are as long as the facts are many.
DATA = {"registers/tables.py"}
# What the client may use besides the standard library, and where.
SERIALX = PROTOCOL / "transport"
CRYPTOGRAPHY = PROTOCOL / "dlms" / "security.py"


def files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*.py")) if "__pycache__" not in path.parts)


@cache
def imported(path: Path) -> frozenset[str]:
    """The full names of what a file imports, wherever in it: of a name, where it comes from, too."""
    package = [*path.relative_to(ROOT).parent.parts]
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found.update(f"{module}.{alias.name}" for alias in node.names)
    return frozenset(found)


def tops(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


def modules(path: Path) -> set[Path]:
    """The files of the integration that a file imports."""
    found = set[Path]()
    for name in imported(path):
        if not name.startswith(f"{NAME}."):
            continue
        whole = ROOT / Path(*name.split("."))
        for place in (whole, whole.parent):
            for file in (place.with_suffix(".py"), place / "__init__.py"):
                if file.exists() and file != path:
                    found.add(file)
                    break
            else:
                continue
            break
    return found


def room(path: Path) -> str:
    """The package at the top of the integration that a file belongs to, or the file itself."""
    return path.relative_to(COMPONENT).parts[0].removesuffix(".py")


def circles(graph: dict[Path, set[Path]]) -> list[list[str]]:
    """The groups of files of which each imports, by way of others, itself."""

    def reached(start: Path) -> set[Path]:
        seen, waiting = set[Path](), [start]
        while waiting:
            for one in graph[waiting.pop()] - seen:
                seen.add(one)
                waiting.append(one)
        return seen

    return [[str(path.relative_to(COMPONENT))] for path in graph if path in reached(path)]


def test_nobody_looks_up() -> None:
    looking = {
        (str(path.relative_to(COMPONENT)), str(other.relative_to(COMPONENT)))
        for path in files(COMPONENT)
        for other in modules(path)
        if room(path) != room(other)
        and HEIGHT[room(other)] >= HEIGHT[room(path)]
        and (room(path), room(other)) not in IN_A_ROW
    }
    assert not looking


def test_no_circle() -> None:
    assert not circles({path: modules(path) for path in files(COMPONENT)})


def test_floors() -> None:
    """The longest chain of rooms, each of which imports the next."""
    knows = {
        one: {
            room(other) for path in files(COMPONENT) if room(path) == one for other in modules(path)
        }
        - {one}
        for one in HEIGHT
    }

    def floor(one: str) -> int:
        return 1 + max(map(floor, knows[one]), default=0)

    assert max(map(floor, knows)) <= MOST_FLOORS


def test_few_modules_at_the_top() -> None:
    assert len(list(COMPONENT.glob("*.py"))) <= MOST_AT_THE_TOP


def test_files_can_be_held_in_mind() -> None:
    long = {
        str(path.relative_to(COMPONENT)): lines
        for path in files(COMPONENT)
        if (lines := len(path.read_text("utf-8").splitlines())) > MOST_LINES
    }
    assert long.keys() == DATA


@pytest.mark.parametrize("path", files(PROTOCOL), ids=lambda path: str(path.relative_to(PROTOCOL)))
def test_the_client_knows_nothing_of_home_assistant(path: Path) -> None:
    allowed = {*sys.stdlib_module_names, "custom_components"}
    if SERIALX in path.parents:
        allowed.add("serialx")
    if path == CRYPTOGRAPHY:
        allowed.add("cryptography")
    assert tops(path) <= allowed
    assert all(
        name.startswith(f"{NAME}.protocol")
        for name in imported(path)
        if name.startswith("custom_components")
    )


@pytest.mark.parametrize(
    ("one", "others"),
    [
        ("ascii", ("dlms",)),
        ("dlms", ("ascii",)),
        ("transport", ("ascii", "dlms", "client.py", "discovery.py")),
    ],
    ids=["ascii", "dlms", "transport"],
)
def test_rooms_of_the_client_that_do_not_know_each_other(one: str, others: tuple[str, ...]) -> None:
    knowing = {
        (path.name, other.name)
        for path in files(PROTOCOL / one)
        for other in modules(path)
        if other.relative_to(PROTOCOL).parts[0] in others
    }
    assert not knowing


def test_one_place_opens_ports() -> None:
    opening = {
        str(path.relative_to(COMPONENT))
        for path in files(COMPONENT)
        if PROTOCOL not in path.parents
        and (
            f"{NAME}.protocol.transport.serial_line.open_line" in imported(path)
            or "serialx" in tops(path)
        )
    }
    assert opening == {"meter/connection.py"}


def test_the_simulator_shares_no_code_with_the_client() -> None:
    sharing = [path.name for path in files(ROOT / "simulator") if "custom_components" in tops(path)]
    assert not sharing


def test_no_test_imports_another() -> None:
    importing = {
        (str(path.relative_to(ROOT)), name)
        for path in files(ROOT / "tests")
        for name in imported(path)
        if name.startswith("tests.")
        and any(part.startswith("test_") for part in name.split("."))
        and (ROOT / Path(*name.split(".")[:-1])).with_suffix(".py").exists()
    }
    assert not importing
