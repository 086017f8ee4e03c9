"""One way to read a meter: what a reading holds, what a profile learns, what pushes bring."""

from contextlib import aclosing
from decimal import Decimal

import pytest

from custom_components.iec62056.protocol import (
    CheckKind,
    LineProfile,
    Medium,
    MeterClient,
    Mode,
    Reading,
    Stage,
    Value,
    Verdict,
)
from custom_components.iec62056.protocol.ascii import messages
from custom_components.iec62056.protocol.ascii.reading import MOST_AT_ONCE
from custom_components.iec62056.protocol.client import ANY_METER
from custom_components.iec62056.protocol.codec import decode, encode
from custom_components.iec62056.protocol.errors import (
    BridgeRefusedSettings,
    CheckWrong,
    NoAnswer,
    NoIdentification,
    OtherProtocol,
    WrongParity,
)

from .scripted import Push, Reply, ScriptedLine
from .telegrams import LINES, framed, p1, text
from .timed import START

ASK = b"/?!\r\n"
NAME = b"/LGZ5ZMX310.A01\r\n"
ACK = b"\x06050\r\n"
PUSH = (
    b"/ESY5Q3DX1024 V3.04\r\n\r\n"
    b"1-0:1.8.0*255(00052185.7825309*kWh)\r\n"
    b"1-0:1.7.0*255(-000142.30*W)\r\n"
    b"!\r\n"
)


def _line(data: bytes) -> ScriptedLine:
    return ScriptedLine([Reply(ASK, NAME), Reply(ACK, data, speed=9600)])


async def _read(data: bytes, profile: LineProfile = ANY_METER) -> Reading:
    return await MeterClient(_line(data), profile).read_all()


async def test_registers_in_order_with_codes_and_values() -> None:
    reading = await _read(framed())
    assert [register.key for register in reading.registers] == [
        "0-0:97.97.0",
        "1-0:0.0.0",
        "1-0:0.9.1",
        "1-0:1.8.0",
        "1-0:1.8.1",
        "1-0:1.8.0*11",
        "1-0:1.6.0",
        "1-0:32.7.0",
    ]
    energy = reading.first("1-0:1.8.0")
    assert energy is not None
    assert energy.values == (Value("004711.815", "kWh"),)
    assert energy.values[0].number == Decimal("4711.815")
    assert reading.raw == NAME + framed()


async def test_address_sent_twice_the_first_counts() -> None:
    reading = await _read(framed(b"0.2.0(1.0)\r\n0.2.0(2.0)\r\n0.2.0(3.0)\r\n"))
    first = reading.first("1-0:0.2.0")
    assert len(reading.registers) == 3
    assert first is not None
    assert first.values[0].text == "1.0"


async def test_values_without_address_belong_to_the_register_before() -> None:
    reading = await _read(
        framed(b"0-1:24.3.0(310516170000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n(00001.160)\r\n")
    )
    (gas,) = reading.registers
    assert [value.text for value in gas.values][-2:] == ["m3", "00001.160"]


async def test_values_without_any_register_are_kept_as_text() -> None:
    reading = await _read(framed(b"(00001.160*m3)\r\n1.8.0(1*kWh)\r\n"))
    assert [register.address for register in reading.registers] == ["1.8.0"]
    assert "(00001.160*m3)" in reading.unparsed


async def test_medium_is_found_once_and_kept() -> None:
    heat = framed(b"6.8(0029.055*MWh)6.26(01589.28*m3)\r\n")
    meter = MeterClient(_line(heat))
    reading = await meter.read_all()
    assert meter.profile.medium is Medium.HEAT
    assert reading.registers[0].key == "6-0:6.8.0"
    # A later reading that looks electric does not change it.
    later = await _read(framed(b"6.8(0029.055*kvarh)\r\n"), meter.profile)
    assert later.registers[0].key == "6-0:6.8.0"


async def test_check_kind_is_learned_from_two_readings() -> None:
    profile = LineProfile()
    for energy, known in ((b"4711", None), (b"4711", None), (b"4712", CheckKind.SUM)):
        data = framed(text().replace(b"4711", energy), check="sum")
        meter = MeterClient(_line(data), profile)
        await meter.read_all()
        # As it is stored between two readings.
        profile = decode(LineProfile, encode(meter.profile))
        assert profile.check_kind is known
    assert (profile.check_candidate, profile.check_seen) == (None, "")


