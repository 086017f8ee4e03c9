"""Elements of a push as registers: codes, numbers with their units, texts and times as in the other modes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
import datetime as dt

from ... import obis as codes
from ...dlms_errors import DlmsMalformed
from ...model import Medium, Obis, Register, Value
from ..clock import date_time
from ..cosem import ScalerUnit
from ..data import Data, Tag
from ..descriptors import LogicalName
from ..objects import quantity, text
from .contents import VALUE, Element, is_date_time
from .makes import (
    AM550,
    E360,
    E450,
    E570,
    E570_WIDE,
    KAIFA,
    KAMSTRUP,
    LIST_NAMES,
    LISTS,
    NAMES,
    UNKNOWN,
    USUAL,
    Convention,
    PositionalList,
    flag_of,
)

_WH, _VARH, _W, _VAR, _AMPERE, _VOLT, _NO_UNIT = 30, 32, 27, 29, 33, 35, 255
# Value group C, of all phases and of each (Blue Book 7.5.1).
_ACTIVE = frozenset((1, 2, 21, 22, 41, 42, 61, 62))
_REACTIVE = frozenset((*range(3, 9), *range(23, 29), *range(43, 49), *range(63, 69)))
_CURRENT, _VOLTAGE, _FACTOR = (
    frozenset((31, 51, 71)),
    frozenset((32, 52, 72)),
    frozenset((13, 33, 53, 73)),
)
# What no phase voltage of a meter is outside of, in V.
_LOWEST, _HIGHEST = 40, 500

_WHOLE_NUMBERS = (Tag.DOUBLE_LONG, Tag.DOUBLE_LONG_UNSIGNED, Tag.LONG64, Tag.LONG64_UNSIGNED)
_WIDE = (Tag.LONG64, Tag.LONG64_UNSIGNED)
_SHAPES = {
    "w": _WHOLE_NUMBERS,
    "s": (Tag.LONG, Tag.LONG_UNSIGNED),
    "e": (Tag.ENUM,),
    "b": (Tag.BOOLEAN,),
    "a": (Tag.ARRAY,),
}
_SIZES = {"c": 12, "o": 6, "h": 4, "d": 5, "p": 2}
_TEXTS = (Tag.OCTET_STRING, Tag.VISIBLE_STRING, Tag.UTF8_STRING)
_UNITS = {
    "energy": (_WH, _VARH),
    "power": (_W, _VAR),
    "current": (_AMPERE, _AMPERE),
    "voltage": (_VOLT, _VOLT),
    "factor": (_NO_UNIT, _NO_UNIT),
}
_NAME = LogicalName(0, 0, 42, 0, 0)
DEVICE_NAME = Obis(*_NAME)
_CLOCK, _NUMBER = Obis(0, 0, 1, 0, 0), Obis(0, 0, 96, 1, 0)
_CLOCK_GROUPS = (1, 0, 0)
# A code that gives no text another meaning.
_ANY = Obis(0, 0, 0, 0, 0)
# Minutes from UTC: the zones of the world end at 14 hours.
_LONGEST_DEVIATION = 14 * 60
# Of HDLC: the lower address of what an E450 sends; an E570 has others.
_E450_LOWER = 0x7F


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of who sent a list: its system title, and how it came."""

    title: bytes = b""
    in_blocks: bool = False
    lower: int | None = None


def registers(elements: Sequence[Element], origin: Origin) -> tuple[Register, ...]:
    """The registers of a push, in the order sent.

    The address is the code as it was sent, or the place in the list where none was. A number is scaled by what the
    telegram says, else by what is known of the make, else it is bare.
    """
    flag = flag_of_list(elements, origin)
    listed = _positional(elements, flag)
    if listed is None:
        coded = any(element.name is not None for element in elements)
        named = [_code(element, elements) if coded else None for element in elements]
        convention = _convention(elements, origin, flag)
    else:
        named = [codes.parse(code) for code in listed.codes]
        convention = listed.convention
    pairs = list(zip(elements, named, strict=True))
    if not _believable(pairs, convention.voltage):
        convention = replace(convention, voltage=None)
    return tuple(
        register for pair in pairs if (register := _register(*pair, convention)) is not None
    )


def flag_of_list(elements: Sequence[Element], origin: Origin) -> str:
    """The FLAG id of who sent a list; empty where nothing tells."""
    if (flag := flag_of(origin.title)) in NAMES:
        return flag
    for element in elements:
        content = _plain_text(element.value)
        if content in LIST_NAMES:
            return LIST_NAMES[content]
        device_name = element.name == _NAME or (element.name is None and not element.place)
        if device_name and content[3:].isdigit() and content[:3] in NAMES:
            return content[:3]
    # Nobody else sends each block in a frame of its own.
    return "LGZ" if origin.in_blocks else ""


def _positional(elements: Sequence[Element], flag: str) -> PositionalList | None:
    """The list without codes that these elements are."""
    if any(element.name is not None for element in elements):
        return None
    fits = [
        one
        for one in LISTS
        if (not flag or flag in one.makes)
        and len(one.shape) == len(elements)
        and all(_has_shape(*pair) for pair in zip(one.shape, elements, strict=True))
    ]
    return fits[0] if len(fits) == 1 else None


