"""A conversation in mode E that stays open: reading by code, what is offered, and changes with what is certain of them."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, override
from zoneinfo import ZoneInfo

import pytest

from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.dlms import written_values
from custom_components.iec62056.protocol.dlms.data import Data, Tag, octet_string
from custom_components.iec62056.protocol.dlms.dlms_session import INACTIVITY, DlmsSession
from custom_components.iec62056.protocol.dlms.security import Mechanism
from custom_components.iec62056.protocol.dlms_errors import AuthenticationRefused, DlmsUnsent
from custom_components.iec62056.protocol.errors import (
    AccessDenied,
    ClockUnknown,
    MeterError,
    NotPermitted,
    NotThisMeter,
    PasswordNeeded,
    UnknownRegister,
)
from custom_components.iec62056.protocol.mode_e import ModeEMeter as Reader
from custom_components.iec62056.protocol.model import Identification, Register
from custom_components.iec62056.protocol.register_session import (
    NOTHING,
    Level,
    Permits,
    WriteOutcome,
)
from simulator import Kind
from simulator.dlms import BinaryMeter, Thing
from simulator.dlms.values import octets, u16

from ...common.wired import WiredLine
from .meters import DOORS, LOW, NOW, E, device, door, high, keyring, meter

EVERYTHING = Permits(
    write=frozenset(("0-0:96.13.0", "0-0:96.50.1", "1-0:1.8.0", "1-0:99.9.9", "0-0:96.61.0")),
    execute=frozenset(("0-0:10.0.0,1", "0-0:10.0.0,2")),
    clock=True,
)
AES = high(Mechanism.AES)


def opened(
    simulated: BinaryMeter, *logins: object, permits: Permits = NOTHING, **line: object
) -> tuple[WiredLine, DlmsSession]:
    wired = WiredLine(simulated, **line)  # type: ignore[arg-type]
    return wired, Reader(wired, E, keyring(*logins)).conversation(permits)  # type: ignore[arg-type]


def keyed(**settings: object) -> BinaryMeter:
    dev = device(logins=DOORS | {2: door(Mechanism.AES)}, **settings)
    dev.things += [
        Thing(1, bytes((0, 0, 96, 61, 0, 255)), {2: octets(b"\x00\xff")}, writable={2: 0})
    ]
    return meter(dev)


class _Fixed(dict[int, Any]):
    """Attributes that take nothing."""

    @override
    def __setitem__(self, key: int, value: Any) -> None:
        """Leave it."""


async def test_reading_by_code() -> None:
    line, conversation = opened(meter(size=256, window=3))
    identification = await conversation.open()
    assert identification is not None
    assert identification.flag == "SIM"
    answers = await conversation.read(["1.8.0", "1-0:32.7.0", "1.5.0", "99.99.9", "0-0:96.50.1"])
    texts = [answer.register and answer.register.values[0].text for answer in answers]
    assert texts == ["7084592", "231.4", "987", None, None]
    assert [answer.code for answer in answers] == [
        "1.8.0",
        "1-0:32.7.0",
        "1.5.0",
        "99.99.9",
        "0-0:96.50.1",
    ]
    assert isinstance(answers[3].refusal, UnknownRegister)
    # It needs a password, and there is none.
    assert isinstance(answers[4].refusal, PasswordNeeded)
    assert {answer.level for answer in answers} == {Level.OPEN}
    await conversation.close()
    assert line.log.of(Kind.BREAK)


async def test_quick_registers_take_one_turn() -> None:
    simulated = meter(size=256, window=3)
    line, conversation = opened(simulated)
    await conversation.open()
    codes = ["1-0:1.8.0", "1-0:2.8.0", "1-0:16.7.0"]
    await conversation.read(codes)
    for _ in range(5):
        turns, before = simulated.station.turns, line.elapsed
        await conversation.read(codes)
        assert simulated.station.turns == turns + 1
        assert line.elapsed - before < 0.2
    assert len(line.log.of(Kind.SIGN_ON)) == 1


async def test_an_idle_association_is_opened_anew() -> None:
    line, conversation = opened(meter())
    await conversation.open()
    await line.sleep_until(line.now() + INACTIVITY + 20)
    before = line.elapsed
    (answer,) = await conversation.read(["1.8.0"])
    assert answer.register is not None
    # The end of the old one is not waited for.
    assert line.elapsed - before < 6
    assert len(line.log.of(Kind.SIGN_ON)) == 2


async def test_a_meter_that_hangs_up_early() -> None:
    line, conversation = opened(meter(inactivity=30.0))
    await conversation.open()
    await conversation.read(["1.8.0"])
    await line.sleep_until(line.now() + 60)
    (answer,) = await conversation.read(["1.8.0"])
    assert answer.register is not None


async def test_a_wrong_password_opens_nothing() -> None:
    wrong = replace(LOW, credentials=replace(LOW.credentials, secret=b"87654321"))
    line, conversation = opened(meter(), wrong)
    with pytest.raises(AuthenticationRefused):
        await conversation.open()
    await conversation.close()
    assert not line.binary
    assert conversation.level is Level.OPEN


async def test_what_is_offered_by_level() -> None:
    _, conversation = opened(keyed(), LOW, AES)
    await conversation.open()
    offers = {offer.code: offer for offer in await conversation.offered()}
    assert offers["1-0:1.8.0"].readable is Level.OPEN
    assert offers["1-0:1.8.0"].writable is None
    assert offers["0-0:96.50.1"].readable is Level.PASSWORD
    assert offers["0-0:96.50.1"].writable is Level.SECRET
    assert offers["0-0:96.13.0"].writable is Level.PASSWORD
    assert offers["8193/1-0:199.8.2"].kind == "class 8193"
    # Still open, at the highest of them.
    assert conversation.level is Level.SECRET
    (answer,) = await conversation.read(["0-0:96.50.1"])
    assert answer.register is not None


CODES = ("1.8.0", "1.5.0", "0-0:96.50.1", "8193/1-0:199.8.2", "0-0:96.70.1", "0-0:96.70.2", "9.9.9")


async def test_each_register_at_the_lowest_level_that_shows_it() -> None:
    """The same that the meter's own lists say, and true where a list promises too much."""
    simulated = keyed()
    simulated.device.things += [
        Thing(1, bytes((0, 0, 96, 70, 1, 255)), {2: u16(1)}, readable={2: 2}),
        Thing(1, bytes((0, 0, 96, 70, 2, 255)), {2: u16(2)}, gives=False),
    ]
    line, ring = WiredLine(simulated), keyring(LOW, AES)
    client = MeterClient(line, E, keyring=ring)
    found = {answer.code: answer for answer in await client.survey(CODES)}
    assert [found[code].level for code in CODES] == [
        Level.OPEN,
        Level.OPEN,
        Level.PASSWORD,
        Level.PASSWORD,
        Level.SECRET,
        Level.SECRET,
        Level.SECRET,
    ]
    assert [code for code in CODES if found[code].register is None] == ["0-0:96.70.2", "9.9.9"]
    assert isinstance(found["0-0:96.70.2"].refusal, AccessDenied)
    assert client.refusal is None
    assert len(line.log.of(Kind.SIGN_ON)) == 3
    async with client.conversation() as talk:
        offers = {offer.code: offer.readable for offer in await talk.offered()}
    for code, answer in found.items():
        if answer.register is not None and code in offers:
            assert answer.level == offers[code]
    # What the public client shows needs no other.
    (answer,) = await client.survey(["1.8.0"])
    assert answer.level is Level.OPEN
    assert len(line.log.of(Kind.SIGN_ON)) == 5