async def test_standards_kind_is_learned_from_the_same_data() -> None:
    """A meter whose values rest for a day still gets its checks looked at."""
    profile = LineProfile()
    for _ in range(2):
        meter = MeterClient(_line(framed()), profile)
        await meter.read_all()
        profile = meter.profile
    assert profile.check_kind is CheckKind.XOR


def _one_lost() -> tuple[bytes, bytes]:
    """A readout, and what is left of it without one character, which happens to fit another kind of check."""
    for energy in range(1000):
        whole = framed(b"1.8.0(%06d*kWh)\r\n" % energy)
        for place in range(7, 13):
            damaged = whole[:place] + whole[place + 1 :]
            if messages.judge(damaged[1:-1], damaged[-1:]) == {CheckKind.SUM}:
                return whole, damaged
    raise AssertionError("no such readout")


async def test_characters_lost_at_the_same_place_teach_no_kind_of_check() -> None:
    """A bridge whose buffer overruns loses them each time; whole data must not be refused afterwards."""
    whole, damaged = _one_lost()
    profile = LineProfile()
    for _ in range(3):
        meter = MeterClient(_line(damaged), profile)
        await meter.read_all()
        profile = meter.profile
    assert profile.check_kind is None
    assert (await MeterClient(_line(whole), profile).read_all()).health.check is Verdict.RIGHT


async def test_another_kind_between_begins_anew() -> None:
    profile = LineProfile(check_candidate=CheckKind.SUM)
    meter = MeterClient(_line(framed()), profile)
    await meter.read_all()
    assert (meter.profile.check_kind, meter.profile.check_candidate) == (None, CheckKind.XOR)


async def test_meter_that_sends_no_check() -> None:
    profile = LineProfile()
    for energy in (b"4711", b"4712"):
        meter = MeterClient(_line(text().replace(b"4711", energy) + b"!\r\n"), profile)
        reading = await meter.read_all()
        profile = meter.profile
    assert profile.check_kind is CheckKind.NONE
    assert reading.health.check is Verdict.ABSENT


async def test_speed_that_worked_is_remembered() -> None:
    meter = MeterClient(_line(framed()))
    await meter.read_all()
    assert meter.profile.speed == 9600
    assert decode(LineProfile, encode(meter.profile)) == meter.profile


def test_profile_of_a_newer_version_is_taken_as_far_as_it_is_known() -> None:
    plain = encode(LineProfile(address="7", check_kind=CheckKind.SUM, mode=Mode.C))
    newer = plain | {"check_kind": "crc32", "mode": "Z", "medium": "light", "colour": "blue"}
    assert decode(LineProfile, newer) == LineProfile(address="7")


async def test_received_is_when_the_first_data_character_came() -> None:
    line = _line(framed(text() * 40))
    reading = await MeterClient(line).read_all()
    switched = line.speeds[-1][0] - 1000.0
    received = (reading.received - START).total_seconds()
    assert switched + 0.2 <= received <= switched + 0.2 + 0.05
    assert line.elapsed > received + 2


async def test_identify_signs_off() -> None:
    line = ScriptedLine([Reply(ASK, NAME)])
    identification = await MeterClient(line).identify()
    assert identification.model == "ZMX310.A01"
    assert line.messages == [ASK, b"\x01B0\x03q"]


@pytest.mark.parametrize("answer", [b"/KAM MX\r\n" + framed(), framed() + NAME])
async def test_identify_where_data_come_too(answer: bytes) -> None:
    line = ScriptedLine([Reply(ASK, answer)])
    assert (await MeterClient(line).identify()).flag in ("KAM", "LGZ")


async def test_identify_without_a_name() -> None:
    with pytest.raises(NoIdentification):
        await MeterClient(ScriptedLine([Reply(ASK, framed())])).identify()


async def test_reading_after_identifying() -> None:
    line = ScriptedLine([Reply(ASK, NAME), Reply(ASK, NAME), Reply(ACK, framed(), speed=9600)])
    meter = MeterClient(line)
    await meter.identify()
    assert len((await meter.read_all()).registers) == len(LINES)


