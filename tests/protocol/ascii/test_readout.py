"""Conversations of modes A, B and C with a scripted meter, in virtual time."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.iec62056.protocol.client import ANY_METER, MeterClient
from custom_components.iec62056.protocol.errors import (
    CheckWrong,
    Incomplete,
    LineBusy,
    MeterBreak,
    MeterError,
    MeterFaster,
    MeterRefused,
    NoAnswer,
    NoData,
    NoIdentification,
    OnlyEcho,
    OtherProtocol,
    PushHeard,
    SeveralMeters,
    WrongParity,
)
from custom_components.iec62056.protocol.model import (
    CheckKind,
    LineProfile,
    Mode,
    ParitySeen,
    Progress,
    Reading,
    Stage,
    Verdict,
)

from ...common.clock import ROUNDING
from ..scripted import Push, Reply, ScriptedLine
from ..telegrams import LINES, framed, text

ASK = b"/?!\r\n"
NAME_C = b"/LGZ5ZMX310.A01\r\n"
NAME_C_FAST = b"/ISk5MX174-0001\r\n"
NAME_B = b"/LUGCUX50\r\n"
NAME_A = b"/KAM MX\r\n"
ACK_9600 = b"\x06050\r\n"
ACK_STAY = b"\x06000\r\n"
BREAK = b"\x01B0\x03q"
NAK = b"\x15"
# Before a meter is called again, an old session is ended at each speed it may have.
END_OLD = [BREAK] * 5


def _mode_c(data: bytes = framed(), name: bytes = NAME_C, reaction: float = 0.2) -> list[Reply]:
    return [
        Reply(ASK, name, after=reaction),
        Reply(ACK_9600, data, after=reaction, speed=9600),
    ]


async def _read(line: ScriptedLine, profile: LineProfile = ANY_METER) -> Reading:
    return await MeterClient(line, profile).read_all()


def _addresses(reading: Reading) -> list[str]:
    return [register.address for register in reading.registers]


WANTED = [line.split("(")[0] for line in LINES]


@pytest.mark.parametrize("grace", [0.05, 2.1, 5.0])
async def test_name_that_ends_with_cr_alone_is_acknowledged_in_time(grace: float) -> None:
    """What comes later than 1.5 s is not heard: the meter sends its data at the first speed (Std 6.4.3.6)."""
    name = NAME_C.removesuffix(b"\n")
    line = ScriptedLine(_mode_c(name=name), grace=grace)
    await _read(line)
    asked, acknowledged = line.sent
    assert acknowledged.began - (asked.ended + 0.2 + len(name) * 10 / 300) <= 1.1


def _limit(*messages: tuple[bytes, int], waits: float) -> float:
    return sum(len(data) * 10 / speed for data, speed in messages) + waits


# Good readouts cost what the wire costs


@pytest.mark.parametrize(("name", "reaction"), [(NAME_C, 0.2), (NAME_C_FAST, 0.02)])
async def test_mode_c_at_the_limit_of_the_wire(name: bytes, reaction: float) -> None:
    data = framed(text() * 12)
    line = ScriptedLine(_mode_c(data, name, reaction), run=0)
    reading = await _read(line)
    assert line.messages == [ASK, ACK_9600]
    assert len(reading.registers) == 12 * len(LINES)
    limit = _limit((ASK, 300), (name, 300), (ACK_9600, 300), (data, 9600), waits=3 * reaction)
    assert line.elapsed <= limit * 1.001
    health = reading.health
    assert (health.check, health.check_kind) == (Verdict.RIGHT, CheckKind.XOR)
    assert (health.mode, health.speed, health.retries) == (Mode.C, 9600, 0)
    assert (health.parity, health.parity_errors) == (ParitySeen.EVEN, 0)
    assert health.duration == pytest.approx(line.elapsed)


async def test_mode_b_switches_without_acknowledging() -> None:
    data = framed(text() * 5)
    line = ScriptedLine([Reply(ASK, NAME_B + data[:0]), Push(data, at=0.9, speed=2400)], run=0)
    reading = await _read(line)
    assert line.messages == [ASK]
    assert [speed for _, speed in line.speeds] == [2400]
    assert (reading.health.mode, reading.health.speed) == (Mode.B, 2400)
    assert len(reading.registers) == 5 * len(LINES)
    assert line.elapsed == pytest.approx(0.9 + len(data) * 10 / 2400)


async def test_mode_a_data_at_once() -> None:
    data = framed()
    line = ScriptedLine([Reply(ASK, NAME_A + data)], run=0)
    reading = await _read(line)
    assert line.messages == [ASK]
    assert line.speeds == []
    assert (reading.health.mode, _addresses(reading)) == (Mode.A, WANTED)
    assert line.elapsed == pytest.approx(_limit((ASK + NAME_A + data, 300), waits=0.2))


async def test_readout_without_frame_ends_after_a_short_silence() -> None:
    data = text() + b"!\r\n"
    line = ScriptedLine(_mode_c(data), run=0, grace=0.0)
    reading = await _read(line)
    assert reading.health.check is Verdict.ABSENT
    assert _addresses(reading) == WANTED
    limit = _limit((ASK + NAME_C + ACK_9600, 300), (data, 9600), waits=0.6)
    assert line.elapsed <= limit + 4 * 10 / 9600


# The meter's own ways


@pytest.mark.parametrize("name", [NAME_C, NAME_B.replace(b"C", b"3"), b"/ITR5EMX14\r\n"])
async def test_data_straight_after_any_identification(name: bytes) -> None:
    line = ScriptedLine([Reply(ASK, name + framed())])
    reading = await _read(line)
    assert line.messages == [ASK]
    assert (reading.health.mode, reading.health.speed) == (Mode.A, 300)
    assert _addresses(reading) == WANTED


@pytest.mark.parametrize(
    "data",
    [
        b"?" + framed(),
        b"\x7f\x00" + framed(),
        framed() + b"\x7f",
        framed(text() + b"1.8.2(013925.5*)Y\x02\x02\x01\x00"),
        framed(text().removesuffix(b"\r\n")),
    ],
)
async def test_noise_around_the_data(data: bytes) -> None:
    reading = await _read(ScriptedLine(_mode_c(data)))
    assert _addresses(reading)[: len(WANTED)] == WANTED
    assert reading.health.check is Verdict.RIGHT


@pytest.mark.parametrize(
    "answer",
    [
        ASK + NAME_C,
        b"\x7f\x7f\x7f" + NAME_C,
        b"??" + NAME_C,
        NAME_C + NAME_C,
        NAME_C.removesuffix(b"\n"),
        b"\x2d\x3f!\r\x02" + NAME_C,
        b"\x01x" + NAME_C,
    ],
)
async def test_noise_around_the_identification(answer: bytes) -> None:
    line = ScriptedLine([Reply(ASK, answer), *_mode_c()[1:]])
    reading = await _read(line)
    assert line.messages == [ASK, ACK_9600]
    assert reading.identification is not None
    assert reading.identification.raw == NAME_C.decode().strip()


async def test_acknowledgement_waits_for_the_line_feed() -> None:
    line = ScriptedLine(_mode_c(name=NAME_C_FAST, reaction=0.02), run=0)
    await _read(line)
    ended = line.sent[0].ended + 0.02 + len(NAME_C_FAST) * 10 / 300
    assert line.sent[1].began == pytest.approx(ended + 0.02)


async def test_speed_changes_when_the_acknowledgement_has_left() -> None:
    line = ScriptedLine(_mode_c(), margin=0.013)
    await _read(line, LineProfile(switch_delay=0.05))
    assert line.speeds[0][0] == pytest.approx(line.sent[1].ended + 0.013 + 0.05)


@pytest.mark.parametrize("answer", [framed() + b"\x18" + NAME_C, framed() + NAME_C])
async def test_data_before_the_identification(answer: bytes) -> None:
    line = ScriptedLine([Reply(ASK, answer)])
    reading = await _read(line)
    assert reading.identification is not None
    assert reading.identification.flag == "LGZ"
    assert (_addresses(reading), reading.health.check) == (WANTED, Verdict.RIGHT)


async def test_data_without_any_identification() -> None:
    reading = await _read(ScriptedLine([Reply(ASK, framed())]))
    assert reading.identification is None
    assert _addresses(reading) == WANTED


async def test_wake_up() -> None:
    nuls = bytes(66)
    line = ScriptedLine([Reply(nuls, b""), Reply(ASK, NAME_B), Push(framed(), at=5.2, speed=2400)])
    await _read(line, LineProfile(wake_up=True))
    waking, request = line.sent[:2]
    assert not any(waking.data)
    assert 2.1 <= waking.ended - waking.began <= 2.3
    assert 1.5 <= request.began - waking.ended <= 1.7


async def test_address_and_request_of_the_profile() -> None:
    line = ScriptedLine([Reply(b"/#00123!\r\n", NAME_A + framed())])
    await _read(line, LineProfile(address="00123", request="#"))
    assert line.messages == [b"/#00123!\r\n"]


async def test_mode_given_by_hand_wins() -> None:
    line = ScriptedLine([Reply(ASK, NAME_C), Push(framed(), at=2.0, speed=300)])
    reading = await _read(line, LineProfile(mode=Mode.A))
    assert line.messages == [ASK]
    assert reading.health.mode is Mode.A


@pytest.mark.parametrize(
    ("before", "check"), [(None, Verdict.ABSENT), (CheckKind.SUM, Verdict.RIGHT)]
)
async def test_sum_check_of_energomera(before: CheckKind | None, check: Verdict) -> None:
    """That it fits once proves nothing: damaged data may fit it by chance."""
    line = ScriptedLine(_mode_c(framed(check="sum")))
    reading = await _read(line, LineProfile(check_candidate=before))
    assert (reading.health.check, reading.health.check_kind) == (check, CheckKind.SUM)


# Staying at the first speed


async def test_stay_where_the_line_cannot_switch() -> None:
    line = ScriptedLine([Reply(ASK, NAME_C), Reply(ACK_STAY, framed())], can_switch=False)
    reading = await _read(line)
    assert line.messages == [ASK, ACK_STAY]
    assert (reading.health.speed, _addresses(reading)) == (300, WANTED)


@pytest.mark.parametrize("parity", [True, False])
@pytest.mark.parametrize("data", [b"", framed()])
async def test_mode_b_meter_on_a_line_that_cannot_follow(data: bytes, parity: bool) -> None:
    """It is the line's fault, said at once, whether its data are seen as noise or not at all."""
    line = ScriptedLine(
        [Reply(ASK, NAME_B), Push(data, at=0.9, speed=2400)], can_switch=False, parity=parity
    )
    with pytest.raises(MeterFaster, match=r"2400 Bd .* stays at 300 Bd"):
        await _read(line)
    assert line.messages == [ASK]


