"""Programming mode between the client and the simulated meter: levels, refusals, repeats, lost sessions, sign-off."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.iec62056.protocol.ascii.passwords import Password, PasswordMethod
from custom_components.iec62056.protocol.ascii.register_writer import RegisterWriter
from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.errors import (
    AccessDenied,
    BadField,
    CheckWrong,
    ClockUnknown,
    CommandUnanswered,
    CommandUnknown,
    LockedOut,
    MeterBreak,
    MeterError,
    NoProgramming,
    NothingRecorded,
    NotPermitted,
    OperandRepeated,
    PasswordNeeded,
    PasswordRefused,
    ReadoutInstead,
    SealedRegister,
    SecretNeeded,
    UnknownRegister,
    ValueRefused,
)
from custom_components.iec62056.protocol.model import CheckKind, LineProfile, Mode
from custom_components.iec62056.protocol.register_session import (
    Answer,
    Level,
    Permits,
    WriteOutcome,
    Written,
)
from simulator import (
    Cell,
    Check,
    Faults,
    Guard,
    Kind,
    Manners,
    Meter as SimulatedMeter,
    Mode as SimulatedMode,
    Programming as Access,
)

from ..common.waiting import until
from ..simulator.bench import Stock
from .timed import START
from .wired import WiredLine

PASSWORD = Password("00000000")
CELLS = {
    "96.50": Cell("(042)", Guard.PASSWORD, Guard.PASSWORD),
    "96.51": Cell("(7)", Guard.SECRET, Guard.SECRET),
    "96.52": Cell("(1.0250)", Guard.OPEN, Guard.SEAL),
    "96.53": Cell("(hidden)", Guard.NEVER, Guard.PASSWORD),
    "96.54": Cell("(3)", Guard.OPEN, Guard.NEVER),
}
PERMITS = Permits(
    write=frozenset(("96.50", "96.51", "96.52", "96.53", "96.54", "1.8.9")),
    execute=frozenset(("0.1.0", "0.1.9")),
    clock=True,
)


def bench(
    access: Access | None = None,
    *,
    can_switch: bool = True,
    faults: Faults | None = None,
    lines: bytes = Stock().lines,
    **manners: object,
) -> WiredLine:
    """A line with one meter at its end."""
    if access is None:
        access = Access()
    access.cells = {name: Cell(*_parts(cell)) for name, cell in (CELLS | access.cells).items()}
    meter = SimulatedMeter(Stock(lines), Manners(**manners), faults, access)  # type: ignore[arg-type]
    return WiredLine(meter, can_switch=can_switch)


def _parts(cell: Cell) -> tuple[str, Guard, Guard]:
    return cell.brackets, cell.read, cell.write


def access_of(line: WiredLine) -> Access:
    assert line.meter.programming is not None
    return line.meter.programming


def reader(line: WiredLine, password: Password | None = PASSWORD, **more: object) -> MeterClient:
    return MeterClient(line, password=password, **more)  # type: ignore[arg-type]


async def set_clock(meter: MeterClient, time: datetime) -> Written:
    async with meter.conversation() as talk:
        return await talk.set_clock(time)


def commands(line: WiredLine) -> list[str]:
    """What the meter understood, its reading commands aside from their frames."""
    return [event.text for event in line.log.of(Kind.COMMAND)]


def texts(answers: Iterable[Answer]) -> list[str | type[MeterError]]:
    """First values, or kinds of refusal."""
    told: list[str | type[MeterError]] = []
    for answer in answers:
        if answer.register is not None:
            assert answer.refusal is None
            told.append(answer.register.values[0].text)
        else:
            assert answer.refusal is not None
            told.append(type(answer.refusal))
    return told


# Levels


async def test_without_a_password_what_is_open_is_read_and_no_login_is_tried() -> None:
    line = bench()
    answers = await reader(line, None).read(("1.8.0", "96.50", "96.52", "9.9.9"))
    assert texts(answers) == ["000123.4", PasswordNeeded, "1.0250", UnknownRegister]
    assert {answer.level for answer in answers} == {Level.OPEN}
    assert not any(message[1:2] == b"P" for message in line.messages)
    assert line.log.of(Kind.BREAK)


async def test_password_opens_its_level_and_no_other() -> None:
    line = bench()
    answers = await reader(line).read(("1.8.0", "96.50", "96.51"))
    assert texts(answers) == ["000123.4", "042", AccessDenied]
    assert {answer.level for answer in answers} == {Level.PASSWORD}
    assert answers[0].register is not None
    assert answers[0].register.key == "1-0:1.8.0"


@pytest.mark.parametrize("operand", [None, "00BADA55"])
async def test_algorithm_opens_the_third_level(operand: str | None) -> None:
    line = bench(Access(secret="geheim", operand=operand))
    answers = await reader(line, Password("geheim", PasswordMethod.CRC32)).read(("96.50", "96.51"))
    assert texts(answers) == ["042", "7"]
    assert answers[1].level is Level.SECRET


async def test_make_with_an_algorithm_uses_it_unasked() -> None:
    line = bench(Access(secret="12345678", algorithm=_added), flag="GEC", model="090100")
    access_of(line).operand = "00" * 8
    answers = await reader(line, Password("12345678")).read(("96.51",))
    assert texts(answers) == ["7"]


def _added(operand: str, secret: str) -> str:
    """The sum of Elster's, for an operand of zeros."""
    total, result = ord(secret[-1]), ""
    for character in secret:
        total = (total + ord(character)) % 256
        result += f"{total:02X}"
    return result


