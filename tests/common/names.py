"""Every name that a description may have."""

from pathlib import Path

from custom_components.iec62056.registers.naming import _QUALIFICATIONS, _translation_key
from custom_components.iec62056.registers.tables import ALL_RULES


def translation_keys() -> dict[str, frozenset[str]]:
    """Every translation key, with the placeholders of its text."""
    return {
        _translation_key(rule, axes): frozenset(rule.placeholders) | {axis.value for axis in axes}
        for rule in ALL_RULES
        for axes in _QUALIFICATIONS
        if rule.axes.issuperset(axes)
    }


COMPONENT = Path(__file__).parents[2] / "custom_components" / "iec62056"