async def test_mode_b_meter_whose_speed_a_fixed_line_has() -> None:
    data = Reply(ASK, NAME_B + framed()[:-9], heard_at=2400, speed=2400)
    line = ScriptedLine([data], can_switch=False, speed=2400)
    with pytest.raises(Incomplete):
        await _read(line)


async def test_stay_by_profile() -> None:
    line = ScriptedLine([Reply(ASK, NAME_C), Reply(ACK_STAY, framed())])
    await _read(line, LineProfile(stay=True))
    assert line.speeds == []


async def test_meter_that_missed_the_acknowledgement_speaks_unasked() -> None:
    line = ScriptedLine([Reply(ASK, NAME_C), Reply(ACK_STAY, framed(), after=2.1)])
    reading = await _read(line, LineProfile(stay=True))
    assert _addresses(reading) == WANTED


async def test_line_fixed_at_the_meters_own_speed_acknowledges_it() -> None:
    line = ScriptedLine(
        [
            Reply(ASK, NAME_C, heard_at=9600, speed=9600),
            Reply(ACK_9600, framed(), heard_at=9600, speed=9600),
        ],
        can_switch=False,
        speed=9600,
    )
    assert _addresses(await _read(line)) == WANTED


async def test_noise_at_once_means_stay_at_the_next_try() -> None:
    """The meter has understood and does not go with us."""
    line = ScriptedLine(
        [
            *[Reply(ASK, NAME_C), Reply(ACK_9600, framed(), speed=300)],
            Reply(ASK, NAME_C),
            Reply(ACK_STAY, framed()),
        ]
    )
    meter = MeterClient(line)
    reading = await meter.read_all()
    assert _addresses(reading) == WANTED
    assert meter.profile.stay
    assert meter.profile.switch_delay == 0.0
    assert {speed for _, speed in line.speeds} == {300, 9600}
    assert reading.health.retries == 1


