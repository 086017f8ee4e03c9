"""What is attacked: every parser that takes what comes over a line, and every kind of conversation."""

from collections.abc import Callable, Coroutine, Iterator
import contextlib
from contextlib import aclosing
import datetime as dt
from typing import Any, override

from custom_components.iec62056.protocol import obis, values
from custom_components.iec62056.protocol.ascii import answers, clock, commands, messages, refusals
from custom_components.iec62056.protocol.ascii.datasets import MAX_UNPARSED, Parser, parse
from custom_components.iec62056.protocol.ascii.dialects import STANDARD
from custom_components.iec62056.protocol.ascii.passwords import Password
from custom_components.iec62056.protocol.ascii.programming_frames import (
    FrameReceiver,
    Kind,
    operand,
)
from custom_components.iec62056.protocol.ascii.push_telegrams import Listener
from custom_components.iec62056.protocol.ascii.receiver import MAX_TELEGRAM, Receiver
from custom_components.iec62056.protocol.ascii.registers import registers
from custom_components.iec62056.protocol.cli import pushed_file, telegram_file
from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.discovery import DiscoveryHints, discover
from custom_components.iec62056.protocol.dlms.axdr import decode, encode
from custom_components.iec62056.protocol.dlms.push import telegrams
from custom_components.iec62056.protocol.dlms.push.ciphering import PushKeys
from custom_components.iec62056.protocol.dlms.push.messages import Carrier, Message
from custom_components.iec62056.protocol.dlms_errors import DlmsError
from custom_components.iec62056.protocol.errors import (
    InvertedSignal,
    MeterError,
    NoTelegram,
    OtherProtocol,
    PushHeard,
)
from custom_components.iec62056.protocol.model import (
    CheckKind,
    LineProfile,
    Medium,
    Mode,
    Reading,
    Value,
    Verdict,
)
from custom_components.iec62056.protocol.profiles import events, load_profile
from custom_components.iec62056.protocol.profiles.billing import billings
from custom_components.iec62056.protocol.push import PushReader
from custom_components.iec62056.protocol.register_session import Level, Permits
from custom_components.iec62056.protocol.transport.echo import EchoFilter
from simulator.dlms.push import AUTHENTICATION_KEY, KEY
from tests.protocol.dlms.test_fuzz import through_the_link, understand
from tests.protocol.dlms.wire import frame

from .fed import FedLine, drive

NOW = dt.datetime(2031, 5, 17, 8, 0, tzinfo=dt.UTC)
PUSH_KEYS = PushKeys(KEY, AUTHENTICATION_KEY)
MEDIA = (Medium.ELECTRICITY, Medium.HEAT)
# The longest any conversation may take, in seconds: readouts of 900 s in every way there is, and all waits.
LONGEST = 6 * 3600.0
# Two links, of which each breaks in an exchange that never ends.
LONGEST_BINARY = 2400.0


def pieces(data: bytes) -> Iterator[bytes]:
    """The data cut by themselves, so that every division is some data's."""
    at = 0
    while at < len(data):
        size = data[at] % 7 + 1
        yield data[at : at + size]
        at += size


def seven(data: bytes) -> bytes:
    return bytes(octet & 0x7F for octet in data)


def messages_(data: bytes) -> None:
    """Single messages."""
    found = messages.identification(data)
    if found is not None:
        assert "!" not in found.raw
        assert found.reaction_time > 0
        assert messages.identification(found.raw.encode("latin-1")) == found
    messages.error_message(data)
    messages.is_break(data)
    for size in (0, 1):
        messages.judge(data[size:], data[:size])
    folded = 0
    for octet in data:
        folded ^= octet
    assert messages.check_character(data, CheckKind.XOR) == folded & 0x7F


def datasets_(data: bytes) -> None:
    """A block gives the same data sets however it is cut, and holds nothing that was not sent."""
    whole, unparsed = parse(data)
    parser = Parser()
    for piece in pieces(data):
        parser.feed(piece)
    parser.finish()
    assert (parser.datasets, parser.unparsed) == (whole, unparsed)
    assert len(unparsed) <= MAX_UNPARSED
    text = data.decode("latin-1")
    for address, found in whole:
        assert address is None or address in text
        assert all(value.text in text and (value.unit or "") in text for value in found)
    for medium in MEDIA:
        kept, homeless = registers(whole, medium)
        count = sum(len(one.values) for one in kept)
        assert count <= sum(len(one.values) for one in whole)
        assert len(homeless) <= len(whole)
    obis.infer_medium(None, whole)


def _told(receiver: Receiver) -> list[Any]:
    """What is known of a telegram that ended, or was left."""
    receiver.end()
    return [
        receiver.datasets,
        receiver.unparsed,
        receiver.identification,
        receiver.raw,
        receiver.complete,
        receiver.closed,
        receiver.beheaded,
        receiver.marked,
        receiver.meter_break,
        receiver.operand,
        receiver.complete and receiver.fits,
    ]