async def test_what_may_be_seen() -> None:
    line = bench()
    answers = await reader(line).survey(("1.8.0", "96.50", "96.51", "9.9.9", "no)thing"))
    assert [(answer.code, answer.level) for answer in answers] == [
        ("1.8.0", Level.OPEN),
        ("96.50", Level.PASSWORD),
        ("96.51", Level.PASSWORD),
        ("9.9.9", Level.PASSWORD),
        ("no)thing", Level.PASSWORD),
    ]
    assert texts(answers) == ["000123.4", "042", AccessDenied, UnknownRegister, BadField]


# Passwords


async def test_wrong_password_one_try_and_the_open_registers_are_read() -> None:
    line = bench()
    meter = reader(line, Password("11111111"))
    answers = await meter.read(("1.8.0", "96.50"))
    assert texts(answers) == ["000123.4", PasswordNeeded]
    assert isinstance(meter.refusal, PasswordRefused)
    assert len(line.log.of(Kind.WRONG_PASSWORD)) == 1
    assert sum(message[1:2] == b"P" for message in line.messages) == 1


async def test_conversation_with_a_wrong_password_says_so() -> None:
    line = bench()
    with pytest.raises(PasswordRefused):
        async with reader(line, Password("11111111")).conversation():
            pytest.fail("it was let in")
    assert len(line.log.of(Kind.WRONG_PASSWORD)) == 1


async def test_locked_meter_says_so() -> None:
    line = bench(Access(most_wrong=1))
    await reader(line, Password("11111111")).read(("1.8.0",))
    meter = reader(line)
    assert texts(await meter.read(("96.50",))) == [PasswordNeeded]
    assert isinstance(meter.refusal, LockedOut)
    assert not line.log.of(Kind.LOGGED_IN)
    line.let_pass(61)
    assert texts(await reader(line).read(("96.50",))) == ["042"]


async def test_secret_of_the_maker_sends_nothing() -> None:
    line = bench()
    meter = reader(line, Password("00000000", PasswordMethod.SECRET))
    await meter.read(("1.8.0",))
    assert isinstance(meter.refusal, SecretNeeded)
    assert not any(message[1:2] == b"P" for message in line.messages)


async def test_operand_is_never_answered_twice() -> None:
    line = bench(Access(secret="geheim", operand="12345678", idle=2))
    async with reader(line, Password("geheim", PasswordMethod.CRC32)).conversation() as talk:
        await talk.read(("96.51",))
        line.let_pass(60)
        with pytest.raises(OperandRepeated):
            await talk.read(("96.51",))
    assert sum(message[1:3] == b"P2" for message in line.messages) == 1


async def test_password_is_in_nothing_that_is_kept_or_told() -> None:
    line = bench(flag="MCS")
    access_of(line).password = "wombat77"
    access_of(line).signed = True
    access_of(line).writes = frozenset(("W5",))
    meter = reader(line, Password("wombat77"), permits=PERMITS)
    written = await meter.write("96.50", "9")
    assert written.certainty is WriteOutcome.CONFIRMED
    assert any(b"(wombat77)" in message for message in line.messages if message[1:2] == b"W")
    kept = repr([value for name, value in vars(meter).items() if name != "_line"])
    told = line.trace.as_text() + str(line.trace.as_dict()) + repr(written) + kept
    assert "wombat77" not in told
    wrong = reader(bench(), Password("wombat78"))
    with pytest.raises(PasswordRefused) as caught:
        async with wrong.conversation():
            pass
    assert "wombat" not in str(caught.value) + repr(caught.value) + repr(caught.value.__cause__)


# What makes do differently


@pytest.mark.parametrize("check", [Check.XOR, Check.SUM])
async def test_check_is_the_one_of_the_first_message(check: Check) -> None:
    line = bench(check=check)
    assert texts(await reader(line).read(("1.8.0", "96.50"))) == ["000123.4", "042"]
    assert line.log.of(Kind.BREAK)


async def test_only_r5_is_understood() -> None:
    line = bench(Access(reads=frozenset(("R5",))))
    assert texts(await reader(line).read(("1.8.0", "2.8.0", "96.50"))) == [
        "000123.4",
        "000005.6",
        "042",
    ]
    asked = [command[:2] for command in commands(line)]
    assert asked == ["P1", "R1", "R5", "R5", "R5"]


