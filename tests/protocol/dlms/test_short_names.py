"""Meters that know short names only: the same registers, profiles and levels, and nothing is changed in them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.dlms import apdu
from custom_components.iec62056.protocol.dlms.apdu import AccessResult
from custom_components.iec62056.protocol.dlms.axdr import encode
from custom_components.iec62056.protocol.dlms.data import NULL, Data, Tag, array, structure
from custom_components.iec62056.protocol.dlms.login import PUBLIC
from custom_components.iec62056.protocol.dlms.security import Mechanism
from custom_components.iec62056.protocol.dlms.service_exchange import read
from custom_components.iec62056.protocol.dlms_errors import DlmsError, DlmsMalformed, DlmsUnsent
from custom_components.iec62056.protocol.errors import AccessDenied
from custom_components.iec62056.protocol.model import Reading
from custom_components.iec62056.protocol.register_session import Permits, WriteOutcome
from simulator.dlms import Thing, values as v
from simulator.dlms.things import date_time, name

from ...common.wired import WiredLine
from .meters import DOORS, LOW, NOW, E, Policy, client, device, door, high, keyring, meter


def everything(reading: Reading) -> dict[str, tuple[str, ...]]:
    return {
        register.key: tuple(value.text for value in register.values)
        for register in reading.registers
        # It counts the messages themselves.
        if register.key != "0-0:43.1.0"
    }


@pytest.mark.parametrize("block", [0xFFFF, 100])
@pytest.mark.parametrize("mechanism", Mechanism)
async def test_they_are_read_like_others(mechanism: Mechanism, block: int) -> None:
    login = {Mechanism.NONE: PUBLIC, Mechanism.LOW: LOW}.get(mechanism) or high(mechanism)
    found = []
    for short in (False, True):
        dev = device(
            logins=DOORS | {2: door(mechanism)}, policy=Policy(short_names=short, block=block)
        )
        ring = keyring() if login is PUBLIC else keyring(login)
        _, reader = client(meter(dev, size=256, window=3), ring)
        found.append(everything(await reader.read_all()))
        assert reader.refusal is None
        assert ring.known.short_names is short
    long, short_ = found
    assert long == short_
    assert ("0-0:96.50.1" in short_) is (mechanism is not Mechanism.NONE)


async def test_it_is_found_out_once() -> None:
    ring, dev = keyring(LOW), device(policy=Policy(short_names=True))
    simulated = meter(dev)
    line, reader = client(simulated, ring)
    await reader.read_all()
    first = line.elapsed
    line, reader = client(simulated, ring)
    await reader.read_all()
    assert line.elapsed < first / 2
    assert dev.lists_read == 2


async def test_a_single_register_needs_the_list() -> None:
    _, reader = client(meter(device(policy=Policy(short_names=True))), keyring())
    right, denied, none = await reader.read(["1.8.0", "0-0:96.50.1", "1-0:99.9.9"])
    assert right.register is not None
    assert right.register.values[0].number == Decimal(7084592)
    assert isinstance(denied.refusal, AccessDenied)
    assert none.refusal is not None


async def test_nothing_is_changed() -> None:
    """Only what is read is done by short names."""
    dev = device(policy=Policy(short_names=True))
    wired = WiredLine(meter(dev))
    permits = Permits(frozenset({"0-0:96.13.0"}), frozenset({"0-0:10.0.0"}))
    reader = MeterClient(wired, E, keyring=keyring(LOW), permits=permits)
    for written in (
        await reader.write("0-0:96.13.0", "there"),
        await reader.execute("0-0:10.0.0", "1"),
    ):
        assert written.certainty is WriteOutcome.NOT_SENT
        assert isinstance(written.refusal, DlmsUnsent)
        assert "short names" in str(written.refusal)
    assert dev.log == []


@pytest.mark.parametrize("short", [False, True])
async def test_a_context_that_is_refused_either_way_is_told(short: bool) -> None:
    """Encryption is missing: no other kind of names would help, and neither is kept."""
    dev = device(policy=Policy(short_names=short))
    dev.logins = {1: replace(door(Mechanism.GMAC), mechanism=1, secret=b"12345678")}
    ring = keyring(LOW)
    _, reader = client(meter(dev), ring)
    with pytest.raises(DlmsError, match="context"):
        await reader.read_all()
    assert not ring.known.short_names


VALUE = structure(Data(Tag.UNSIGNED, 7), Data(Tag.OCTET_STRING, b"abc"))


VALUES = [VALUE, array(VALUE), array(), array(NULL), Data(Tag.UNSIGNED, 1)]


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("count", [1, 3])
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12), value=st.sampled_from(VALUES))
def test_blocks_hold_the_list_or_its_values(
    count: int, bare: bool, sizes: list[int], value: Data
) -> None:
    """Gurux and pydlms leave out what stands before the first value."""
    whole = bytes((count,)) + (b"\0" + encode(value)) * count
    whole = whole[2:] if bare else whole
    parts: list[bytes] = []
    while whole:
        size = sizes[len(parts) % len(sizes)]
        parts.append(whole[:size])
        whole = whole[size:]
    exchange = read([(0x1008, None)] * count)
    wanted: bytes | None = bytes((5, count)) + bytes.fromhex("021008") * count
    for number, part in enumerate(parts, 1):
        assert exchange.request == wanted
        last = number == len(parts)
        head = bytes((0x0C, 1, 2, last)) + number.to_bytes(2)
        exchange.answer(head + bytes((len(part),)) + part)
        wanted = bytes((5, 1, 5)) + number.to_bytes(2)
    assert exchange.results == (value,) * count


def test_several_variables_at_once() -> None:
    exchange = read([(0x1008, None), (0x2008, None), (0xFA08, None)])
    exchange.answer(bytes.fromhex("0C03 00 1107 01 03 00 0900"))
    first, second, third = exchange.results
    assert first == Data(Tag.UNSIGNED, 7)
    assert second is AccessResult.READ_WRITE_DENIED
    assert third == Data(Tag.OCTET_STRING, b"")


@given(st.binary(max_size=40), st.integers(1, 3))
def test_any_answer_ends_in_a_defined_way(octets: bytes, count: int) -> None:
    exchange = read([(0x1008, None)] * count)
    try:
        exchange.answer(b"\x0c" + octets)
    except DlmsError:
        return
    assert len(exchange.results) == count or exchange.request is not None


def test_a_part_of_a_variable_is_named_by_its_selector() -> None:
    assert apdu.read([(0x1008, None)]) == bytes.fromhex("0501021008")


@pytest.mark.parametrize("block", [0xFFFF, 100])
async def test_a_profile_is_read_in_parts(block: int) -> None:
    begin = datetime(2031, 5, 16, 22, tzinfo=UTC)
    rows = [
        v.struct(
            v.octets(date_time((begin + timedelta(hours=hour)).astimezone(NOW.tzinfo))), v.u32(hour)
        )
        for hour in range(8)
    ]
    asked: list[int] = []

    def part(selector: int, _: bytes) -> bytes:
        asked.append(selector)
        return v.array(rows[2:])

    columns = v.array(
        [
            v.struct(v.u16(class_id), v.octets(name(code)), v.i8(2), v.u16(0))
            for class_id, code in ((8, "0-0:1.0.0"), (3, "1-0:1.8.0"))
        ]
    )
    attributes = {2: v.array(rows), 3: columns, 4: v.u32(3600), 7: v.u32(8)}
    dev = device(policy=Policy(short_names=True, block=block))
    dev.things.append(Thing(7, name("1-0:99.1.0"), dict(attributes), part=part))
    _, reader = client(meter(dev, size=256), keyring())
    async with reader.conversation() as talk:
        (found,) = await talk.read_profile(
            "P.01", begin, begin + timedelta(hours=12), ZoneInfo("Europe/Berlin")
        )
    assert asked == [1]
    assert [str(row.values[0]) for row in found.rows] == ["2", "3", "4", "5", "6", "7"]


@pytest.mark.parametrize("whole", ["", "0101 03", "02 00 1107", "00 00"])
def test_blocks_that_hold_no_results(whole: str) -> None:
    exchange = read([(0x1008, None)])
    part = bytes.fromhex(whole)
    with pytest.raises(DlmsMalformed):
        exchange.answer(bytes.fromhex("0C01 02 01 0001") + bytes((len(part),)) + part)
