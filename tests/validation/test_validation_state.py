"""Readings through the gates: what joins the state, and whose readings they are."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from decimal import Decimal
import json
from unittest.mock import patch

from homeassistant.components.sensor import SensorStateClass
import pytest

from custom_components.iec62056.protocol.codec import decode, encode
from custom_components.iec62056.protocol.model import (
    Identification,
    LineProfile,
    Medium,
    Mode,
    Reading,
)
from custom_components.iec62056.registers import descriptions
from custom_components.iec62056.registers.descriptions import describe_state
from custom_components.iec62056.registers.index import RegisterIndex
from custom_components.iec62056.registers.overrides import RegisterOverride
from custom_components.iec62056.state.meter_state import MOST_REGISTERS, MeterState
from custom_components.iec62056.validation import validator as validator_module
from custom_components.iec62056.validation.reading_check import (
    CheckSettings,
    ValidationResult,
    check_reading,
)
from custom_components.iec62056.validation.register_history import HoldReason
from custom_components.iec62056.validation.validation_state import ValidationState
from custom_components.iec62056.validation.validator import ReadingValidator

from ..common.bench import HOUSEHOLD, NO_CHECK, NUMBER, later, reading, register

PROFILE = LineProfile(medium=Medium.ELECTRICITY)
OTHER = "99887766"


def after(
    *readings: Reading, said: Mapping[str, RegisterOverride] | None = None
) -> tuple[ValidationState, MeterState | None]:
    """What is believed after these readings; at every step it survives being stored."""
    overrides = said or {}
    validation, state = ValidationState().with_overrides(overrides, None, {}), None
    for one in readings:
        taken = take(validation, one, state)
        validation, state = taken.validation, taken.state
        plain = json.loads(json.dumps(encode(validation)))
        validation = decode(ValidationState, plain)
        assert json.loads(json.dumps(encode(validation))) == plain
        validation = validation.with_overrides(overrides, state, {})
    return validation, state


def take(
    validation: ValidationState,
    one: Reading,
    state: MeterState | None,
    amperes: Decimal | None = None,
) -> ValidationResult:
    settings = CheckSettings({}, validation.overrides, amperes)
    return check_reading(validation, one, PROFILE, state, settings)


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
    validation, state = after(sent())
    assert state is not None
    assert len(state.registers) == len(HOUSEHOLD)
    assert not validation.held


def test_steady_reading_describes_and_indexes_nothing() -> None:
    validation, state = after(sent())
    assert state is not None
    index = RegisterIndex.of(state)
    with patch.object(descriptions, "_describe_all") as described:
        taken = take(validation, sent(1, {"1.8.0": "012345.700*kWh", "16.7": "002.500*kW"}), state)
    assert not described.called
    assert taken.state is not None
    assert text_of(taken.state, "1-0:1.8.0") == "012345.700"
    assert RegisterIndex.of(taken.state, index).places is index.places


def test_first_reading_without_a_check_needs_another_that_agrees() -> None:
    validation, state = after(sent(checked=False))
    assert state is None
    assert {hold.reason for hold in validation.held.values()} == {HoldReason.FIRST}
    validation, state = after(sent(checked=False), sent(0.1, checked=False))
    assert state is not None
    assert len(state.registers) == len(HOUSEHOLD)
    assert not validation.held


def test_first_readings_of_two_numbers_name_no_meter() -> None:
    _, state = after(sent(checked=False), sent(0.1, checked=False, number=OTHER))
    assert state is None


def test_code_that_appears_once_is_no_register() -> None:
    for extra in ("0001.0*kWh", "hello", "26-11-22 12:10", "-.--"):
        validation, state = after(sent(), sent(1, {"9.8.0": extra}))
        assert state is not None
        assert len(state.registers) == len(HOUSEHOLD), extra
        assert len(validation.held) == 1
        validation, state = after(sent(), *(sent(n, {"9.8.0": extra}) for n in (1, 2)))
        assert state is not None
        assert len(state.registers) == len(HOUSEHOLD) + 1, extra
        assert not validation.held


def test_held_register_keeps_its_value_and_its_age() -> None:
    validation, state = after(sent(), sent(1, {"1.8.0": "000000.000*kWh"}))
    assert state is not None
    assert state.registers["1-0:1.8.0"].received == later(0)
    assert state.registers["1-0:2.8.0"].received == later(1)
    assert validation.held["1-0:1.8.0"].reason is HoldReason.FELL


def test_text_that_changes_each_time_is_shown() -> None:
    """Once it was three others in a row; a text that changes once is confirmed."""
    texts = [sent(n, {"ZZ1": f"text {n}"}) for n in range(1, 5)]
    validation, state = after(sent(), *texts)
    assert text_of(state, "ZZ1") == "text 4"
    assert "ZZ1" in validation.varying_texts
    validation, state = after(sent(), sent(1, {"ZZ1": "new"}), sent(1.1, {"ZZ1": "new"}))
    assert text_of(state, "ZZ1") == "new"
    assert not validation.varying_texts


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
    validation, state = after(sent())
    fuse = None if amperes is None else Decimal(amperes)
    taken = take(validation, sent(2, {"1.8.0": "012346.678*kWh"}), state, fuse)
    assert set(taken.validation.held) == set(doubts)


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
    validation, state = after(
        sent(0, checked=False), sent(0.1, checked=False), replace(sent_again, health=NO_CHECK)
    )
    assert state is not None
    assert len(state.registers) == len(HOUSEHOLD)
    assert text_of(state, "1-0:1.8.0") == "012345.678"
    assert state.registers["1-0:1.8.0"].received == later(0.1)
    assert text_of(state, "1-0:2.8.0") == "000012.004"
    assert not validation.held
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
    validation, state = after(sent(), damaged)
    assert text_of(state, "1-0:1.8.0") == "012345.678"
    assert validation.replacement is None
    validation, state = after(sent(), damaged, sent(2, {"1.8.0": "012345.710*kWh"}))
    assert text_of(state, "1-0:1.8.0") == "012345.710"
    assert not validation.held


@pytest.mark.parametrize("checked", [True, False])
def test_other_number_that_is_confirmed_is_another_meter(*, checked: bool) -> None:
    others = [
        sent(n / 10, {"1.8.0": f"000003.00{n}*kWh"}, checked=checked, number=OTHER)
        for n in range(1, 5)
    ]
    validation, state = after(sent(), *others)
    assert text_of(state, "1-0:1.8.0") == "012345.678"
    assert validation.replacement is not None
    assert validation.replacement.number == OTHER
    assert text_of(validation.replacement.state, "1-0:1.8.0") == "000003.004"
    # Without a number a reading may be either's.
    nameless = reading({"1.8.0": ["000003.010*kWh"]}, at=later(1))
    _, same = after(sent(), *others, nameless)
    assert same is not None
    assert text_of(same, "1-0:1.8.0") == "012345.678"


def test_another_make_has_its_number_elsewhere() -> None:
    stranger = Identification("/ISK5MT174", "ISK", "5", (), "MT174")
    other = reading({"0.0.0": [OTHER], "1.8.0": ["012345.700*kWh"]}, identification=stranger)
    validation, state = after(
        sent(), replace(other, received=later(1)), replace(other, received=later(1.1))
    )
    assert text_of(state, "1-0:1.8.0") == "012345.678"
    assert validation.replacement is not None


def test_what_was_published_before_anything_was_kept_is_believed() -> None:
    _, state = after(sent())
    assert state is not None
    validation = ValidationState.of(state, {})
    taken = take(validation, sent(1, {"1.8.0": "000000.000*kWh"}), state)
    assert list(taken.validation.held) == ["1-0:1.8.0"]
    taken = take(validation, sent(1, number=OTHER), state)
    assert taken.state is state


def test_noise_cannot_grow_without_bound() -> None:
    validation, state = after(sent())
    for start in range(0, 3 * MOST_REGISTERS, 1000):
        noise = reading({f"N{n}": ["1"] for n in range(start, start + 1000)}, at=later(1))
        taken = take(validation, noise, state)
        validation, state = taken.validation, taken.state
    assert len(validation.histories) <= MOST_REGISTERS + 1000
    assert len(validation.held) <= MOST_REGISTERS + 1000
    taken = take(validation, sent(2), state)
    assert not any(key in taken.validation.held for key in ("1-0:1.8.0", "ZZ1"))


def test_register_without_a_number_among_more_than_are_kept() -> None:
    """What nobody believed of it is forgotten, and the reading is judged nevertheless."""
    codes = [f"1-{b}:{c}.8.0" for b in range(1, 30) for c in range(1, 80)]
    many = {"1-0:1.8.0": ["----*kWh"], **{code: ["0001.0*kWh"] for code in codes}}
    validation, state = after(reading(many))
    taken = take(validation, reading({**many, codes[0]: ["0002.0*kWh"]}, at=later(1)), state)
    assert len(taken.validation.histories) >= MOST_REGISTERS
    assert text_of(taken.state, codes[0]) == "0002.0"


def test_number_in_the_model_is_no_other_meter_where_the_register_is_missing() -> None:
    """A list, or a few registers, without the number: the make and model still name the known meter, or another."""
    for model, known in ((f"E1-{NUMBER}", True), (f"E1-{OTHER}", False)):
        first = reading(identification=_named(f"E1-{NUMBER}"))
        validation, state = after(first)
        part = reading({"1.8.0": ["012345.700*kWh"]}, identification=_named(model))
        for minute in (1, 2):
            taken = take(validation, replace(part, received=later(minute)), state)
            validation, state = taken.validation, taken.state
        assert (text_of(state, "1-0:1.8.0") == "012345.700") is known
        assert (validation.replacement is None) is known


def _named(model: str) -> Identification:
    return Identification(f"/LGZ4{model}", "LGZ", "4", (), model)


# A number without a known meaning, and what the user makes of it.
COUNTER = RegisterOverride(unit="m3", state_class=SensorStateClass.TOTAL_INCREASING)
BALANCE = RegisterOverride(unit="kWh", state_class=SensorStateClass.TOTAL)
LEVEL = RegisterOverride(unit="m3", state_class=SensorStateClass.MEASUREMENT)
BARE = RegisterOverride(state_class=SensorStateClass.MEASUREMENT)


def bare(minute: float, text: str) -> Reading:
    return sent(minute, {"ZZ2": text})


def told(
    said: Mapping[str, RegisterOverride], validation: ValidationState, state: MeterState | None
) -> tuple[ValidationState, MeterState]:
    """After the user has said something else, and a start."""
    assert state is not None
    validation = decode(ValidationState, json.loads(json.dumps(encode(validation))))
    state = describe_state(decode(MeterState, json.loads(json.dumps(encode(state)))), said)
    return validation.with_overrides(said, state, {}), state


def read(
    validation: ValidationState, state: MeterState, *readings: Reading
) -> tuple[ValidationState, MeterState]:
    for one in readings:
        taken = take(validation, one, state)
        assert taken.state is not None
        validation, state = taken.validation, taken.state
    return validation, state


@pytest.mark.parametrize(
    ("custom", "text", "reason"),
    [
        (COUNTER, "00042.6", None),
        (COUNTER, "00012.5", HoldReason.FELL),
        (COUNTER, "90042.5", HoldReason.OUT_OF_RANGE),
        (COUNTER, "42.5", HoldReason.FORM),
        (BALANCE, "00042.1", None),
        (BALANCE, "90042.5", HoldReason.OUT_OF_RANGE),
        (LEVEL, "00012.5", None),
        (LEVEL, "90042.5", None),
        (BARE, "90042.5", None),
    ],
)
def test_what_a_person_made_of_a_number_is_judged_as_that(
    custom: RegisterOverride, text: str, reason: HoldReason | None
) -> None:
    validation, state = after(bare(0, "00042.5"), bare(1, text), said={"ZZ2": custom})
    assert {key: hold.reason for key, hold in validation.held.items()} == (
        {} if reason is None else {"ZZ2": reason}
    )
    assert text_of(state, "ZZ2") == (text if reason is None else "00042.5")


def test_total_of_a_persons_making_never_falls() -> None:
    falls = [bare(n, "00012.5") for n in range(1, 9)]
    validation, state = after(bare(0, "00042.5"), *falls, said={"ZZ2": COUNTER})
    assert text_of(state, "ZZ2") == "00042.5"
    assert validation.pending_repairs == {"ZZ2"}
    assert state is not None
    validator = ReadingValidator({"ZZ2": COUNTER})
    validator.state = validation
    state = validator.accept_held("ZZ2", state, later(8)).state
    validation = validator.state
    assert text_of(state, "ZZ2") == "00012.5"
    validation, state = read(validation, state, bare(9, "00012.6"))
    assert text_of(state, "ZZ2") == "00012.6"
    assert not validation.held


def test_total_of_a_persons_making_rolls_over() -> None:
    validation, state = after(bare(0, "99999.9"), said={"ZZ2": COUNTER})
    taken = take(validation, bare(60, "00000.1"), state)
    assert (taken.retry, taken.later, taken.resets) == (False, True, {})
    taken = take(taken.validation, bare(61, "00000.1"), taken.state)
    assert text_of(taken.state, "ZZ2") == "00000.1"
    assert taken.resets == {"ZZ2": 100000}


def test_fuse_bounds_a_total_of_a_persons_making() -> None:
    counted = RegisterOverride(unit="kWh", state_class=SensorStateClass.TOTAL_INCREASING)
    validation, state = after(bare(0, "00042.5"), said={"ZZ2": counted})
    for amperes, held in ((None, set()), (25, {"ZZ2"})):
        fuse = None if amperes is None else Decimal(amperes)
        taken = take(validation, bare(2, "00043.6"), state, fuse)
        assert set(taken.validation.held) == held


@pytest.mark.parametrize("readings", [1, 9])
def test_text_that_becomes_a_total_starts_from_what_is_published(readings: int) -> None:
    """However often it was another text before, which is then no longer looked at."""
    before = after(*(bare(n, f"0004{n}.5") for n in range(readings)))
    validation, state = told({"ZZ2": COUNTER}, *before)
    published = text_of(state, "ZZ2")
    validation, state = read(validation, state, bare(20, "00012.5"), bare(21, "00012.5"))
    assert text_of(state, "ZZ2") == published
    assert validation.pending_repairs == {"ZZ2"}
    risen = f"0004{readings}.0"
    _, state = read(validation, state, bare(22, risen))
    assert text_of(state, "ZZ2") == risen


def test_dashes_are_no_text_of_a_total() -> None:
    validation, state = after(
        *(bare(n, "---.-") for n in range(3)),
        *(bare(n, f"0004{n // 60}.5") for n in range(180, 360, 60)),
        bare(361, "00012.5"),
        said={"ZZ2": COUNTER},
    )
    assert text_of(state, "ZZ2") == "00045.5"
    assert validation.held["ZZ2"].reason is HoldReason.FELL


@pytest.mark.parametrize(
    "now",
    [
        {},
        {"ZZ2": LEVEL},
        {"ZZ2": RegisterOverride(unit="MWh", state_class=SensorStateClass.TOTAL_INCREASING)},
        {"ZZ2": RegisterOverride("Garden", "L")},
    ],
    ids=["nothing", "measurement", "unit", "number"],
)
def test_second_thoughts_begin_anew(now: dict[str, RegisterOverride]) -> None:
    """Nothing stays held, nobody is asked, and what comes next is published."""
    falls = [bare(n, "00012.5") for n in (1, 2)]
    before = after(bare(0, "00042.5"), *falls, said={"ZZ2": COUNTER})
    assert before[0].pending_repairs == {"ZZ2"}
    validation, state = told(now, *before)
    assert (validation.pending_repairs, validation.held) == (frozenset(), {})
    assert validation.histories["1-0:1.8.0"] == before[0].histories["1-0:1.8.0"]
    validation, state = read(validation, state, bare(3, "00042.6"), bare(3.1, "00042.6"))
    assert text_of(state, "ZZ2") == "00042.6"
    assert not validation.held


def test_name_changes_no_judgement() -> None:
    before = after(
        *(bare(60 * n, f"0004{n}.5") for n in range(3)),
        bare(121, "00012.5"),
        said={"ZZ2": COUNTER},
    )
    named = RegisterOverride("Garden", COUNTER.unit, None, COUNTER.state_class)
    validation, _ = told({"ZZ2": named, "ZZ1": RegisterOverride("Greeting")}, *before)
    assert validation.histories == before[0].histories
    assert validation.held == before[0].held


def test_other_meters_total_of_a_persons_making() -> None:
    others = [
        sent(n / 10, {"ZZ2": f"0000{n}.5", "1.8.0": f"000003.00{n}*kWh"}, number=OTHER)
        for n in range(1, 5)
    ]
    before = after(bare(0, "00042.5"), *others)
    assert before[0].replacement is not None
    assert "ZZ2" not in before[0].replacement.first_totals
    # What the user says holds for both meters.
    validation, state = told({"ZZ2": COUNTER}, *before)
    assert validation.replacement is not None
    # While it was a text, another one each time was not yet shown.
    assert validation.replacement.first_totals["ZZ2"] == Decimal("2.5")
    assert validation.replacement.first_totals["1-0:1.8.0"] == Decimal("3.002")
    fell = sent(1, {"ZZ2": "00001.5"}, number=OTHER)
    validation, state = read(validation, state, fell)
    assert validation.replacement is not None
    assert validation.replacement.validation.held["ZZ2"].reason is HoldReason.FELL
    replacement = after(bare(0, "00042.5"), *others, fell, said={"ZZ2": COUNTER})[0].replacement
    assert replacement is not None
    assert replacement.validation.held["ZZ2"].reason is HoldReason.FELL


def test_file_without_what_a_person_said() -> None:
    """It was written when the user's word changed no judgement: of the register, only what is published counts."""
    before, state = after(bare(0, "00042.5"), bare(0.1, "00042.5"))
    plain = encode(before)
    del plain["overrides"], plain["wrong_checks"]
    validation = decode(ValidationState, plain)
    assert validation == before
    assert state is not None
    validation, state = told({"ZZ2": COUNTER}, validation, state)
    validation, state = read(validation, state, bare(1, "00012.5"))
    assert validation.held["ZZ2"].reason is HoldReason.FELL