async def test_luna_reads_formatted() -> None:
    line = bench(Access(reads=frozenset(("R2",))), flag="LUN", model="<1>LUN")
    assert texts(await reader(line).read(("1.8.0",))) == ["000123.4"]


async def test_siemens_table_without_brackets() -> None:
    block = "1.7.0(0.386*kW)\r\n32.7(238.3*V)\r\n81.7.4(-80.7*Deg)\r\n"
    access = Access(cells={"F001": Cell(block)}, reads=frozenset(("R2",)), bare=True)
    line = bench(access, flag="SIE", model="TD3511")
    async with reader(line, None).conversation() as talk:
        offers = await talk.offered()
        answers = await talk.read(("1.7.0", "32.7.0", "1-0:81.7.4", "14.7"))
    assert [offer.code for offer in offers] == ["1.7.0", "32.7", "81.7.4"]
    assert offers[0].readable is Level.OPEN
    assert texts(answers) == ["0.386", "238.3", "-80.7", UnknownRegister]
    assert commands(line) == ["R2\\x02F001"] * 2


async def test_table_that_is_refused_refuses_its_registers() -> None:
    access = Access(reads=frozenset(("R2",)), bare=True, cells={"F001": Cell("(1)", Guard.NEVER)})
    line = bench(access, flag="SIE", model="TD3511")
    async with reader(line, None).conversation() as talk:
        assert texts(await talk.read(("1.7.0", "32.7"))) == [PasswordNeeded] * 2
        assert await talk.offered() == ()
    assert len(commands(line)) == 2


async def test_meter_without_a_table_offers_nothing() -> None:
    line = bench()
    async with reader(line, None).conversation() as talk:
        assert await talk.offered() == ()


async def test_formatted_read_without_brackets_is_found() -> None:
    line = bench(Access(cells={"F001": Cell("(1)")}, reads=frozenset(("R2",)), bare=True))
    assert texts(await reader(line, None).read(("R2 F001", "R2 96.52"))) == ["1", "1.0250"]


async def test_answers_without_their_address() -> None:
    line = bench(Access(named=False))
    assert texts(await reader(line).read(("1.8.0", "96.50"))) == ["000123.4", "042"]


async def test_energomera() -> None:
    cells = {
        "ET0PE": Cell("(68.42)\r\n(45.54)\r\n(22.88)\r\n"),
        "ENMPE(04.26)": Cell("(1.5)"),
        "HELLO": Cell("(2,CE301,12)"),
    }
    access = Access(cells=cells, password="777777", operand="777777", idle=1.8, echoes_break=True)
    access.errors["register"] = "ERR12"
    line = bench(access, flag="EKT", model="CE301v12", check=Check.SUM)
    meter = reader(line, Password("777777"))
    answers = await meter.read(("ET0PE", "ENMPE(04.26)", "HELLO", "NOPE"))
    assert texts(answers) == ["68.42", "1.5", "2", UnknownRegister]
    assert answers[0].register is not None
    assert [value.text for value in answers[0].register.values] == ["68.42", "45.54", "22.88"]
    # Its break comes back: the next sign-on must not take it for its own.
    assert texts(await meter.read(("ET0PE",))) == ["68.42"]


def lis200() -> WiredLine:
    cells = {
        "2:302.0": Cell("(00260.63*m3)", Guard.PASSWORD),
        "7:311": Cell("(12.5)", Guard.PASSWORD, Guard.PASSWORD),
    }
    locks = {"3:171.0": "wombat77", "4:171.0": "4711"}
    access = Access(cells, locks=locks, renamed={"2:302.0": "7-2:302.2"})
    access.errors.update(access="#0018", register="#0002")
    return bench(access, flag="Els", model="EK270", speed=19200, reaction=0.02)


async def test_lis200_shows_nothing_before_its_lock_is_open() -> None:
    line = lis200()
    answers = await reader(line, Password("4711")).survey(("2:302.0", "2:999.0"))
    assert texts(answers) == ["00260.63", UnknownRegister]
    assert answers[0].level is Level.PASSWORD
    (opened,) = line.log.of(Kind.LOGGED_IN)
    assert opened.text == "4:171.0"
    assert not any(message[1:2] == b"P" for message in line.messages)


async def test_lis200_with_the_suppliers_lock() -> None:
    line = lis200()
    meter = reader(line, Password("wombat77", PasswordMethod.SUPPLIER_LOCK))
    assert texts(await meter.read(("2:302.0",))) == ["00260.63"]
    assert "wombat77" not in line.trace.as_text() + str(line.trace.as_dict())


async def test_lis200_wrong_code_one_try() -> None:
    line = lis200()
    meter = reader(line, Password("4712"))
    assert texts(await meter.read(("2:302.0",))) == [PasswordNeeded]
    assert isinstance(meter.refusal, PasswordRefused)
    assert len(line.log.of(Kind.WRONG_PASSWORD)) == 1


