"""Meters of mode E read from the first character on, against a meter whose codec is another one."""

from dataclasses import replace

import pytest

from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.codec import decode, encode
from custom_components.iec62056.protocol.discovery import DiscoveryHints, discover
from custom_components.iec62056.protocol.dlms_errors import (
    AssociationRefused,
    AuthenticationRefused,
    BinaryRefused,
    HdlcLost,
    HdlcSilent,
    SevenBits,
)
from custom_components.iec62056.protocol.errors import MeterError, NoAnswer, NoData
from custom_components.iec62056.protocol.model import (
    LineProfile,
    Medium,
    Mode,
    ParitySeen,
    Reading,
    Verdict,
)
from simulator import Echo, Kind, Link, Manners
from simulator.dlms import Policy
from simulator.dlms.frames import LinkFaults
from simulator.dlms.values import array, i8, null, octets, scaler_unit, struct, u16, u32

from ..scripted import Reply, ScriptedLine
from .meters import DOORS, LOW, E, client, device, keyring, meter

IN_MODE_C = {
    "0-0:97.97.0", "1-0:0.0.0", "0-0:96.1.0", "1-0:0.2.0", "1-0:1.8.0", "1-0:1.8.1", "1-0:2.8.0",
    "1-0:1.8.0*1", "1-0:1.6.0", "1-0:32.7.0", "1-0:13.7.0", "1-0:16.7.0", "0-0:96.8.0",
}  # fmt: skip


def shown(reading: Reading, key: str) -> tuple[str, str | None]:
    register = reading.first(key)
    assert register is not None, key
    text, unit = register.values[0]
    return text, unit


async def test_a_reading() -> None:
    line, reader = client(meter(size=256, window=4))
    reading = await reader.read_all()
    assert shown(reading, "1-0:1.8.0") == ("7084592", "Wh")
    assert shown(reading, "1-0:16.7.0") == ("-250", "W")
    assert shown(reading, "1-0:32.7.0") == ("231.4", "V")
    assert shown(reading, "1-0:13.7.0") == ("0.981", None)
    assert shown(reading, "0-0:96.8.0") == ("21944", "h")
    assert shown(reading, "0-0:42.0.0") == ("SIM0000010012345", None)
    # As F.F in mode C: hexadecimal digits.
    assert shown(reading, "0-0:97.97.0") == ("00000000", None)
    health = reading.health
    assert (health.check, health.mode, health.retries) == (Verdict.RIGHT, Mode.E, 0)
    assert (health.speed, health.parity, health.parity_errors) == (9600, ParitySeen.EVEN, 0)
    assert reading.identification is not None
    assert reading.identification.raw == "/SIM5\\2METER-01"
    profile = reader.profile
    assert (profile.mode, profile.speed, profile.medium) == (Mode.E, 9600, Medium.ELECTRICITY)
    # Signed off, and ready for a sign-on.
    assert line.log.of(Kind.BREAK)
    assert not line.binary


async def test_the_same_keys_as_in_mode_c() -> None:
    both = meter(reads_out=True)
    _, reader = client(both, profile=LineProfile(mode=Mode.C))
    ascii_keys = {register.key for register in (await reader.read_all()).registers}
    _, reader = client(meter())
    binary_keys = {register.key for register in (await reader.read_all()).registers}
    assert ascii_keys == IN_MODE_C
    assert ascii_keys <= binary_keys


async def test_extended_and_demand_registers() -> None:
    _, reader = client(meter())
    reading = await reader.read_all()
    peak = reading.first("1-0:1.6.0")
    assert peak is not None
    # The moment stands where mode C has it; the status of the meter comes behind.
    assert [value.text for value in peak.values] == ["2310", "310517071500W", "0"]
    current, last = reading.first("1-0:1.4.0"), reading.first("1-0:1.5.0")
    assert current is not None
    assert last is not None
    assert (current.values[0].text, last.values[0].text) == ("1234", "987")
    assert last.values[1].text.endswith(("W", "S"))


async def test_objects_are_asked_for_once() -> None:
    simulated = meter(size=256, window=4)
    ring = keyring()
    line, reader = client(simulated, ring)
    first = await reader.read_all()
    before, turns = line.elapsed, simulated.station.turns
    again = await reader.read_all()
    assert again.registers == first.registers
    assert simulated.station.turns - turns <= 5
    assert line.elapsed - before < 3.5
    # What is known survives being stored.
    ring.known = decode(type(ring.known), encode(ring.known))
    turns = simulated.station.turns
    assert (await reader.read_all()).registers == first.registers
    assert simulated.station.turns - turns <= 5


