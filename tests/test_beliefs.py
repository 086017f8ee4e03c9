"""Readings through the gates: what joins the state, and whose readings they are."""

from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal
import json

import pytest

from custom_components.iec62056.beliefs import Beliefs
from custom_components.iec62056.plausibility import Doubt
from custom_components.iec62056.protocol.model import Identification, LineProfile, Medium, Reading
from custom_components.iec62056.state import MOST_REGISTERS, MeterState

from .bench import HOUSEHOLD, NO_CHECK, NUMBER, later, reading

PROFILE = LineProfile(medium=Medium.ELECTRICITY)
OTHER = "99887766"


def after(*readings: Reading) -> tuple[Beliefs, MeterState | None]:
    """What is believed after these readings; at every step it survives being stored."""
    beliefs, state = Beliefs(), None
    for one in readings:
        taken = beliefs.take(one, PROFILE, state, {})
        beliefs, state = taken.beliefs, taken.state
        plain = json.loads(json.dumps(beliefs.as_dict()))
        beliefs = Beliefs.from_dict(plain)
        assert json.loads(json.dumps(beliefs.as_dict())) == plain
    return beliefs, state


def sent(
    minute: float = 0,
    changed: dict[str, str] | None = None,
    *,
    number: str = NUMBER,
    checked: bool = True,
) -> Reading:
    """The household with some registers changed."""
    others = {address: [text] for address, text in (changed or {}).items()}
    found = reading({**HOUSEHOLD, "C.1.0": [number], **others}, at=later(minute))
    return found if checked else replace(found, health=NO_CHECK)


def text_of(state: MeterState | None, key: str) -> str:
    assert state is not None
    return state.registers[key].register.values[0].text


def test_first_reading_under_a_check_is_believed() -> None:
    beliefs, state = after(sent())
    assert state is not None
    assert len(state.registers) == len(HOUSEHOLD)
    assert not beliefs.holds


def test_first_reading_without_a_check_needs_another_that_agrees() -> None:
    beliefs, state = after(sent(checked=False))
    assert state is None
    assert {hold.doubt for hold in beliefs.holds.values()} == {Doubt.FIRST}
    beliefs, state = after(sent(checked=False), sent(0.1, checked=False))
    assert state is not None
    assert len(state.registers) == len(HOUSEHOLD)
    assert not beliefs.holds


def test_first_readings_of_two_numbers_name_no_meter() -> None:
    _, state = after(sent(checked=False), sent(0.1, checked=False, number=OTHER))
    assert state is None


def test_code_that_appears_once_is_no_register() -> None:
    for extra in ("0001.0*kWh", "hello", "26-11-22 12:10", "-.--"):
        beliefs, state = after(sent(), sent(1, {"9.8.0": extra}))
        assert state is not None
        assert len(state.registers) == len(HOUSEHOLD), extra
        assert len(beliefs.holds) == 1
        beliefs, state = after(sent(), *(sent(n, {"9.8.0": extra}) for n in (1, 2)))
        assert state is not None
        assert len(state.registers) == len(HOUSEHOLD) + 1, extra
        assert not beliefs.holds


def test_held_register_keeps_its_value_and_its_age() -> None:
    beliefs, state = after(sent(), sent(1, {"1.8.0": "000000.000*kWh"}))
    assert state is not None
    assert state.registers["1-0:1.8.0"].received == later(0)
    assert state.registers["1-0:2.8.0"].received == later(1)
    assert beliefs.holds["1-0:1.8.0"].doubt is Doubt.FELL


def test_text_that_changes_each_time_is_shown() -> None:
    """Once it was three others in a row; a text that changes once is confirmed."""
    texts = [sent(n, {"ZZ1": f"text {n}"}) for n in range(1, 5)]
    beliefs, state = after(sent(), *texts)
    assert text_of(state, "ZZ1") == "text 4"
    assert "ZZ1" in beliefs.varying
    beliefs, state = after(sent(), sent(1, {"ZZ1": "new"}), sent(1.1, {"ZZ1": "new"}))
    assert text_of(state, "ZZ1") == "new"
    assert not beliefs.varying


def test_dashes_are_no_value_until_there_is_one() -> None:
    _, state = after(sent(0, {"16.7": "-.--"}))
    assert text_of(state, "1-0:16.7.0") == "-.--"
    _, state = after(sent(0, {"16.7": "-.--"}), sent(1, {"16.7": "01.250*kW"}))
    assert text_of(state, "1-0:16.7.0") == "01.250"
    _, state = after(sent(), sent(1, {"16.7": "-.--"}), sent(2, {"16.7": "-.--"}))
    assert text_of(state, "1-0:16.7.0") == "001.250"


@pytest.mark.parametrize(("amperes", "doubts"), [(None, {}), (25, {"1-0:1.8.0"}), (63, {})])
def test_the_fuse_bounds_what_is_believed_at_once(
    amperes: int | None, doubts: Collection[str]
) -> None:
    """A kilowatt hour in two minutes: thirty kilowatts."""
    beliefs, state = after(sent())
    fuse = None if amperes is None else Decimal(amperes)
    taken = beliefs.take(sent(2, {"1.8.0": "012346.678*kWh"}), PROFILE, state, {}, fuse)
    assert set(taken.beliefs.holds) == set(doubts)


def of_maximum(minute: float, number: str, time: str, *, checked: bool = False) -> Reading:
    found = reading({**HOUSEHOLD, "1.6.0": [f"{number}*kW", time]}, at=later(minute))
    return found if checked else replace(found, health=NO_CHECK)