# Meters that push


def _pushing(data: bytes, speed: int, *, every: float = 1.0, times: int = 60) -> list[Push]:
    return [Push(data, at=0.3 + every * turn, speed=speed) for turn in range(times)]


@pytest.mark.parametrize(("speed", "within"), [(9600, 2), (2400, 13), (115200, 24)])
async def test_push_is_found_at_its_speed(speed: int, within: float) -> None:
    line = ScriptedLine(_pushing(PUSH, speed))
    meter = MeterClient(line, LineProfile(mode=Mode.D))
    reading = await meter.read_all()
    assert line.messages == []
    assert meter.profile.listen_speed == speed
    assert reading.registers[1].values[0].number == Decimal("-142.30")
    assert (reading.health.mode, reading.health.speed) == (Mode.D, speed)
    assert line.elapsed < within


async def test_push_on_a_line_of_fixed_speed() -> None:
    line = ScriptedLine(_pushing(PUSH, 2400), can_switch=False, speed=2400)
    reading = await MeterClient(line, LineProfile(mode=Mode.D)).read_all()
    assert reading.identification is not None


async def test_listening_goes_on() -> None:
    line = ScriptedLine(_pushing(PUSH, 9600, times=5))
    meter = MeterClient(line, LineProfile(mode=Mode.D, listen_speed=9600))
    received = []
    async with aclosing(meter.listen()) as readings:
        async for reading in readings:
            received.append((reading.received - START).total_seconds())
            if len(received) == 5:
                break
    assert received == pytest.approx([0.33, 1.33, 2.33, 3.33, 4.33], abs=0.05)