def receive_(data: bytes) -> None:
    """A telegram is the same however it was cut."""
    if not data:
        return
    stream = seven(data[1:])
    whole, cut = Receiver(), Receiver()
    for one in (whole, cut):
        one.asked_for_programming = bool(data[0] & 1)
    rest = whole.feed(stream)
    left = b"".join([cut.feed(piece) for piece in pieces(stream)])
    assert _told(cut) == _told(whole)
    assert left == rest
    assert whole.block in whole.raw
    assert len(whole.raw) <= min(len(stream), MAX_TELEGRAM)


def listen_(data: bytes) -> None:
    """Telegrams out of a stream."""
    stream = seven(data)
    listener = Listener()
    with contextlib.suppress(InvertedSignal, OtherProtocol, PushHeard):
        for piece in pieces(stream):
            for found in listener.feed(piece):
                assert found.identification
                assert found.datasets
    whole = Listener()
    with contextlib.suppress(InvertedSignal, OtherProtocol, PushHeard):
        whole.feed(stream)


def answers_(data: bytes) -> None:
    """Answers of programming mode, and all that is made of them."""
    stream = seven(data)
    receiver, cut = FrameReceiver(), FrameReceiver()
    receiver.feed(stream)
    for piece in pieces(stream):
        if cut.frame is None:
            cut.feed(piece)
    frame = receiver.end()
    assert cut.end() == frame
    assert frame.block in stream
    for block in (frame.block, data):
        operand(block)
        if (text := refusals.error_text(block)) is not None:
            refusals.refusal(text, "1.8.0", Level.OPEN)
            refusals.login_refusal(text)
        for code in ("1.8.0", "ET0PE", "0.9.2"):
            found = answers.register(block, commands.wish(code, "R"), STANDARD, MEDIA[0])
            shown = found.values[0].text if found else ""
            clock.seconds(shown)
            for part in (clock.TIME, clock.DATE):
                clock.like(part, shown, NOW)
    assert frame.kind in Kind


def telegram_(data: bytes) -> None:
    """A file that somebody has."""
    with contextlib.suppress(NoTelegram):
        reading = telegram_file.explain(data, "stored", NOW)
        assert reading.registers or reading.unparsed


def profile_(data: bytes) -> None:
    """Load profiles and logs."""
    whole, _ = parse(data)
    for one in load_profile.parse(whole, dt.UTC):
        assert list(one.rows) == sorted(one.rows, key=lambda row: row.end)
        one.within(NOW, NOW + dt.timedelta(days=1))
        for column in range(len(one.channels)):
            one.step(column)
            for begin, end, _ in one.amounts(column):
                assert begin <= end
    events.parse(whole, dt.UTC)
    billings(registers(whole, MEDIA[0])[0], dt.UTC)


def echo_(data: bytes) -> None:
    """What an echo filter gives out is what came in, but for what it took for an echo."""
    if not data:
        return
    size = data[0] % 32
    filter_, sent, came = EchoFilter(0.25), data[1 : 1 + size], data[1 + size :]
    out, now = b"", 0.0
    filter_.expect(sent, 0.5)
    for piece in pieces(came):
        now += (piece[0] >> 4) / 20
        out += filter_.feed(piece, now)
        due = filter_.due
        if due is not None and due <= now:
            out += filter_.settle(now)
    out += filter_.finish()
    assert len(out) + filter_.echoed == len(came)
    assert came.endswith(out) or not filter_.echoed


def values_(data: bytes) -> None:
    """Numbers, times, codes."""
    text = data.decode("latin-1")
    values.number(text)
    values.split_unit(text)
    values.bits(text)
    values.decode_text(text)
    for kind in (None, *values.TimeKind):
        moment = values.timestamp(text, kind)
        if moment is not None:
            moment.utc(dt.UTC)
    for medium in MEDIA:
        found = obis.parse(text, medium)
        obis.parse_hex(text, medium)
        if found is not None:
            assert obis.parse(str(found), medium) == found
            obis.register_timestamp(found, 1, text[:16])
    value = Value(text)
    assert value.number is None or value.number == values.number(text)


def frames_(data: bytes) -> None:
    """HDLC frames and the link they belong to."""
    with contextlib.suppress(DlmsError):
        through_the_link(data)


def axdr_(data: bytes) -> None:
    """A value that was understood is written as it was read."""
    try:
        value = decode(data)
    except DlmsError:
        return
    # A NaN is no equal of itself.
    assert repr(decode(encode(value))) == repr(value)


def _hold(line: FedLine, conversation: Coroutine[Any, Any, None], longest: float = LONGEST) -> None:
    """A conversation ends with a defined error, or without, and in time."""
    with contextlib.suppress(MeterError):
        drive(conversation)
    assert line.elapsed < longest
    assert len(line.trace.as_text()) < 4_000_000


