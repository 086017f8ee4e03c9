"""Dialogues of programming mode as real makes hold them, character by character, in virtual time."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import override

import pytest

from custom_components.iec62056.protocol.ascii import messages, programming_session
from custom_components.iec62056.protocol.ascii.passwords import Password, PasswordMethod
from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.errors import (
    AnswerUnclear,
    CheckWrong,
    LoginDamaged,
    LoginError,
    LoginUnanswered,
    MeterBreak,
    MeterError,
    MeterRefused,
    NoData,
    NoProgramming,
    PasswordNeeded,
    PasswordRefused,
    SecretNeeded,
)
from custom_components.iec62056.protocol.model import CheckKind, LineProfile, ParitySeen
from custom_components.iec62056.protocol.register_session import (
    Answer,
    Level,
    Permits,
    WriteOutcome,
)

from ...common.waiting import until
from ..scripted import Push, Reply, ScriptedLine
from ..telegrams import framed

ASK = b"/?!\r\n"
SELECT = b"\x06051\r\n"
STAY = b"\x06001\r\n"
NAK = b"\x15"
ACK = b"\x06"
XOR, SUM = CheckKind.XOR, CheckKind.SUM
EIGHT_ZEROS = Password("00000000")


def command(text: str, kind: CheckKind = XOR) -> bytes:
    """SOH, the text, ETX and its check."""
    covered = text.encode("latin-1") + b"\x03"
    return b"\x01" + covered + bytes([messages.check_character(covered, kind)])


def data(text: str, kind: CheckKind = XOR, end: bytes = b"\x03") -> bytes:
    """STX, the text, its end and its check."""
    covered = text.encode("latin-1") + end
    return b"\x02" + covered + bytes([messages.check_character(covered, kind)])


def fast(to: bytes, answer: bytes, **more: float | tuple[int, ...]) -> Reply:
    """An answer within the session, at 9600 Bd."""
    return Reply(to, answer, speed=9600, heard_at=9600, **more)  # type: ignore[arg-type]


def opened(name: bytes, operand: str = "()", kind: CheckKind = XOR) -> list[Reply | Push]:
    """A meter up to its operand."""
    return [
        Reply(ASK, name + b"\r\n"),
        Reply(SELECT, command(f"P0\x02{operand}", kind), speed=9600),
    ]


def texts(answers: Iterable[Answer]) -> list[tuple[str, ...] | type[object]]:
    """All values, or the kind of refusal."""
    return [
        type(answer.refusal)
        if answer.register is None
        else tuple(value.text for value in answer.register.values)
        for answer in answers
    ]


# What makes do


async def test_iskra_reads_at_once_and_answers_without_an_address() -> None:
    line = ScriptedLine(
        [
            *opened(b"/ISK5ME170-0007"),
            fast(command("R1\x021.8.0()"), data("(0012345.678*kWh)")),
            fast(command("R1\x022.8.0()"), data("(0000000.246*kWh)")),
        ]
    )
    answers = await MeterClient(line).read(("1.8.0", "2.8.0"))
    assert texts(answers) == [("0012345.678",), ("0000000.246",)]
    assert line.messages == [
        ASK,
        SELECT,
        command("R1\x021.8.0()"),
        command("R1\x022.8.0()"),
        command("B0"),
    ]


async def test_lem_logs_in_reads_and_writes_with_r5_and_w5() -> None:
    write = command("W5\x020.9.2(310517)(00000000)")
    line = ScriptedLine(
        [
            *opened(b"/EMH5\\@D4EM4TX"),
            fast(command("P1\x02(00000000)"), ACK),
            fast(command("R5\x020.9.2()"), data("0.9.2(310516)")),
            fast(write, ACK),
            fast(command("R5\x020.9.2()"), data("0.9.2(310517)")),
        ]
    )
    meter = MeterClient(line, password=EIGHT_ZEROS, permits=Permits(write=frozenset(("0.9.2",))))
    written = await meter.write("0.9.2", "310517")
    assert written.certainty is WriteOutcome.CONFIRMED
    assert write in line.messages
    assert "00000000" not in line.trace.as_text()


async def test_lzqj_answers_r1_with_ack_alone() -> None:
    line = ScriptedLine(
        [
            *opened(b"/XYZ5LZQX"),
            fast(command("R1\x021.8.0()"), ACK),
            fast(command("R5\x021.8.0()"), data("1.8.0(1*kWh)")),
            fast(command("R5\x022.8.0()"), data("2.8.0(2*kWh)")),
        ]
    )
    assert texts(await MeterClient(line).read(("1.8.0", "2.8.0"))) == [("1",), ("2",)]


async def test_metcom_log_with_blanks_before_its_line_ends() -> None:
    rows = "".join(
        f"P.98(0310517{hour:02}0000)(00)()(2)(91.1.0)()(91.1.9)()({hour})(0) \r\n"
        for hour in range(3)
    )
    asked = "P.98(03105170000;03105180000)"
    line = ScriptedLine(
        [
            *opened(b"/MCS5\\@V00507100", "(00000001)"),
            fast(command("P1\x02(00000000)"), ACK),
            fast(command(f"R5\x02{asked}"), data(rows)),
        ]
    )
    (answer,) = await MeterClient(line, password=EIGHT_ZEROS).read((asked,))
    assert answer.register is not None
    assert [value.text for value in answer.register.values][:2] == ["0310517000000", "00"]
    assert len(answer.register.values) == 30


async def test_satec_sums_its_checks() -> None:
    line = ScriptedLine(
        [
            *opened(b"/SAT5EM720", kind=SUM),
            fast(command("P1\x02(9)", SUM), ACK),
            fast(command("R1\x020.9.1()", SUM), data("(174635)", SUM)),
        ]
    )
    assert command("P0\x02()", SUM)[-1:] == b"V"
    assert texts(await MeterClient(line, password=Password("9")).read(("0.9.1",))) == [("174635",)]
    assert line.messages[-1] == command("B0", SUM)


async def test_data_in_place_of_the_operand_is_a_readout() -> None:
    """MetCom: some answer the wish for programming mode with their list."""
    line = ScriptedLine(
        [
            Reply(ASK, b"/MCS5\\@V00507100\r\n"),
            Reply(SELECT, framed(b"F.F(00000000)\r\n1-0:1.8.1(123.34*kWh)\r\n"), speed=9600),
        ]
    )
    assert texts(await MeterClient(line).read(("1.8.1", "F.F")))[0] == ("123.34",)
    assert line.messages == [ASK, SELECT]


async def test_break_in_place_of_the_operand() -> None:
    line = ScriptedLine([Reply(ASK, b"/EMH5X\r\n"), Reply(SELECT, command("B0"), speed=9600)])
    with pytest.raises(MeterBreak):
        await MeterClient(line).read(("1.8.0",))
    assert len(line.messages) == 2


async def test_error_message_in_place_of_the_operand() -> None:
    line = ScriptedLine([Reply(ASK, b"/EMH5X\r\n"), Reply(SELECT, data("(ERROR)"), speed=9600)])
    with pytest.raises(MeterRefused):
        await MeterClient(line).read(("1.8.0",))


async def test_data_at_once_mean_no_programming_mode() -> None:
    line = ScriptedLine([Reply(ASK, b"/KAM MX\r\n" + framed())])
    with pytest.raises(NoProgramming):
        await MeterClient(line).read(("1.8.0",))
    assert line.messages == [ASK]


async def test_data_just_behind_the_name_mean_none_either() -> None:
    line = ScriptedLine([Reply(ASK, b"/LGZ5X\r\n"), Push(framed(), at=0.75, speed=300)])
    with pytest.raises(NoProgramming):
        await MeterClient(line).read(("1.8.0",))
    assert line.messages == [ASK]


async def test_operand_at_another_speed_than_announced_is_found_at_the_first() -> None:
    """A meter that stays at 300 Bd whatever is selected."""
    line = ScriptedLine(
        [
            Reply(ASK, b"/LGZ5X\r\n", times=2),
            Reply(SELECT, command("P0\x02()"), speed=300),
            Reply(STAY, command("P0\x02()"), speed=300),
            Reply(command("R1\x021.8.0()"), data("(1*kWh)")),
        ]
    )
    assert texts(await MeterClient(line).read(("1.8.0",))) == [("1",)]


async def test_nothing_behind_the_option_select() -> None:
    line = ScriptedLine([Reply(ASK, b"/LGZ5X\r\n", times=3)])
    with pytest.raises(NoData):
        await MeterClient(line, LineProfile(speed=9600)).read(("1.8.0",))
    assert line.messages[-1] == command("B0")


# SATEC: two in one command, in rows without addresses


SATEC = b"/SAT6EM72000812345"
TWO = command("R1\x020.9.1()\r\n0.9.2()", SUM)


def quickly(to: bytes, answer: bytes) -> Reply:
    """An answer within a session at 19200 Bd."""
    return Reply(to, answer, speed=19200, heard_at=19200)


def satec(*script: Reply) -> ScriptedLine:
    return ScriptedLine(
        [
            Reply(ASK, SATEC + b"\r\n"),
            Reply(b"\x06061\r\n", command("P0\x02()", SUM), speed=19200),
            *script,
        ]
    )


async def test_satec_tells_two_at_once() -> None:
    third = command("R1\x021.8.0()", SUM)
    line = satec(
        quickly(TWO, data("(081509)\r\n(261122)", SUM)),
        quickly(third, data("(4711.0*kWh)", SUM)),
    )
    answers = await MeterClient(line).read(("0.9.1", "0.9.2", "1.8.0"))
    assert texts(answers) == [("081509",), ("261122",), ("4711.0",)]
    assert [answer.code for answer in answers] == ["0.9.1", "0.9.2", "1.8.0"]
    assert line.messages[2:] == [TWO, third, command("B0", SUM)]
    # As it is printed in the manual.
    assert TWO.endswith(b"\x03.")


@pytest.mark.parametrize(
    "answer",
    [
        "(081509)",
        "(081509)(261122)",
        "(081509)\r\n(261122)\r\n(1)",
        "(081509)\r\n(ERR2)",
        "(ERROR)",
        "0.9.2(261122)\r\n0.9.1(081509)",
        "(081509)\r\n",
        "",
    ],
)
async def test_rows_that_do_not_fit_the_question_are_not_shared_out(answer: str) -> None:
    """A row too few, too many, or another's: each register is asked for alone from then on."""
    one, other = command("R1\x020.9.1()", SUM), command("R1\x020.9.2()", SUM)
    alone = [quickly(one, data("(081510)", SUM)), quickly(other, data("(261122)", SUM))]
    line = satec(quickly(TWO, data(answer, SUM)), *alone, *alone)
    async with MeterClient(line).conversation() as talk:
        for _ in range(2):
            assert texts(await talk.read(("0.9.1", "0.9.2"))) == [("081510",), ("261122",)]
    assert line.messages[2:] == [TWO, one, other, one, other, command("B0", SUM)]