@pytest.mark.parametrize(("reaction", "holds"), [(0.2, 0.1), (0.8, 0.38)])
@pytest.mark.parametrize("unasked", [framed(), b""])
async def test_head_that_holds_its_characters_is_given_time(
    reaction: float, holds: float, unasked: bytes
) -> None:
    """It would cut the acknowledgement off; whether the data at 300 Bd are then seen as noise or not at all."""
    line = ScriptedLine(_mode_c(reaction=reaction) * 2, holds=holds, unasked=unasked, run=0)
    meter = MeterClient(line)
    reading = await meter.read_all()
    assert (_addresses(reading), reading.health.speed) == (WANTED, 9600)
    assert line.messages == [ASK, ACK_9600, ASK, ACK_9600]
    assert not meter.profile.stay
    learned = meter.profile.switch_delay
    assert holds <= learned < reaction
    # What worked is kept.
    line._replies[:] = _mode_c(reaction=reaction)
    assert (await meter.read_all()).health.retries == 0
    assert meter.profile.switch_delay == learned


async def test_head_slower_than_its_meter_stays_at_the_first_speed() -> None:
    line = ScriptedLine(
        [*_mode_c() * 2, Reply(ASK, NAME_C), Reply(ACK_STAY, framed())], holds=0.3, unasked=framed()
    )
    meter = MeterClient(line)
    assert (await meter.read_all()).health.speed == 300
    assert (meter.profile.stay, meter.profile.switch_delay) == (True, 0.0)