async def test_another_meter_in_its_place_is_asked_anew() -> None:
    ring = keyring()
    simulated = meter()
    _, reader = client(simulated, ring)
    await reader.read_all()
    other = device()
    name = other.things[0]
    name.attributes[2] = octets(b"SIM0000099999999")
    other.things = [thing for thing in other.things if thing.name[2:5] != b"\x20\x07\x00"]
    _, reader = client(meter(other), ring)
    reading = await reader.read_all()
    assert shown(reading, "0-0:42.0.0") == ("SIM0000099999999", None)
    assert reading.first("1-0:32.7.0") is None
    assert reading.first("1-0:1.8.0") is not None


async def test_an_object_that_went_away_is_noticed() -> None:
    ring, dev = keyring(), device()
    line, reader = client(meter(dev), ring)
    await reader.read_all()
    del line
    dev.things = [thing for thing in dev.things if thing.name[2:5] != b"\x20\x07\x00"]
    assert (await reader.read_all()).first("1-0:32.7.0") is None
    assert not ring.known.lists
    await reader.read_all()
    assert ring.known.lists


# The way to the first frame.


@pytest.mark.parametrize("repeats", [True, False])
async def test_the_repetition_of_the_option_select_may_be_left_out(repeats: bool) -> None:
    line, reader = client(meter(repeats=repeats))
    assert len((await reader.read_all()).registers) > 10
    assert line.written[1] == b"\x06252\r\n"


async def test_a_lower_speed_in_the_repetition() -> None:
    # It offers 19200 and then says that it goes at 9600: the repetition is garbage at another speed, but where the
    # line hears it, it counts.
    script = [
        Reply(b"/?!\r\n", b"/ABC5\\2X\r\n"),
        Reply(b"\x06252\r\n", b"\x06242\r\n", speed=9600),
    ]
    line = ScriptedLine(script)
    with pytest.raises(HdlcSilent):
        await MeterClient(line, E).read_all()
    assert [speed for _, speed in line.speeds][:2] == [9600, 4800]


async def test_a_line_that_cannot_change_its_speed() -> None:
    line, reader = client(meter(), can_switch=False)
    reading = await reader.read_all()
    assert line.written[1] == b"\x06202\r\n"
    assert reading.health.speed == 300
    assert reader.profile.speed is None


async def test_a_meter_that_does_not_announce_mode_e() -> None:
    _, reader = client(meter(announced=False))
    reading = await reader.read_all()
    assert reading.identification is not None
    assert not reading.identification.offers_mode_e
    assert reading.health.mode is Mode.E


async def test_frames_at_once() -> None:
    profile = replace(E, hdlc_at_once=True)
    line, reader = client(meter(at_once=True, octets=4, logical=1, physical=0x662), profile=profile)
    with pytest.raises(HdlcSilent):
        await reader.read_all()
    profile = replace(profile, physical=0x662)
    simulated = meter(at_once=True, octets=4, logical=1, physical=0x662)
    line, reader = client(simulated, profile=profile)
    reading = await reader.read_all()
    assert reading.identification is None
    assert not any(written.startswith(b"/") for written in line.written)
    # Logical device 1 behind physical address 1634, in four octets.
    assert b"\x00\x02\x18\xc5" in line.written[0]


@pytest.mark.parametrize(("octets_", "physical"), [(1, None), (2, 17), (4, 17), (4, 1634)])
async def test_addresses(octets_: int, physical: int | None) -> None:
    profile = replace(E, physical=physical, server_octets=octets_ if physical else 0)
    _, reader = client(meter(octets=octets_, physical=physical), profile=profile)
    assert len((await reader.read_all()).registers) > 10


async def test_mode_c_is_tried_first_and_mode_e_where_it_gives_nothing() -> None:
    line, reader = client(meter(reads_out=True), profile=LineProfile())
    assert (await reader.read_all()).health.mode is Mode.C
    assert not any(written.startswith(b"\x062") for written in line.written)
    line, reader = client(meter(), profile=LineProfile())
    assert (await reader.read_all()).health.mode is Mode.E
    assert reader.profile.mode is Mode.E
    before = line.elapsed
    await reader.read_all()
    assert line.elapsed - before < 10