async def test_lis200_its_code_allows_no_other_write() -> None:
    line = lis200()
    meter = reader(line, Password("4711"))
    for code, value in (("7:311", "1"), ("4:171.0", "0000"), ("3:171.0", "wombat77")):
        written = await meter.write(code, value)
        assert written.certainty is WriteOutcome.NOT_SENT
        assert isinstance(written.refusal, NotPermitted)
    assert not access_of(line).changes
    assert not line.messages
    permitted = reader(line, Password("4711"), permits=Permits(write=frozenset(("7:311",))))
    assert (await permitted.write("7:311", "13.0")).certainty is WriteOutcome.CONFIRMED


async def test_satec_reads_two_in_one_turn() -> None:
    access = Access(named=False, together=2, reads=frozenset(("R1",)))
    line = bench(access, flag="SAT", model="EM72000812345", check=Check.SUM)
    codes = ("1.8.0", "2.8.0", "96.52", "96.54")
    async with reader(line, None).conversation() as talk:
        assert isinstance(talk, RegisterWriter)
        assert talk.at_once == 2
        assert texts(await talk.read(codes)) == ["000123.4", "000005.6", "1.0250", "3"]
        # One that is refused refuses its company: they are asked for one by one from then on.
        assert texts(await talk.read(("96.50", "1.8.0"))) == [PasswordNeeded, "000123.4"]
        assert texts(await talk.read(codes)) == ["000123.4", "000005.6", "1.0250", "3"]
        # Whoever waits for the line still waits for one turn.
        assert talk.at_once == 1
    asked = [command for command in commands(line) if command.startswith("R1")]
    assert len(asked) == 2 + 3 + 4


# Blocks


@pytest.mark.parametrize("part", [1, 7, 64, 1000])
async def test_partial_blocks(part: int) -> None:
    rows = "".join(f"P.01(0311122{row:02}0000)({row})\r\n" for row in range(12))
    line = bench(Access(cells={"P.01": Cell(rows)}, part=part))
    async with reader(line).conversation() as talk:
        assert isinstance(talk, RegisterWriter)
        assert (await talk.read_block("R6 P.01(;)")).decode() == rows
        assert (await talk.read_block("R5 P.01(;)")).decode() == rows
        line.let_pass(100)
        assert (await talk.read_block("R5 P.01(;)")).decode() == rows
    assert len(line.log.of(Kind.SIGN_ON)) == 2


@pytest.mark.parametrize("place", [0, 3, 30, 75, 140, 142])
async def test_damaged_partial_block_comes_again_and_none_is_lost(place: int) -> None:
    rows = "".join(f"P.01(0311122{row:02}0000)({row})\r\n" for row in range(12))
    faults = Faults()
    line = bench(Access(cells={"P.01": Cell(rows)}), faults=faults)
    async with reader(line).conversation() as talk:
        assert isinstance(talk, RegisterWriter)
        await talk.read(("1.8.0",))
        faults.flips, faults.damaged_blocks = {place % 67: 0x11}, 1 + place // 67
        assert (await talk.read_block("R6 P.01(;)")).decode() == rows


async def test_empty_log_and_the_entry_an_opened_cover_leaves() -> None:
    line = bench()
    assert texts(await reader(line).read(("R5 P.98",))) == [NothingRecorded]
    access_of(line).open_cover()
    (answer,) = await reader(line).read(("R5 P.98",))
    assert answer.register is not None
    assert answer.register.values[1].text == "0010"


# Damage


@pytest.mark.parametrize("place", range(0, 23, 2))
@pytest.mark.parametrize("bits", [0x01, 0x80, 0x11])
async def test_damaged_answer_is_asked_for_again(place: int, bits: int) -> None:
    faults = Faults()
    line = bench(faults=faults)
    async with reader(line).conversation() as talk:
        await talk.read(("2.8.0",))
        faults.flips, faults.damaged_blocks = {place: bits}, 1
        assert texts(await talk.read(("1.8.0",))) == ["000123.4"]


async def test_answer_that_stays_damaged_is_given_up() -> None:
    faults = Faults()
    line = bench(faults=faults)
    async with reader(line).conversation() as talk:
        await talk.read(("1.8.0",))
        faults.flips = {5: 0x01}
        assert texts(await talk.read(("1.8.0",))) == [CheckWrong]
        sent = len(line.messages)
        assert sent < 20
        faults.flips = {}
        assert texts(await talk.read(("1.8.0",))) == ["000123.4"]


@pytest.mark.parametrize("naks", [1, 2])
async def test_command_that_was_not_understood_is_repeated(naks: int) -> None:
    line = bench()
    async with reader(line).conversation() as talk:
        access_of(line).naks = naks
        assert texts(await talk.read(("1.8.0",))) == ["000123.4"]