async def test_meter_that_answers_before_a_late_change_of_speed() -> None:
    """Its beginning is lost: NAK brings it back, and the next change of speed comes sooner."""
    data = framed(text() * 4)
    nak = Reply(NAK, data, heard_at=9600, speed=9600)
    line = ScriptedLine([*_mode_c(data), nak], run=0)
    meter = MeterClient(line, LineProfile(switch_delay=0.24, speed=9600))
    reading = await meter.read_all()
    assert line.messages == [ASK, ACK_9600, NAK]
    assert len(reading.registers) == 4 * len(LINES)
    assert meter.profile.switch_delay == 0.12
    line._replies[:] = _mode_c(data)
    assert (await meter.read_all()).health.retries == 0


async def test_beginning_that_is_lost_each_time_means_stay() -> None:
    """The bridge itself is late, and the meter repeats nothing."""
    late = framed(text() * 4)[40:]
    line = ScriptedLine(
        [*_mode_c(late), *_mode_c(late), Reply(ASK, NAME_C), Reply(ACK_STAY, framed())]
    )
    meter = MeterClient(line)
    assert (await meter.read_all()).health.speed == 300
    assert meter.profile.stay


async def test_noise_at_a_speed_that_worked_is_an_accident() -> None:
    """The next try is safe at 300; the reading after it is fast again."""
    line = ScriptedLine(
        [
            Reply(ASK, NAME_C),
            Reply(ACK_9600, framed(), speed=300),
            Reply(ASK, NAME_C),
            Reply(ACK_STAY, framed()),
            *_mode_c(),
        ]
    )
    meter = MeterClient(line, LineProfile(speed=9600))
    assert (await meter.read_all()).health.speed == 300
    assert not meter.profile.stay
    assert meter.profile.speed == 9600
    assert (await meter.read_all()).health.speed == 9600


async def test_mode_b_meter_is_followed_again_after_noise() -> None:
    """It changes its speed whatever is wanted of it."""
    noise = framed(text() * 3)
    line = ScriptedLine(
        [
            Reply(ASK, NAME_B),
            Push(noise, at=0.9, speed=4800),
            Reply(ASK, NAME_B),
            Push(framed(), at=6.2, speed=2400),
        ]
    )
    meter = MeterClient(line)
    reading = await meter.read_all()
    assert (reading.health.speed, reading.health.retries) == (2400, 1)
    assert not meter.profile.stay


async def test_what_a_meter_did_tells_more_than_its_silence_afterwards() -> None:
    line = ScriptedLine([Reply(ASK, NAME_A + framed(check="odd"))])
    with pytest.raises(CheckWrong):
        await _read(line)


async def test_silence_after_the_switch_ends_in_a_reason() -> None:
    line = ScriptedLine([Reply(ASK, NAME_C, times=3)])
    meter = MeterClient(line)
    with pytest.raises(NoData, match="LGZ5"):
        await meter.read_all()
    # A meter that gave nothing either way has taught nothing.
    assert meter.profile == ANY_METER
    assert [message for message in line.messages if message.startswith(b"\x06")] == [
        ACK_9600,
        ACK_9600,
        ACK_STAY,
    ]


async def test_speed_that_worked_once_is_not_given_up() -> None:
    line = ScriptedLine([Reply(ASK, NAME_C, times=2)])
    meter = MeterClient(line, LineProfile(speed=9600))
    with pytest.raises(NoData):
        await meter.read_all()
    assert not meter.profile.stay


# Waking the fast way, and networks that stall


async def test_meter_woken_the_fast_way_is_signed_off_its_own_way() -> None:
    burst = bytes(16)
    line = ScriptedLine(
        [Reply(burst, b"\x06", after=0.02), Reply(ASK, NAME_C), Reply(b"\x01B1\x03p", b"\x06")],
        run=0,
    )
    found = await MeterClient(line, LineProfile(fast_wake_up=True)).identify()
    assert found.raw == NAME_C.decode().strip()
    assert line.messages == [burst, ASK, b"\x01B1\x03p"]


@pytest.mark.parametrize("profile", [LineProfile(wake_up=True), LineProfile(fast_wake_up=True)])
async def test_nobody_on_a_bus_is_woken(profile: LineProfile) -> None:
    line = ScriptedLine(_mode_c())
    await _read(line, replace(profile, bus=True))
    assert line.messages == [ASK, ACK_9600]