@pytest.mark.parametrize("public", [True, False])
async def test_levels_where_one_way_in_is_closed(public: bool) -> None:
    """Each of the others is told; the password that is wrong is sent once."""
    simulated = keyed()
    if not public:
        del simulated.device.logins[16]
    wrong = replace(LOW, credentials=replace(LOW.credentials, secret=b"87654321"))
    client = MeterClient(WiredLine(simulated), E, keyring=keyring(wrong, AES))
    for _ in range(2):
        answers = await client.survey(["1.8.0", "0-0:96.50.1"])
        levels = [answer.level for answer in answers if answer.register is not None]
        assert levels == [Level.OPEN if public else Level.SECRET, Level.SECRET]
        assert client.refusal is not None
    assert simulated.device.log == ["wrong password"]


async def test_levels_of_a_meter_that_lets_nobody_in() -> None:
    simulated = keyed()
    simulated.device.logins = {1: simulated.device.logins[1]}
    wrong = replace(LOW, credentials=replace(LOW.credentials, secret=b"87654321"))
    client = MeterClient(WiredLine(simulated), E, keyring=keyring(wrong))
    for _ in range(2):
        with pytest.raises(AuthenticationRefused):
            await client.survey(["1.8.0"])
    assert simulated.device.log == ["wrong password"]