async def test_repeats_of_a_command_are_bounded() -> None:
    line = bench()
    async with reader(line).conversation() as talk:
        await talk.read(("1.8.0",))
        access_of(line).naks = 1000
        before = len(line.messages)
        assert texts(await talk.read(("2.8.0",))) == [CommandUnknown]
        assert len(line.messages) - before == 3
        access_of(line).naks = 0


async def test_damaged_operand_is_asked_for_again() -> None:
    faults = Faults(flips={5: 0x01}, damaged_blocks=1)
    line = bench(faults=faults)
    assert texts(await reader(line).read(("96.50",))) == ["042"]


async def test_operand_that_stays_damaged_is_no_session() -> None:
    line = bench(faults=Faults(flips={5: 0x01}))
    with pytest.raises(MeterError):
        await reader(line).read(("96.50",))
    assert not any(message[1:2] in (b"P", b"R") for message in line.messages)


# Sessions that end


async def test_session_is_kept_within_its_idle_time() -> None:
    line = bench()
    async with reader(line).conversation() as talk:
        assert isinstance(talk, RegisterWriter)
        for _ in range(5):
            assert texts(await talk.read(("1.8.0",))) == ["000123.4"]
            line.let_pass(talk.idle - 1)
    assert len(line.log.of(Kind.SIGN_ON)) == 1


@pytest.mark.parametrize("pause", [5.0, 70.0])
async def test_session_that_was_lost_is_signed_on_again(pause: float) -> None:
    """Behind the standard's idle time as well as before it, where a meter waits less than that."""
    line = bench(Access(idle=3))
    async with reader(line).conversation() as talk:
        for _ in range(2):
            assert texts(await talk.read(("1.8.0", "96.50"))) == ["000123.4", "042"]
            line.let_pass(pause)
    assert len(line.log.of(Kind.SIGN_ON)) == 2
    assert len(line.log.of(Kind.LOGGED_IN)) == 2
    # One break for the session that may still be open, one at the end.
    assert line.messages.count(b"\x01B0\x03q") == 2


async def test_register_that_ends_the_session_is_refused_and_the_others_are_read() -> None:
    line = bench(Access(breaks_at="96.54"))
    answers = await reader(line).read(("1.8.0", "96.54", "96.50"))
    assert texts(answers) == ["000123.4", MeterBreak, "042"]
    # The meter ended two sessions itself; only the third is ended by us.
    assert line.messages.count(b"\x01B0\x03q") == 1


async def test_register_that_is_not_answered_is_refused_and_the_others_are_read() -> None:
    line = bench(Access(deaf_to=frozenset(("96.54",))))
    answers = await reader(line).read(("1.8.0", "96.54", "96.50"))
    assert texts(answers) == ["000123.4", CommandUnanswered, "042"]


async def test_programming_mode_that_is_gone_when_it_is_opened_again() -> None:
    line = bench(Access(idle=3))
    async with reader(line).conversation() as talk:
        await talk.read(("1.8.0",))
        line.let_pass(5)
        line.meter.programming = None
        assert texts(await talk.read(("96.50", "1.8.0"))) == [ReadoutInstead, "000123.4"]


async def test_meter_that_answers_nothing_any_more_is_given_up() -> None:
    line = bench(Access(deaf_to=frozenset(("1.8.0", "2.8.0"))))
    with pytest.raises(CommandUnanswered):
        await reader(line).read(("1.8.0", "2.8.0", "96.50"))
    assert line.log.of(Kind.BREAK)


@pytest.mark.parametrize("after", [0.05, 0.3, 1.0, 1.6, 2.0, 2.15, 2.3])
async def test_cancelled_conversation_signs_off(after: float) -> None:
    line = bench()

    async def talk() -> None:
        async with reader(line).conversation() as conversation:
            while True:
                await conversation.read(("1.8.0",))

    task = asyncio.create_task(talk())
    await until(lambda: line.elapsed >= after)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # Whatever it was doing: the next reading finds a meter that listens at 300 Bd.
    assert texts(await reader(line).read(("96.50",))) == ["042"]
    assert len(line.log.of(Kind.SIGN_ON)) <= 2


async def test_client_that_was_killed_is_followed_by_one_that_reads() -> None:
    line = bench()
    first = reader(line)
    talk = first._talk(PASSWORD)
    conversation = await talk.__aenter__()
    await conversation.read(("96.50",))
    # Nobody signs off; the process is gone, its line too, and what it learned was stored.
    await line.set_speed(300, at=line.now())
    kept = LineProfile(speed=9600)
    reading = await MeterClient(line, kept).read_all()
    assert reading.registers
    assert line.elapsed < 30


# Without programming mode, or at the first speed