async def test_echo_of_the_bursts_is_no_acknowledgement() -> None:
    """Also a meter that hears none of them is called."""
    line = ScriptedLine(
        [Reply(bytes(16), bytes(16), after=-0.5, times=9), Reply(ASK, NAME_A + framed())]
    )
    reading = await _read(line, LineProfile(fast_wake_up=True))
    assert _addresses(reading) == WANTED
    bursts = [sent for sent in line.sent if sent.data == bytes(16)]
    assert bursts[-1].ended - bursts[0].began >= 4.5


@pytest.mark.parametrize("stall", [0.5, 2.0])
async def test_stall_of_the_network_costs_nothing(stall: float) -> None:
    """Three minutes of data at 300 Bd with pauses that no meter makes: they are late, nothing is lost or repeated."""
    data = framed(text() * 33)
    pieces = [data[at : at + 900] for at in range(0, len(data), 900)]
    script: list[Reply | Push] = [Reply(ASK, NAME_A)]
    at = 1.2
    for piece in pieces:
        script.append(Push(piece, at=at, speed=300))
        at += len(piece) * 10 / 300 + stall
    line = ScriptedLine(script, grace=2.0, can_switch=False)
    reading = await _read(line)
    assert len(pieces) > 4
    assert len(reading.registers) == 33 * len(LINES)
    assert (reading.health.check, reading.health.retries) == (Verdict.RIGHT, 0)
    assert line.messages == [ASK]
    assert line.elapsed == pytest.approx(at - stall, abs=0.1)
    assert line.elapsed > 180


# Damage


@pytest.mark.parametrize(
    "damaged",
    [
        framed().replace(b"004711", b"004710"),
        framed()[:-20],
        framed()[:-1] + b"\x00",
        framed()[1:].replace(b"F.F", b"G.F"),
    ],
)
async def test_nak_has_damaged_data_repeated(damaged: bytes) -> None:
    line = ScriptedLine([*_mode_c(damaged), Reply(NAK, framed(), heard_at=9600, speed=9600)])
    reading = await _read(line, LineProfile(check_kind=CheckKind.XOR))
    assert line.messages == [ASK, ACK_9600, NAK]
    assert (_addresses(reading), reading.health.retries) == (WANTED, 1)
    assert reading.health.check is Verdict.RIGHT


async def test_nak_waits_for_the_reaction_time() -> None:
    line = ScriptedLine(
        [*_mode_c(framed()[:-1] + b"\x01"), Reply(NAK, framed(), heard_at=9600, speed=9600)], run=0
    )
    await _read(line)
    data_ended = line.sent[1].ended + 0.2 + len(framed()) * 10 / 9600
    assert line.sent[2].began >= data_ended + 0.2 - ROUNDING


async def test_meter_that_ignores_nak_is_asked_again() -> None:
    line = ScriptedLine([*_mode_c(framed()[:-30]), *_mode_c()])
    reading = await _read(line)
    assert line.messages == [ASK, ACK_9600, NAK, ASK, ACK_9600]
    assert _addresses(reading) == WANTED


async def test_modes_a_and_b_repeat_the_request() -> None:
    line = ScriptedLine([Reply(ASK, NAME_A + framed()[:-9]), Reply(ASK, NAME_A + framed())])
    reading = await _read(line)
    assert line.messages == [ASK, ASK]
    assert (_addresses(reading), reading.health.retries) == (WANTED, 1)


@pytest.mark.parametrize(
    ("damaged", "error"),
    [
        (framed().replace(b"004711", b"004710"), CheckWrong),
        (framed()[:-30], Incomplete),
        (text()[:-4], Incomplete),
    ],
)
async def test_damaged_twice(damaged: bytes, error: type[MeterError]) -> None:
    line = ScriptedLine([*_mode_c(damaged), Reply(NAK, damaged, heard_at=9600, speed=9600)])
    with pytest.raises(error):
        await _read(line, LineProfile(check_kind=CheckKind.XOR))
    assert line.messages.count(NAK) == 1


async def test_damaged_parity_is_noticed_without_a_check() -> None:
    data = text() + b"!\r\n"
    where = data.index(b"4711")
    bad = Reply(ACK_9600, data, speed=9600, flip=(where,))
    again = Reply(NAK, data, heard_at=9600, speed=9600)
    reading = await _read(ScriptedLine([Reply(ASK, NAME_C), bad, again]))
    assert reading.health.retries == 1
    worse = replace(again, flip=(where,))
    with pytest.raises(WrongParity, match="%"):
        await _read(ScriptedLine([Reply(ASK, NAME_C), bad, worse]))


async def test_one_damaged_parity_bit_costs_nothing_where_the_check_is_right() -> None:
    damaged = Reply(ACK_9600, framed(), speed=9600, flip=(40,), mask=0x80)
    line = ScriptedLine([Reply(ASK, NAME_C), damaged])
    reading = await _read(line)
    assert NAK not in line.messages
    assert (reading.health.check, reading.health.parity_errors) == (Verdict.RIGHT, 1)