async def test_one_register_that_is_lost_in_company_is_found_alone() -> None:
    """A meter that says nothing to two of them: the session is opened again, and they are asked for one by one."""
    one, other = command("R1\x020.9.1()", SUM), command("R1\x020.9.2()", SUM)
    line = satec(
        Reply(ASK, SATEC + b"\r\n"),
        Reply(b"\x06061\r\n", command("P0\x02()", SUM), speed=19200),
        quickly(one, data("(081510)", SUM)),
        quickly(other, data("(261122)", SUM)),
    )
    assert texts(await MeterClient(line).read(("0.9.1", "0.9.2"))) == [("081510",), ("261122",)]
    assert line.messages.count(TWO) == 1


async def test_damaged_rows_come_again() -> None:
    line = satec(
        Reply(TWO, data("(081509)\r\n(261122)", SUM), speed=19200, heard_at=19200, flip=(3,)),
        quickly(NAK, data("(081509)\r\n(261122)", SUM)),
    )
    assert texts(await MeterClient(line).read(("0.9.1", "0.9.2"))) == [("081509",), ("261122",)]


@pytest.mark.parametrize(
    "codes", [("0.9.1(1)", "0.9.2"), ("R1 0.9.1", "0.9.2"), ("0.9.1", "no)thing")]
)
async def test_what_a_person_says_how_to_ask_is_asked_that_way(codes: tuple[str, ...]) -> None:
    line = satec()
    with suppress(MeterError):
        await MeterClient(line).read(codes)
    assert not any(b"\r\n" in message for message in line.messages if message[1:2] == b"R")