async def test_a_refused_login_opens_nothing_and_is_not_sent_again() -> None:
    """Also where it is the only one, and somebody asks for a conversation by it."""
    wrong = replace(LOW, credentials=replace(LOW.credentials, secret=b"87654321"))
    simulated, ring = keyed(), keyring(wrong)
    ring.logins = (wrong,)
    line = WiredLine(simulated)
    for _ in range(3):
        conversation = Reader(line, E, ring).conversation()
        with pytest.raises(AuthenticationRefused):
            await conversation.open()
        await conversation.close()
    assert simulated.device.log == ["wrong password"]


@dataclass(frozen=True)
class Intended:
    """The meter of that number: none else will do, or one that tells none where `alone`."""

    number: str
    alone: bool = False
    code: str = "1-0:0.0.0"
    address: str = ""
    in_readout: bool = False

    def check(self, sent: Identification | None, told: Register | None, *, public: bool) -> None:
        assert sent is not None
        if told.values[0].text != self.number if told is not None else public or self.alone:
            raise NotThisMeter(meter=sent.raw)


@pytest.mark.parametrize("intended", [Intended("10012345"), Intended("10012346")])
async def test_logins_that_are_for_one_meter(intended: Intended) -> None:
    """Another one hears none of them, and what it tells everybody is not kept as the intended one's."""
    simulated = meter()
    line, ring = WiredLine(simulated), keyring(LOW)
    ring.intended = intended
    client = MeterClient(line, E, keyring=ring)
    reading = await client.read_all()
    assert reading.registers
    own = intended.number == "10012345"
    assert (LOW in ring.tried, LOW in ring.proven) == (own, own)
    assert any(LOW.credentials.secret in written for written in line.written) == own
    assert bool(ring.known.lists) == own
    assert isinstance(client.refusal, NotThisMeter) != own
    # Once for the number, and once for each association.
    assert len(line.log.of(Kind.SIGN_ON)) == (3 if own else 2)
    assert not line.binary


async def test_a_meter_that_lets_nobody_in_without_a_secret() -> None:
    """What it calls itself must do, unless it is known to tell its number to everybody."""
    for alone in (False, True):
        simulated = meter(device(logins={1: DOORS[1]}))
        line, ring = WiredLine(simulated), keyring(LOW)
        ring.intended = Intended("10012345", alone=alone)
        conversation = Reader(line, E, ring).conversation()
        if alone:
            with pytest.raises(NotThisMeter):
                await conversation.open()
        else:
            await conversation.open()
        assert (LOW in ring.tried) != alone
        await conversation.close()


async def test_a_lost_association_is_with_the_intended_meter_or_with_none() -> None:
    simulated = meter()
    line, ring = WiredLine(simulated), keyring(LOW)
    ring.intended = Intended("10012345")
    conversation = Reader(line, E, ring).conversation(EVERYTHING)
    await conversation.open()
    await line.sleep_until(line.now() + INACTIVITY + 20)
    ring.intended = Intended("10012346")
    before = len(line.written)
    with pytest.raises(NotThisMeter):
        await conversation.write("0-0:96.13.0", "x")
    assert not any(LOW.credentials.secret in written for written in line.written[before:])
    assert simulated.device.log == []


async def test_a_change_without_a_secret_is_for_the_intended_meter_too() -> None:
    dev = device()
    (text,) = (thing for thing in dev.things if thing.name == bytes((0, 0, 96, 13, 0, 255)))
    text.writable[2] = 0
    for number in ("10012346", "10012345"):
        line, ring = WiredLine(meter(dev)), keyring()
        ring.intended = Intended(number)
        conversation = Reader(line, E, ring).conversation(EVERYTHING)
        if number == "10012346":
            with pytest.raises(NotThisMeter):
                await conversation.write("0-0:96.13.0", "x")
            assert dev.log == []
        else:
            written = await conversation.write("0-0:96.13.0", "x")
            assert written.certainty is WriteOutcome.CONFIRMED
            assert len(line.log.of(Kind.SIGN_ON)) == 1
        await conversation.close()


# Changing.


async def test_nothing_is_changed_without_permission() -> None:
    simulated = keyed()
    line, conversation = opened(simulated, AES)
    await conversation.open()
    sent = len(line.written)
    for written in (
        await conversation.write("0-0:96.13.0", "x"),
        await conversation.execute("0-0:10.0.0,1", "1"),
        await conversation.set_clock(NOW),
    ):
        assert written.certainty is WriteOutcome.NOT_SENT
        assert isinstance(written.refusal, NotPermitted)
    assert len(line.written) == sent
    assert simulated.device.log == []


