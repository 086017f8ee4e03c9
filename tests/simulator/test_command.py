"""The command line, as the user and the demo use it."""

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import signal
import subprocess
import sys

import pytest

from simulator.wire import even

ROOT = Path(__file__).parents[2]


@contextmanager
def simulate(*options: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "simulator", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()
            # Of a test that failed, pytest shows its last words.
            if process.stderr is not None and not process.stderr.closed:
                print(process.stderr.read())


def test_it_says_where_it_is_answers_and_cleans_up(tmp_path: Path) -> None:
    path = tmp_path / "meter"
    with simulate("--pty", str(path), "--speed-up", "20", "--mode", "A") as process:
        assert process.stdout is not None
        assert next(process.stdout) == "/SIM-HOUSE-01 mode A, data at 9600 baud\n"
        assert next(process.stdout) == f"ready: {path}\n"
        terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
        os.write(terminal, bytes(map(even, b"/?!\r\n")))
        read = b""
        while even(0x03) not in read:
            read += os.read(terminal, 4096)
        assert b"1.8.0(" in bytes(octet & 0x7F for octet in read)
        assert "request /?!" in next(process.stdout)
        os.close(terminal)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not path.is_symlink()


def test_a_telegram_keeps_the_speed_it_announces(tmp_path: Path) -> None:
    telegram = tmp_path / "telegram.txt"
    telegram.write_text("/ABC3METER\r\n1.8.0(1*kWh)\r\n!\r\n")
    with simulate("--tcp", "127.0.0.1:0", "--telegram", str(telegram)) as process:
        assert process.stdout is not None
        assert next(process.stdout) == "/ABC3METER mode C, data at 2400 baud\n"


@pytest.mark.parametrize("scenario", ["household", "heat", "gas"])
def test_scenarios(scenario: str) -> None:
    with simulate("--tcp", "127.0.0.1:0", "--scenario", scenario, "--address", "123") as process:
        assert process.stdout is not None
        next(process.stdout)
        assert next(process.stdout).startswith("ready: socket://127.0.0.1:")


def test_a_file_that_is_not_there_is_one_sentence() -> None:
    with simulate("--pty", "/nowhere/meter") as process:
        _, error = process.communicate(timeout=20)
        assert process.returncode == 1
        assert error.startswith("simulate: ")
        assert error.count("\n") == 1


def test_only_a_household_has_a_load_profile(tmp_path: Path) -> None:
    options = ("--scenario", "gas", "--load-profile", "1")
    with simulate("--pty", str(tmp_path / "meter"), *options) as process:
        _, error = process.communicate(timeout=20)
        assert process.returncode == 1
        assert error == "simulate: only the household has a load profile\n"


def test_programming_mode(tmp_path: Path) -> None:
    path = tmp_path / "meter"
    options = ("--programming", "--cover-open", "--speed", "300", "--ident", "/SIM0X")
    with simulate("--pty", str(path), "--speed-up", "20", *options) as process:
        assert process.stdout is not None
        assert [next(process.stdout) for _ in range(2)][1].startswith("ready")
        terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)

        def hear(end: int) -> bytes:
            heard = b""
            while not heard or even(end) not in heard:
                heard += os.read(terminal, 4096)
            return bytes(octet & 0x7F for octet in heard)

        for message, end, answer in (
            (b"/?!\r\n", 0x0A, b"/SIM0X\r\n"),
            (b"\x06001\r\n", 0x03, b"\x01P0\x02("),
            (b"\x01R5\x02P.98()\x03\x18", 0x03, b"\x02P.98(0"),
        ):
            os.write(terminal, bytes(map(even, message)))
            # The check character of the answer before may come with this one.
            assert answer in hear(end)
        os.close(terminal)