# LIS-200: a lock's code in place of P1


EK = b"/Els6EK270"
LOCKED = [
    Reply(ASK, EK + b"\r\n"),
    Reply(b"\x06061\r\n", command("P0\x02(7654321)"), speed=19200),
]


@pytest.mark.parametrize(
    ("login", "lock"),
    [
        (None, "4:171.0"),
        (PasswordMethod.CUSTOMER_LOCK, "4:171.0"),
        (PasswordMethod.SUPPLIER_LOCK, "3:171.0"),
    ],
)
async def test_lock_is_opened_with_its_code(login: PasswordMethod | None, lock: str) -> None:
    line = ScriptedLine(
        [
            *LOCKED,
            quickly(command(f"W1\x02{lock}(wombat77)"), ACK),
            quickly(command("R1\x022:302.0()"), data("7-2:302.2(00260.63*m3)")),
            quickly(command("R1\x026:310_1.0()"), data("6:310_1.0(7.5*C)")),
            quickly(command("R1\x021:400.0()"), data("2:400.0(9)")),
        ]
    )
    meter = MeterClient(line, password=Password("wombat77", login))
    answers = await meter.read(("2:302.0", "6:310_1.0", "1:400.0"))
    assert texts(answers) == [("00260.63",), ("7.5",), AnswerUnclear]
    assert {answer.level for answer in answers} == {Level.PASSWORD}
    # An address of this make is no OBIS code, however it looks.
    assert all(answer.register.obis is None for answer in answers if answer.register)
    assert not any(message[1:2] == b"P" for message in line.messages)
    assert "wombat77" not in line.trace.as_text() + str(line.trace.as_dict()) + repr(answers)