def test_check_that_is_wrong_three_times_alike() -> None:
    validation = ValidationState()
    for shape, own in (
        (b"a", False),
        (b"b", False),
        (b"b", False),
        (b"b", True),
        (b"b", True),
        (b"", False),
        (b"b", False),
        (b"b", False),
        (b"", False),
        (b"", False),
        (b"", False),
    ):
        validation = validation.check_failed(shape)
        plain = json.loads(json.dumps(encode(validation)))
        assert decode(ValidationState, plain) == validation
        assert validation.check_is_own is own


def without_check(at: float, *registers: tuple[str, str]) -> Reading:
    """A telegram that may have an address more than once."""
    found = tuple(register(address, text) for address, text in registers)
    return replace(reading({}, at=later(at), health=NO_CHECK), registers=found)


def test_second_of_two_registers_with_one_address_is_never_the_current_one() -> None:
    """As of a meter that sends those of the last period behind the present ones."""
    both = [("16.7.0", "001.250*kW"), ("2.7.0", "000.000*kW"), ("16.7.0", "007.800*kW")]
    validation, state = after(without_check(0, *both), without_check(0.1, *both))
    assert state is not None
    assert text_of(state, "1-0:16.7.0") == "001.250"
    _, state = read(validation, state, without_check(1, *both[1:]))
    assert text_of(state, "1-0:16.7.0") == "001.250"
    # If it now sends one only, that counts from the second reading on.
    _, state = read(validation, state, *(without_check(at, *both[1:]) for at in (1, 2)))
    assert text_of(state, "1-0:16.7.0") == "007.800"