def _has_shape(shape: str, element: Element) -> bool:
    value = element.value
    if tags := _SHAPES.get(shape):
        return value.tag in tags
    if shape == "t":
        return value.tag in _TEXTS and (value.value == b"" or _plain_text(value) != "")
    octets = value.value if value.tag is Tag.OCTET_STRING else None
    if not isinstance(octets, bytes) or len(octets) != _SIZES[shape]:
        return False
    return shape != "c" or is_date_time(octets)


def _plain_text(value: Data) -> str:
    """The text of a string, empty where it is none."""
    content = value.value
    if isinstance(content, bytes) and value.tag is Tag.OCTET_STRING:
        content = content.strip(b"\0 ").decode("latin-1")
    return (
        content if isinstance(content, str) and content.isascii() and content.isprintable() else ""
    )


def _code(element: Element, elements: Sequence[Element]) -> Obis | None:
    """The code of an element of a list with codes.

    Some of these begin with a clock (Netz NÖ, Styria) and end with the meter's number (Netz NÖ) without one.
    """
    if element.name is not None:
        sent = _sent(element, element.name)
        # What only a maker could mean has no code that can be stored.
        return sent if codes.parse(str(sent)) == sent else None
    if element is elements[0] and _has_shape("c", element):
        return _CLOCK
    if element is elements[-1] and len(elements) > 1 and _has_shape("t", element):
        return _NUMBER
    return None


def _sent(element: Element, name: LogicalName) -> Obis:
    attribute = None if element.attribute == VALUE else element.attribute
    return Obis(*name, attribute=attribute)


def _convention(elements: Sequence[Element], origin: Origin, flag: str) -> Convention:
    match flag:
        case "LGZ" if not origin.in_blocks:
            return E360
        case "LGZ" if origin.lower == _E450_LOWER:
            return E450
        case "LGZ":
            wide = any(element.value.tag in _WIDE for element in elements)
            return E570_WIDE if wide else E570
        case "ISK":
            return AM550
        case "KFM":
            return KAIFA
        case "KAM":
            models = (_plain_text(element.value) for element in elements)
            known = (KAMSTRUP[end] for model in models for end in KAMSTRUP if model.endswith(end))
            return next(known, UNKNOWN)
    return USUAL


def _believable(pairs: Sequence[tuple[Element, Obis | None]], exponent: int | None) -> bool:
    """Whether the highest phase voltage is one, if numbers are meant like that."""
    voltages = [
        element.value.value
        for element, code in pairs
        if code is not None and _quantity(code) == "voltage" and element.scaler is None
    ]
    highest = max((number for number in voltages if isinstance(number, int)), default=0)
    return not highest or exponent is None or _LOWEST <= highest * 10.0**exponent <= _HIGHEST


def _quantity(code: Obis) -> str:
    """Which quantity of a convention a code stands for; empty for none."""
    if code.a != Medium.ELECTRICITY or code.attribute is not None:
        return ""
    known = code.c in _ACTIVE or code.c in _REACTIVE
    match code.d:
        case 8 if known:
            return "energy"
        case 7 if known:
            return "power"
        case 7 if code.c in _CURRENT:
            return "current"
        case 7 if code.c in _VOLTAGE:
            return "voltage"
        case 7 if code.c in _FACTOR:
            return "factor"
    return ""


def _scaler(code: Obis, convention: Convention) -> ScalerUnit | None:
    """How a number without a scaler is meant."""
    quantity_ = _quantity(code)
    exponent = getattr(convention, quantity_) if quantity_ else None
    if exponent is None:
        return None
    active, reactive = _UNITS[quantity_]
    return ScalerUnit(exponent, reactive if code.c in _REACTIVE else active)


def _register(element: Element, code: Obis | None, convention: Convention) -> Register | None:
    """The register of an element; None for an empty one without a code, and for a number that is none."""
    name = element.name
    address = f"[{element.place}]" if name is None else str(_sent(element, name))
    try:
        values = _values(element, code or _ANY, convention)
    except DlmsMalformed:
        return None
    if code is None and values == (Value(""),):
        return None
    return Register(address, code, values)


def _values(element: Element, code: Obis, convention: Convention) -> tuple[Value, ...]:
    value = element.value
    if moment := _written_time(value, code):
        return (Value(moment),)
    # A list of plain values within a value: each of them.
    if isinstance(value.value, tuple) and not any(
        isinstance(item.value, tuple) for item in value.value
    ):
        return tuple(Value(text(item, code)) for item in value.value) or (Value(""),)
    scaler = element.scaler or _scaler(code, convention)
    return (quantity(value, scaler, code),)


def _written_time(value: Data, code: Obis) -> str:
    """A date-time in ISO 8601 with its offset from UTC, where it has one; empty where it is none."""
    octets = value.value
    timed = value.tag is Tag.DATE_TIME or (code.c, code.d, code.e) == _CLOCK_GROUPS
    if not isinstance(octets, bytes) or len(octets) != 12 or not timed:
        return ""
    read = date_time(octets)
    if read.moment.date is None or read.moment.time is None:
        return ""
    local = dt.datetime.combine(read.moment.date, read.moment.time)
    if read.deviation is not None and abs(read.deviation) <= _LONGEST_DEVIATION:
        local = local.replace(tzinfo=dt.timezone(dt.timedelta(minutes=-read.deviation)))
    return local.replace(microsecond=0).isoformat()