@pytest.mark.parametrize("answer", [data("(#0017)"), data("4:171.0(#0017)"), command("B0")])
async def test_wrong_code_is_tried_once(answer: bytes) -> None:
    wrong = command("W1\x024:171.0(4711)")
    line = ScriptedLine(
        [
            *LOCKED,
            quickly(wrong, answer),
            *LOCKED,
            quickly(command("R1\x022:302.0()"), data("(#0018)")),
        ]
    )
    meter = MeterClient(line, password=Password("4711"))
    assert texts(await meter.read(("2:302.0",))) == [PasswordNeeded]
    assert type(meter.refusal) is PasswordRefused
    assert line.messages.count(wrong) == 1


# Login


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (command("B0"), PasswordRefused),
        # The message was not understood, whatever password was in it (Std Annex A).
        (NAK, LoginUnanswered),
        (data("(ERROR)"), PasswordRefused),
        (data("(ERRDAT)"), PasswordRefused),
        (data("(ERROR02)"), SecretNeeded),
        (command("P0\x02(77)"), PasswordRefused),
        (data("hello(1)"), PasswordRefused),
        (b"", LoginUnanswered),
        (b"\x02(ER", LoginDamaged),
    ],
)
async def test_answers_to_a_password(answer: bytes, kind: type[LoginError]) -> None:
    line = ScriptedLine(
        [
            *opened(b"/LGZ5X"),
            fast(command("P1\x02(00000000)"), answer),
            *opened(b"/LGZ5X"),
            fast(command("R1\x021.8.0()"), data("(1*kWh)")),
        ]
    )
    meter = MeterClient(line, password=EIGHT_ZEROS)
    assert texts(await meter.read(("1.8.0",))) == [("1",)]
    assert type(meter.refusal) is kind
    assert line.messages.count(command("P1\x02(00000000)")) == 1


async def test_damaged_acknowledgement_of_a_password_is_not_believed() -> None:
    line = ScriptedLine(
        [*opened(b"/LGZ5X"), fast(command("P1\x02(00000000)"), ACK, flip=(0,), times=1)]
    )
    with pytest.raises(LoginDamaged):
        async with MeterClient(line, password=EIGHT_ZEROS).conversation():
            pass
    assert line.messages[-1] == command("B0")