async def test_identification_with_a_damaged_character_is_not_acted_upon() -> None:
    line = ScriptedLine([Reply(ASK, NAME_C, flip=(4,)), *_mode_c()])
    reading = await _read(line)
    assert line.messages == [ASK, BREAK, ASK, ACK_9600]
    assert reading.identification is not None
    assert reading.identification.speed_character == "5"


async def test_check_of_no_known_kind_counts_only_where_set_by_hand() -> None:
    data = framed(check="odd")
    script = [*_mode_c(data), Reply(NAK, data, heard_at=9600, speed=9600)]
    with pytest.raises(CheckWrong):
        await _read(ScriptedLine(script))
    line = ScriptedLine(script)
    reading = await _read(line, LineProfile(check_kind=CheckKind.NONE))
    assert reading.health.check is Verdict.ABSENT
    assert NAK not in line.messages


async def test_learned_kind_alone_counts() -> None:
    data = framed(check="sum")
    line = ScriptedLine([*_mode_c(data), Reply(NAK, data, heard_at=9600, speed=9600)])
    with pytest.raises(CheckWrong):
        await _read(line, LineProfile(check_kind=CheckKind.XOR))


async def test_missing_check_of_a_meter_known_to_send_one() -> None:
    line = ScriptedLine(_mode_c(text() + b"!\r\n") + _mode_c())
    reading = await _read(line, LineProfile(check_kind=CheckKind.XOR))
    assert reading.health.retries == 1


# Why nothing comes


async def test_no_answer() -> None:
    line = ScriptedLine()
    with pytest.raises(NoAnswer):
        await _read(line)
    assert line.messages == [ASK, *END_OLD, ASK]
    assert line.elapsed < 4.5


async def test_only_echo() -> None:
    with pytest.raises(OnlyEcho):
        await _read(ScriptedLine(echoes=True))


async def test_only_the_request_comes_back() -> None:
    with pytest.raises(OnlyEcho):
        await _read(ScriptedLine([Reply(ASK, ASK, after=0.0, times=3)]))


async def test_wrong_parity() -> None:
    flips = ((1, 3, 5, 7, 9), (0, 2, 5, 8, 9), (1, 2, 4, 7, 8))
    script = [Reply(ASK, NAME_C, flip=flip) for flip in flips]
    with pytest.raises(WrongParity) as caught:
        await _read(ScriptedLine(script))
    assert int(caught.value.placeholders["percent"]) == pytest.approx(29, abs=3)


async def test_no_identification() -> None:
    with pytest.raises(NoIdentification):
        await _read(ScriptedLine([Reply(ASK, b"Login: \r\n", times=3)]))


async def test_name_that_is_damaged_alike_each_time() -> None:
    """One character may be the meter's own fault; more of them are a second meter."""
    one = ScriptedLine(
        [Reply(ASK, NAME_C, flip=(8,), mask=0x80, times=2), Reply(ACK_9600, framed(), speed=9600)]
    )
    assert _addresses(await _read(one)) == WANTED
    with pytest.raises(SeveralMeters):
        await _read(ScriptedLine([Reply(ASK, NAME_C, flip=(8, 11), mask=0x80, times=3)]))


async def test_several_meters_one_after_the_other() -> None:
    line = ScriptedLine([Reply(ASK, NAME_C + NAME_C_FAST)])
    with pytest.raises(SeveralMeters):
        await _read(line)
    assert ACK_9600 not in line.messages


async def test_several_meters_at_once() -> None:
    collision = bytes(
        one & other for one, other in zip(NAME_C, b"/EMH5\\@01LZX0014\r\n", strict=False)
    )
    answer = Reply(ASK, collision, flip=(2, 6, 9), times=3)
    with pytest.raises(SeveralMeters):
        await _read(ScriptedLine([answer]))
    with pytest.raises(WrongParity):
        await _read(ScriptedLine([replace(answer, to=b"/?7!\r\n")]), LineProfile(address="7"))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01" + bytes(40), OtherProtocol),
        (b"\x7e\x20\x0b" + b"\x41\x05" * 4 + b"\x41\x7e", PushHeard),
    ],
)
async def test_other_protocol(answer: bytes, error: type[MeterError]) -> None:
    with pytest.raises(error):
        await _read(ScriptedLine([Push(answer, at=0.5, speed=300)], parity=False))


async def test_meter_refuses() -> None:
    refusal = b"\x02(ERROR)\x03\x17"
    with pytest.raises(MeterRefused, match="ERROR"):
        await _read(ScriptedLine(_mode_c(refusal)))