@pytest.mark.parametrize("here", [True, False])
async def test_line_that_cannot_switch(here: bool) -> None:
    line = bench(Access(at_first_speed=here), can_switch=False)
    meter = reader(line)
    answers = await meter.read(("1.8.0", "96.50"))
    assert b"\x06001\r\n" in line.messages
    assert texts(answers) == ["000123.4", "042" if here else ReadoutInstead]
    if not here:
        again = await meter.read(("2.8.0",))
        assert texts(again) == ["000005.6"]


async def test_readout_instead_is_read_anew_for_each_round() -> None:
    line = bench(can_switch=False)
    async with reader(line, None).conversation() as talk:
        for _ in range(3):
            assert texts(await talk.read(("1.8.0", "2.8.0"))) == ["000123.4", "000005.6"]
    assert len(line.log.of(Kind.DATA)) == 3


async def test_meter_that_only_has_a_readout() -> None:
    line = bench()
    line.meter.programming = None
    meter = reader(line, permits=PERMITS)
    assert texts(await meter.read(("1.8.0", "7.7.7"))) == ["000123.4", ReadoutInstead]
    for written in (
        await meter.write("96.50", "1"),
        await meter.execute("0.1.0", ""),
        await set_clock(meter, START),
    ):
        assert written.certainty is WriteOutcome.NOT_SENT
        assert isinstance(written.refusal, ReadoutInstead)


async def test_readout_only_where_a_change_of_speed_has_worked_before() -> None:
    """Its readout comes at the first speed: that is found out, though not at the first silence."""
    line = bench()
    line.meter.programming = None
    meter = MeterClient(line, LineProfile(speed=9600))
    assert texts(await meter.read(("1.8.0", "7.7.7"))) == ["000123.4", ReadoutInstead]
    selected = [message for message in line.messages if message[:1] == b"\x06"]
    assert selected == [b"\x06051\r\n", b"\x06051\r\n", b"\x06001\r\n"]


async def test_accident_at_the_first_message_does_not_lead_to_a_slow_readout() -> None:
    line = bench()
    line.cut_at, line.whole_at = 1001.27, 1001.9
    meter = MeterClient(line, LineProfile(speed=9600), password=PASSWORD)
    assert texts(await meter.read(("96.50",))) == ["042"]
    assert not any(message == b"\x06001\r\n" for message in line.messages)


@pytest.mark.parametrize("mode", [SimulatedMode.A, SimulatedMode.B])
async def test_other_modes_have_none(mode: SimulatedMode) -> None:
    line = bench(mode=mode, speed=300 if mode is SimulatedMode.A else 2400)
    with pytest.raises(NoProgramming):
        await reader(line).read(("1.8.0",))
    assert not any(message[:1] == b"\x01" for message in line.messages)


@pytest.mark.parametrize("mode", [Mode.A, Mode.B, Mode.D])
async def test_mode_that_is_known_to_have_none_is_not_called(mode: Mode) -> None:
    line = bench()
    with pytest.raises(NoProgramming):
        await MeterClient(line, LineProfile(mode=mode)).read(("1.8.0",))
    assert not line.messages


async def test_speed_that_worked_is_learned() -> None:
    line = bench()
    meter = reader(line)
    await meter.read(("1.8.0",))
    assert meter.profile.speed == 9600
    assert meter.profile.mode in (None, Mode.C)


async def test_known_check_kind_of_the_readout_is_no_obstacle() -> None:
    line = bench(check=Check.SUM)
    meter = MeterClient(line, LineProfile(check_kind=CheckKind.XOR), password=PASSWORD)
    assert texts(await meter.read(("1.8.0",))) == ["000123.4"]


# Changes


async def _write(line: WiredLine, code: str, value: str) -> tuple[WriteOutcome, object]:
    written = await reader(line, permits=PERMITS).write(code, value)
    return written.certainty, type(written.refusal)


async def test_write_is_read_back() -> None:
    line = bench()
    written = await reader(line, permits=PERMITS).write("96.50", "99")
    assert written.certainty is WriteOutcome.CONFIRMED
    assert written.before is not None
    assert written.after is not None
    assert (written.before.values[0].text, written.after.values[0].text) == ("042", "99")
    assert access_of(line).changes == [("96.50", "99")]


async def test_what_a_meter_refuses_to_change() -> None:
    line = bench()
    assert await _write(line, "96.51", "1") == (WriteOutcome.REFUSED, AccessDenied)
    assert await _write(line, "96.52", "1") == (WriteOutcome.REFUSED, SealedRegister)
    assert await _write(line, "96.54", "1") == (WriteOutcome.REFUSED, AccessDenied)
    assert await _write(line, "1.8.9", "1") == (WriteOutcome.REFUSED, UnknownRegister)
    assert await _write(line, "96.50", "?") == (WriteOutcome.REFUSED, ValueRefused)
    assert access_of(line).changes == []


async def test_calibration_with_the_seal_broken() -> None:
    line = bench()
    access_of(line).open_cover()
    assert await _write(line, "96.52", "1.0300") == (WriteOutcome.CONFIRMED, type(None))