@pytest.mark.parametrize("flip", [(1, 2, 6), (2, 5, 9, 10), (4, 5, 6, 7, 8, 15)])
async def test_own_password_that_comes_back_damaged_does_not_hide_the_answer(
    flip: tuple[int, ...],
) -> None:
    """A probe that reflects its light badly: the line does not know the echo, and the meter has said yes behind it."""
    asked = command("P1\x02(00000000)")
    line = ScriptedLine(
        [
            *opened(b"/LGZ5X"),
            fast(asked, asked + ACK, flip=flip, after=0.0),
            fast(command("R1\x021.8.0()"), data("(1*kWh)")),
        ]
    )
    meter = MeterClient(line, password=EIGHT_ZEROS)
    assert texts(await meter.read(("1.8.0",))) == [("1",)]
    assert meter.refusal is None


async def test_own_password_that_nobody_can_tell_from_an_answer_is_damage_and_not_silence() -> None:
    asked = command("P1\x02(00000000)")
    line = ScriptedLine([*opened(b"/LGZ5X"), fast(asked, asked + ACK, flip=(0, 5), after=0.0)])
    with pytest.raises(LoginDamaged):
        async with MeterClient(line, password=EIGHT_ZEROS).conversation():
            pass


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"4\x15", LoginDamaged),
        (b"4\x06", LoginDamaged),
        (NAK, LoginUnanswered),
        (ACK, None),
    ],
)
async def test_one_character_among_others_is_no_answer_where_no_parity_guards_it(
    answer: bytes, kind: type[LoginError] | None
) -> None:
    """A line on which so much is damaged that nobody knows any more what bit 7 should be."""
    line = ScriptedLine(
        [
            Reply(ASK, b"x" * 60 + b"/LGZ5X\r\n", flip=tuple(range(60))),
            Reply(SELECT, command("P0\x02()"), speed=9600),
            fast(command("P1\x02(00000000)"), answer),
            fast(command("R1\x021.8.0()"), data("(1*kWh)")),
            *opened(b"/LGZ5X"),
        ]
    )
    meter = MeterClient(line, password=EIGHT_ZEROS)
    with suppress(MeterError):
        await meter.read(("1.8.0",))
    assert line.tally.parity is ParitySeen.OTHER
    assert type(meter.refusal) is (kind or type(None))


async def test_own_question_that_comes_back_damaged_costs_no_repeat() -> None:
    asked = command("R1\x021.8.0()")
    line = ScriptedLine(
        [*opened(b"/LGZ5X"), fast(asked, asked + data("(1*kWh)"), flip=(2, 4, 5, 7), after=0.0)]
    )
    assert texts(await MeterClient(line).read(("1.8.0",))) == [("1",)]
    assert NAK not in line.messages


async def test_password_asked_for_in_the_middle() -> None:
    line = ScriptedLine([*opened(b"/LGZ5X"), fast(command("R1\x021.8.0()"), command("P0\x02(12)"))])
    assert texts(await MeterClient(line).read(("1.8.0",))) == [PasswordNeeded]


# Answers


async def test_answer_to_another_question_is_not_taken() -> None:
    line = ScriptedLine([*opened(b"/LGZ5X"), fast(command("R1\x021.8.0()"), data("2.8.0(1*kWh)"))])
    assert texts(await MeterClient(line).read(("1.8.0",))) == [AnswerUnclear]


async def test_parity_alone_damaged_is_the_data_s_own_check_s_matter() -> None:
    line = ScriptedLine(
        [
            *opened(b"/LGZ5X"),
            fast(command("R1\x021.8.0()"), data("(1*kWh)"), flip=(3,), mask=0x80),
        ]
    )
    assert texts(await MeterClient(line).read(("1.8.0",))) == [("1",)]
    assert NAK not in line.messages


async def test_two_damages_that_hide_in_the_check_are_seen_by_parity() -> None:
    line = ScriptedLine(
        [
            *opened(b"/LGZ5X"),
            fast(command("R1\x021.8.0()"), data("(17*kWh)"), flip=(2, 3), mask=0x02),
            fast(NAK, data("(17*kWh)")),
        ]
    )
    assert texts(await MeterClient(line).read(("1.8.0",))) == [("17",)]


