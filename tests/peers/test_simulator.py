"""Another implementation reads the simulator, and the client reads the same of it: neither shares a line with it."""

from decimal import Decimal
import json
from pathlib import Path
import sys

import pytest

from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.dlms.login import PUBLIC, Keyring
from custom_components.iec62056.protocol.dlms.security import Mechanism
from custom_components.iec62056.protocol.model import LineProfile, Mode
from custom_components.iec62056.protocol.transport.serial_line import open_line
from demo.processes import running
from simulator import Manners, Transport, serve
from simulator.dlms import Policy, Thing
from simulator.dlms.things import name
from simulator.dlms.values import scaler_unit, u32

from ..protocol.dlms.meters import DOORS, LOW, device, door, high, keyring, meter

ROOT = Path(__file__).parents[2]
# As fast as the machine is: the bridge has no speed that a client could change.
SPEED = 115200


async def gurux(folder: Path, port: str, *arguments: object) -> dict[str, str]:
    """What the other implementation reads."""
    command = [sys.executable, "-m", "tests.peers.gurux_reader", port, *map(str, arguments)]
    async with running("The other one", command, folder / "log", folder=ROOT) as reader:
        assert await reader.ended(60) == 0, reader.words()
        found: dict[str, str] = json.loads(reader.words()[-1])
    return found


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize(
    ("mechanism", "block", "short_names"),
    [
        *((mechanism, block, False) for mechanism in range(7) for block in (0xFFFF, 300)),
        (0, 0xFFFF, True),
        (1, 0xFFFF, True),
    ],
)
async def test_both_read_the_same(
    mechanism: int, block: int, short_names: bool, tmp_path: Path
) -> None:
    """By short names, the other one proves itself by a WRITE, whose answer has no place for the meter's proof (Green Book 9.5)."""
    policy = Policy(block=block, short_names=short_names)
    dev = device(logins=DOORS | {2: door(Mechanism(mechanism))}, policy=policy)
    simulated = meter(
        dev, manners=Manners(speed=SPEED), at_once=True, size=256, window=4, reaction=0.001
    )
    login = {0: PUBLIC, 1: LOW}.get(mechanism) or high(Mechanism(mechanism))
    async with serve(simulated, transport=Transport.TCP, speed=SPEED) as served:
        port = served.url.rpartition(":")[2]
        ciphered = ["--ciphered"] if mechanism == Mechanism.GMAC else []
        names = ["--short-names"] if short_names else []
        theirs = await gurux(tmp_path, port, login.client, mechanism, 1, *ciphered, *names)
        line = await open_line(served.url, speed=SPEED)
        try:
            ring = Keyring((login,)) if login is PUBLIC else keyring(login)
            profile = LineProfile(mode=Mode.E, hdlc_at_once=True)
            reader = MeterClient(line, profile, keyring=ring)
            reading = await reader.read_all()
        finally:
            await line.close()
    assert reader.refusal is None
    ours = {str(register.obis): register.values[0].text for register in reading.registers}
    for place, key in (
        ("1.0.1.8.0.255", "1-0:1.8.0"),
        ("1.0.16.7.0.255", "1-0:16.7.0"),
        ("1.0.32.7.0.255", "1-0:32.7.0"),
    ):
        assert Decimal(theirs[place]) == Decimal(ours[key])
    assert ours["1-0:1.8.0"] == "7084592"
    assert len(theirs) >= (13 if mechanism == 0 else 15)
    # Everything it may read, the client read too.
    assert theirs.keys() <= {_name(register.key) for register in reading.registers}


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize(("size", "window"), [(256, 2), (256, 4), (128, 7)])
async def test_answers_of_several_windows(size: int, window: int, tmp_path: Path) -> None:
    """The object list alone is longer than one; the numbers of the frames go round."""
    dev = device()
    dev.things += [
        Thing(3, name(f"1-0:{number}.29.0"), {2: u32(number), 3: scaler_unit(0, 30)})
        for number in range(100, 160)
    ]
    simulated = meter(
        dev, manners=Manners(speed=SPEED), at_once=True, size=size, window=window, reaction=0.001
    )
    async with serve(simulated, transport=Transport.TCP, speed=SPEED) as served:
        port = served.url.rpartition(":")[2]
        theirs = await gurux(tmp_path, port, PUBLIC.client, 0, window)
    assert len(dev.object_list(0)) > 8 * size
    assert [theirs[f"1.0.{number}.29.0.255"] for number in range(100, 160)] == [
        str(number) for number in range(100, 160)
    ]


def _name(key: str) -> str:
    """A code as the other implementation writes it."""
    code, _, stored = key.partition("*")
    return code.replace("-", ".").replace(":", ".") + f".{stored or 255}"
