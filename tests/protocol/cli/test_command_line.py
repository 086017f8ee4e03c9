"""The command line: as the user starts it, and its output for programs."""

import json
from pathlib import Path
import subprocess
import sys
from typing import Any

import pytest

from custom_components.iec62056.protocol import LineProfile, Mode, __main__ as command

from ..scripted import Reply, ScriptedLine
from ..telegrams import framed

ROOT = Path(__file__).parents[3]
BLOCK = (
    b"0-0:F.F.0(00000000)\r\n0.9.1(174503)\r\n1.8.0(004711.815*kWh)\r\n"
    b"1.6.0(03.125*kW)(3105160915)\r\nC.5(ab:cd)\r\n~~~\r\n"
)
TELEGRAM = b"/LGZ5\\2ZMX310.A01\r\n" + framed(BLOCK)


@pytest.fixture(name="telegram")
def fixture_telegram(tmp_path: Path) -> Path:
    path = tmp_path / "telegram.bin"
    path.write_bytes(TELEGRAM)
    return path


@pytest.fixture(name="line")
def fixture_line(monkeypatch: pytest.MonkeyPatch) -> ScriptedLine:
    """A meter behind every URL."""
    line = ScriptedLine(
        [
            Reply(b"/?!\r\n", b"/LGZ5ZMX310.A01\r\n"),
            Reply(b"/?77!\r\n", b"/LGZ5ZMX310.A77\r\n"),
            Reply(b"\x06050\r\n", framed(BLOCK), speed=9600),
        ]
    )

    async def open_line(url: str) -> ScriptedLine:
        assert url == "/dev/ttyTEST"
        return line

    monkeypatch.setattr(command, "open_line", open_line)
    return line