PERIOD = {"1.8.0": "012345.678*kWh", "1.9.0": "000312.000*kWh"}


@pytest.mark.parametrize(
    ("before", "now", "begins"),
    [
        ({"0.1.0": "11"}, {"0.1.0": "12"}, True),
        ({"0.1.0": "99"}, {"0.1.0": "99"}, False),
        ({"0.1.2": "26-11-01 00:00"}, {"0.1.2": "26-12-01 00:00"}, True),
        ({"0.1.2": "26-11-01 00:00"}, {"0.1.2": "26-11-01 00:00"}, False),
        # The running total went on, by as much as the new period shows, or not.
        ({}, {"1.8.0": "012345.778*kWh", "1.9.0": "000000.050*kWh"}, True),
        ({}, {"1.8.0": "012345.698*kWh"}, False),
        ({}, {"1.8.0": "000000.000*kWh"}, False),
        ({}, {}, False),
    ],
)
@pytest.mark.parametrize("confirmed", [True, False])
def test_billing_period_begins_with_a_sign_of_its_own(
    before: dict[str, str], now: dict[str, str], *, begins: bool, confirmed: bool
) -> None:
    fell = {"1.9.0": "000000.100*kWh", **now}
    validation, state = after(sent(0, PERIOD | before), sent(60, PERIOD | before))
    assert state is not None
    validation, state = read(validation, state, sent(61, PERIOD | before | fell))
    assert text_of(state, "1-0:1.9.0") == "000312.000"
    last = (
        PERIOD | before | fell if confirmed else PERIOD | before | now | {"1.9.0": "000312.100*kWh"}
    )
    taken = take(validation, sent(62, last), state)
    accepted = begins or not confirmed
    shown = last["1.9.0"] if accepted else PERIOD["1.9.0"]
    assert text_of(taken.state, "1-0:1.9.0") == shown.removesuffix("*kWh")
    assert taken.resets == ({"1-0:1.9.0": Decimal(312)} if begins and confirmed else {})
    assert ("1-0:1.9.0" in taken.validation.pending_repairs) == (confirmed and not begins)


