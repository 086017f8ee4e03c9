"""What a meter tells of its own state, where that is documented."""

from typing import Any

import pytest

from custom_components.iec62056.derived import status_flags
from custom_components.iec62056.derived.status_flags import Fault, StatusFlag
from custom_components.iec62056.derived.values import DerivedValues
from custom_components.iec62056.protocol.model import Identification, Medium

from ..common.bench import START
from ..common.views import Course, Sent

MT174 = Identification("/ISk5MT174-0001", "ISk", "5", (), "MT174-0001")
EM4T = Identification("/EMH5\\@D4EM4TIIW001--", "EMH", "5", (), "\\@D4EM4TIIW001--")
ESY = Identification("/ESY5Q3DA1024 V3.04", "ESY", "5", (), "Q3DA1024 V3.04")


def is_set(derived: DerivedValues, flag: StatusFlag) -> bool | None:
    assert flag in status_flags.offered(derived.index)
    return status_flags.is_set(flag, derived.index, derived.history, derived.zone)


@pytest.mark.parametrize(
    ("address", "sent", "fault"),
    [
        ("F.F", "00000000", False),
        ("1-1:F.F", "00000000", False),
        ("0-0:F.F.0*255", "0000", False),
        ("FF", "00000000", False),
        ("97.97.0", "00", False),
        ("1-0:97.97.0", "40", True),
        ("F.F", "80000000", True),
        ("F.F", "0000000A", True),
        ("F.F", "", None),
        ("F.F", "L1-L2-L3", None),
    ],
)
def test_fault(*, address: str, sent: str, fault: bool | None) -> None:
    derived = Course().read({address: [sent]})
    assert is_set(derived, StatusFlag.FAULT) is fault


@pytest.mark.parametrize(("sent", "fault"), [("0", False), ("4", True)])
def test_fault_of_a_heat_meter(*, sent: str, fault: bool) -> None:
    derived = Course(None, Medium.HEAT).read({"F": [sent]})
    assert is_set(derived, StatusFlag.FAULT) is fault


def test_fault_of_the_past_is_none_now() -> None:
    derived = Course().read({"F.F": ["00000000"], "F.F*01": ["00000001"]})
    assert is_set(derived, StatusFlag.FAULT) is False


@pytest.mark.parametrize(
    ("identification", "sent", "fault"),
    [
        (MT174, "00000000", Fault.NONE),
        (MT174, "00000001", Fault.FIRMWARE),
        (MT174, "00000002", Fault.PARAMETERS),
        (MT174, "00000004", Fault.REGISTERS),
        (MT174, "00000040", Fault.MAINTENANCE),
        (MT174, "00000005", Fault.SEVERAL),
        # A bit the list calls "not used".
        (MT174, "00000080", Fault.OTHER),
        (EM4T, "00002000", Fault.REGISTERS),
        (EM4T, "00000008", Fault.CALIBRATION),
        # Two bits of one kind.
        (EM4T, "00000003", Fault.PARAMETERS),
        (MT174, "", None),
    ],
)
def test_kind_of_fault(identification: Identification, sent: str, fault: Fault | None) -> None:
    derived = Course(identification).read({"F.F": [sent]})
    assert status_flags.fault_sources(derived.index)
    assert status_flags.fault_text(derived.index) is fault


def test_kind_of_fault_is_claimed_only_where_it_is_documented() -> None:
    derived = Course().read({"F.F": ["00000001"]})
    assert not status_flags.fault_sources(derived.index)
    assert status_flags.fault_text(derived.index) is None
    assert not status_flags.fault_sources(Course(MT174).read({"1.8.0": ["1*kWh"]}).index)


@pytest.mark.parametrize(
    ("status", "fault", "phases"),
    [
        ("80", False, False),
        ("82", False, False),
        ("83", True, False),
        ("A2", False, True),
        ("8A", False, True),
        ("--", None, None),
    ],
)
def test_status_byte(*, status: str, fault: bool | None, phases: bool | None) -> None:
    derived = Course(ESY).read({"1-0:96.5.5*255": [status]})
    assert is_set(derived, StatusFlag.FAULT) is fault
    assert is_set(derived, StatusFlag.PHASE_FAILURE) is phases


def test_status_byte_of_another_make_means_something_else() -> None:
    hager = Identification("/HAG5eHZ010C", "HAG", "5", (), "eHZ010C")
    assert status_flags.offered(Course(hager).read({"1-0:96.5.5*255": ["A3"]}).index) == ()


@pytest.mark.parametrize(
    ("flag", "counter"),
    [
        (StatusFlag.TERMINAL_COVER, "0-0:C.51.1"),
        (StatusFlag.MAIN_COVER, "C.51.3"),
        (StatusFlag.MAGNET, "0-0:96.51.5*255"),
    ],
)
def test_counter_of_events(flag: StatusFlag, counter: str) -> None:
    """Who installed the meter has opened it often: only a rise is news, for a day."""
    course = Course()
    assert is_set(course.read({counter: ["12"]}), flag) is False
    assert is_set(course.read({counter: ["13"]}, 60), flag) is True
    assert is_set(course.read({counter: ["13"]}, 60 + 24 * 60 - 1), flag) is True
    assert is_set(course.read({counter: ["13"]}, 60 + 24 * 60), flag) is False


