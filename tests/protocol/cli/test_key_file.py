"""Key files of the command line: what they may hold, and that no secret gets out of them."""

from pathlib import Path

import pytest

from custom_components.iec62056.protocol import __main__ as command
from custom_components.iec62056.protocol.cli.key_file import read_keyring
from custom_components.iec62056.protocol.dlms.security import Mechanism
from custom_components.iec62056.protocol.dlms_errors import DlmsUnsent
from custom_components.iec62056.protocol.errors import BadKeyFile
from custom_components.iec62056.protocol.register_session import Level
from simulator.dlms import Policy

from ...common.wired import WiredLine
from ..dlms.meters import DOORS, device, door, meter

KEYS = """
client = 2
mechanism = "gmac"
encryption_key = "00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F"
authentication_key = "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"
system_title = "4841530000000007"
ciphered = true
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "keys.toml"
    path.write_text(text)
    return path


def test_a_password(tmp_path: Path) -> None:
    ring = read_keyring(written(tmp_path, 'password = "12345678"'))
    (login,) = ring.logins
    assert (login.level, login.client) == (Level.PASSWORD, 1)
    assert login.credentials.secret == b"12345678"


async def test_the_counter_is_kept_beside_it(tmp_path: Path) -> None:
    path = written(tmp_path, KEYS)
    ring = read_keyring(path)
    assert ring.logins[0].credentials.mechanism is Mechanism.GMAC
    await ring.reserve(1)
    assert ring.counter.take() == 0
    later = read_keyring(path)
    await later.reserve(1)
    assert later.counter.take() == 256


@pytest.mark.parametrize(
    "text",
    [
        "password = 'hidden",
        "passwort = 'hidden'",
        "mechanism = 'hidden'",
        "mechanism = 'gmac'\nencryption_key = 'hidden'",
        "client = 'hidden'\npassword = 'hidden'",
    ],
)
def test_what_is_no_key_file(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadKeyFile) as caught:
        read_keyring(written(tmp_path, text))
    assert "hidden" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_key_of_another_length(tmp_path: Path) -> None:
    with pytest.raises((DlmsUnsent, BadKeyFile)):
        read_keyring(written(tmp_path, KEYS.replace("D0D1", "")))


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(BadKeyFile, match="No such file"):
        read_keyring(tmp_path / "none")


def test_the_command_line_reads_with_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dev = device(logins=DOORS | {2: door(Mechanism.GMAC)}, policy=Policy())

    async def open_line(_: str) -> WiredLine:
        return WiredLine(meter(dev, at_once=True, octets=2, physical=17))

    monkeypatch.setattr(command, "open_line", open_line)
    path = written(tmp_path, KEYS)
    where = ["--mode", "E", "--hdlc", "--physical", "17"]
    assert command.main(["/dev/x", *where, "--key-file", str(path)]) == 0
    out, err = capsys.readouterr()
    assert "8193/1-0:199.8.2" in out
    assert err == ""
    # The counter is in the public list, the registers are in the other one.
    assert dev.lists_read == 2
    # A wrong key: what the public client reads is shown, and why that is all.
    path.write_text(KEYS.replace("D0D1", "FFFF"))
    assert command.main(["/dev/x", *where, "--key-file", str(path)]) == 0
    out, err = capsys.readouterr()
    assert not any(line.startswith("8193/1-0:199.8.2") for line in out.splitlines())
    assert "1-0:1.8.0" in out
    assert err


def test_a_password_needs_one_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The public one holds nothing besides."""
    dev = device()

    async def open_line(_: str) -> WiredLine:
        return WiredLine(meter(dev, at_once=True))

    monkeypatch.setattr(command, "open_line", open_line)
    path = written(tmp_path, 'password = "12345678"')
    asked = ["/dev/x", "--mode", "E", "--hdlc", "--key-file", str(path)]
    assert command.main(asked) == 0
    assert "8193/1-0:199.8.2" in capsys.readouterr().out
    assert dev.lists_read == 1
    # Levels are told apart all the same.
    registers = ["--register", "1.8.0", "--register", "0-0:96.50.1", "--levels"]
    assert command.main([*asked, *registers]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "open" in first
    assert "password" in second