@pytest.mark.parametrize(("flow", "held"), [(None, True), ("6.0", False), ("0.6", True)])
def test_heat_meter_of_a_larger_house_is_believed(flow: str | None, *, held: bool) -> None:
    """Its rated flow bounds what it counts: 12 m³/h with 6, at 100 kW and more."""

    def heat(at: float, volume: str) -> Reading:
        registers = {"6.26": [f"{volume}*m3"], "6.8": ["0012.345*MWh"], "0.0": ["12345678"]}
        if flow is not None:
            registers["9.24"] = [f"{flow}*m3ph"]
        return reading(registers, at=later(at), medium=Medium.HEAT)

    _, state = after(heat(0, "01000.00"), heat(60, "01011.00"))
    assert text_of(state, "6-0:6.26.0") == ("01000.00" if held else "01011.00")


def test_clock_that_is_set_teaches_nothing_and_holds_nothing() -> None:
    """Home Assistant begins with the time it was switched off at, and is told the right one a minute later."""
    validator = ReadingValidator({})
    state: MeterState | None = None

    def show(minute: float, total: float, *, set_to: float | None = None) -> None:
        nonlocal state
        at = minute if set_to is None else set_to
        one = sent(at, {"1.8.0": f"{total:010.3f}*kWh"})
        with patch.object(validator_module, "monotonic", return_value=minute * 60):
            outcome = validator.apply(validator.check(one, PROFILE, state), state, later(at))
        assert outcome is not None
        state = outcome.state

    for hour in range(30):
        show(hour * 60, 12_345 + hour / 10)
    rate = validator.state.histories["1-0:1.8.0"].rate
    # Off for ten hours: 30 kWh in what seems to be a minute.
    show(1741, 12_378)
    assert text_of(state, "1-0:1.8.0") == "012347.900"
    show(1742, 12_378.1, set_to=1742 + 600)
    assert text_of(state, "1-0:1.8.0") == "012378.100"
    show(1803, 12_378.2, set_to=1803 + 600)
    after_it = validator.state.histories["1-0:1.8.0"].rate
    assert rate is not None
    assert after_it is not None
    assert after_it <= rate
    assert not validator.state.pending_repairs


@pytest.mark.parametrize(
    ("mode", "seconds", "published"),
    [(Mode.C, 59, False), (Mode.C, 60, True), (Mode.D, 29, False), (Mode.D, 30, True)],
)
def test_how_far_apart_two_readings_settle_a_size(
    mode: Mode, seconds: int, *, published: bool
) -> None:
    def total(at: float, text: str) -> Reading:
        return sent(at, {"1.8.0": f"{text}*kWh"})

    _, state = before = after(total(0, "999999.990"))
    assert state is not None
    validation = before[0]
    profile = replace(PROFILE, mode=mode)
    for at in (1.0, 1.0 + seconds / 120, 1.0 + seconds / 60):
        taken = check_reading(validation, total(at, "000000.010"), profile, state, CheckSettings())
        validation, state = taken.validation, taken.state
    assert text_of(state, "1-0:1.8.0") == ("000000.010" if published else "999999.990")