def time_of(state: MeterState | None) -> str:
    assert state is not None
    return state.registers["1-0:1.6.0"].register.values[1].text


def test_time_of_a_maximum_moves_with_it_or_twice() -> None:
    """Without a check character, a time that changes alone is a damaged one, until it comes again."""
    first = [of_maximum(n / 10, "03.210", "26-11-20 18:15") for n in range(2)]
    _, state = after(*first, of_maximum(1, "03.210", "26-11-20 13:15"))
    assert time_of(state) == "26-11-20 18:15"
    _, state = after(*first, *(of_maximum(n, "03.210", "26-11-22 12:15") for n in (1, 2)))
    assert time_of(state) == "26-11-22 12:15"
    _, state = after(*first, of_maximum(1, "03.310", "26-11-22 12:15"))
    assert time_of(state) == "26-11-22 12:15"
    # A check character vouches for it.
    _, state = after(
        of_maximum(0, "03.210", "26-11-20 18:15", checked=True),
        of_maximum(1, "03.210", "26-11-20 13:15", checked=True),
    )
    assert time_of(state) == "26-11-20 13:15"


def test_time_of_the_reading_itself_is_not_waited_for_long() -> None:
    """Some meters stamp each value with the moment: in three readings it is known to change by itself."""
    times = [of_maximum(n, "03.210", f"26-11-22 12:{n:02}") for n in range(9)]
    for number in range(5, 10):
        _, state = after(*times[:number])
        assert time_of(state) == f"26-11-22 12:{number - 1:02}"


def test_registers_that_an_unchecked_reading_lacks_stay_known() -> None:
    """Part of a telegram is no other meter, and what it has stands for itself."""
    sent_again = reading({"C.1.0": [NUMBER], "2.8.0": ["000012.004*kWh"]}, at=later(1))
    beliefs, state = after(
        sent(0, checked=False), sent(0.1, checked=False), replace(sent_again, health=NO_CHECK)
    )
    assert state is not None
    assert len(state.registers) == len(HOUSEHOLD)
    assert text_of(state, "1-0:1.8.0") == "012345.678"
    assert state.registers["1-0:1.8.0"].received == later(0.1)
    assert text_of(state, "1-0:2.8.0") == "000012.004"
    assert not beliefs.holds
    # What comes back is no newcomer.
    _, state = after(
        sent(0, checked=False),
        sent(0.1, checked=False),
        replace(sent_again, health=NO_CHECK),
        sent(2, {"1.8.0": "012345.700*kWh"}, checked=False),
    )
    assert text_of(state, "1-0:1.8.0") == "012345.700"


def test_damaged_number_is_no_other_meter() -> None:
    damaged = sent(1, {"1.8.0": "012345.700*kWh"}, number="34567813")
    beliefs, state = after(sent(), damaged)
    assert text_of(state, "1-0:1.8.0") == "012345.678"
    assert beliefs.exchange is None
    beliefs, state = after(sent(), damaged, sent(2, {"1.8.0": "012345.710*kWh"}))
    assert text_of(state, "1-0:1.8.0") == "012345.710"
    assert not beliefs.holds


@pytest.mark.parametrize("checked", [True, False])
def test_other_number_that_is_confirmed_is_another_meter(*, checked: bool) -> None:
    others = [
        sent(n / 10, {"1.8.0": f"000003.00{n}*kWh"}, checked=checked, number=OTHER)
        for n in range(1, 5)
    ]
    beliefs, state = after(sent(), *others)
    assert text_of(state, "1-0:1.8.0") == "012345.678"
    assert beliefs.exchange is not None
    assert beliefs.exchange.number == OTHER
    assert text_of(beliefs.exchange.state, "1-0:1.8.0") == "000003.004"
    # Without a number a reading may be either's.
    nameless = reading({"1.8.0": ["000003.010*kWh"]}, at=later(1))
    _, same = after(sent(), *others, nameless)
    assert same is not None
    assert text_of(same, "1-0:1.8.0") == "012345.678"


def test_another_make_has_its_number_elsewhere() -> None:
    stranger = Identification("/ISK5MT174", "ISK", "5", (), "MT174")
    other = reading({"0.0.0": [OTHER], "1.8.0": ["012345.700*kWh"]}, identification=stranger)
    beliefs, state = after(
        sent(), replace(other, received=later(1)), replace(other, received=later(1.1))
    )
    assert text_of(state, "1-0:1.8.0") == "012345.678"
    assert beliefs.exchange is not None


def test_what_was_published_before_anything_was_kept_is_believed() -> None:
    _, state = after(sent())
    assert state is not None
    beliefs = Beliefs.of(state, {})
    taken = beliefs.take(sent(1, {"1.8.0": "000000.000*kWh"}), PROFILE, state, {})
    assert list(taken.beliefs.holds) == ["1-0:1.8.0"]
    taken = beliefs.take(sent(1, number=OTHER), PROFILE, state, {})
    assert taken.state is state


def test_noise_cannot_grow_without_bound() -> None:
    beliefs, state = after(sent())
    for start in range(0, 3 * MOST_REGISTERS, 1000):
        noise = reading({f"N{n}": ["1"] for n in range(start, start + 1000)}, at=later(1))
        taken = beliefs.take(noise, PROFILE, state, {})
        beliefs, state = taken.beliefs, taken.state
    assert len(beliefs.records) <= MOST_REGISTERS + 1000
    assert len(beliefs.holds) <= MOST_REGISTERS + 1000
    taken = beliefs.take(sent(2), PROFILE, state, {})
    assert not any(key in taken.beliefs.holds for key in ("1-0:1.8.0", "ZZ1"))
