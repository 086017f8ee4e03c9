"""How a register is named: the key of a translated name and what fills it.

Here: which qualifications a name takes, and what of a meter's own text may stand in one. Pure.
Never here: the names themselves (translations), classes and units.
"""

import re

from ..protocol.model import Obis, Register
from ..state.description import Context, Placeholders
from .matching import MBUS, is_shared, quantity, tariff
from .tables import ALL_RULES, ANGLES, MAXIMUM_TIME, SYMBOLS, UNKNOWN, Axis, Rule

_LONGEST_CODE = 40
# What a meter says of itself may stand in a name, a page or a notice.
LONGEST_TOLD = 64
# Underscores inside a word are no emphasis in Markdown, and common in the names of firmware.
_MARKUP = re.compile(r"://|www\.|[`*\[\]<>|#~\\]|(?<![^\W_])_+|_+(?![^\W_])", re.IGNORECASE)

# What a name may be qualified by: nothing, one axis, or tariff and period together.
_QUALIFICATIONS = ((), *((axis,) for axis in Axis), (Axis.TARIFF, Axis.PERIOD))


def clean_text(text: str, limit: int = LONGEST_TOLD) -> str:
    """A meter's text as part of a name or notice: printable, without Markdown, links and rows of blanks, cut."""
    return " ".join(_MARKUP.sub(" ", printable(text)).split())[:limit].rstrip()


def printable(text: str) -> str:
    """The text with blanks for whatever cannot be seen."""
    return "".join(character if character.isprintable() else " " for character in text)


def translation_keys() -> dict[str, frozenset[str]]:
    """Every translation key a description may have, with the placeholders of its text."""
    return {
        _translation_key(rule, axes): frozenset(rule.placeholders) | {axis.value for axis in axes}
        for rule in ALL_RULES
        for axes in _QUALIFICATIONS
        if rule.axes.issuperset(axes)
    }


def name_of(
    register: Register, rule: Rule, context: Context, *, past: bool
) -> tuple[str, Placeholders]:
    """Translation key and placeholders; the bare code where no name has been written for the combination."""
    code = register.obis
    # A person knows a register by what its display and manual call it, not by the canonical code.
    shown = register.address.strip().removesuffix("*255")
    if code is None:
        shown = clean_text(shown, _LONGEST_CODE)
    if code is None or rule.name == UNKNOWN:
        return UNKNOWN, {"code": shown}
    symbol, phase = quantity(code)
    filled = {
        "code": shown,
        "number": str(code.e),
        "channel": str(code.b),
        "angle": ANGLES.get(code.e, ""),
        "quantity": _symbol(code, rule, symbol, phase),
    }
    placeholders = {name: text or filled[name] for name, text in rule.placeholders.items()}
    axes: Placeholders = {}
    if Axis.TARIFF in rule.axes and tariff(code):
        axes[Axis.TARIFF] = str(tariff(code))
    if phase and "quantity" not in placeholders:
        axes[Axis.PHASE] = phase
    if code.c == MBUS and Axis.CHANNEL in rule.axes and is_shared(code, context):
        axes[Axis.CHANNEL] = str(code.b)
    if past:
        axes[Axis.PERIOD] = str(code.f)
    wanted = tuple(Axis(name) for name in axes)
    if wanted not in _QUALIFICATIONS or not rule.axes.issuperset(wanted):
        return UNKNOWN, {"code": shown}
    return _translation_key(rule, wanted), placeholders | {str(k): v for k, v in axes.items()}


def _symbol(code: Obis, rule: Rule, base: int, phase: str | None) -> str:
    """The quantity as the standard writes it, for names that cover all of them: Q+ L1, A+ T2."""
    parts = [SYMBOLS.get(base, ""), phase]
    if rule is MAXIMUM_TIME and tariff(code):
        parts.append(f"T{tariff(code)}")
    return " ".join(part for part in parts if part)


def _translation_key(rule: Rule, axes: tuple[Axis, ...]) -> str:
    return "_".join((rule.name, *axes))