async def test_a_write_is_read_back() -> None:
    simulated = keyed()
    _, conversation = opened(simulated, AES, permits=EVERYTHING)
    await conversation.open()
    written = await conversation.write("0-0:96.50.1", "300")
    assert written.certainty is WriteOutcome.CONFIRMED
    assert written.before is not None
    assert written.after is not None
    assert (written.before.values[0].text, written.after.values[0].text) == ("250", "300")
    assert simulated.device.log == ["set 0000603201ff,2 12012c"]
    assert (await conversation.write("0-0:96.61.0", "0102")).certainty is WriteOutcome.CONFIRMED


@pytest.mark.parametrize("value", ["70000", "1.5", "-1", "x", "", "1e3000000", "nan"])
async def test_a_value_that_does_not_fit_is_not_sent(value: str) -> None:
    simulated = keyed()
    _, conversation = opened(simulated, AES, permits=EVERYTHING)
    await conversation.open()
    written = await conversation.write("0-0:96.50.1", value)
    assert written.certainty is WriteOutcome.NOT_SENT
    assert isinstance(written.refusal, DlmsUnsent)
    assert simulated.device.log == []


async def test_a_write_that_is_refused() -> None:
    _, conversation = opened(keyed(), LOW, permits=EVERYTHING)
    await conversation.open()
    written = await conversation.write("0-0:96.50.1", "300")
    assert written.certainty is WriteOutcome.REFUSED
    assert isinstance(written.refusal, AccessDenied)
    unknown = await conversation.write("1-0:99.9.9", "1")
    assert unknown.certainty is WriteOutcome.NOT_SENT
    assert isinstance(unknown.refusal, UnknownRegister)


async def test_a_meter_that_says_yes_and_does_nothing() -> None:
    simulated = keyed()
    thing = next(one for one in simulated.device.things if one.name[2:5] == b"\x60\x32\x01")
    # Whatever is put there, it stays as it is.
    stubborn = Thing(1, thing.name, {2: lambda: u16(250)}, writable={2: 0})
    stubborn.attributes = _Fixed(stubborn.attributes)
    simulated.device.things = [stubborn if one is thing else one for one in simulated.device.things]
    _, conversation = opened(simulated, AES, permits=EVERYTHING)
    await conversation.open()
    written = await conversation.write("0-0:96.50.1", "300")
    assert written.certainty is WriteOutcome.UNCONFIRMED
    assert written.after is not None
    assert written.after.values[0].text == "250"


async def test_a_long_write_goes_in_blocks() -> None:
    simulated = keyed()
    simulated.device.policy.pdu = 64
    _, conversation = opened(simulated, LOW, permits=EVERYTHING)
    await conversation.open()
    long = "lorem ipsum " * 20
    written = await conversation.write("0-0:96.13.0", long)
    assert written.certainty is WriteOutcome.CONFIRMED
    assert written.after is not None
    assert written.after.values[0].text == long.strip()


async def test_a_line_that_breaks_in_a_write() -> None:
    """Wherever it breaks, what is said of the write is true."""
    seen = set()
    for writes in range(1, 60):
        simulated = keyed()
        _, conversation = opened(
            simulated,
            AES,
            permits=EVERYTHING,
            writes=writes,
        )
        try:
            await conversation.open()
            written = await conversation.write("0-0:96.50.1", "300")
        except MeterError:
            lost = simulated.device.log
            assert lost == []
            continue
        seen.add(written.certainty)
        match written.certainty:
            case WriteOutcome.NOT_SENT | WriteOutcome.REFUSED:
                assert simulated.device.log == []
            case WriteOutcome.CONFIRMED | WriteOutcome.UNCONFIRMED:
                assert simulated.device.log
    assert seen >= {WriteOutcome.CONFIRMED, WriteOutcome.UNCONFIRMED, WriteOutcome.UNKNOWN}


async def test_a_command() -> None:
    simulated = keyed()
    _, conversation = opened(simulated, AES, permits=EVERYTHING)
    await conversation.open()
    written = await conversation.execute("0-0:10.0.0,1", "7")
    assert written.certainty is WriteOutcome.CONFIRMED
    assert simulated.device.log == ["act 00000a0000ff,1 120007"]
    refused = await conversation.execute("0-0:10.0.0,2", "7")
    assert refused.certainty is WriteOutcome.REFUSED
    assert (await conversation.execute("0-0:10.0.0,1", "x")).certainty is WriteOutcome.NOT_SENT