def _believed(reading: Reading) -> None:
    assert reading.registers
    assert len(reading.raw) <= MAX_TELEGRAM


def reading_(part: bytes) -> None:
    """One reading."""
    line = FedLine(part)

    async def read() -> None:
        _believed(await MeterClient(line).read_all())

    _hold(line, read())


def discovery_(part: bytes) -> None:
    """The way from an unknown line to a meter."""
    line = FedLine(part)

    async def find() -> None:
        battery = bool(part[:1] > b"\x80")
        learned, reading = await discover(line, DiscoveryHints(battery=battery))
        _believed(reading)
        assert learned.medium

    _hold(line, find())


def push_(part: bytes) -> None:
    """A meter that sends by itself."""
    line = FedLine(part)

    async def listen() -> None:
        # It would listen for ever to one that never stops.
        left = 20
        async with aclosing(MeterClient(line, LineProfile(mode=Mode.D)).listen()) as telegrams:
            async for reading in telegrams:
                _believed(reading)
                left -= 1
                if not left:
                    return

    _hold(line, listen())


def programming_(part: bytes) -> None:
    """Registers read one by one and written, a clock set, in programming mode."""
    line = FedLine(part)
    codes = ("1.8.0", "0.9.1", "0.9.2")
    permits = Permits(write=frozenset(codes), clock=True)
    password = Password("12345678") if part[:1] > b"\x80" else None

    async def talk() -> None:
        meter = MeterClient(line, password=password, permits=permits)
        async with meter.conversation() as session:
            for answer in await session.read(codes):
                assert (answer.register is None) is not (answer.refusal is None)
            assert (await session.write("1.8.0", "7")).code == "1.8.0"
            await session.set_clock(NOW)

    _hold(line, talk())


class _Station(FedLine):
    """A meter of mode E whose frames are right, so that what is in them gets through."""

    def __init__(self, part: bytes) -> None:
        super().__init__(part)
        self._control = 0

    @override
    def answers(self, data: bytes) -> bytes | None:
        self._control = data[5] if len(data) > 5 else 0
        if self._control == 0x93:
            return frame(0x73, to=data[4:5], source=data[3:4])
        if self._control == 0x53:
            return frame(0x73, to=data[4:5], source=data[3:4])
        return None

    @override
    def wrapped(self, said: bytes) -> bytes:
        sent, expected = self._control >> 1 & 7, self._control >> 5 & 7
        if self._control & 1:
            sent = (expected - 1) & 7
        control = expected << 1 | 0x10 | ((sent + 1) & 7) << 5
        return frame(control, b"\xe6\xe7\x00" + said[:120], to=b"\x21", source=b"\x03")


def binary_(part: bytes) -> None:
    """A session of mode E."""
    line = _Station(part)

    async def read() -> None:
        reading = await MeterClient(line, LineProfile(mode=Mode.E, hdlc_at_once=True)).read_all()
        assert reading.registers

    _hold(line, read(), LONGEST_BINARY)


def pushed_(data: bytes) -> None:
    """A stream of a meter that pushes gives the same readings however it is cut, and none without a right check."""
    whole, cut = PushReader(PUSH_KEYS), PushReader(PUSH_KEYS)
    readings = whole.feed(data, 0.0, NOW) + whole.silence(NOW)
    others = [one for piece in pieces(data) for one in cut.feed(piece, 0.0, NOW)]
    others += cut.silence(NOW)
    assert [one.registers for one in others] == [one.registers for one in readings]
    assert (cut.telegrams, cut.replayed) == (whole.telegrams, whole.replayed)
    assert all(one.health.check is Verdict.RIGHT for one in readings)


def pushed_list_(data: bytes) -> None:
    """The list of a push, behind a right beginning."""
    with contextlib.suppress(DlmsError):
        pushed = telegrams.understand(
            Message(b"\x0f\0\0\0\1\0" + data, Carrier.HDLC, in_blocks=len(data) % 2 == 1)
        )
        assert pushed is not None
        for one in pushed.registers:
            assert one.values
            assert one.obis is None or obis.parse(str(one.obis)) == one.obis


def pushed_file_(data: bytes) -> None:
    """A stored telegram, opened with a key."""
    with contextlib.suppress(MeterError):
        reading = pushed_file.explain(data, "stored", NOW, PUSH_KEYS)
        assert reading.registers or reading.unparsed


TARGETS: dict[str, Callable[[bytes], None]] = {
    "messages": messages_,
    "datasets": datasets_,
    "receive": receive_,
    "listen": listen_,
    "answers": answers_,
    "telegram": telegram_,
    "profile": profile_,
    "echo": echo_,
    "values": values_,
    "frames": frames_,
    "axdr": axdr_,
    "services": understand,
    "reading": reading_,
    "discovery": discovery_,
    "push": push_,
    "programming": programming_,
    "binary": binary_,
    "pushed": pushed_,
    "pushed_list": pushed_list_,
    "pushed_file": pushed_file_,
}
