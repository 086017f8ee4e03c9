"""A load profile asked for in an open conversation."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from custom_components.iec62056.protocol.ascii import messages
from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.errors import PasswordNeeded
from custom_components.iec62056.protocol.model import CheckKind
from custom_components.iec62056.protocol.profiles.events import Meaning

from ..scripted import Push, Reply, ScriptedLine

BERLIN = ZoneInfo("Europe/Berlin")
FIRST = datetime(2026, 7, 5, 8, tzinfo=UTC)
LAST = FIRST + timedelta(minutes=30)
# Two hours more on both sides.
RANGE = "12607050800;12607051230"
BARE = "2607050800;2607051230"
ROWS = "P.01(1260705100000)(00)(15)(1)(1.5)(kW)\r\n(9.000)\r\n(0.400)\r\n(0.500)\r\n(9.000)\r\n"


def framed(begin: bytes, text: str, end: bytes = b"\x03") -> bytes:
    covered = text.encode("ascii") + end
    return begin + covered + bytes([messages.check_character(covered, CheckKind.XOR)])


def asked(command: str, operand: str, code: str = "P.01") -> bytes:
    return framed(b"\x01", f"{command}\x02{code}({operand})")


def answer(to: bytes, text: str, end: bytes = b"\x03") -> Reply:
    return Reply(to, framed(b"\x02", text, end), speed=9600, heard_at=9600)


def line(*replies: Reply | Push) -> ScriptedLine:
    return ScriptedLine(
        (
            Reply(b"/?!\r\n", b"/EMH5\\@01LZQJL0014F\r\n"),
            Reply(b"\x06051\r\n", framed(b"\x01", "P0\x02()"), speed=9600),
            *replies,
        )
    )


async def profile_over(*replies: Reply | Push) -> list[tuple[int, str]]:
    """End and value of each row that comes."""
    async with MeterClient(line(*replies)).conversation() as conversation:
        found = await conversation.read_profile("P.01", FIRST, LAST, BERLIN)
    return [(row.end.minute, str(row.values[0])) for one in found for row in one.rows]


async def test_more_is_asked_for_than_is_wanted() -> None:
    assert await profile_over(answer(asked("R5", RANGE), ROWS)) == [(15, "0.400"), (30, "0.500")]


@pytest.mark.parametrize("text", ["P.01(ERROR)", "(ERROR)", "(ERROR05)"])
async def test_a_range_in_which_nothing_is_recorded(text: str) -> None:
    assert await profile_over(answer(asked("R5", RANGE), text)) == []


async def test_a_meter_that_wants_no_digit_of_the_season() -> None:
    assert await profile_over(
        answer(asked("R5", RANGE), "(ERROR06)"), answer(asked("R5", BARE), ROWS)
    ) == [(15, "0.400"), (30, "0.500")]


async def test_a_meter_that_sends_blocks() -> None:
    cut = len(ROWS) // 2
    assert await profile_over(
        answer(asked("R5", RANGE), "(ERROR01)"),
        answer(asked("R5", BARE), "(ERROR01)"),
        answer(asked("R6", f"{RANGE};10"), ROWS[:cut], b"\x04"),
        answer(b"\x06", ROWS[cut:]),
    ) == [(15, "0.400"), (30, "0.500")]


async def test_a_meter_without_a_profile_says_why_at_first() -> None:
    with pytest.raises(PasswordNeeded):
        await profile_over(
            answer(asked("R5", RANGE), "(ERROR14)"),
            answer(asked("R5", BARE), "(ERROR01)"),
            answer(asked("R6", f"{RANGE};10"), "(ERROR01)"),
            answer(asked("R2", BARE), "(ERROR01)"),
            answer(asked("R2", BARE), "(ERROR01)"),
        )


async def test_a_meter_that_sends_each_row_with_its_date() -> None:
    assert await profile_over(
        answer(asked("R5", RANGE), "(ERROR01)"),
        answer(asked("R5", BARE), "(ERROR01)"),
        answer(asked("R6", f"{RANGE};10"), "(ERROR01)"),
        answer(
            asked("R2", BARE),
            "P.01(26-07-05,10:00)(9.0*kWh)\r\nP.01(26-07-05,10:15)(9.4*kWh)\r\n"
            "P.01(26-07-05,10:30)(9.9*kWh)\r\n",
        ),
    ) == [(15, "9.4"), (30, "9.9")]


async def test_events_in_the_range_and_without_a_moment() -> None:
    log = (
        "P.98(1260705101000)(00000080)()(0)\r\nP.98(1260705130000)(00000040)()(0)\r\n"
        "P.98(0000101000000)(00000040)()(0)\r\n"
    )
    async with MeterClient(
        line(answer(asked("R5", RANGE, "P.98"), log))
    ).conversation() as conversation:
        found = await conversation.read_events("P.98", FIRST, LAST, BERLIN)
    assert [(event.at is None, event.meanings) for event in found] == [
        (False, (Meaning.POWER_DOWN,)),
        (True, (Meaning.POWER_UP,)),
    ]
