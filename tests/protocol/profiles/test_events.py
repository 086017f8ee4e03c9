"""Event logs as text."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from custom_components.iec62056.protocol.ascii import datasets
from custom_components.iec62056.protocol.model import Value
from custom_components.iec62056.protocol.profiles.events import (
    Event,
    Meaning,
    Note,
    meaning_of,
    parse,
)

BERLIN = ZoneInfo("Europe/Berlin")


def read(text: str) -> tuple[Event, ...]:
    return parse(datasets.parse(text.encode("ascii"))[0], BERLIN)


def test_status_bits_of_emh() -> None:
    found = read(
        "P.98(1260312081502)(00000080)()(0)\r\nP.98(0260312081640)(00000040)()(0)\r\n"
        "P.98(1260701000000)(00000010)()(0)\r\nP.99(1260701000000)(00002000)()(0)\r\n"
    )
    assert [event.meanings for event in found] == [
        (Meaning.POWER_DOWN,),
        (Meaning.POWER_UP,),
        (Meaning.RESET,),
        (),
    ]
    assert found[3].log == "P.99"
    assert found[3].status == 0x2000
    assert found[1].at == datetime(2026, 3, 12, 7, 16, 40, tzinfo=UTC)


def test_a_clock_that_was_set_notes_the_new_time() -> None:
    (event,) = read("P.98(1260826235641)(00008020)()(2)(0.9.1)()(0.9.2)()(1235702)(1260826)\r\n")
    assert event.meanings == (Meaning.CLOCK_SET,)
    assert event.notes == (
        Note("0.9.1", Value("1235702")),
        Note("0.9.2", Value("1260826")),
    )


@pytest.mark.parametrize("address", ["0-0:C.11.0", "91.11.0", "0-0:96.11.0", "96.11.0"])
def test_event_codes_of_metcom(address: str) -> None:
    text = f"P.98(0260914110004)(00)()(2)({address})()(0-0:C.11.10)()({{}})(0) \r\n"
    found = read(text.format(1) + text.format(5) + text.format(99))
    assert [event.meanings for event in found] == [(Meaning.POWER_DOWN,), (Meaning.CLOCK_NEW,), ()]


def test_another_log_has_other_codes() -> None:
    (event,) = read("P.98(0260914110004)(00)()(1)(0-0:96.11.1)()(1)\r\n")
    assert event.meanings == ()
    assert event.notes[0].value.text == "1"


@pytest.mark.parametrize(
    "text",
    [
        "P.98(ERROR)\r\n",
        "P.01(1260705101500)(00)(15)(1)(1.5)(kW)\r\n",
        "P.98(1260705101500)(00)()(2)(0.9.1)()(1)\r\n",
        "P.98(1260705101500)(00)()(x)\r\n",
        "1.8.0(1)()()(0)\r\n",
    ],
)
def test_what_is_no_event(text: str) -> None:
    assert read(text) == ()


def test_an_event_of_an_unset_clock_is_kept() -> None:
    (event,) = read("P.98(0000101000012)(00000040)()(0)\r\n")
    assert event.at is None
    assert event.meanings == (Meaning.POWER_UP,)


def test_codes_that_are_not_public() -> None:
    assert meaning_of(255) is Meaning.LOG_CLEARED
    assert meaning_of(30000) is None