async def test_nak_that_is_not_answered_leads_to_the_command_again() -> None:
    line = ScriptedLine(
        [
            *opened(b"/LGZ5X"),
            fast(command("R1\x021.8.0()"), data("(1*kWh)"), flip=(3,)),
            fast(command("R1\x021.8.0()"), data("(1*kWh)")),
        ]
    )
    assert texts(await MeterClient(line).read(("1.8.0",))) == [("1",)]


async def test_lost_block_is_never_skipped() -> None:
    """A second ACK would ask for the next block: the reading begins anew instead."""
    first = data("P.01(1)(", end=b"\x04")
    line = ScriptedLine(
        [
            *opened(b"/LGZ5X"),
            fast(command("R6\x02P.01(;)"), first),
            fast(ACK, b""),
            *opened(b"/LGZ5X"),
            fast(command("R6\x02P.01(;)"), first),
            fast(ACK, data("2)")),
        ]
    )
    assert texts(await MeterClient(line).read(("R6 P.01(;)",))) == [("1", "2")]
    acknowledged = [place for place, sent in enumerate(line.messages) if sent == ACK]
    assert [line.messages[place - 1][1:3] for place in acknowledged] == [b"R6", b"R6"]


LOG = "R6\x02P.01(;)"


@pytest.mark.parametrize("naks", [1, programming_session.MOST_REPEATS])
async def test_block_whose_acknowledgement_was_not_understood_is_acknowledged_again(
    naks: int,
) -> None:
    line = ScriptedLine(
        [
            *opened(b"/LGZ5X"),
            fast(command(LOG), data("P.01(1)(", end=b"\x04")),
            fast(ACK, NAK, times=naks),
            fast(ACK, data("2)")),
        ]
    )
    assert texts(await MeterClient(line).read(("R6 P.01(;)",))) == [("1", "2")]
    assert line.messages.count(command(LOG)) == 1


async def test_block_is_not_acknowledged_again_where_it_was_our_nak_that_was_not_understood() -> (
    None
):
    """The second block came damaged: a second ACK would have the third one sent, and lose it."""
    line = ScriptedLine(
        [
            *opened(b"/LGZ5X"),
            fast(command(LOG), data("P.01(1)(", end=b"\x04")),
            fast(ACK, data("2)(", end=b"\x04"), flip=(2,)),
            fast(NAK, NAK),
            fast(ACK, data("3)"), times=3),
        ]
    )
    assert texts(await MeterClient(line).read(("R6 P.01(;)",))) == [CheckWrong]
    assert line.messages.count(ACK) == 1


async def test_endless_naks_to_an_acknowledgement_are_damage() -> None:
    line = ScriptedLine(
        [
            *opened(b"/LGZ5X"),
            fast(command(LOG), data("P.01(1)(", end=b"\x04")),
            fast(ACK, NAK, times=40),
        ]
    )
    assert texts(await MeterClient(line).read(("R6 P.01(;)",))) == [CheckWrong]
    assert line.messages.count(ACK) == 1 + programming_session.MOST_REPEATS


async def test_error_message_with_a_word_of_its_own_is_no_value() -> None:
    line = ScriptedLine(
        [
            *opened(b"/LGZ5X"),
            fast(command("R1\x021.8.0()"), data("(ERRDAT)")),
            fast(command("R5\x021.8.0()"), data("(ERRDAT)")),
        ]
    )
    assert texts(await MeterClient(line).read(("1.8.0",))) == [MeterRefused]


@dataclass(slots=True)
class FlickeringLine(ScriptedLine):
    """Light that flickers from the first command on: characters without end, none of them a beginning."""

    @override
    async def read(self, deadline: float) -> bytes:
        if not any(message.startswith(b"\x01") for message in self.messages):
            return await super().read(deadline)
        await self.sleep_until(min(self.now() + 0.5, deadline))
        return b"UUU" if self.now() < deadline else b""