def test_starts_without_home_assistant(telegram: Path) -> None:
    code = (
        "import runpy, sys; sys.argv = ['read', '--file', sys.argv[1], '--json'];\n"
        "try: runpy.run_module('protocol', run_name='__main__')\n"
        "finally: assert not any(name.startswith('homeassistant') for name in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(telegram)],
        env={"PYTHONPATH": str(ROOT / "custom_components" / "iec62056"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["identification"]["flag"] == "LGZ"


def _json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_json_of_a_file(telegram: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--file", str(telegram), "--json"]) == 0
    found = _json(capsys)
    assert found["identification"] == {
        "raw": "/LGZ5\\2ZMX310.A01",
        "flag": "LGZ",
        "speed_character": "5",
        "extensions": ["2"],
        "model": "ZMX310.A01",
    }
    assert found["registers"] == [
        {
            "address": "0-0:F.F.0",
            "obis": "0-0:97.97.0",
            "values": [{"value": "00000000", "unit": None, "number": "0"}],
        },
        {
            "address": "0.9.1",
            "obis": "1-0:0.9.1",
            "values": [{"value": "174503", "unit": None, "timestamp": "17:45:03"}],
        },
        {
            "address": "1.8.0",
            "obis": "1-0:1.8.0",
            "values": [{"value": "004711.815", "unit": "kWh", "number": "4711.815"}],
        },
        {
            "address": "1.6.0",
            "obis": "1-0:1.6.0",
            "values": [
                {"value": "03.125", "unit": "kW", "number": "3.125"},
                {"value": "3105160915", "unit": None, "timestamp": "2031-05-16T09:15:00"},
            ],
        },
        {
            "address": "C.5",
            "obis": "0-0:96.5.0",
            "values": [{"value": "ab:cd", "unit": None}],
        },
    ]
    assert found["unparsed"] == ["~~~"]
    assert found["health"]["check"] == "right"


@pytest.mark.parametrize("output", [[], ["--json"]])
def test_who_reads_only_the_beginning(output: list[str], tmp_path: Path) -> None:
    path = tmp_path / "telegram.bin"
    # More than a pipe holds.
    path.write_bytes(b"/ABC5X\r\n" + framed(b"1.8.0(004711.815*kWh)\r\n" * 4000))
    with subprocess.Popen(
        [sys.executable, "-m", "protocol", "--file", str(path), *output],
        env={"PYTHONPATH": str(ROOT / "custom_components" / "iec62056"), "PATH": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        started.stdout.read(1)
        started.stdout.close()
        assert started.stderr.read() == b""
    assert started.returncode == 0


def test_table_of_a_file(telegram: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--file", str(telegram)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "/LGZ5\\2ZMX310.A01"
    assert "1-0:1.8.0    1.8.0      4711.815 kWh" in lines
    assert "1-0:1.6.0    1.6.0      3.125 kW; 2031-05-16T09:15:00" in lines
    assert "not understood: '~~~'" in lines
    assert lines[-1] == "5 registers, check character right"


def test_reading_a_meter(line: ScriptedLine, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["/dev/ttyTEST", "--json"]) == 0
    found = _json(capsys)
    assert found["identification"]["raw"] == "/LGZ5ZMX310.A01"
    assert (found["health"]["check"], found["health"]["retries"]) == ("right", 0)
    assert found["health"]["parity_errors"] == 0
    assert found["health"]["duration"] > 1
    assert line.closed


def test_address_and_trace(
    line: ScriptedLine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace.txt"
    arguments = ["/dev/ttyTEST", "--address", "77", "--trace", str(trace)]
    assert command.main(arguments) == 0
    assert line.messages[0] == b"/?77!\r\n"
    assert "/?77!" in trace.read_text()
    assert "9600 Bd" in trace.read_text()
    assert capsys.readouterr().out.startswith("/LGZ5ZMX310.A77\n")


def test_trace_that_cannot_be_written(
    line: ScriptedLine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["/dev/ttyTEST", "--trace", str(tmp_path / "none" / "trace.txt")]
    assert command.main(arguments) == 0
    assert "could not be written" in capsys.readouterr().err
    assert line.closed


@pytest.mark.parametrize("mode", ["A", "B", "C", "D", "E"])
def test_modes(
    mode: str,
    line: ScriptedLine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen: list[LineProfile] = []

    class Meter:
        def __init__(self, _line: ScriptedLine, profile: LineProfile, **_: object) -> None:
            seen.append(profile)

        async def read_all(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(command, "MeterClient", Meter)
    assert command.main(["/dev/ttyTEST", "--mode", mode]) == 130
    assert [profile.mode for profile in seen] == [Mode(mode)]
    assert capsys.readouterr().err == "Stopped.\n"


def test_meter_that_pushes_is_found(line: ScriptedLine, capsys: pytest.CaptureFixture[str]) -> None:
    line._replies.clear()
    for second in range(60):
        telegram = b"/ABC5PUSH\r\n\r\n1.8.0(1*kWh)\r\n!\r\n"
        line._schedule(telegram, line.now() + second, 9600, (), 0)
    assert command.main(["/dev/ttyTEST"]) == 0
    assert capsys.readouterr().out.startswith("/ABC5PUSH")


def test_the_ways_are_told_to_who_watches(
    line: ScriptedLine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line._replies.clear()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert command.main(["/dev/ttyTEST"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "Calling the meter at 300 Bd …"
    assert told[1].startswith("No answer yet")
    assert [line for line in told if line.startswith("Waking")] == [
        "Waking a meter that sleeps …",
        "Waking it the fast way …",
    ]
    assert told[-2] == "Listening for a meter that sends by itself …"


def test_no_reading_is_one_sentence_and_a_status(
    line: ScriptedLine, capsys: pytest.CaptureFixture[str]
) -> None:
    line._replies.clear()
    assert command.main(["/dev/ttyTEST", "--json"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("The meter did not answer: not a single character came.")
    assert "Traceback" not in printed.err
    assert line.closed


def test_push_meter(line: ScriptedLine, capsys: pytest.CaptureFixture[str]) -> None:
    line._schedule(b"/ABC5PUSH\r\n\r\n1.8.0(1*kWh)\r\n!\r\n", line.now() + 1, 9600, (), 0)
    assert command.main(["/dev/ttyTEST", "--mode", "D"]) == 0
    assert capsys.readouterr().out.startswith("/ABC5PUSH")
    assert line.messages == []


@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_file_that_cannot_be_read(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--file", str(tmp_path / name)]) == 1
    assert "No data of a meter were found" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["/dev/x", "--file", "y"], ["/dev/x", "--mode", "F"]])
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    ["{}", "{", '{"data": 1}', '{"data": {"telegram": {"text": "1.8.0(1)"}}}', "{" * 9999],
)
def test_file_that_is_no_download(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    assert command.main(["--file", str(path)]) in (0, 1)
    assert "redacted" not in capsys.readouterr().out


@pytest.mark.parametrize("hostile", ["1e999", "-1e999", "NaN", "[]", "{}", '"x"', "9" * 5000])
@pytest.mark.parametrize(
    "field",
    [
        "check",
        "check_kind",
        "parity",
        "parity_errors",
        "characters",
        "retries",
        "duration",
        "speed",
    ],
)
def test_download_with_hostile_numbers(
    field: str, hostile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    health = {
        "check": '"right"',
        "check_kind": '"xor"',
        "parity": '"even"',
        "parity_errors": "0",
        "characters": "1",
        "retries": "0",
        "duration": "1",
        "speed": "300",
        "mode": "null",
        field: hostile,
    }
    said = ", ".join(f'"{name}": {text}' for name, text in health.items())
    path = tmp_path / "download.json"
    path.write_text(f'{{"data": {{"telegram": {{"text": "1.8.0(1)"}}, "health": {{{said}}}}}}}')
    assert command.main(["--file", str(path), "--json"]) in (0, 1)
    printed = capsys.readouterr()
    assert "Infinity" not in printed.out
    assert "redacted" not in printed.out or '"redacted": false' in printed.out


@pytest.mark.parametrize("octets", ["1", "2", "4"])
def test_the_length_of_an_address_needs_its_physical_part(
    octets: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be left aside without a word."""
    with pytest.raises(SystemExit) as caught:
        command.main(["/dev/ttyUSB0", "--mode", "E", "--server-octets", octets])
    assert caught.value.code == 2
    assert "octets" in capsys.readouterr().err