@pytest.mark.parametrize("at", ["identification", "data"])
async def test_meter_breaks_off(at: str) -> None:
    script = [Reply(ASK, NAME_C + BREAK)] if at == "identification" else _mode_c(BREAK)
    with pytest.raises(MeterBreak):
        await _read(ScriptedLine(script))


@pytest.mark.parametrize(
    "broken",
    [BREAK, text()[:50] + BREAK, b"\x02" + BREAK, b"\x02" + text()[:50] + BREAK],
    ids=["at once", "in text", "in an empty frame", "in a frame"],
)
async def test_break_in_place_of_data_is_repeated(broken: bytes) -> None:
    line = ScriptedLine([*_mode_c(broken), *_mode_c()])
    reading = await _read(line)
    assert _addresses(reading) == WANTED
    assert reading.health.retries == 1
    # A meter that gave up is not asked to say it again.
    assert NAK not in line.messages


@pytest.mark.parametrize("place", range(len(NAME_C)))
async def test_gap_in_an_identification(place: int) -> None:
    """Characters of one message may lie 1.5 s apart (Std 6.4.3.6)."""
    name, data = _mode_c()
    line = ScriptedLine([replace(name, gap=(place, 0.9)), data])
    reading = await _read(line)
    assert _addresses(reading) == WANTED
    assert reading.health.retries == 0
    assert line.sent[1].began >= line.sent[0].ended + 0.2 + 0.9 * (place > 0) + len(NAME_C) / 30


@pytest.mark.parametrize("place", range(0, len(framed()), 3))
@pytest.mark.parametrize("profile", [ANY_METER, LineProfile(check_kind=CheckKind.XOR)])
async def test_gap_in_a_readout(place: int, profile: LineProfile) -> None:
    name, data = _mode_c()
    reading = await _read(ScriptedLine([name, replace(data, gap=(place, 0.9))]), profile)
    assert (_addresses(reading), reading.health.retries) == (WANTED, 0)
    assert reading.health.check is Verdict.RIGHT


async def test_meter_that_acknowledges_and_does_not_switch() -> None:
    """It understood: to change the speed later would only lose another readout."""
    data = framed(text() * 15)
    script = [Reply(ASK, NAME_C, times=3), Reply(ACK_9600, data, times=2), Reply(ACK_STAY, data)]
    line = ScriptedLine(script)
    reading = await _read(line)
    assert line.messages.count(ACK_9600) == 1
    assert reading.health.retries == 1
    assert line.elapsed < 2 * len(data) / 30 + 15


# Old sessions


async def test_meter_still_sending_to_a_client_that_was_killed() -> None:
    rest = Push(framed(text() * 20), at=0.0, speed=9600)
    line = ScriptedLine([rest, Reply(ASK, b""), *_mode_c()])
    reading = await _read(line)
    assert _addresses(reading) == WANTED
    assert line.messages[-2:] == [ASK, ACK_9600]


async def test_meter_still_sending_at_the_first_speed_is_waited_for() -> None:
    rest = text() * 30
    line = ScriptedLine([Push(rest, at=-1.0, speed=300), *_mode_c()])
    line._replies.insert(0, Reply(ASK, b""))
    reading = await _read(line)
    assert _addresses(reading) == WANTED
    assert line.elapsed > len(rest) * 10 / 300


async def test_break_at_the_remembered_speed_ends_an_old_programming_session() -> None:
    line = ScriptedLine([*_mode_c()])
    line._replies.insert(0, Reply(ASK, b""))
    await _read(line, LineProfile(speed=9600))
    breaks = [sent.speed for sent in line.sent if sent.data == BREAK]
    assert breaks == [9600, 300]
    assert line.sent[-2].data == ASK
    assert line.sent[-2].speed == 300


@pytest.mark.parametrize("answer", [b"", NAK], ids=["deaf", "refuses what it cannot understand"])
async def test_old_session_of_a_meter_woken_the_fast_way_is_ended_its_own_way(
    answer: bytes,
) -> None:
    """It still listens at the speed it was left at: what it says there is noise at 300 Bd."""
    sign_off, burst = b"\x01B1\x03p", bytes(16)
    line = ScriptedLine(
        [
            *[Reply(burst, answer, speed=9600)] * 9,
            Reply(ASK, answer, speed=9600),
            Reply(sign_off, b"\x06", heard_at=9600, speed=9600),
            Reply(burst, b"\x06", after=0.02, behind=sign_off),
            *_mode_c(),
        ],
    )
    profile = LineProfile(speed=9600, fast_wake_up=True, check_kind=CheckKind.XOR)
    assert _addresses(await _read(line, profile)) == WANTED
    assert [sent.speed for sent in line.sent if sent.data == sign_off] == [9600, 300]