async def test_listening_tells_the_reason_after_a_minute() -> None:
    line = ScriptedLine(_pushing(PUSH, 9600, times=2))
    meter = MeterClient(line, LineProfile(mode=Mode.D, listen_speed=9600))
    readings = meter.listen()
    await anext(readings)
    await anext(readings)
    with pytest.raises(NoIdentification):
        await anext(readings)
    assert 60 < line.elapsed < 63


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ([], NoAnswer),
        ([Push(b"Login:\r\n", at=1, speed=9600)], NoIdentification),
        (_pushing(PUSH, 4800), WrongParity),
        ([Push(b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01", at=1, speed=9600)], OtherProtocol),
    ],
)
async def test_why_no_push_comes(script: list[Push], error: type[Exception]) -> None:
    line = ScriptedLine(script)
    with pytest.raises(error):
        await MeterClient(line, LineProfile(mode=Mode.D)).read_all()
    assert line.elapsed < 34


async def test_bridge_that_does_not_do_the_speed_of_a_known_push() -> None:
    line = ScriptedLine(_pushing(PUSH, 9600), fastest=2400)
    with pytest.raises(BridgeRefusedSettings):
        await MeterClient(line, LineProfile(mode=Mode.D, listen_speed=9600)).read_all()


async def test_damaged_push_is_passed_over() -> None:
    damaged = Push(PUSH, at=0.1, flip=(50,))
    line = ScriptedLine([damaged, Push(PUSH, at=1.1)])
    reading = await MeterClient(line, LineProfile(mode=Mode.D, listen_speed=9600)).read_all()
    assert (reading.health.retries, reading.health.parity_errors) == (1, 0)
    assert line.elapsed > 1.1


async def test_p1_with_a_wrong_crc_is_passed_over() -> None:
    good = p1(["1-0:1.8.1(000010.181*kWh)", "0-1:24.2.1(310516170000S)(00001.160*m3)"])
    bad = good.replace(b"010.181", b"010.182")
    line = ScriptedLine(
        [Push(bad, at=0.1, speed=115200), Push(good, at=1.1, speed=115200)], parity=False
    )
    meter = MeterClient(line, LineProfile(mode=Mode.D, listen_speed=115200))
    reading = await meter.read_all()
    assert (reading.health.check, reading.health.check_kind) == (Verdict.RIGHT, CheckKind.CRC16)
    assert reading.registers[0].values[0].text == "000010.181"
    assert reading.registers[1].key == "0-1:24.2.1"


def _wrong(number: int, unit: str = "kWh") -> bytes:
    """A push telegram whose check fits no kind."""
    return NAME + framed(f"1.8.0({number:06}*{unit})\r\n".encode("ascii"), check="odd")


async def _no_push(pushes: list[Push], profile: LineProfile) -> CheckWrong:
    meter = MeterClient(ScriptedLine(pushes), profile)
    with pytest.raises(CheckWrong) as failure:
        await meter.read_all()
    return failure.value


@pytest.mark.parametrize("listen_speed", [9600, None])
async def test_pushes_whose_check_is_always_wrong(listen_speed: int | None) -> None:
    """They differ in their digits alone: this meter computes it in a way of its own."""
    pushes = [Push(_wrong(n), at=0.3 + 3 * n) for n in range(30)]
    failure = await _no_push(pushes, LineProfile(mode=Mode.D, listen_speed=listen_speed))
    assert failure.shape
    assert failure.without is not None
    assert failure.without.listen_speed == 9600
    reading = await MeterClient(ScriptedLine(pushes), failure.without).read_all()
    assert (reading.health.check, reading.registers[0].address) == (Verdict.ABSENT, "1.8.0")
    # The next minute's are of the same shape.
    later = [Push(_wrong(n), at=0.3 + 3 * (n - 30)) for n in range(30, 60)]
    again = await _no_push(later, LineProfile(mode=Mode.D, listen_speed=listen_speed))
    assert again.shape == failure.shape


@pytest.mark.parametrize(
    "other",
    [
        # Another text: one of the two was damaged.
        Push(_wrong(20, "kWx"), at=57.0),
        # Seen in its parity: the line did it.
        Push(_wrong(20), at=57.0, flip=(30,)),
        Push(_wrong(20, "kWx"), at=1.0),
    ],
    ids=["last", "parity", "first"],
)
async def test_pushes_of_which_one_was_damaged_otherwise(other: Push) -> None:
    pushes = [other, *(Push(_wrong(n), at=3.0 * n) for n in range(1, 19))]
    pushes.sort(key=lambda push: push.at)
    failure = await _no_push(pushes, LineProfile(mode=Mode.D, listen_speed=9600))
    assert (failure.shape, failure.without) == (b"", None)


async def test_pushes_before_a_good_one_are_forgotten() -> None:
    good = NAME + framed(b"1.8.0(000020*kWh)\r\n")
    pushes = [Push(_wrong(20, "kWx"), at=1.0), Push(good, at=3.0)]
    line = ScriptedLine([*pushes, *(Push(_wrong(n), at=3.0 + 3 * n) for n in range(1, 18))])
    readings = MeterClient(line, LineProfile(mode=Mode.D, listen_speed=9600)).listen()
    await anext(readings)
    with pytest.raises(CheckWrong) as failure:
        await anext(readings)
    assert failure.value.shape


async def test_two_pushes_are_too_few_to_judge_their_check() -> None:
    line = ScriptedLine([Push(_wrong(n), at=1.0 + n) for n in range(2)])
    with pytest.raises(NoIdentification):
        await MeterClient(line, LineProfile(mode=Mode.D, listen_speed=9600)).read_all()


async def test_progress_of_listening() -> None:
    stages = []
    line = ScriptedLine(_pushing(PUSH, 9600, times=1))
    meter = MeterClient(line, LineProfile(mode=Mode.D), lambda step: stages.append(step.stage))
    await meter.read_all()
    assert set(stages) == {Stage.LISTENING}


async def test_more_data_sets_than_are_understood_at_once() -> None:
    """They are made into registers in a thread, and are the same."""
    lines = [f"{n % 90 + 1}.{n // 90 + 3}.0({n}.5*kWh)" for n in range(MOST_AT_ONCE + 1)]
    line = ScriptedLine([Reply(b"/?!\r\n", b"/ABC0LONG\r\n" + framed(text(lines)))])
    reading = await MeterClient(line, LineProfile(mode=Mode.A)).read_all()
    assert [register.address for register in reading.registers] == [
        one.split("(")[0] for one in lines
    ]
