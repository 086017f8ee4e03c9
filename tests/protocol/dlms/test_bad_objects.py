"""One object that cannot be read costs itself alone, at every reading, and the reading says which and why."""

from random import Random

import pytest

from custom_components.iec62056.protocol.codec import decode, encode
from custom_components.iec62056.protocol.dlms.login import Keyring
from custom_components.iec62056.protocol.dlms_errors import DlmsMalformed, HdlcLost
from custom_components.iec62056.protocol.model import Reading
from simulator.dlms import BinaryMeter, Policy
from simulator.dlms.frames import SNRM, Heard
from simulator.dlms.things import Thing, name
from simulator.dlms.values import struct

from ...common.wired import WiredLine
from .meters import client, device, keyring, meter

UNKNOWN_TYPE = bytes.fromhex("9901020304")
CUT_SHORT = bytes.fromhex("060001")
NESTED = bytes.fromhex("0201") * 40 + b"\x00"
VALUES = {"unknown type": UNKNOWN_TYPE, "cut short": CUT_SHORT, "nested": NESTED}
BAD = name("32.7.0")


def bad_values(count: int) -> list[bytes]:
    """Values that are none, each in a way of its own."""
    random = Random(18)
    found = [
        bytes([tag]) + random.randbytes(random.randrange(6))
        for tag in (7, 8, 11, 14, 34, 99, 153, 254)
    ]
    found += [b"\x09\x20" + random.randbytes(4), b"\x01\x84\xff\xff\xff\xff", b"\x0a\x85\x01", b""]
    found += [struct(b"\x12\x01"), b"\x13\x02\x02\x12", b"\x04\x7f\x00", b"\x17\x00\x00"]
    return found[:count]


def with_value(value: bytes, *, block: int = 0xFFFF, attribute: int = 2) -> BinaryMeter:
    dev = device(policy=Policy(block=block))
    next(thing for thing in dev.things if thing.name == BAD).attributes[attribute] = value
    return meter(dev, size=256, window=4)


def falls_silent(simulated: BinaryMeter, *names: bytes) -> None:
    """Once asked for one of these objects, the meter says nothing more in this link."""
    station, hears = simulated.station, simulated.station.hears
    silent = False

    def mute(heard: Heard) -> bytes:
        nonlocal silent
        if heard.control & ~0x10 == SNRM:
            silent = False
        silent |= any(one in heard.content for one in names)
        return b"" if silent else hears(heard)

    station.hears = mute  # type: ignore[method-assign]


async def read(simulated: BinaryMeter, ring: Keyring | None = None) -> tuple[WiredLine, Reading]:
    line, reader = client(simulated, ring)
    return line, await reader.read_all()


def others(reading: Reading) -> set[str]:
    return {register.key for register in reading.registers} - {"1-0:32.7.0"}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("granted", [0x001E1D, 0x001C1D], ids=["lists", "singly"])
async def test_a_value_that_cannot_be_decoded(value: bytes, granted: int) -> None:
    _, good = await read(meter())
    simulated = with_value(value)
    simulated.device.policy.granted = granted
    ring = keyring()
    for _ in range(3):
        _, reading = await read(simulated, ring)
        assert others(reading) == others(good)
        assert reading.first("1-0:32.7.0") is None
        (told,) = reading.unparsed
        assert told.startswith("1-0:32.7.0 (class 3, attribute 2): ")
        assert reading.health.retries == 0


@pytest.mark.parametrize("value", bad_values(16), ids=bytes.hex)
@pytest.mark.parametrize("attribute", [2, 3])
async def test_any_value_that_is_none(value: bytes, attribute: int) -> None:
    _, good = await read(meter())
    for block in (0xFFFF, 20):
        _, reading = await read(with_value(value, block=block, attribute=attribute))
        assert others(reading) == others(good)
        if attribute == 2:
            assert reading.first("1-0:32.7.0") is None
            assert any("1-0:32.7.0" in told for told in reading.unparsed)


async def test_what_could_not_be_decoded_is_asked_by_itself_from_then_on() -> None:
    """So that lists go on being used, and its neighbours are not asked twice."""
    simulated, ring = with_value(UNKNOWN_TYPE), keyring()
    await read(simulated, ring)
    ring.known = decode(type(ring.known), encode(ring.known))
    turns = simulated.station.turns
    await read(simulated, ring)
    assert not ring.known.singly
    assert simulated.station.turns - turns <= 6
    # When it is mended, it is read with the others again.
    next(one for one in simulated.device.things if one.name == BAD).attributes[2] = b"\x12\x00\x01"
    await read(simulated, ring)
    _, reading = await read(simulated, ring)
    assert reading.first("1-0:32.7.0") is not None
    assert not ring.known.alone


@pytest.mark.parametrize("granted", [0x001E1D, 0x001C1D], ids=["lists", "singly"])
@pytest.mark.parametrize("count", [1, 2])
async def test_an_object_that_is_never_answered(granted: int, count: int) -> None:
    names = [BAD, name("13.7.0")][:count]
    codes = {"1-0:32.7.0", "1-0:13.7.0"}
    _, good = await read(meter())
    simulated, ring = meter(size=256, window=4), keyring()
    simulated.device.policy.granted = granted
    falls_silent(simulated, *names)
    _, first = await read(simulated, ring)
    assert others(first) | codes == others(good) | codes
    assert len(first.unparsed) >= count
    # Asked twice without an answer, it is left out for a day.
    line, _ = await read(simulated, ring)
    line, again = await read(simulated, ring)
    assert others(again) | codes == others(good) | codes
    assert again.health.retries == 0
    assert line.elapsed < 10
    assert len(again.unparsed) >= count


async def test_it_is_asked_again_after_a_day() -> None:
    simulated, ring = meter(size=256, window=4), keyring()
    falls_silent(simulated, BAD)
    await read(simulated, ring)
    assert ring.known.skipped
    ring.known.skipped = dict.fromkeys(ring.known.skipped, 0.0)
    simulated.station.hears = type(simulated.station).hears.__get__(simulated.station)  # type: ignore[method-assign]
    _, reading = await read(simulated, ring)
    assert reading.first("1-0:32.7.0") is not None
    assert not reading.unparsed
    assert not ring.known.skipped
    assert not ring.known.alone


async def test_a_single_register_says_what_is_wrong_with_it() -> None:
    _, reader = client(with_value(CUT_SHORT))
    bad, good = await reader.read(["1-0:32.7.0", "1-0:1.8.0"])
    assert isinstance(bad.refusal, DlmsMalformed)
    assert good.register is not None
    silent = meter(size=256, window=4)
    falls_silent(silent, BAD)
    _, reader = client(silent)
    bad, good = await reader.read(["1-0:32.7.0", "1-0:1.8.0"])
    assert isinstance(bad.refusal, HdlcLost)
    assert good.register is not None


async def test_nothing_but_bad_objects() -> None:
    dev = device()
    dev.things = [Thing(3, BAD, {2: UNKNOWN_TYPE}), *dev.things[2:3]]
    _, reader = client(meter(dev))
    with pytest.raises(DlmsMalformed, match="unknown type"):
        await reader.read_all()