async def test_register_that_cannot_be_read_is_unconfirmed() -> None:
    line = bench()
    assert await _write(line, "96.53", "1") == (WriteOutcome.UNCONFIRMED, type(None))
    assert access_of(line).changes == [("96.53", "1")]


async def test_register_whose_reading_ends_the_session_is_written_all_the_same() -> None:
    line = bench(Access(breaks_at="R1 96.53"))
    assert await _write(line, "96.53", "1") == (WriteOutcome.UNCONFIRMED, type(None))
    assert access_of(line).changes == [("96.53", "1")]


async def test_number_with_other_zeros_is_the_same() -> None:
    line = bench()
    access_of(line).cells["96.50"].brackets = "(0042)"
    written = await reader(line, permits=PERMITS).write("96.50", "42.0")
    assert written.certainty is WriteOutcome.CONFIRMED


async def test_demand_reset() -> None:
    line = bench()
    meter = reader(line, permits=PERMITS)
    refused = await meter.execute("0.1.0", "")
    assert refused.certainty is WriteOutcome.REFUSED
    assert isinstance(refused.refusal, SealedRegister)
    access_of(line).button = True
    assert (await meter.execute("0.1.0", "")).certainty is WriteOutcome.CONFIRMED
    assert (await meter.execute("0.1.9", "")).certainty is WriteOutcome.REFUSED
    assert access_of(line).resets == 1


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("1.8.0", "1"),
        ("96.50 ", "1"),
        ("96.5", "1"),
        ("96.50)\x03", "1"),
        ("96.50", "1)\x03"),
        ("96.50", "1\x04"),
        ("96.50", "1)(2"),
        ("R1 96.50", "1"),
        ("E2 96.50", "1"),
        ("", "1"),
        ("(1)", "1"),
    ],
)
async def test_what_was_not_permitted_never_touches_the_line(code: str, value: str) -> None:
    line = bench()
    written = await reader(line, permits=PERMITS).write(code, value)
    assert written.certainty is WriteOutcome.NOT_SENT
    assert isinstance(written.refusal, NotPermitted | BadField)
    executed = await reader(line, permits=PERMITS).execute(code, value)
    assert executed.certainty is WriteOutcome.NOT_SENT
    assert not line.messages


@pytest.mark.parametrize(
    ("permitted", "code", "certainty", "kind"),
    [
        ("W5 96.50", "96.50", WriteOutcome.CONFIRMED, type(None)),
        ("W2 96.50", "96.50", WriteOutcome.NOT_SENT, NotPermitted),
        ("W2 96.50", "W5 96.50", WriteOutcome.NOT_SENT, NotPermitted),
    ],
)
async def test_what_is_permitted_is_judged_by_the_command_that_is_sent(
    permitted: str, code: str, certainty: WriteOutcome, kind: type[object]
) -> None:
    """This make writes by W5 where nobody says how."""
    line = bench(Access(writes=frozenset(("W5",))), flag="EMH")
    meter = reader(line, permits=Permits(write=frozenset((permitted,))))
    written = await meter.write(code, "7")
    assert (written.certainty, type(written.refusal)) == (certainty, kind)
    assert access_of(line).changes == ([("96.50", "7")] if kind is type(None) else [])


async def test_without_permits_nothing_is_changed_and_without_a_password_nobody_logs_in() -> None:
    codes = ("1.8.0", "96.50", "0.1.0", "0.9.1", "96.50\x03", "\x01W1\x02A(1)\x03", "W1 96.50(1)")
    line = bench()
    meter = reader(line, None)
    for code in codes:
        for change in (meter.write, meter.execute):
            assert (await change(code, "1")).certainty is WriteOutcome.NOT_SENT
    assert not line.messages
    await meter.read(codes)
    await meter.survey(codes)
    async with meter.conversation() as talk:
        await talk.read(codes)
        await talk.offered()
        assert (await talk.write("96.50", "1")).certainty is WriteOutcome.NOT_SENT
        assert (await talk.execute("0.1.0", "1")).certainty is WriteOutcome.NOT_SENT
        assert isinstance((await talk.set_clock(START)).refusal, NotPermitted)
    sent = b"".join(line.messages)
    assert all(sent.count(b"\x01" + letter) == 0 for letter in (b"W", b"E", b"P"))


@pytest.mark.parametrize("address", ["1\x01", "1)", "/?", "1!\r\n", "ü", "1" * 33])
async def test_hostile_address_is_refused_before_the_line(address: str) -> None:
    line = bench()
    meter = MeterClient(line, LineProfile(address=address), password=PASSWORD, permits=PERMITS)
    with pytest.raises(BadField):
        await meter.read(("1.8.0",))
    assert isinstance((await meter.write("96.50", "1")).refusal, BadField)
    assert not line.messages


# The clock

