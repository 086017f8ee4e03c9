"""Readings through the gates: what joins the state, and whose readings they are."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from decimal import Decimal
import json

from homeassistant.components.sensor import SensorStateClass
import pytest

from custom_components.iec62056.protocol.codec import decode, encode
from custom_components.iec62056.protocol.model import Identification, LineProfile, Medium, Reading
from custom_components.iec62056.registers.overrides import RegisterOverride
from custom_components.iec62056.state.meter_state import MOST_REGISTERS, MeterState
from custom_components.iec62056.validation.checks import HoldReason
from custom_components.iec62056.validation.validation_state import ValidationState

from ..common.bench import HOUSEHOLD, NO_CHECK, NUMBER, later, reading

PROFILE = LineProfile(medium=Medium.ELECTRICITY)
OTHER = "99887766"


def after(
    *readings: Reading, said: Mapping[str, RegisterOverride] | None = None
) -> tuple[ValidationState, MeterState | None]:
    """What is believed after these readings; at every step it survives being stored."""
    beliefs, state = ValidationState().as_said(said or {}, None, {}), None
    for one in readings:
        taken = beliefs.take(one, PROFILE, state, {})
        beliefs, state = taken.beliefs, taken.state
        plain = json.loads(json.dumps(encode(beliefs)))
        beliefs = decode(ValidationState, plain)
        assert json.loads(json.dumps(encode(beliefs))) == plain
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
    assert {hold.doubt for hold in beliefs.holds.values()} == {HoldReason.FIRST}
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
    assert beliefs.holds["1-0:1.8.0"].doubt is HoldReason.FELL


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
    beliefs = ValidationState.of(state, {})
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


def test_register_without_a_number_among_more_than_are_kept() -> None:
    """What nobody believed of it is forgotten, and the reading is judged nevertheless."""
    codes = [f"1-{b}:{c}.8.0" for b in range(1, 30) for c in range(1, 80)]
    many = {"1-0:1.8.0": ["----*kWh"], **{code: ["0001.0*kWh"] for code in codes}}
    beliefs, state = after(reading(many))
    taken = beliefs.take(
        reading({**many, codes[0]: ["0002.0*kWh"]}, at=later(1)), PROFILE, state, {}
    )
    assert len(taken.beliefs.records) >= MOST_REGISTERS
    assert text_of(taken.state, codes[0]) == "0002.0"


def test_number_in_the_model_is_no_other_meter_where_the_register_is_missing() -> None:
    """A list, or a few registers, without the number: the make and model still name the known meter, or another."""
    for model, known in ((f"E1-{NUMBER}", True), (f"E1-{OTHER}", False)):
        first = reading(identification=_named(f"E1-{NUMBER}"))
        beliefs, state = after(first)
        part = reading({"1.8.0": ["012345.700*kWh"]}, identification=_named(model))
        for minute in (1, 2):
            taken = beliefs.take(replace(part, received=later(minute)), PROFILE, state, {})
            beliefs, state = taken.beliefs, taken.state
        assert (text_of(state, "1-0:1.8.0") == "012345.700") is known
        assert (beliefs.exchange is None) is known


def _named(model: str) -> Identification:
    return Identification(f"/LGZ4{model}", "LGZ", "4", (), model)


# A number without a known meaning, and what a person makes of it.
COUNTER = RegisterOverride(unit="m3", state_class=SensorStateClass.TOTAL_INCREASING)
BALANCE = RegisterOverride(unit="kWh", state_class=SensorStateClass.TOTAL)
LEVEL = RegisterOverride(unit="m3", state_class=SensorStateClass.MEASUREMENT)
BARE = RegisterOverride(state_class=SensorStateClass.MEASUREMENT)


def bare(minute: float, text: str) -> Reading:
    return sent(minute, {"ZZ2": text})


def told(
    said: Mapping[str, RegisterOverride], beliefs: ValidationState, state: MeterState | None
) -> tuple[ValidationState, MeterState]:
    """After a person has said something else, and a start."""
    assert state is not None
    beliefs = decode(ValidationState, json.loads(json.dumps(encode(beliefs))))
    return beliefs.as_said(said, state, {}), state


def read(
    beliefs: ValidationState, state: MeterState, *readings: Reading
) -> tuple[ValidationState, MeterState]:
    for one in readings:
        taken = beliefs.take(one, PROFILE, state, {})
        assert taken.state is not None
        beliefs, state = taken.beliefs, taken.state
    return beliefs, state


@pytest.mark.parametrize(
    ("custom", "text", "doubt"),
    [
        (COUNTER, "00042.6", None),
        (COUNTER, "00012.5", HoldReason.FELL),
        (COUNTER, "90042.5", HoldReason.TOO_FAST),
        (COUNTER, "42.5", HoldReason.FORM),
        (BALANCE, "00042.1", None),
        (BALANCE, "90042.5", HoldReason.TOO_FAST),
        (LEVEL, "00012.5", None),
        (LEVEL, "90042.5", None),
        (BARE, "90042.5", None),
    ],
)
def test_what_a_person_made_of_a_number_is_judged_as_that(
    custom: RegisterOverride, text: str, doubt: HoldReason | None
) -> None:
    beliefs, state = after(bare(0, "00042.5"), bare(1, text), said={"ZZ2": custom})
    assert {key: hold.doubt for key, hold in beliefs.holds.items()} == (
        {} if doubt is None else {"ZZ2": doubt}
    )
    assert text_of(state, "ZZ2") == (text if doubt is None else "00042.5")


def test_total_of_a_persons_making_never_falls() -> None:
    falls = [bare(n, "00012.5") for n in range(1, 9)]
    beliefs, state = after(bare(0, "00042.5"), *falls, said={"ZZ2": COUNTER})
    assert text_of(state, "ZZ2") == "00042.5"
    assert beliefs.asked == {"ZZ2"}
    assert state is not None
    beliefs, state = beliefs.believe("ZZ2", state, {})
    assert text_of(state, "ZZ2") == "00012.5"
    beliefs, state = read(beliefs, state, bare(9, "00012.6"))
    assert text_of(state, "ZZ2") == "00012.6"
    assert not beliefs.holds


def test_total_of_a_persons_making_rolls_over() -> None:
    beliefs, state = after(bare(0, "99999.9"), said={"ZZ2": COUNTER})
    taken = beliefs.take(bare(60, "00000.1"), PROFILE, state, {})
    assert (taken.again, taken.anew) == (True, {})
    taken = taken.beliefs.take(bare(60.1, "00000.1"), PROFILE, taken.state, {})
    assert text_of(taken.state, "ZZ2") == "00000.1"
    assert taken.anew == {"ZZ2": 100000}


def test_fuse_bounds_a_total_of_a_persons_making() -> None:
    counted = RegisterOverride(unit="kWh", state_class=SensorStateClass.TOTAL_INCREASING)
    beliefs, state = after(bare(0, "00042.5"), said={"ZZ2": counted})
    for amperes, held in ((None, set()), (25, {"ZZ2"})):
        fuse = None if amperes is None else Decimal(amperes)
        taken = beliefs.take(bare(2, "00043.6"), PROFILE, state, {}, fuse)
        assert set(taken.beliefs.holds) == held


@pytest.mark.parametrize("readings", [1, 9])
def test_text_that_becomes_a_total_starts_from_what_is_published(readings: int) -> None:
    """However often it was another text before, which is then no longer looked at."""
    before = after(*(bare(n, f"0004{n}.5") for n in range(readings)))
    beliefs, state = told({"ZZ2": COUNTER}, *before)
    published = text_of(state, "ZZ2")
    beliefs, state = read(beliefs, state, bare(20, "00012.5"), bare(21, "00012.5"))
    assert text_of(state, "ZZ2") == published
    assert beliefs.asked == {"ZZ2"}
    risen = f"0004{readings}.0"
    _, state = read(beliefs, state, bare(22, risen))
    assert text_of(state, "ZZ2") == risen


def test_dashes_are_no_text_of_a_total() -> None:
    beliefs, state = after(
        *(bare(n, "---.-") for n in range(3)),
        *(bare(n, f"0004{n}.5") for n in range(3, 6)),
        bare(6, "00012.5"),
        said={"ZZ2": COUNTER},
    )
    assert text_of(state, "ZZ2") == "00045.5"
    assert beliefs.holds["ZZ2"].doubt is HoldReason.FELL


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
    assert before[0].asked == {"ZZ2"}
    beliefs, state = told(now, *before)
    assert (beliefs.asked, beliefs.holds) == (frozenset(), {})
    assert beliefs.records["1-0:1.8.0"] == before[0].records["1-0:1.8.0"]
    beliefs, state = read(beliefs, state, bare(3, "00042.6"), bare(3.1, "00042.6"))
    assert text_of(state, "ZZ2") == "00042.6"
    assert not beliefs.holds


def test_name_changes_no_judgement() -> None:
    before = after(
        *(bare(60 * n, f"0004{n}.5") for n in range(3)),
        bare(121, "00012.5"),
        said={"ZZ2": COUNTER},
    )
    named = RegisterOverride("Garden", COUNTER.unit, None, COUNTER.state_class)
    beliefs, _ = told({"ZZ2": named, "ZZ1": RegisterOverride("Greeting")}, *before)
    assert beliefs.records == before[0].records
    assert beliefs.holds == before[0].holds


def test_other_meters_total_of_a_persons_making() -> None:
    others = [
        sent(n / 10, {"ZZ2": f"0000{n}.5", "1.8.0": f"000003.00{n}*kWh"}, number=OTHER)
        for n in range(1, 5)
    ]
    before = after(bare(0, "00042.5"), *others)
    assert before[0].exchange is not None
    assert "ZZ2" not in before[0].exchange.base
    # What a person says holds for both meters.
    beliefs, state = told({"ZZ2": COUNTER}, *before)
    assert beliefs.exchange is not None
    # While it was a text, another one each time was not yet shown.
    assert beliefs.exchange.base["ZZ2"] == Decimal("2.5")
    assert beliefs.exchange.base["1-0:1.8.0"] == Decimal("3.002")
    fell = sent(1, {"ZZ2": "00001.5"}, number=OTHER)
    beliefs, state = read(beliefs, state, fell)
    assert beliefs.exchange is not None
    assert beliefs.exchange.beliefs.holds["ZZ2"].doubt is HoldReason.FELL
    exchange = after(bare(0, "00042.5"), *others, fell, said={"ZZ2": COUNTER})[0].exchange
    assert exchange is not None
    assert exchange.beliefs.holds["ZZ2"].doubt is HoldReason.FELL


def test_file_without_what_a_person_said() -> None:
    """It was written when a person's word changed no judgement: of the register, only what is published counts."""
    before, state = after(bare(0, "00042.5"), bare(0.1, "00042.5"))
    plain = encode(before)
    del plain["said"], plain["wrong_checks"]
    beliefs = decode(ValidationState, plain)
    assert beliefs == before
    assert state is not None
    beliefs, state = told({"ZZ2": COUNTER}, beliefs, state)
    beliefs, state = read(beliefs, state, bare(1, "00012.5"))
    assert beliefs.holds["ZZ2"].doubt is HoldReason.FELL


def test_check_that_is_wrong_three_times_alike() -> None:
    beliefs = ValidationState()
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
        beliefs = beliefs.check_failed(shape)
        plain = json.loads(json.dumps(encode(beliefs)))
        assert decode(ValidationState, plain) == beliefs
        assert beliefs.check_is_own is own
