"""Stored values: dataclasses, named tuples and what they hold become plain data for JSON, and values again.

The types of the fields say what is stored. A dataclass becomes a mapping by the names of its fields, or a list where it
is marked with `as_list`. What a newer version has added is passed over; what an older one lacks gets its default.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Final, NamedTuple, TypeAliasType, get_args, get_origin, get_type_hints

# For `field(metadata=...)`: the field is not stored, and has its default when it is read again.
NOT_STORED: Final = {"stored": False}


class CodecError(ValueError):
    """Plain data that is no value of the type; says at which place, and never what stands there."""

    def __init__(self, path: str, kind: object) -> None:
        """The place, as names and numbers with points between, and the type."""
        super().__init__(f"{path.removeprefix('.') or 'all of it'} is no {kind}")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _number(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError(text)
    return number


type _Text = tuple[Callable[[Any], str], Callable[[str], object]]

_TEXTS: Final[dict[type, _Text]] = {
    bytes: (lambda octets: octets.decode("latin-1"), lambda text: text.encode("latin-1")),
    # A moment is a date too.
    datetime: (lambda moment: moment.isoformat(), _moment),
    date: (lambda day: day.isoformat(), _day),
    Decimal: (str, _number),
}
_LISTS: Final[set[type]] = set()
_SEPARABLE: Final[set[type]] = set()


def _text(kind: type) -> _Text | None:
    return next((found for one, found in _TEXTS.items() if issubclass(kind, one)), None)


def as_text[T](kind: type[T], write: Callable[[T], str], read: Callable[[str], T]) -> None:
    """Let values of that class be stored as texts; `read` raises ValueError on any other text."""
    _TEXTS[kind] = write, read


def as_list[T](kind: type[T]) -> type[T]:
    """Let a dataclass be stored as the list of its fields: it is short, and fields may only be added behind."""
    _LISTS.add(kind)
    return kind


def separable[T](kind: type[T]) -> type[T]:
    """Let the fields of a dataclass, and what its mappings and tuples hold, be read each by itself.

    What is damaged is left out where there is a default, and costs the rest nothing.
    """
    _SEPARABLE.add(kind)
    return kind


class _Field(NamedTuple):
    name: str
    kind: Any
    required: bool
    # None is the default, and is not written.
    none: bool


@cache
def _fields(kind: type) -> tuple[_Field, ...]:
    """The stored fields of a dataclass or named tuple."""
    hints = get_type_hints(kind)
    if is_dataclass(kind):
        return tuple(
            _Field(
                one.name,
                hints[one.name],
                one.default is MISSING and one.default_factory is MISSING,
                one.default is None,
            )
            for one in fields(kind)
            if one.metadata.get("stored", True)
        )
    defaults = kind._field_defaults  # type: ignore[attr-defined]
    return tuple(
        _Field(name, hint, name not in defaults, none=False) for name, hint in hints.items()
    )


def encode(value: object) -> Any:
    """Plain data, fit for JSON. Raises TypeError on a value of a kind that is not stored."""
    kind = type(value)
    if value is None or kind in (str, int, float, bool):
        return value
    if (text := _text(kind)) is not None:
        return text[0](value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return {
            name if isinstance(name := encode(key), str) else str(name): encode(item)
            for key, item in value.items()
        }
    if isinstance(value, frozenset):
        return sorted(encode(item) for item in value)
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if not is_dataclass(kind):
        raise TypeError(kind)
    if kind in _LISTS:
        return [encode(getattr(value, one.name)) for one in _fields(kind)]
    return {
        one.name: encode(item)
        for one in _fields(kind)
        if (item := getattr(value, one.name)) is not None or not one.none
    }


def decode[T](kind: type[T], data: object, left_out: list[str] | None = None) -> T:
    """The value that `encode` made into this data. Raises CodecError on anything else.

    The places of what was damaged in something separable, and was left out, are added to `left_out`.
    """
    value: T = _Decoder([] if left_out is None else left_out).value(kind, data)
    return value


class _Decoder:
    """Makes values of plain data; knows what was left out."""

    def __init__(self, left_out: list[str]) -> None:
        self._left_out = left_out

    def value(self, kind: Any, data: Any, path: str = "", *, apart: bool = False) -> Any:
        """A value of that type; where its items stand `apart`, damaged ones are left out."""
        if isinstance(kind, TypeAliasType):
            kind = kind.__value__
        origin, args = get_origin(kind), get_args(kind)
        if origin is UnionType:
            (kind,) = (one for one in args if one is not type(None))
            return None if data is None else self.value(kind, data, path, apart=apart)
        if origin is None:
            fielded = is_dataclass(kind) or issubclass(kind, tuple)
            return (self._record if fielded and not _text(kind) else _scalar)(kind, data, path)
        if issubclass(origin, Mapping):
            if not isinstance(data, dict):
                raise CodecError(path, "mapping")
            return {
                key: item
                for name, one in data.items()
                for key in self._kept(args[0], _key(args[0], name), f"{path}.{name}", apart)
                for item in self._kept(args[1], one, f"{path}.{name}", apart)
            }
        if not isinstance(data, list | tuple):
            raise CodecError(path, "list")
        if origin is tuple and args[-1] is not Ellipsis:
            if len(data) != len(args):
                raise CodecError(path, kind)
            pairs = zip(args, data, strict=True)
            return tuple(self.value(*pair, f"{path}.{at}") for at, pair in enumerate(pairs))
        return origin(
            item
            for at, one in enumerate(data)
            for item in self._kept(args[0], one, f"{path}.{at}", apart)
        )

    def _record(self, kind: type, data: Any, path: str) -> Any:
        known = _fields(kind)
        if isinstance(data, list | tuple) and (kind in _LISTS or not is_dataclass(kind)):
            if len(data) > len(known):
                raise CodecError(path, kind.__name__)
            data = dict(zip((one.name for one in known), data, strict=False))
        elif not isinstance(data, dict) or not is_dataclass(kind) or kind in _LISTS:
            raise CodecError(path, kind.__name__)
        apart = kind in _SEPARABLE
        found = {}
        for one in known:
            if one.name in data:
                place = f"{path}.{one.name}"
                for item in self._kept(
                    one.kind, data[one.name], place, apart and not one.required, apart=apart
                ):
                    found[one.name] = item
            elif one.required:
                raise CodecError(f"{path}.{one.name}", one.kind)
        return kind(**found)

    def _kept(
        self, kind: Any, data: Any, path: str, may_be_left_out: bool, *, apart: bool = False
    ) -> tuple[Any, ...]:
        """The value alone, or nothing where it is damaged and may be left out."""
        try:
            return (self.value(kind, data, path, apart=apart),)
        except CodecError:
            if not may_be_left_out:
                raise
            self._left_out.append(path.removeprefix("."))
            return ()


def _key(kind: Any, name: str) -> str | int:
    return int(name) if kind is int and name.isdecimal() else name


def _scalar(kind: type, data: Any, path: str) -> Any:
    try:
        if (text := _text(kind)) is not None and isinstance(data, str):
            return text[1](data)
        if issubclass(kind, Enum) and not isinstance(data, bool):
            return kind(data)
        if type(data) is kind and kind in (str, int, float, bool):
            return data
        if type(data) in (int, float):
            if kind is float:
                return float(data)
            if kind is timedelta:
                return timedelta(seconds=data)
    except (ArithmeticError, TypeError, ValueError) as err:
        raise CodecError(path, kind.__name__) from err
    raise CodecError(path, kind.__name__)