ZONE = ZoneInfo("Europe/Berlin")
CLOCK = {
    "0.9.1": Cell("(07:59:01)", Guard.OPEN, Guard.PASSWORD),
    "0.9.2": Cell("(31-05-17)", Guard.OPEN, Guard.PASSWORD),
}


def _changes(line: WiredLine) -> dict[str, str]:
    return dict(access_of(line).changes)


async def test_clock_is_set_in_its_own_form_and_time() -> None:
    line = bench(Access(cells=CLOCK))
    now = START.astimezone(ZONE)
    async with reader(line, permits=PERMITS).conversation() as talk:
        begun = line.now()
        written = await talk.set_clock(now)
    assert written.certainty is WriteOutcome.CONFIRMED
    # What is read before it takes its time: what is set is the time of the writing.
    set_to = datetime.strptime(_changes(line)["0.9.1"], "%H:%M:%S")  # noqa: DTZ007
    sent = next(at for at, message in line.sent if message[1:3] == b"W1")
    real = now + timedelta(seconds=sent - begun)
    assert abs((set_to.minute * 60 + set_to.second) - (real.minute * 60 + real.second)) <= 1
    assert set_to.hour == real.hour == 8
    assert "0.9.2" not in _changes(line)


async def test_date_is_set_where_it_differs() -> None:
    cells = CLOCK | {"0.9.2": Cell("(31-05-16)", Guard.OPEN, Guard.PASSWORD)}
    line = bench(Access(cells=cells))
    await set_clock(reader(line, permits=PERMITS), START.astimezone(ZONE))
    assert list(_changes(line)) == ["0.9.2", "0.9.1"]
    assert _changes(line)["0.9.2"] == "31-05-17"


async def test_clock_is_not_set_across_midnight() -> None:
    cells = CLOCK | {"0.9.2": Cell("(31-05-16)", Guard.OPEN, Guard.PASSWORD)}
    line = bench(Access(cells=cells))
    evening = datetime(2031, 5, 16, 23, 59, 50, tzinfo=UTC)
    await set_clock(reader(line, permits=PERMITS), evening)
    assert _changes(line)["0.9.2"] == "31-05-17"
    assert _changes(line)["0.9.1"].startswith("00:00:0")


async def test_clock_of_an_unknown_form_is_left_alone() -> None:
    line = bench(Access(cells=CLOCK | {"0.9.1": Cell("(7h59)", Guard.OPEN, Guard.PASSWORD)}))
    written = await set_clock(reader(line, permits=PERMITS), START)
    assert written.certainty is WriteOutcome.NOT_SENT
    assert isinstance(written.refusal, ClockUnknown)
    assert _changes(line) == {}


async def test_clock_that_is_refused() -> None:
    cells = CLOCK | {"0.9.1": Cell("(07:59:01)", Guard.OPEN, Guard.SEAL)}
    line = bench(Access(cells=cells))
    written = await set_clock(reader(line, permits=PERMITS), START.astimezone(ZONE))
    assert written.certainty is WriteOutcome.REFUSED
    assert isinstance(written.refusal, SealedRegister)


# Blocks, whatever is typed


async def test_block_that_is_refused_or_not_there() -> None:
    line = bench()
    async with reader(line).conversation() as talk:
        assert isinstance(talk, RegisterWriter)
        with pytest.raises(NothingRecorded):
            await talk.read_block("R5 P.98(;)")
        with pytest.raises(UnknownRegister):
            await talk.read_block("9.9.9")
        with pytest.raises(BadField):
            await talk.read_block("W1 9.9.9")
    line = bench(can_switch=False)
    async with reader(line).conversation() as talk:
        assert isinstance(talk, RegisterWriter)
        with pytest.raises(ReadoutInstead):
            await talk.read_block("1.8.0")
        assert await talk.offered() == ()


@settings(max_examples=60, deadline=None)
@given(code=st.text(max_size=20), value=st.text(max_size=20), address=st.text(max_size=8))
def test_whatever_is_typed_changes_nothing_without_permits(
    code: str, value: str, address: str
) -> None:
    line = bench()

    async def everything() -> None:
        meter = MeterClient(line, LineProfile(address=address))
        for call in (
            meter.write(code, value),
            meter.execute(code, value),
            set_clock(meter, START),
            meter.read((code, f"{code}({value})", f"R1 {code}", f"W1 {code}({value})")),
            meter.survey((f"1.8.0({value})",)),
        ):
            with suppress(MeterError):
                await call

    asyncio.run(everything())
    sent = b"".join(line.messages)
    assert not any(sent.count(b"\x01" + letter) for letter in (b"W", b"E", b"P"))
    assert not access_of(line).changes


async def test_codes_that_cannot_be_sent_do_not_touch_the_line() -> None:
    line = bench()
    (answer,) = await reader(line).read(("1.8.0)\x03",))
    assert (answer.level, type(answer.refusal)) == (Level.OPEN, BadField)
    assert not line.messages
