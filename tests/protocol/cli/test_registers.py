"""Single registers on the command line: what is asked, what is shown, and where the password is not."""

import json
from pathlib import Path

import pytest

from custom_components.iec62056.protocol import __main__ as command
from simulator import Cell, Guard, Kind, Meter, Programming

from ...simulator.bench import Stock
from ..wired import WiredLine

URL = "/dev/ttyTEST"


@pytest.fixture(name="line")
def fixture_line(monkeypatch: pytest.MonkeyPatch) -> WiredLine:
    """A meter behind every URL."""
    cells = {"0.4.2": Cell("(050*A)", Guard.PASSWORD), "0.2.1": Cell("(7)", Guard.SECRET)}
    access = Programming(cells=cells, password="wombat77", secret="geheim")
    line = WiredLine(Meter(Stock(), programming=access))

    async def open_line(url: str) -> WiredLine:
        assert url == URL
        return line

    monkeypatch.setattr(command, "open_line", open_line)
    return line


@pytest.fixture(name="secret")
def fixture_secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("wombat77\nnot this line\n")
    return path


def _ask(*options: object) -> int:
    return command.main([URL, *(str(option) for option in options)])


def test_registers_as_a_table(line: WiredLine, capsys: pytest.CaptureFixture[str]) -> None:
    assert _ask("--register", "1.8.0", "--register", "0.4.2") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "1.8.0  open       (000123.4*kWh)"
    assert second.startswith("0.4.2  open       The meter wants a password for 0.4.2")
    assert line.closed


def test_nothing_read_is_a_failure(line: WiredLine) -> None:
    assert _ask("--register", "9.9.9") == 1
    assert line.log.of(Kind.BREAK)


def test_levels_with_a_password_as_json(
    line: WiredLine, secret: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace"
    codes = ("--register", "1.8.0", "--register", "0.4.2", "--register", "0.2.1")
    assert _ask(*codes, "--levels", "--json", "--password-file", secret, "--trace", trace) == 0
    told = capsys.readouterr()
    registers = json.loads(told.out)["registers"]
    assert [(one["level"], one["refusal"]) for one in registers] == [
        ("open", None),
        ("password", None),
        ("password", "access_denied"),
    ]
    assert registers[1]["values"] == [{"value": "050", "unit": "A"}]
    assert registers[0]["key"] == "1-0:1.8.0"
    assert "wombat77" not in told.out + told.err + trace.read_text()
    assert len(line.log.of(Kind.SIGN_ON)) == 2


def test_algorithm_is_chosen(line: WiredLine, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("geheim")
    assert _ask("--register", "0.2.1", "--password-file", path, "--login", "crc32") == 0


def test_wrong_password_is_told_and_the_rest_is_read(
    line: WiredLine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "secret"
    path.write_text("wombat78\n")
    assert _ask("--register", "1.8.0", "--password-file", path) == 0
    told = capsys.readouterr()
    assert "refused the password" in told.err
    assert "000123.4" in told.out
    assert "wombat" not in told.out + told.err


@pytest.mark.parametrize("content", [None, "wom)bat", "", "wömbat"])
def test_file_without_a_usable_password(
    line: WiredLine, tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_text(content)
    assert _ask("--register", "1.8.0", "--password-file", path) == 1
    assert "bat" not in capsys.readouterr().err
    assert not line.messages


def test_stored_telegram_has_none(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        command.main(["--file", str(tmp_path), "--register", "1.8.0"])