async def test_who_has_a_password_of_mode_e_is_read_in_mode_e() -> None:
    line, reader = client(meter(reads_out=True), keyring(LOW), LineProfile())
    assert (await reader.read_all()).health.mode is Mode.E
    assert b"\x06050\r\n" not in line.written


async def test_neither_mode_gives_anything() -> None:
    _, reader = client(meter(ignores_option=True), profile=LineProfile())
    with pytest.raises(NoData):
        await reader.read_all()


async def test_a_readout_in_place_of_mode_e() -> None:
    _, reader = client(meter(reads_out=True, ignores_option=True))
    with pytest.raises((BinaryRefused, HdlcSilent)):
        await reader.read_all()


async def test_a_bridge_of_seven_bits() -> None:
    _, reader = client(meter(), link=Link.SEVEN)
    with pytest.raises(SevenBits, match="7 data bits"):
        await reader.read_all()


@pytest.mark.parametrize("same", [False, True])
async def test_an_echo(same: bool) -> None:
    simulated = meter(logical=16 if same else 1)
    profile = replace(E, server=16 if same else 1)
    _, reader = client(simulated, profile=profile, echo=Echo.FULL)
    reading = await reader.read_all()
    assert reading.health.echo
    assert shown(reading, "1-0:1.8.0") == ("7084592", "Wh")


async def test_a_session_that_was_left_open_is_ended() -> None:
    """A client was killed in the middle: the meter hears no sign-on until its time-out, unless it is told."""
    simulated = meter(inactivity=1e6)
    line, reader = client(simulated, profile=replace(E, speed=9600))
    await reader.read_all()
    # As a process that ends: nothing is said to the meter.
    from custom_components.iec62056.protocol.mode_e import ModeEMeter

    killed = ModeEMeter(line, reader.profile, keyring())
    await killed._session.enter(killed._session.keyring.logins[0])
    line.binary = False
    before = line.elapsed
    assert len((await reader.read_all()).registers) > 10
    assert line.elapsed - before < 20


# What meters do differently, and what the line does.


@pytest.mark.parametrize(("size", "window"), [(128, 1), (256, 4), (2030, 7), (60, 2)])
async def test_sizes_and_windows(size: int, window: int) -> None:
    _, reader = client(meter(size=size, window=window))
    reading = await reader.read_all()
    assert {register.key for register in reading.registers} >= IN_MODE_C


@pytest.mark.parametrize("block", [64, 200, 900])
async def test_block_transfer(block: int) -> None:
    _, reader = client(meter(device(policy=Policy(block=block)), size=256, window=3))
    reading = await reader.read_all()
    assert {register.key for register in reading.registers} >= IN_MODE_C


async def test_a_meter_that_grants_lists_and_refuses_them() -> None:
    ring = keyring()
    _, reader = client(meter(device(policy=Policy(lists_fail=True))), ring)
    reading = await reader.read_all()
    assert {register.key for register in reading.registers} >= IN_MODE_C
    assert ring.known.singly


async def test_a_meter_without_lists() -> None:
    simulated = meter(device(policy=Policy(granted=0x001C1D)))
    _, reader = client(simulated)
    assert {register.key for register in (await reader.read_all()).registers} >= IN_MODE_C


async def test_every_frame_lost_or_damaged_once() -> None:
    simulated = meter(size=128, window=3)
    _, reader = client(simulated)
    expected = (await reader.read_all()).registers
    frames = simulated.station._sent
    assert frames > 12
    for number in range(1, frames + 1):
        for kind in ("lost", "damaged"):
            hit = {number}
            faults = LinkFaults(lost=hit) if kind == "lost" else LinkFaults(damaged=hit)
            _, reader = client(meter(size=128, window=3, link_faults=faults))
            reading = await reader.read_all()
            assert reading.registers == expected, (kind, number)
            # The answer to the last frame, DISC, is not worth more than its own repetition.
            assert reading.health.retries or number in (1, frames), (kind, number)


async def test_a_busy_meter() -> None:
    line, reader = client(meter(link_faults=LinkFaults(busy=10)))
    assert len((await reader.read_all()).registers) > 10
    assert line.elapsed > 2


async def test_a_meter_that_stays_busy() -> None:
    line, reader = client(meter(link_faults=LinkFaults(busy=10**9)))
    with pytest.raises(HdlcLost, match="busy"):
        await reader.read_all()
    assert line.elapsed < 200