@pytest.mark.parametrize("learned", ["check_kind", "check_candidate"])
async def test_break_has_the_meters_own_check(learned: str) -> None:
    line = ScriptedLine([Reply(ASK, b""), *_mode_c(framed(check="sum"))])
    await _read(line, LineProfile(speed=9600, **{learned: CheckKind.SUM}))  # type: ignore[arg-type]
    assert line.messages[1:3] == [b"\x01B0\x03u"] * 2


async def test_line_that_never_becomes_silent() -> None:
    line = ScriptedLine([Push(b"1.8.0(1)\r\n" * 1100, at=0.0, speed=300)])
    with pytest.raises(LineBusy, match="scripted"):
        await _read(line)
    assert 175 < line.elapsed < 185


async def test_noise_that_never_ends_is_named_sooner() -> None:
    line = ScriptedLine([Push(framed() * 400, at=0.0, speed=9600)])
    with pytest.raises(WrongParity):
        await _read(line)
    assert line.elapsed < 40


# Cancelling


def _cancelling(after: int, task: Callable[[], asyncio.Task[Reading] | None]) -> Callable[[], None]:
    count = 0

    def on_await() -> None:
        nonlocal count
        count += 1
        running = task()
        if count == after and running is not None:
            running.cancel()

    return on_await


async def test_cancelling_anywhere_leaves_a_line_that_can_be_read() -> None:
    for after in range(1, 200):
        line = ScriptedLine([*_mode_c(framed()[:-1] + b"\x00"), *_mode_c()])
        meter = MeterClient(line)
        running: list[asyncio.Task[Reading]] = []
        line.on_await = _cancelling(after, lambda: running[0] if running else None)  # noqa: B023
        tasks = asyncio.all_tasks()
        running.append(asyncio.create_task(meter.read_all()))
        try:
            await running[0]
        except asyncio.CancelledError:
            assert asyncio.all_tasks() == tasks
            line.on_await = lambda: None
            line._replies[:] = _mode_c()
            # What the meter still sends is waited for; then the sign-on is at the first speed again.
            reading = await meter.read_all()
            assert _addresses(reading) == WANTED
            continue
        assert after > 20
        return
    pytest.fail("the conversation never ended")


async def test_line_that_stays_busy_after_a_readout_that_was_broken_off() -> None:
    line = ScriptedLine(_mode_c(framed(text() * 40)))
    meter = MeterClient(line)
    running = asyncio.create_task(meter.read_all())

    def in_the_middle() -> None:
        if line.elapsed > 2:
            running.cancel()

    line.on_await = in_the_middle
    with pytest.raises(asyncio.CancelledError):
        await running
    line.on_await = lambda: None
    line._coming.clear()
    line._schedule(text() * 8, line.now(), 300, (), 0)
    sent = len(line.messages)
    with pytest.raises(LineBusy):
        await meter.read_all()
    assert len(line.messages) == sent


# Anything


_ANSWERS = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([NAME_C, NAME_B, NAME_A, ASK, BREAK, framed(), text() + b"!\r\n", b"\x02"]),
    st.builds(lambda name, noise: name + noise, st.just(NAME_C), st.binary(max_size=30)),
)
_SPEEDS = st.sampled_from([300, 2400, 9600])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.builds(Reply, st.just(ASK), _ANSWERS, speed=_SPEEDS), max_size=4),
    st.lists(
        st.builds(Reply, st.just(ACK_9600), _ANSWERS, speed=_SPEEDS)
        | st.builds(Reply, st.just(NAK), _ANSWERS, heard_at=_SPEEDS, speed=_SPEEDS),
        max_size=3,
    ),
    st.lists(st.builds(Push, st.binary(max_size=200), st.floats(0, 20), _SPEEDS), max_size=3),
    st.booleans(),
)
def test_whatever_comes_ends_in_a_reading_or_a_reason(
    names: list[Reply], answers: list[Reply], pushes: list[Push], parity: bool
) -> None:
    line = ScriptedLine([*names, *answers, *pushes], parity=parity)

    async def run() -> Reading | MeterError:
        try:
            return await _read(line)
        except MeterError as err:
            return err

    outcome = asyncio.run(run())
    if isinstance(outcome, Reading):
        assert outcome.registers
        assert outcome.health.check is not Verdict.WRONG
    else:
        assert str(outcome)
    assert line.elapsed < 120


async def test_progress_names_the_stages() -> None:
    steps: list[Progress] = []
    line = ScriptedLine(_mode_c())
    await MeterClient(line, progress=steps.append).read_all()
    assert [step.stage for step in steps][:1] == [Stage.SIGN_ON]
    assert (steps[-1].stage, steps[-1].speed, steps[-1].registers) == (
        Stage.READING,
        9600,
        len(LINES),
    )
