"""The discovery: each step by a meter that only that step reaches, each reason by its cause, and the longest it takes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import override

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.iec62056.protocol.ascii.sign_on import MOST_WAKE_UPS
from custom_components.iec62056.protocol.discovery import (
    NO_HINTS,
    OPENED_PINS,
    DiscoveryHints,
    discover,
)
from custom_components.iec62056.protocol.errors import (
    BridgeRefusedSettings,
    BusSilent,
    CheckWrong,
    FixedSpeed,
    InvertedSignal,
    LineBusy,
    MeterBreak,
    MeterError,
    NoAnswer,
    NoData,
    NoIdentification,
    NumberNeeded,
    NumberUnanswered,
    OnlyEcho,
    OtherProtocol,
    SeveralMeters,
    WrongParity,
)
from custom_components.iec62056.protocol.mode_d import LISTEN_LIMIT
from custom_components.iec62056.protocol.model import (
    CheckKind,
    DiscoveryStep,
    LineProfile,
    Medium,
    Mode,
    ParitySeen,
    Progress,
    Reading,
    Stage,
    Verdict,
)

from ..common.clock import ROUNDING
from .scripted import Push, Reply, ScriptedLine
from .telegrams import LINES, framed, p1, text

ASK = b"/?!\r\n"
ASK_7 = b"/?7!\r\n"
NAME_C = b"/LGZ5ZMX310.A01\r\n"
NAME_B = b"/LUGCUX50\r\n"
NAME_A = b"/KAM MX\r\n"
ACK_9600 = b"\x06050\r\n"
STAY = b"\x06000\r\n"
BREAK = b"\x01B0\x03q"
WAKE_UP = bytes(66)
BURST = bytes(16)
PUSH = (
    b"/ESY5Q3DX1024 V3.04\r\n\r\n1-0:1.8.0*255(00052185.7825309*kWh)\r\n"
    b"1-0:1.7.0*255(000142.30*W)\r\n!\r\n"
)
SML = b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01\x76\x05" + bytes(range(0x80, 0xC0)) * 3
FLASH = bytes(range(40, 60))
# The longest search, in seconds, whatever comes over the line.
LONGEST = 180.0
EVERY_RUNG = [
    DiscoveryStep.SIGN_ON,
    DiscoveryStep.WAKE_UP,
    DiscoveryStep.FAST_WAKE_UP,
    DiscoveryStep.OTHER_REQUEST,
    DiscoveryStep.REMEMBERED_SPEED,
    DiscoveryStep.PINS,
    DiscoveryStep.LISTEN,
]

type Script = Sequence[Reply | Push]


class Watch(list[Progress]):
    """What was told of a discovery."""

    @property
    def steps(self) -> list[DiscoveryStep | None]:
        """Each step once, in order."""
        return list(dict.fromkeys(progress.step for progress in self))


def _mode_c(ask: bytes = ASK, name: bytes = NAME_C) -> list[Reply]:
    return [Reply(ask, name), Reply(ACK_9600, framed(), speed=9600)]


def _every(period: float, data: bytes, speed: int = 9600, first: float = 0.3) -> list[Push]:
    return [Push(data, at=first + period * turn, speed=speed) for turn in range(120)]


def _addresses(reading: Reading) -> list[str]:
    return [register.address for register in reading.registers]


WANTED = [line.split("(")[0] for line in LINES]


async def _discover(
    line: ScriptedLine, hints: DiscoveryHints = NO_HINTS
) -> tuple[LineProfile, Reading, list[DiscoveryStep | None]]:
    watch = Watch()
    profile, reading = await discover(line, hints, watch.append)
    return profile, reading, watch.steps


async def _fails(
    line: ScriptedLine, hints: DiscoveryHints = NO_HINTS
) -> tuple[MeterError, list[DiscoveryStep | None]]:
    watch = Watch()
    with pytest.raises(MeterError) as caught:
        await discover(line, hints, watch.append)
    assert line.elapsed <= LONGEST
    return caught.value, watch.steps


def _wakings(line: ScriptedLine) -> int:
    """How often a meter on its battery was woken; bursts on end are one waking."""
    sent = [message.strip(b"\0") == b"" for message in line.messages]
    return sum(now and not before for before, now in zip([False, *sent], sent, strict=False))


# Each step


@pytest.mark.parametrize(
    ("script", "speed"),
    [
        (_mode_c(), 9600),
        ([Reply(ASK, NAME_B), Push(framed(), at=0.9, speed=2400)], 2400),
        ([Reply(ASK, NAME_A + framed())], 300),
        # The first call was lost on the way.
        ([Reply(ASK, b""), *_mode_c()], 9600),
        # The name came damaged; it comes again.
        ([Reply(ASK, NAME_C, flip=(3,)), *_mode_c()], 9600),
    ],
    ids=["C", "B", "A", "C, lost", "C, damaged"],
)
async def test_meter_that_is_called(script: Script, speed: int) -> None:
    line = ScriptedLine(script)
    profile, reading, steps = await _discover(line)
    assert steps == [DiscoveryStep.SIGN_ON]
    assert _addresses(reading) == WANTED
    assert (profile.mode, profile.speed) == (None, None if speed == 300 else speed)
    assert reading.health.speed == speed


async def test_later_reads_go_straight_there() -> None:
    profile, _, _ = await _discover(ScriptedLine(_every(1.0, PUSH)))
    line = ScriptedLine(_every(1.0, PUSH))
    again, reading, steps = await _discover(line, DiscoveryHints(profile))
    assert steps == [DiscoveryStep.KNOWN_WAY]
    assert line.messages == []
    assert (again.mode, again.listen_speed) == (Mode.D, 9600)
    assert len(reading.registers) == 2


@pytest.mark.parametrize(
    ("data", "speed", "period"),
    [
        (PUSH, 9600, 1.0),
        (b"/XYZ3PUSH\r\n\r\n1.8.0(1*kWh)\r\n!\r\n", 2400, 2.0),
        (p1(LINES), 115200, 1.0),
        # Heard only while a sleeping meter is woken.
        (PUSH, 9600, 9.0),
    ],
    ids=["9600", "2400", "P1", "seldom"],
)
async def test_meter_that_sends_by_itself(data: bytes, speed: int, period: float) -> None:
    line = ScriptedLine(_every(period, data, speed, first=0.9 * period))
    profile, reading, steps = await _discover(line)
    assert steps[-1] is DiscoveryStep.LISTEN
    assert (profile.mode, profile.listen_speed) == (Mode.D, speed)
    assert not profile.wake_up
    assert reading.health.mode is Mode.D


@pytest.mark.parametrize("can_switch", [True, False])
@pytest.mark.parametrize("message", ["\xff" * 2048, "Z\xe1ra"], ids=["never written", "accent"])
async def test_p1_with_octets_of_eight_bits(message: str, can_switch: bool) -> None:
    telegram = p1((*LINES, f"0-0:96.13.0({message})"))
    line = ScriptedLine(
        _every(5.0, telegram, 115200),
        can_switch=can_switch,
        speed=300 if can_switch else 115200,
        parity=False,
    )
    profile, reading, _ = await _discover(line)
    assert (profile.mode, profile.listen_speed) == (Mode.D, 115200)
    assert _addresses(reading) == [*WANTED, "0-0:96.13.0"]
    health = reading.health
    assert (health.check, health.check_kind) == (Verdict.RIGHT, CheckKind.CRC16)
    assert (health.parity, health.parity_errors) == (ParitySeen.STRIPPED, 0)


async def test_push_meter_is_found_within_eight_seconds() -> None:
    line = ScriptedLine(_every(1.0, PUSH))
    _, _, steps = await _discover(line)
    assert steps == [DiscoveryStep.SIGN_ON, DiscoveryStep.LISTEN]
    assert line.elapsed < 8


@pytest.mark.parametrize("speed", [2400, 4800, 9600, 19200])
async def test_meter_in_a_session_that_nobody_knows(speed: int) -> None:
    """It hears nothing but its own speed, until that session is ended."""

    class Deaf(ScriptedLine):
        @override
        def _hears(self, reply: Reply) -> bool:
            ended = any(sent.data == BREAK and sent.speed == speed for sent in self.sent)
            return ended and ScriptedLine._hears(self, reply)

    line = Deaf(_mode_c())
    profile, _, steps = await _discover(line)
    assert steps == [DiscoveryStep.SIGN_ON]
    assert profile.sign_on_speed == 300
    assert line.elapsed < 9


@pytest.mark.parametrize("fastest", [300, 2400])
async def test_meter_behind_a_bridge_that_refuses_its_speed(fastest: int) -> None:
    """The meter is not asked to change to a speed at which nobody would hear it."""
    script = [Reply(ASK, NAME_C), Reply(STAY, framed())]
    line = ScriptedLine(script, fastest=fastest, can_refuse=True)
    profile, reading, steps = await _discover(line)
    assert steps == [DiscoveryStep.SIGN_ON]
    assert line.messages == [ASK, STAY]
    assert _addresses(reading) == WANTED
    assert (profile.speed, profile.refused_speed, profile.stay) == (None, 9600, False)
    later = ScriptedLine(script, fastest=fastest, can_refuse=True)
    again, _ = await discover(later, DiscoveryHints(profile))
    assert (later.speeds, again.refused_speed) == ([], 9600)


async def test_meter_behind_a_bridge_that_takes_its_speed() -> None:
    line = ScriptedLine(_mode_c(), can_refuse=True)
    profile, _, _ = await _discover(line)
    assert [speed for _, speed in line.speeds] == [9600, 300, 9600]
    later = ScriptedLine(_mode_c(), can_refuse=True)
    await discover(later, DiscoveryHints(profile))
    assert [speed for _, speed in later.speeds] == [9600]


async def test_meter_that_did_not_wait_for_a_slow_bridge() -> None:
    """It sends by itself, without an acknowledgement, which would only disturb it."""
    script: list[Reply | Push] = [Reply(ASK, NAME_C), Push(framed(), at=3.0, speed=300)]
    line = ScriptedLine(script, can_refuse=True, switches_in=0.8)
    _, reading, _ = await _discover(line)
    assert line.messages == [ASK]
    assert _addresses(reading) == WANTED


async def test_bridge_that_listens_at_no_speed() -> None:
    line = ScriptedLine([], fastest=300, can_refuse=True)
    failure, _ = await _fails(line)
    assert isinstance(failure, NoAnswer)
    with pytest.raises(BridgeRefusedSettings):
        await discover(ScriptedLine([], fastest=300), DiscoveryHints(LineProfile(mode=Mode.D)))


async def test_inverted_signal_is_named() -> None:
    telegram = bytes(1 | (~code & 0x7F) << 1 for code in p1(LINES))
    line = ScriptedLine(
        _every(10.0, telegram, 115200, first=9.0), can_switch=False, speed=115200, parity=False
    )
    failure, _ = await _fails(line)
    assert isinstance(failure, InvertedSignal)
    assert line.elapsed < 30


async def test_speed_that_a_bridge_cannot_listen_at_is_passed_over() -> None:
    line = ScriptedLine(_every(1.0, p1(LINES), 115200), fastest=19200)
    failure, steps = await _fails(line)
    assert isinstance(failure, WrongParity)
    assert steps == [DiscoveryStep.SIGN_ON, DiscoveryStep.LISTEN]


async def test_other_protocol_is_named() -> None:
    failure, _ = await _fails(ScriptedLine(_every(1.0, SML, 9600), parity=False))
    assert isinstance(failure, OtherProtocol)
    assert failure.placeholders["protocol"] == "SML"


async def test_meter_that_sleeps() -> None:
    line = ScriptedLine(
        [Reply(ASK, NAME_B, behind=WAKE_UP), Push(framed(), at=6.6, speed=2400)], run=0
    )
    profile, reading, steps = await _discover(line, DiscoveryHints(battery=True))
    assert steps == [DiscoveryStep.SIGN_ON, DiscoveryStep.WAKE_UP]
    assert (profile.wake_up, _wakings(line)) == (True, 1)
    assert _addresses(reading) == WANTED


async def test_meter_on_a_battery_is_found_within_eight_seconds() -> None:
    line = ScriptedLine([Reply(ASK, NAME_A + framed(), behind=WAKE_UP)])
    watch: list[tuple[float, Progress]] = []
    await discover(
        line, DiscoveryHints(battery=True), lambda told: watch.append((line.elapsed, told))
    )
    assert next(when for when, told in watch if told.stage is Stage.READING) < 8


async def test_meter_that_is_woken_the_fast_way() -> None:
    # It acknowledges a burst, and hears the request in its time behind that.
    line = ScriptedLine(
        [
            Reply(BURST, b""),
            Reply(BURST, b""),
            Reply(BURST, b"\x06", after=0.02),
            *_mode_c(),
        ],
        run=0,
    )
    line._replies[3].behind = BURST
    profile, reading, steps = await _discover(line)
    assert steps[-1] is DiscoveryStep.FAST_WAKE_UP
    assert (profile.fast_wake_up, profile.wake_up) == (True, False)
    assert _addresses(reading) == WANTED
    bursts = [sent for sent in line.sent if sent.data == BURST]
    assert len(bursts) == 3
    for burst, following in pairwise(bursts):
        assert 0.5 <= burst.ended - burst.began <= 0.6
        assert 0.02 <= following.began - burst.ended - 2 * 10 / 300 <= 0.04
    asked = next(sent for sent in line.sent if sent.began > bursts[-1].began)
    acknowledged = bursts[-1].ended + 0.02 + 10 / 300
    assert asked.data == ASK
    assert 0.2 <= asked.began - acknowledged <= 1.5


async def test_fast_waking_goes_on_long_enough() -> None:
    line = ScriptedLine()
    await _fails(line)
    bursts = [sent for sent in line.sent if sent.data == BURST]
    assert bursts[-1].ended - bursts[0].began >= 4.5


@pytest.mark.parametrize("request_character", ["#", "2"])
async def test_meter_of_another_request(request_character: str) -> None:
    line = ScriptedLine(_mode_c(f"/{request_character}!\r\n".encode()))
    profile, _, steps = await _discover(line)
    assert steps[-1] is DiscoveryStep.OTHER_REQUEST
    assert profile.request == request_character


@pytest.mark.parametrize(("known", "speed"), [(None, 2400), (600, 600)])
async def test_meter_that_remembers_its_speed(known: int | None, speed: int) -> None:
    line = ScriptedLine(
        [Reply(ASK, b"/XYZ MX\r\n" + framed(), heard_at=speed, speed=speed)], can_switch=True
    )
    profile, _, steps = await _discover(line, DiscoveryHints(LineProfile(speed=known)))
    assert DiscoveryStep.REMEMBERED_SPEED in steps
    assert profile.sign_on_speed == speed


async def test_probe_that_is_fed_by_one_pin() -> None:
    line = ScriptedLine(_mode_c(), fed_by=(False, True))
    profile, _, steps = await _discover(line)
    assert steps[-1] is DiscoveryStep.PINS
    assert (profile.dtr, profile.rts) == (False, True)
    # Left as they lead to the meter; the next read sets them first of all.
    assert line.pins[-1] == (False, True)
    later = ScriptedLine(_mode_c(), fed_by=(False, True))
    _, _, steps = await _discover(later, DiscoveryHints(profile))
    assert steps == [DiscoveryStep.KNOWN_WAY]
    assert later.sent[0].began >= 1000.5


async def test_pins_are_put_back() -> None:
    line = ScriptedLine()
    await _fails(line)
    assert line.pins[-1] == OPENED_PINS


@dataclass(slots=True)
class PinlessLine(ScriptedLine):
    """Behind a bridge that has no DTR and RTS."""

    @override
    async def set_pins(self, dtr: bool | None, rts: bool | None) -> None:
        raise BridgeRefusedSettings(port=self.name, wanted="DTR, RTS")


async def test_bridge_without_pins_is_listened_to_all_the_same() -> None:
    failure, steps = await _fails(PinlessLine())
    assert isinstance(failure, NoAnswer)
    assert DiscoveryStep.LISTEN in steps


# What may not be done


async def test_never_called_without_a_number_where_several_share_the_line() -> None:
    line = ScriptedLine()
    with pytest.raises(NumberNeeded):
        await discover(line, DiscoveryHints(shared=True))
    assert line.messages == []


async def test_all_calls_bear_the_number() -> None:
    line = ScriptedLine()
    failure, steps = await _fails(line, DiscoveryHints(LineProfile(address="7"), shared=True))
    assert isinstance(failure, NumberUnanswered)
    assert steps == EVERY_RUNG
    calls = {message for message in line.messages if message.startswith(b"/")}
    assert calls == {ASK_7, b"/#7!\r\n", b"/27!\r\n"}


async def test_meter_that_answers_to_its_number() -> None:
    line = ScriptedLine(_mode_c(ASK_7))
    profile, _, steps = await _discover(line, DiscoveryHints(LineProfile(address="7"), shared=True))
    assert (profile.address, steps) == ("7", [DiscoveryStep.SIGN_ON])


@pytest.mark.parametrize(
    "hints",
    [
        NO_HINTS,
        DiscoveryHints(battery=True),
        DiscoveryHints(LineProfile(wake_up=True), fixed=frozenset({"wake_up"})),
        DiscoveryHints(LineProfile(wake_up=True, speed=2400)),
        DiscoveryHints(LineProfile(fast_wake_up=True), battery=True),
    ],
)
async def test_a_meter_is_woken_twice_at_most(hints: DiscoveryHints) -> None:
    line = ScriptedLine()
    await _fails(line, hints)
    assert _wakings(line) == 2


async def test_a_meter_that_answers_badly_is_not_woken_again_and_again() -> None:
    line = ScriptedLine([Reply(ASK, NAME_B, flip=(2, 5), behind=WAKE_UP, times=9)])
    failure, _ = await _fails(line, DiscoveryHints(battery=True))
    assert isinstance(failure, WrongParity)
    assert _wakings(line) == 2


async def test_what_a_person_has_set_stays() -> None:
    fixed = frozenset({"mode", "request", "wake_up", "sign_on_speed", "dtr", "rts"})
    line = ScriptedLine()
    _, steps = await _fails(line, DiscoveryHints(LineProfile(mode=Mode.C, request="2"), fixed))
    assert steps == [DiscoveryStep.SIGN_ON]
    assert {message for message in line.messages if message != BREAK} == {b"/2!\r\n"}
    assert line.pins == []
    listening = ScriptedLine()
    _, steps = await _fails(
        listening, DiscoveryHints(LineProfile(mode=Mode.D), frozenset({"mode"}))
    )
    assert (steps, listening.messages) == ([DiscoveryStep.LISTEN], [])


async def test_a_bus_is_not_woken_and_its_converter_has_time_to_turn() -> None:
    failure, steps = await _fails(ScriptedLine(), DiscoveryHints(LineProfile(bus=True), pins=False))
    assert isinstance(failure, BusSilent)
    assert steps == [
        DiscoveryStep.SIGN_ON,
        DiscoveryStep.OTHER_REQUEST,
        DiscoveryStep.REMEMBERED_SPEED,
    ]
    # The small third letter says 20 ms.
    line = ScriptedLine(_mode_c(name=b"/ISk5MX174\r\n"), run=0)
    await _discover(line, DiscoveryHints(LineProfile(bus=True)))
    asked, selected = line.sent
    name_ended = asked.ended + 0.2 + len(b"/ISk5MX174\r\n") * 10 / 300
    assert selected.began >= name_ended + 0.2 - ROUNDING


# Lines that cannot change their speed


async def test_bridge_fixed_at_300() -> None:
    line = ScriptedLine(
        [Reply(ASK, NAME_C), Reply(b"\x06000\r\n", framed())], can_switch=False, grace=2.0
    )
    profile, reading, steps = await _discover(line)
    assert (steps, reading.health.speed) == ([DiscoveryStep.SIGN_ON], 300)
    assert _addresses(reading) == WANTED
    assert not profile.stay


@pytest.mark.parametrize("first", [0.05, 0.5, 5.0])
async def test_push_meter_behind_a_fixed_bridge(first: float) -> None:
    """Also where a telegram came just behind our call, and looked like its answer."""
    line = ScriptedLine(_every(10.0, PUSH, first=first), can_switch=False, speed=9600, grace=2.0)
    profile, reading, _ = await _discover(line)
    assert (profile.mode, profile.listen_speed) == (Mode.D, 9600)
    assert len(reading.registers) == 2


async def test_mode_a_meter_behind_a_fixed_bridge() -> None:
    line = ScriptedLine(
        [Reply(ASK, NAME_A + framed(), speed=9600, heard_at=9600)], can_switch=False, speed=9600
    )
    profile, reading, steps = await _discover(line)
    assert profile.mode is None
    assert reading.health.mode is Mode.A
    assert steps == [DiscoveryStep.SIGN_ON, DiscoveryStep.LISTEN]


async def test_nothing_behind_a_fixed_bridge() -> None:
    failure, _ = await _fails(ScriptedLine(can_switch=False, speed=9600, grace=2.0))
    assert isinstance(failure, FixedSpeed)
    assert failure.placeholders == {"port": "/dev/scripted", "speed": "9600"}
    failure, _ = await _fails(ScriptedLine(can_switch=False, grace=2.0))
    assert isinstance(failure, NoAnswer)


# The reasons


@pytest.mark.parametrize(
    ("script", "kind", "steps"),
    [
        ([], NoAnswer, EVERY_RUNG),
        (
            [Reply(ASK, b"hello, who is there?\r\n", times=99)],
            NoIdentification,
            [
                DiscoveryStep.SIGN_ON,
                DiscoveryStep.WAKE_UP,
                DiscoveryStep.OTHER_REQUEST,
                DiscoveryStep.REMEMBERED_SPEED,
                DiscoveryStep.PINS,
            ],
        ),
        (
            [Reply(ASK, NAME_C, flip=(at, at + 3, at + 5)) for at in range(1, 9)],
            WrongParity,
            [DiscoveryStep.SIGN_ON],
        ),
        (
            [Reply(ASK, b"/LGZ5ZMX310.A01\r\n/ELS5AX14\r\n", flip=(1, 20), times=99)],
            SeveralMeters,
            [DiscoveryStep.SIGN_ON],
        ),
        ([Push(b"1.8.0(1)\r\n" * 200, speed=300)], LineBusy, [DiscoveryStep.SIGN_ON]),
        # Found, so that no other way is tried.
        ([Reply(ASK, NAME_C, times=9)], NoData, [DiscoveryStep.SIGN_ON]),
        ([Reply(ASK, NAME_C + BREAK)], MeterBreak, [DiscoveryStep.SIGN_ON]),
        (
            [Reply(ASK, NAME_A + framed(check="odd"), times=9)],
            CheckWrong,
            [DiscoveryStep.SIGN_ON],
        ),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
async def test_reason(script: Script, kind: type[MeterError], steps: list[DiscoveryStep]) -> None:
    failure, tried = await _fails(ScriptedLine(script))
    assert type(failure) is kind
    assert tried == steps


def _wrong(block: bytes) -> bytes:
    return NAME_A + framed(block, check="odd")


async def _check_wrong(
    script: Script, hints: DiscoveryHints = NO_HINTS
) -> tuple[ScriptedLine, CheckWrong]:
    line = ScriptedLine(script)
    failure, steps = await _fails(line, hints)
    assert isinstance(failure, CheckWrong)
    assert len(steps) == 1
    return line, failure


async def test_check_that_is_always_wrong_is_found_to_be_the_meters_own() -> None:
    """Three readings alike but for their digits; each is repeated once."""
    script = [Reply(ASK, _wrong(b"1.8.0(%04d*kWh)\r\n" % n)) for n in range(6)]
    line, failure = await _check_wrong(script)
    assert line.messages == [ASK] * 6
    assert failure.without is not None
    assert failure.without.check_kind is CheckKind.NONE
    profile, reading, steps = await _discover(
        ScriptedLine([script[0]]), DiscoveryHints(failure.without)
    )
    assert (_addresses(reading), steps) == (["1.8.0"], [DiscoveryStep.SIGN_ON])
    assert reading.health.check is Verdict.ABSENT
    assert profile.check_kind is CheckKind.NONE


@pytest.mark.parametrize(
    "others",
    [
        # Another text: one of the two was damaged.
        [Reply(ASK, _wrong(b"1.8.0(0004*kWx)\r\n"), times=9)],
        # Seen in its parity: the line did it.
        [Reply(ASK, _wrong(b"1.8.0(0004*kWh)\r\n"), flip=(14,), times=9)],
        [Reply(ASK, b"", times=99)],
        [Reply(ASK, NAME_A + framed(b"1.8.0(0004*kWh)\r\n")[:-9], times=9)],
    ],
    ids=["another text", "parity", "silence", "cut off"],
)
async def test_check_that_is_wrong_now_and_then_is_not(others: list[Reply]) -> None:
    _, failure = await _check_wrong([Reply(ASK, _wrong(b"1.8.0(0004*kWh)\r\n"), times=2), *others])
    assert failure.without is None


async def test_check_that_is_right_after_all() -> None:
    wrong = Reply(ASK, _wrong(b"1.8.0(0004*kWh)\r\n"), times=4)
    _, reading, _ = await _discover(
        ScriptedLine([wrong, Reply(ASK, NAME_A + framed(b"1.8.0(0004*kWh)\r\n"))])
    )
    assert reading.health.check is Verdict.RIGHT


async def test_sleeping_meter_is_not_woken_again_for_its_check() -> None:
    block = _wrong(b"1.8.0(0004*kWh)\r\n")
    hints = DiscoveryHints(LineProfile(wake_up=True), fixed=frozenset({"wake_up"}), battery=True)
    line, failure = await _check_wrong([Reply(ASK, block, behind=WAKE_UP, times=99)], hints)
    assert (_wakings(line), failure.without) == (MOST_WAKE_UPS, None)


async def test_the_latest_of_like_reasons_is_told() -> None:
    """The closer look: it heard more."""
    bad = Reply(ASK, NAME_C, flip=tuple(range(1, 15)))
    better = [Reply(ASK, NAME_C, flip=(at, at + 4)) for at in range(1, 9)]
    failure, _ = await _fails(ScriptedLine([bad, *better]))
    assert isinstance(failure, WrongParity)
    assert int(failure.placeholders["percent"]) < 30


async def test_a_meter_that_was_found_is_worth_patience() -> None:
    """Its data came damaged, and its name at the next call."""
    line = ScriptedLine(
        [
            Reply(ASK, NAME_A + framed(check="odd")),
            Reply(ASK, NAME_C, flip=(3,)),
            Reply(ASK, NAME_A + framed()),
        ]
    )
    _, reading, steps = await _discover(line)
    assert (steps, reading.health.retries) == ([DiscoveryStep.SIGN_ON], 1)
    assert _addresses(reading) == WANTED


async def test_only_our_echo() -> None:
    failure, _ = await _fails(ScriptedLine(echoes=True))
    assert isinstance(failure, OnlyEcho)


async def test_the_number_of_a_meter_that_was_read_is_not_doubted() -> None:
    known = LineProfile(address="7", medium=Medium.ELECTRICITY)
    failure, _ = await _fails(ScriptedLine(), DiscoveryHints(known))
    assert isinstance(failure, NoAnswer)


async def test_what_tells_most_is_told_though_it_was_not_the_last() -> None:
    """A flash of light at first, then silence."""
    failure, steps = await _fails(ScriptedLine([Push(FLASH, at=1.0)]))
    assert isinstance(failure, WrongParity)
    assert steps[1] is DiscoveryStep.LISTEN
    assert set(steps) == set(EVERY_RUNG)


async def test_a_flash_of_light_does_not_hide_a_meter_that_sleeps() -> None:
    line = ScriptedLine([Push(FLASH, at=1.0), Reply(ASK, NAME_A + framed(), behind=WAKE_UP)])
    profile, _, _ = await _discover(line)
    assert profile.wake_up


async def test_speeds_that_a_bridge_refuses_are_passed_over() -> None:
    line = ScriptedLine(fastest=2400)
    failure, steps = await _fails(line)
    assert isinstance(failure, NoAnswer)
    assert steps == EVERY_RUNG
    assert {speed for _, speed in line.speeds} == {300, 2400}


async def test_bridge_that_cannot_follow_the_meter_is_named() -> None:
    with pytest.raises(BridgeRefusedSettings):
        await discover(ScriptedLine(_mode_c(), fastest=2400))


# How long it takes


@pytest.mark.parametrize(
    ("hints", "within"),
    [
        (NO_HINTS, 75),
        (DiscoveryHints(battery=True), 75),
        (DiscoveryHints(LineProfile(bus=True, address="12345678")), 75),
        (DiscoveryHints(LineProfile(wake_up=True)), 75),
        # Some push once a minute: at the speed that is known, it is listened longer.
        (DiscoveryHints(LineProfile(mode=Mode.D, listen_speed=9600)), 75 + LISTEN_LIMIT),
        (DiscoveryHints(LineProfile(mode=Mode.D), frozenset({"mode"})), 75),
    ],
)
@pytest.mark.parametrize(("can_switch", "speed", "grace"), [(True, 300, 0.05), (False, 9600, 2.0)])
async def test_all_ways_where_nobody_speaks_take_about_a_minute(
    hints: DiscoveryHints, within: float, can_switch: bool, speed: int, grace: float
) -> None:
    line = ScriptedLine(can_switch=can_switch, speed=speed, grace=grace, margin=0.01)
    with pytest.raises(MeterError):
        await discover(line, hints)
    assert line.elapsed < within


@settings(max_examples=40, deadline=None)
@given(
    noise=st.lists(
        st.tuples(
            st.floats(0, 150),
            st.binary(min_size=1, max_size=400),
            st.sampled_from([300, 2400, 9600]),
        ),
        max_size=12,
    ),
    can_switch=st.booleans(),
    battery=st.booleans(),
)
async def test_no_noise_makes_it_longer(
    noise: list[tuple[float, bytes, int]], can_switch: bool, battery: bool
) -> None:
    line = ScriptedLine(
        [Push(data, at, speed) for at, data, speed in noise], can_switch=can_switch, parity=False
    )
    hints = DiscoveryHints(battery=battery)
    try:
        await discover(line, hints)
    except MeterError:
        assert line.elapsed <= LONGEST
    assert _wakings(line) <= 2


async def test_noise_without_end_ends() -> None:
    line = ScriptedLine([Push(bytes(range(256)) * 60, speed=1200)], parity=False)
    failure, steps = await _fails(line)
    assert isinstance(failure, WrongParity)
    assert steps == [DiscoveryStep.SIGN_ON, DiscoveryStep.LISTEN]


async def test_rows_of_text_are_whole() -> None:
    """A readout without a frame, whose end is only seen by silence, is one reading."""
    line = ScriptedLine([Reply(ASK, NAME_A + text() + b"!\r\n")])
    _, reading, _ = await _discover(line)
    assert _addresses(reading) == WANTED


# How soon


async def _first_heard(line: ScriptedLine, hints: DiscoveryHints = NO_HINTS) -> float:
    """When the user sees that a meter is there: seconds from the open port to its name, or its first telegram."""
    heard: list[float] = []

    def watch(progress: Progress) -> None:
        if progress.characters:
            heard.append(line.elapsed)

    await discover(line, hints, watch)
    return heard[0]


_WOKEN = [replace(_mode_c()[0], behind=WAKE_UP), _mode_c()[1]]
_SLOW = 1.45


@pytest.mark.parametrize(
    ("script", "hints", "within"),
    [
        ([replace(_mode_c()[0], after=_SLOW), _mode_c()[1]], NO_HINTS, 3.0),
        ([Reply(ASK, NAME_A + framed(), after=_SLOW)], NO_HINTS, 3.0),
        ([Reply(ASK, NAME_B, after=_SLOW), Push(framed(), at=2.5, speed=2400)], NO_HINTS, 3.0),
        (_every(2.0, PUSH), NO_HINTS, 8.0),
        (_WOKEN, DiscoveryHints(LineProfile(wake_up=True), fixed=frozenset({"wake_up"})), 6.0),
        # Unasked, it is called twice as the others before it is woken.
        (_WOKEN, NO_HINTS, 10.0),
    ],
    ids=["mode C", "mode A", "mode B", "push", "woken", "found asleep"],
)
async def test_common_meters_are_heard_soon(
    script: Script, hints: DiscoveryHints, within: float
) -> None:
    """As docs/lines.md tells it."""
    assert await _first_heard(ScriptedLine(script), hints) <= within