async def test_a_meter_that_closes_the_link() -> None:
    _, reader = client(meter(link_faults=LinkFaults(closes_after=12)))
    reading = await reader.read_all()
    assert {register.key for register in reading.registers} >= IN_MODE_C
    assert reading.health.retries >= 1


async def test_a_silent_line_is_left_in_time() -> None:
    line = ScriptedLine([])
    with pytest.raises(NoAnswer):
        await MeterClient(line, E).read_all()
    assert line.elapsed < 20


async def test_an_unknown_client_address() -> None:
    _, reader = client(meter(device(logins={1: DOORS[1]})))
    with pytest.raises(AssociationRefused):
        await reader.read_all()


async def test_manufacturer_classes_are_kept_under_their_class() -> None:
    _, reader = client(meter(), keyring(LOW))
    reading = await reader.read_all()
    register = reading.first("8193/1-0:199.8.2")
    assert register is not None
    assert register.obis is None
    # Type and content as sent: a structure of 1 and 70000.
    assert register.values[0].text == "020211010600011170"


async def test_odd_objects() -> None:
    """A scaler that is none, a value that is none, rights that are left out: each costs itself alone."""
    from simulator.dlms import Thing

    dev = device()
    dev.things += [
        Thing(3, bytes((1, 0, 99, 8, 0, 255)), {2: u32(5), 3: null()}),
        Thing(3, bytes((1, 0, 98, 8, 0, 255)), {2: array([u32(1)]), 3: scaler_unit(0, 30)}),
        Thing(3, bytes((1, 0, 97, 8, 0, 255)), {2: u32(5), 3: scaler_unit(3, 30)}),
        Thing(1, bytes((0, 0, 96, 60, 0, 255)), {2: struct(u16(1), i8(-1))}),
        Thing(1, bytes((0, 0, 96, 61, 0, 255)), {2: octets(b"\x00\xff")}),
        Thing(1, bytes((0, 0, 96, 62, 0, 255)), {2: octets(b"ABCDEFGHIJKL")}),
        Thing(1, bytes((0, 0, 96, 63, 0, 255)), {2: octets(bytes(12))}),
    ]
    _, reader = client(meter(dev))
    reading = await reader.read_all()
    assert shown(reading, "1-0:99.8.0") == ("5", None)
    assert shown(reading, "1-0:98.8.0") == ("01010600000001", "Wh")
    # No exponent in a value: 5 times a thousand.
    assert shown(reading, "1-0:97.8.0") == ("5000", "Wh")
    assert shown(reading, "0-0:96.60.0") == ("02021200010FFF", None)
    assert shown(reading, "0-0:96.61.0") == ("00FF", None)
    assert shown(reading, "0-0:96.62.0") == ("ABCDEFGHIJKL", None)
    assert shown(reading, "0-0:96.63.0") == ("00" * 12, None)


async def test_levels_add_up() -> None:
    """What only the password may read is read with it; a public client alone does not see it."""
    _, reader = client(meter())
    public = {register.key for register in (await reader.read_all()).registers}
    ring = keyring(LOW)
    simulated = meter()
    line, reader = client(simulated, ring)
    reading = await reader.read_all()
    keys = {register.key for register in reading.registers}
    assert keys - public == {"0-0:97.98.0", "0-0:96.50.1", "8193/1-0:199.8.2"}
    assert reader.refusal is None
    # Both lists are known now: one association reads it all.
    before = len(line.log.of(Kind.SIGN_ON))
    assert {register.key for register in (await reader.read_all()).registers} == keys
    assert len(line.log.of(Kind.SIGN_ON)) == before + 1


async def test_a_wrong_password_is_tried_once() -> None:
    wrong = replace(LOW, credentials=replace(LOW.credentials, secret=b"87654321"))
    dev, ring = device(), keyring(wrong)
    _, reader = client(meter(dev), ring)
    reading = await reader.read_all()
    # What is readable without it is read all the same.
    assert shown(reading, "1-0:1.8.0") == ("7084592", "Wh")
    assert isinstance(reader.refusal, AuthenticationRefused)
    await reader.read_all()
    assert dev.log == ["wrong password"]


async def test_a_wrong_password_where_nothing_is_readable_without() -> None:
    wrong = replace(LOW, credentials=replace(LOW.credentials, secret=b"87654321"))
    dev, ring = device(logins={1: DOORS[1]}), keyring(wrong)
    ring.logins = (wrong,)
    _, reader = client(meter(dev), ring)
    with pytest.raises(AuthenticationRefused):
        await reader.read_all()
    with pytest.raises(MeterError):
        await reader.read_all()
    assert dev.log == ["wrong password"]