# The clock.


async def test_the_clock_is_set_and_read_back() -> None:
    simulated = keyed()
    _, conversation = opened(simulated, AES, permits=EVERYTHING)
    await conversation.open()
    moment = datetime(2031, 5, 17, 9, 30, 15, tzinfo=ZoneInfo("Europe/Berlin"))
    written = await conversation.set_clock(moment)
    assert written.certainty is WriteOutcome.CONFIRMED
    (done,) = simulated.device.log
    # 09:30:15 of summer time: 120 minutes lead back to UTC.
    assert done.endswith("090c07ef05110609" + "1e0f00" + "ff88" + "80")
    assert written.after is not None
    assert written.after.values[0].text == "310517093015S"


MAY = datetime(2031, 5, 17, 7, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        # The standard's sign, summer time; a meter with the opposite sign; one that stays on winter time; on UTC.
        ("07ef0511060800" + "0000" + "ff88" + "80", "07ef05110609" + "1e0000" + "ff88" + "80"),
        ("07ef0511060800" + "0000" + "0078" + "80", "07ef05110609" + "1e0000" + "0078" + "80"),
        ("07ef0511060800" + "0000" + "ffc4" + "00", "07ef05110608" + "1e0000" + "ffc4" + "00"),
        ("07ef0511060800" + "0000" + "003c" + "00", "07ef05110608" + "1e0000" + "003c" + "00"),
        ("07ef0511060800" + "0000" + "0000" + "00", "07ef05110607" + "1e0000" + "0000" + "00"),
        # No deviation: local time, and none is sent.
        ("07ef0511060800" + "0000" + "8000" + "ff", "07ef05110609" + "1e0000" + "8000" + "00"),
        # Never set: it takes the time as it is given.
        ("07d00101060000" + "0000" + "0000" + "00", "07ef05110609" + "1e0000" + "ff88" + "00"),
    ],
)
def test_a_clock_keeps_its_own_offset(present: str, expected: str) -> None:
    data = written_values.clock(MAY.astimezone(BERLIN), octet_string(bytes.fromhex(present)))
    assert data.octets.hex() == expected
    assert written_values.clock_is(MAY.astimezone(BERLIN), data)
    late = octet_string(
        written_values.clock(MAY.astimezone(BERLIN) + timedelta(minutes=2), data).octets
    )
    assert not written_values.clock_is(MAY.astimezone(BERLIN), late)


@pytest.mark.parametrize("present", [Data(Tag.UNSIGNED, 3), octet_string(b"12345")])
def test_a_clock_of_another_form(present: Data) -> None:
    with pytest.raises(ClockUnknown):
        written_values.clock(MAY, present)


def test_a_time_without_a_zone() -> None:
    present = octet_string(bytes.fromhex("07ef05110608000000ff8880"))
    with pytest.raises(DlmsUnsent):
        written_values.clock(MAY.replace(tzinfo=None), present)


@pytest.mark.parametrize(
    ("value", "scaler", "raw"), [("12.5", -1, 125), ("5000", 3, 5), ("-0.25", -2, -25), ("7", 0, 7)]
)
def test_values_are_scaled_exactly(value: str, scaler: int, raw: int) -> None:
    from custom_components.iec62056.protocol.dlms.cosem import ScalerUnit

    assert (
        written_values.parsed(value, Data(Tag.DOUBLE_LONG, 0), ScalerUnit(scaler, 30)).value == raw
    )
    for bad in ("0.00001", "12.55"):
        with pytest.raises(DlmsUnsent):
            written_values.parsed(bad, Data(Tag.DOUBLE_LONG, 0), ScalerUnit(-1, 30))


def test_text_and_octets() -> None:
    assert written_values.parsed("new", octet_string(b"old"), None) == octet_string(b"new")
    assert written_values.parsed("00ff", octet_string(b"\x80"), None) == octet_string(b"\x00\xff")
    assert written_values.parsed("1", Data(Tag.BOOLEAN, False), None) == Data(Tag.BOOLEAN, True)
    assert written_values.parsed("x", Data(Tag.VISIBLE_STRING, ""), None).value == "x"
    for text, present in (
        ("grün", octet_string(b"old")),
        ("0g", octet_string(b"\x80")),
        ("2", Data(Tag.BOOLEAN, False)),
        ("1", Data(Tag.ARRAY, ())),
    ):
        with pytest.raises(DlmsUnsent):
            written_values.parsed(text, present, None)