@pytest.mark.parametrize(
    ("registers", "flag", "opened"),
    [
        # An hour ago, a month ago, never; the meter's own time says it, without a reading before.
        ({"C.51.1": ["3"], "C.51.2": ["0261122120000"]}, StatusFlag.TERMINAL_COVER, True),
        ({"C.51.1": ["3"], "C.51.2": ["0261022120000"]}, StatusFlag.TERMINAL_COVER, False),
        ({"C.51.1": ["0"], "C.51.2": [""]}, StatusFlag.TERMINAL_COVER, False),
        ({"C.51.5": ["0"], "C.51.6": ["000000000000"]}, StatusFlag.MAGNET, False),
        ({"C.51.6": ["202611221200"]}, StatusFlag.MAGNET, True),
        ({"96.70": ["26-11-22,12:05"]}, StatusFlag.MAIN_COVER, True),
        ({"96.70": ["18-04-06,16:05"]}, StatusFlag.MAIN_COVER, False),
        ({"96.70": ["00-00-00,00:00"]}, StatusFlag.MAIN_COVER, False),
        # The time of a month's counter is not that of an opening.
        ({"96.71": ["26-11-22,00:00", "00"]}, StatusFlag.TERMINAL_COVER, False),
        ({"C.51.1": ["?"]}, StatusFlag.TERMINAL_COVER, None),
    ],
)
def test_event_by_its_time(*, registers: Sent, flag: StatusFlag, opened: bool | None) -> None:
    assert is_set(Course().read(registers), flag) is opened


def test_counter_of_a_month() -> None:
    course = Course()
    assert (
        is_set(course.read({"96.71": ["26-11-01,00:00", "02"]}), StatusFlag.TERMINAL_COVER) is False
    )
    derived = course.read({"96.71": ["26-12-01,00:00", "00"]}, 10 * 24 * 60)
    assert is_set(derived, StatusFlag.TERMINAL_COVER) is False
    derived = course.read({"96.71": ["26-12-01,00:00", "01"]}, 10 * 24 * 60 + 5)
    assert is_set(derived, StatusFlag.TERMINAL_COVER) is True


@pytest.mark.parametrize("sent", [["3"], ["FF01"], [""], ["2018-04-06 16:05:00"]])
def test_own_codes_of_other_makes_claim_nothing(sent: list[str]) -> None:
    """From 96.50 on each make has its own; the lists of Turkey are known by how they write times."""
    assert status_flags.offered(Course().read({"96.70": sent, "96.71": [*sent, "1"]}).index) == ()


@pytest.mark.parametrize(
    ("registers", "invalid"),
    [
        ({"1.0.0": ["261122130000W"]}, False),
        ({"1.0.0": ["2000-01-01 20:10:30"]}, True),
        ({"1.0.0": ["000000000000W"]}, True),
        ({"0.9.1": ["130000"], "0.9.2": ["261122"]}, False),
        ({"0.9.1": ["00:10:00"], "0.9.2": ["00-00-00"]}, True),
        ({"0.9.1": ["00:10:00"], "0.9.2": [""]}, None),
        # COSEM: the last octet is the clock's status.
        ({"1.0.0": ["07EA0B16070D000000003C00"]}, False),
        ({"1.0.0": ["07EA0B16070D000000003C80"]}, False),
        ({"1.0.0": ["07EA0B16070D000000003C01"]}, True),
        ({"1.0.0": ["07EA0B16070D000000003C02"]}, True),
        ({"1.0.0": ["07EA0B16070D0000008000FF"]}, False),
    ],
)
def test_clock(*, registers: Sent, invalid: bool | None) -> None:
    assert is_set(Course().read(registers), StatusFlag.CLOCK_INVALID) is invalid


def test_clock_of_a_heat_meter() -> None:
    derived = Course(None, Medium.HEAT).read({"9.36": ["2026-11-22&13:00:00"]})
    assert is_set(derived, StatusFlag.CLOCK_INVALID) is False


def test_sources_are_named() -> None:
    derived = Course(ESY).read({"F.F": ["0"], "1-0:96.5.5": ["80"], "C.51.5": ["1"]})
    named: dict[StatusFlag, Any] = {
        flag: [found.key for found in status_flags.sources(flag, derived.index)]
        for flag in status_flags.offered(derived.index)
    }
    assert named == {
        StatusFlag.FAULT: ["0-0:97.97.0", "1-0:96.5.5"],
        StatusFlag.PHASE_FAILURE: ["1-0:96.5.5"],
        StatusFlag.MAGNET: ["0-0:96.51.5"],
    }


def test_event_ahead_of_our_clock_is_told_for_a_day_too() -> None:
    """A meter whose clock is a little ahead."""
    derived = Course().read({"C.51.6": ["202611221305"]}, START)
    assert is_set(derived, StatusFlag.MAGNET) is True