async def test_no_secret_in_the_trace() -> None:
    line, reader = client(meter(), keyring(LOW))
    await reader.read_all()
    assert any(b"12345678" in written for written in line.written)
    assert not any(b"12345678" in bytes(run.data) for run in line.trace.runs)
    assert "12345678" not in repr(LOW)


async def test_a_meter_that_answers_to_another_address() -> None:
    line, reader = client(meter(logical=17))
    with pytest.raises(HdlcSilent):
        await reader.read_all()
    # Told to go all the same, and not waited for.
    assert line.written[-1][5] & 0xEF == 0x43
    assert line.elapsed < 15


async def test_a_meter_that_sends_its_data_unasked() -> None:
    line = ScriptedLine([Reply(b"/?!\r\n", b"/ABC-X\r\n\x021.8.0(1*kWh)\r\n!\r\n\x03\x40")])
    with pytest.raises(BinaryRefused):
        await MeterClient(line, E).read_all()


async def test_a_readout_behind_the_option_select() -> None:
    """An APA NORAX 30 sends its readout whatever it is asked."""
    script = [
        Reply(b"/?!\r\n", b"/APA5\\2NORAX30\r\n"),
        Reply(b"\x06252\r\n", b"\x021.8.0(000123.4*kWh)\r\n!\r\n\x03\x10", speed=9600),
    ]
    with pytest.raises(BinaryRefused, match="NORAX30"):
        await MeterClient(ScriptedLine(script), E).read_all()


async def test_a_bus_is_given_its_time() -> None:
    """A converter needs its time to turn round, however fast the meter is."""
    manners = Manners(flag="SIm")
    line, reader = client(meter(manners=manners), profile=replace(E, bus=True))
    await reader.read_all()
    (option,) = line.log.of(Kind.OPTION)
    assert option.value is not None
    assert option.value >= 0.199


@pytest.mark.parametrize("lists", [True, False])
async def test_a_denied_attribute_as_an_exception(lists: bool) -> None:
    """Some meters answer what they deny with an exception; what else was asked is read singly."""
    dev = device(policy=Policy(denies_by_exception=True, granted=0x001E1D if lists else 0x001C1D))
    # The list promises more than the meter gives.
    for thing in dev.things:
        if thing.name[2:5] == b"\x20\x07\x00":
            thing.gives = False
    _, reader = client(meter(dev))
    reading = await reader.read_all()
    assert reading.first("1-0:32.7.0") is None
    assert shown(reading, "1-0:1.8.0") == ("7084592", "Wh")
    assert reading.health.retries == 0


# From an unknown line.


async def test_the_ladder_finds_it() -> None:
    line, _ = client(meter())
    profile, reading = await discover(line)
    assert (profile.mode, reading.health.mode) == (Mode.E, Mode.E)
    line, _ = client(meter())
    ring = keyring(LOW)
    profile, reading = await discover(line, DiscoveryHints(keyring=ring))
    assert reading.first("0-0:96.50.1") is not None
    assert set(ring.known.lists) == {"16/0", "1/1"}


async def test_the_ladder_calls_nobody_who_wants_frames_at_once() -> None:
    hints = DiscoveryHints(LineProfile(hdlc_at_once=True))
    line, _ = client(meter(at_once=True))
    profile, reading = await discover(line, hints)
    assert reading.identification is None
    assert profile.hdlc_at_once
    silent = ScriptedLine([])
    with pytest.raises(HdlcSilent):
        await discover(silent, hints)
    assert not any(message.startswith(b"/") for message in silent.messages)
    assert silent.elapsed < 15


async def test_a_client_address_of_ones_own() -> None:
    _, reader = client(meter(device(logins={32: DOORS[16]})), profile=replace(E, client=32))
    assert len((await reader.read_all()).registers) > 10


def test_the_profile_is_kept_whole() -> None:
    profile = replace(E, client=32, server=1, physical=75, server_octets=4, hdlc_at_once=True)
    assert decode(LineProfile, encode(profile)) == profile
    # One that was stored before there was a mode E.
    old = {
        name: value
        for name, value in encode(E).items()
        if not name.startswith(("cl", "se", "ph", "hd"))
    }
    assert decode(LineProfile, old) == E
