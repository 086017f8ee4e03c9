"""Who may know whom: the imports of every file keep to docs/architecture.md."""

import ast
from collections.abc import Iterator
from pathlib import Path
import sys

import pytest

ROOT = Path(__file__).parents[1]
COMPONENT = ROOT / "custom_components" / "iec62056"
PROTOCOL = COMPONENT / "protocol"
NAME = "custom_components.iec62056"
HOME_ASSISTANT = {"homeassistant", "voluptuous", "probatio"}
# What the client may use besides the standard library, and who of it.
LINE = ("line.py", "opening.py")
SECURITY = ("security.py",)
# Rooms that only compute: no Home Assistant at run time, no client that does something.
PURE = (
    "budget.py",
    "plausibility.py",
    "plausibility_data.py",
    "plausibility_record.py",
    "beliefs.py",
)
# Only these open ports or hold conversations; everyone else asks them.
OPENERS = {"lines.py"}


def files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*.py")) if "__pycache__" not in path.parts)


def imported(path: Path) -> set[str]:
    """The full names of the modules a file imports, wherever in it."""
    package = [*path.relative_to(ROOT).with_suffix("").parts]
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: -node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found.add(module)
            found.update(f"{module}.{alias.name}" for alias in node.names)
    return found


def tops(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


def inside(path: Path, room: str) -> bool:
    """Whether a file imports something of that room of the component."""
    name = f"{NAME}.{room}"
    return any(found == name or found.startswith(f"{name}.") for found in imported(path))


@pytest.mark.parametrize("path", files(PROTOCOL), ids=lambda path: str(path.relative_to(PROTOCOL)))
def test_the_client_knows_nothing_of_home_assistant(path: Path) -> None:
    allowed = {*sys.stdlib_module_names, "custom_components"}
    if path.name in LINE:
        allowed.add("serialx")
    if path.name in SECURITY:
        allowed.add("cryptography")
    assert tops(path) <= allowed
    assert all(
        name.startswith(f"{NAME}.protocol")
        for name in imported(path)
        if name.startswith("custom_components")
    )


@pytest.mark.parametrize(
    ("room", "other"), [("ascii", "dlms"), ("dlms", "ascii")], ids=["ascii", "dlms"]
)
def test_the_two_families_of_modes_do_not_know_each_other(room: str, other: str) -> None:
    knowing = [path.name for path in files(PROTOCOL / room) if inside(path, f"protocol.{other}")]
    assert not knowing


@pytest.mark.parametrize("path", [PROTOCOL / name for name in LINE], ids=lambda path: path.name)
def test_the_line_knows_no_conversation(path: Path) -> None:
    assert not any(inside(path, f"protocol.{room}") for room in ("ascii", "dlms", "meter"))


@pytest.mark.parametrize("name", PURE)
def test_what_only_computes_needs_no_home_assistant(name: str) -> None:
    assert not tops(COMPONENT / name) & HOME_ASSISTANT


def test_one_room_opens_ports() -> None:
    opening = {
        path.name
        for path in COMPONENT.glob("*.py")
        if f"{NAME}.protocol.line.open_line" in imported(path) or "serialx" in tops(path)
    }
    assert opening == OPENERS


def test_nobody_knows_the_entities() -> None:
    entities = {"sensor", "binary_sensor", "button"}
    knowing = {
        (path.name, entity)
        for path in COMPONENT.glob("*.py")
        for entity in entities
        if path.stem not in entities and inside(path, entity)
    }
    assert not knowing


def test_the_simulator_shares_no_code_with_the_client() -> None:
    sharing = [path.name for path in files(ROOT / "simulator") if "custom_components" in tops(path)]
    assert not sharing
