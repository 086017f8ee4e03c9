"""Whatever is stored comes back as it was; anything else is refused, or left out where that was allowed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntFlag, StrEnum
import json
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from custom_components.iec62056.protocol import codec
from custom_components.iec62056.protocol.codec import CodecError, decode, encode


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Bits(IntFlag):
    ONE = 1
    TWO = 2


class Point(NamedTuple):
    at: datetime
    number: Decimal | None = None


@codec.as_list
@dataclass(frozen=True, slots=True)
class Short:
    name: str
    points: tuple[Point, ...] = ()
    seen: bool = field(default=False, metadata=codec.NOT_STORED)


type Shorts = tuple[Short, ...]


@dataclass(frozen=True, slots=True)
class Everything:
    text: str
    count: int
    ratio: float
    yes: bool
    colour: Colour
    bits: Bits
    day: date
    span: timedelta
    raw: bytes
    pair: tuple[str, int]
    names: frozenset[str]
    numbers: Mapping[int, Decimal]
    moments: Mapping[datetime, Point | None]
    shorts: Shorts
    other: Everything | None = None
    more: Mapping[str, Short] = field(default_factory=dict)


@codec.separable
@dataclass(slots=True)
class Parts:
    first: Short
    second: Short = field(default_factory=lambda: Short("default"))
    tuple_of: tuple[int, ...] = ()
    by_name: Mapping[str, Point] = field(default_factory=dict)
    inner: Parts | None = None


MOMENTS = st.datetimes(timezones=st.just(UTC)) | st.datetimes(
    timezones=st.integers(-840, 840).map(lambda m: timezone(timedelta(minutes=m)))
)
TEXTS = st.text(max_size=5)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False)
POINTS = st.builds(Point, MOMENTS, st.none() | NUMBERS)
SHORTS = st.builds(Short, TEXTS, st.lists(POINTS, max_size=3).map(tuple), st.just(False))
SPANS = st.integers(-(10**12), 10**12).map(lambda ms: timedelta(milliseconds=ms))


def everything(other: st.SearchStrategy[Everything | None]) -> st.SearchStrategy[Everything]:
    return st.builds(
        Everything,
        TEXTS,
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.booleans(),
        st.sampled_from(Colour),
        st.sampled_from([Bits.ONE, Bits.TWO, Bits.ONE | Bits.TWO, Bits(0)]),
        st.dates(),
        SPANS,
        st.binary(max_size=5),
        st.tuples(TEXTS, st.integers()),
        st.frozensets(TEXTS, max_size=3),
        st.dictionaries(st.integers(0, 10**6), NUMBERS, max_size=3),
        st.dictionaries(MOMENTS, st.none() | POINTS, max_size=3),
        st.lists(SHORTS, max_size=3).map(tuple),
        other,
        st.dictionaries(TEXTS, SHORTS, max_size=3),
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(everything(st.none() | everything(st.none())))
def test_everything_comes_back(value: Everything) -> None:
    data = json.loads(json.dumps(encode(value)))
    back = decode(Everything, data)
    assert back == value
    assert encode(back) == encode(value)


START = datetime(2026, 11, 22, 12, tzinfo=UTC)
WHOLE = Everything(
    "x", 1, 1.5, True, Colour.RED, Bits.TWO, date(2026, 1, 2), timedelta(1), b"\xff", ("a", 1),
    frozenset("ab"), {7: Decimal("1.50")}, {START: None}, (Short("s", (Point(START),)),),
)  # fmt: skip


def test_how_it_looks() -> None:
    assert encode(WHOLE) == {
        "text": "x",
        "count": 1,
        "ratio": 1.5,
        "yes": True,
        "colour": "red",
        "bits": 2,
        "day": "2026-01-02",
        "span": 86400.0,
        "raw": "ÿ",
        "pair": ["a", 1],
        "names": ["a", "b"],
        "numbers": {"7": "1.50"},
        "moments": {"2026-11-22T12:00:00+00:00": None},
        "shorts": [["s", [["2026-11-22T12:00:00+00:00", None]]]],
        "more": {},
    }


@pytest.mark.parametrize(
    ("name", "junk"),
    [
        *((name, junk) for name in encode(WHOLE) for junk in (None, object())),
        ("text", 1),
        ("count", True),
        ("count", 1.0),
        ("count", "1"),
        ("ratio", "1"),
        ("ratio", False),
        ("yes", 1),
        ("colour", "green"),
        ("colour", []),
        ("bits", True),
        ("bits", "1"),
        ("day", "2026-13-01"),
        ("span", "1"),
        ("span", 1e300),
        ("span", float("nan")),
        ("raw", "\u0100"),
        ("pair", ["a"]),
        ("pair", ["a", 1, 2]),
        ("names", "ab"),
        ("names", [1]),
        ("numbers", {"x": "1"}),
        ("numbers", {"1": "NaN"}),
        ("numbers", {"1": "one"}),
        ("numbers", []),
        ("moments", {"2026-11-22T12:00:00": None}),
        ("shorts", [["s", [], True]]),
        ("shorts", [[]]),
        ("shorts", [{"name": "s"}]),
        ("more", {"a": [[]]}),
    ],
)
def test_anything_else_is_refused(name: str, junk: Any) -> None:
    data = encode(WHOLE)
    with pytest.raises(CodecError, match=rf"^{name}"):
        decode(Everything, {**data, name: junk})
    if name != "more":
        del data[name]
        with pytest.raises(CodecError, match=rf"^{name}"):
            decode(Everything, data)


def test_what_is_not_known_is_passed_over_and_what_is_missing_has_its_default() -> None:
    data = encode(WHOLE)
    del data["more"]
    assert decode(Everything, {**data, "newer": 1}) == WHOLE
    assert decode(tuple[Short, ...], [["a"]]) == (Short("a"),)


def test_what_is_not_stored_is_not() -> None:
    assert encode(Short("a", seen=True)) == ["a", []]


def test_a_kind_that_is_not_stored() -> None:
    with pytest.raises(TypeError):
        encode({"a": object()})


def parts() -> dict[str, Any]:
    inner = Parts(Short("in"), Short("in2"))
    whole = Parts(Short("a"), Short("b"), (1, 2), {"x": Point(START), "y": Point(START)}, inner)
    data: dict[str, Any] = json.loads(json.dumps(encode(whole)))
    return data


def test_damaged_parts_are_left_out() -> None:
    data, left_out = parts(), list[str]()
    data["second"] = 3
    data["tuple_of"][0] = "one"
    data["by_name"]["x"] = ["never"]
    data["inner"]["second"] = []
    found = decode(Parts, data, left_out)
    inner = Parts(Short("in"))
    assert found == Parts(Short("a"), Short("default"), (2,), {"y": Point(START)}, inner)
    assert left_out == ["second", "tuple_of.0", "by_name.x", "inner.second"]


def test_a_part_that_cannot_be_missing() -> None:
    data, left_out = parts(), list[str]()
    data["inner"]["first"] = None
    assert decode(Parts, data, left_out).inner is None
    assert left_out == ["inner"]
    data["first"] = [["nothing"]]
    with pytest.raises(CodecError, match=r"^first"):
        decode(Parts, data)
