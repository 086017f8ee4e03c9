"""microdlms (from PyPI, MIT) reads the simulator."""

import json
from pathlib import Path

import pytest

from custom_components.iec62056.protocol.dlms.security import Mechanism
from demo.processes import running
from simulator import Manners, Transport, serve

from ..protocol.dlms.meters import DOORS, PASSWORD_TEXT, Policy, device, door, meter
from .environment import PYTHON, ROOT, needs_peers

SPEED = 115200
NAMES = ["3/1.0.1.8.0.255", "3/1.0.16.7.0.255", "1/0.0.96.13.0.255", "1/0.0.96.50.1.255"]

pytestmark = [needs_peers, pytest.mark.usefixtures("socket_enabled")]


async def microdlms(
    folder: Path, port: str, client: int, password: str, names: list[str]
) -> tuple[int | None, list[str]]:
    """The status of the other one, and what it says."""
    script = str(ROOT / "tests/peers/microdlms_reader.py")
    command = [str(PYTHON), "-P", script, port, str(client), password, *names]
    async with running("microdlms", command, folder / "log", folder=folder) as reader:
        return await reader.ended(60), reader.words()


@pytest.mark.parametrize(("client", "password"), [(16, ""), (1, PASSWORD_TEXT.decode())])
async def test_it_reads_what_the_level_shows(client: int, password: str, tmp_path: Path) -> None:
    simulated = meter(device(), manners=Manners(speed=SPEED), at_once=True, reaction=0.001)
    async with serve(simulated, transport=Transport.TCP, speed=SPEED) as served:
        port = served.url.rpartition(":")[2]
        status, words = await microdlms(tmp_path, port, client, password, NAMES)
    assert status == 0, words
    assert json.loads(words[-1]) == {
        "1.0.1.8.0.255": "7084592",
        "1.0.16.7.0.255": "-250",
        "0.0.96.13.0.255": "hello",
        "0.0.96.50.1.255": "250" if password else "READ_WRITE_DENIED",
    }


@pytest.mark.parametrize(
    ("block", "words"), [(0xFFFF, "Unexpected end of data"), (100, "Unsupported Get-Response")]
)
async def test_it_reads_no_long_answers(block: int, words: str, tmp_path: Path) -> None:
    """It takes the first of the frames of a message for all of it, though its segmentation bit is set (ISO 13239 4.9.3), and knows no GET response with a data block (Green Book 9.5)."""
    dev = device(policy=Policy(block=block))
    simulated = meter(dev, manners=Manners(speed=SPEED), at_once=True, size=128, reaction=0.001)
    async with serve(simulated, transport=Transport.TCP, speed=SPEED) as served:
        port = served.url.rpartition(":")[2]
        status, said = await microdlms(tmp_path, port, 16, "", ["15/0.0.40.0.0.255"])
    assert status == 1
    assert words in said[-1]


async def test_it_is_refused_with_another_password(tmp_path: Path) -> None:
    dev = device(logins=DOORS | {2: door(Mechanism.MD5)})
    simulated = meter(dev, manners=Manners(speed=SPEED), at_once=True, reaction=0.001)
    async with serve(simulated, transport=Transport.TCP, speed=SPEED) as served:
        status, words = await microdlms(
            tmp_path, served.url.rpartition(":")[2], 1, "another", NAMES
        )
    assert status == 1
    assert dev.log == ["wrong password"]
    assert "AuthenticationError" in words[-1]