@pytest.mark.parametrize(("speed", "select"), [(300, STAY), (9600, SELECT)])
async def test_noise_in_a_session_is_not_waited_for(speed: int, select: bytes) -> None:
    line = FlickeringLine(
        [Reply(ASK, b"/LGZ5X\r\n"), Reply(select, command("P0\x02()"), speed=speed)]
    )
    with suppress(MeterError):
        await MeterClient(line, LineProfile(stay=speed == 300)).read(("1.8.0",))
    assert line.elapsed < 60


async def test_session_that_is_left_is_left_though_its_end_is_cancelled_too() -> None:
    line = ScriptedLine(opened(b"/LGZ5X"))
    reading = asyncio.create_task(MeterClient(line).read(("1.8.0",)))
    asked = command("R1\x021.8.0()")
    await until(lambda: asked in line.messages, words=lambda: line.messages)
    for _ in range(2):
        reading.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert line.messages[-1] == command("B0")


async def test_endless_blocks_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programming_session, "MAX_ANSWER", 1000)
    piece = data("9" * 100, end=b"\x04")
    line = ScriptedLine(
        [*opened(b"/LGZ5X"), fast(command("R6\x02P.01(;)"), piece), fast(ACK, piece, times=40)]
    )
    assert texts(await MeterClient(line).read(("R6 P.01(;)",))) == [CheckWrong]
    assert line.messages.count(ACK) < 20


async def test_order_that_was_not_understood_is_sent_again_but_never_on_silence() -> None:
    write = command("W1\x02A(2)")
    for answers, certainty, sent in (
        ((NAK, ACK), WriteOutcome.CONFIRMED, 2),
        ((NAK, NAK, NAK, ACK), WriteOutcome.REFUSED, 3),
        ((b"",), WriteOutcome.UNCONFIRMED, 1),
    ):
        line = ScriptedLine(
            [
                *opened(b"/LGZ5X"),
                fast(command("R1\x02A()"), data("A(1)")),
                *(fast(write, answer) for answer in answers),
                *opened(b"/LGZ5X"),
                fast(command("R1\x02A()"), data(f"A({2 if ACK in answers else 1})")),
            ]
        )
        written = await MeterClient(line, permits=Permits(write=frozenset("A"))).write("A", "2")
        assert written.certainty is certainty
        assert line.messages.count(write) == sent


async def test_damaged_acknowledgement_of_an_order_is_settled_by_reading() -> None:
    write = command("W1\x02A(2)")
    line = ScriptedLine(
        [
            *opened(b"/LGZ5X"),
            fast(command("R1\x02A()"), data("A(1)")),
            fast(write, ACK, flip=(0,)),
            fast(command("R1\x02A()"), data("A(2)")),
        ]
    )
    written = await MeterClient(line, permits=Permits(write=frozenset("A"))).write("A", "2")
    assert written.certainty is WriteOutcome.CONFIRMED
    assert line.messages.count(write) == 1


# The line


async def test_fast_wake_up_is_ended_by_b1() -> None:
    line = ScriptedLine([*opened(b"/LGZ5X"), fast(command("R1\x021.8.0()"), data("(1*kWh)"))])
    profile = LineProfile(fast_wake_up=True)
    assert texts(await MeterClient(line, profile).read(("1.8.0",))) == [("1",)]
    assert line.messages[-1] == command("B1")


@pytest.mark.parametrize(
    ("name", "bus", "pause"),
    [(b"/LGZ5X", False, 0.2), (b"/LGz5X", False, 0.02), (b"/LGz5X", True, 0.2)],
)
async def test_client_waits_its_reaction_time_and_no_longer(
    name: bytes, bus: bool, pause: float
) -> None:
    line = ScriptedLine(
        [
            *opened(name),
            fast(command("R1\x021.8.0()"), data("(1*kWh)"), after=pause),
            fast(command("R1\x022.8.0()"), data("(2*kWh)"), after=pause),
        ],
        run=0,
    )
    await MeterClient(line, LineProfile(bus=bus)).read(("1.8.0", "2.8.0"))
    first, second = (sent for sent in line.sent if sent.data[1:2] == b"R")
    answered = first.ended + pause + len(data("(1*kWh)")) * 10 / 9600
    assert second.began - answered == pytest.approx(pause, abs=1e-6)
