"""Fields that several flows share: the registers of a meter, and when it is read."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from homeassistant.const import UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    BooleanSelector,
    DurationSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TimeSelector,
)
from homeassistant.helpers.translation import async_get_translations
import voluptuous as vol

from ..const import DOMAIN
from ..entry_data import CONF_BOUNDARY_TIME, CONF_INTERVAL, CONF_MAINS
from ..meter.schedule import TIME_OF_DAY, interval_of
from ..meter.wake_budget import DAY, WAKE_UPS_A_DAY
from ..protocol.model import LineProfile
from ..registers.selection import RegisterChoice
from ..state.meter_state import MeterState

# A reading takes the line and the meter's display for some seconds.
SHORTEST_INTERVAL: Final = timedelta(seconds=10)
LONGEST_INTERVAL: Final = timedelta(days=7)

# A number and its unit stay on one line.
NO_BREAK: Final = "\N{NO-BREAK SPACE}"


async def async_labels(
    hass: HomeAssistant, choices: Iterable[RegisterChoice]
) -> list[SelectOptionDict]:
    """The registers as items of a list, in the language of the house."""
    texts = await async_get_translations(hass, hass.config.language, "entity", [DOMAIN])
    return [SelectOptionDict(value=one.key, label=one.label(texts)) for one in choices]


async def async_text(hass: HomeAssistant, kind: str, option: str) -> str:
    """A text that stands within a page, in the language of the house."""
    texts = await async_get_translations(hass, hass.config.language, "selector", [DOMAIN])
    return texts[f"component.{DOMAIN}.selector.{kind}.options.{option}"]


def several(options: list[SelectOptionDict]) -> SelectSelector:
    """Check boxes."""
    return SelectSelector(
        SelectSelectorConfig(options=options, multiple=True, mode=SelectSelectorMode.LIST)
    )


def rhythm_fields(state: MeterState) -> dict[vol.Marker, Any]:
    """When a meter is to be read, as it is asked when it is added: at which time of the day, or how often."""
    if state.profile.pushes:
        return {}
    if state.profile.may_have_battery:
        return {
            vol.Required(CONF_BOUNDARY_TIME, default=str(TIME_OF_DAY)): TimeSelector(),
            vol.Required(CONF_MAINS, default=False): BooleanSelector(),
        }
    return {interval_marker(interval_of(state)): DurationSelector()}


def interval_marker(interval: timedelta) -> vol.Marker:
    """The field for an interval, filled in."""
    seconds = round(interval.total_seconds())
    shown = {"hours": seconds // 3600, "minutes": seconds // 60 % 60, "seconds": seconds % 60}
    return vol.Required(CONF_INTERVAL, default=shown)


def rhythm_of(state: MeterState, form: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry keeps of an interval or a time of the day. Raises OutOfRange where the meter cannot bear the interval."""
    if CONF_INTERVAL in form:
        return {CONF_INTERVAL: interval_of_form(state.profile, form)}
    if form.get(CONF_MAINS):
        return {CONF_MAINS: True}
    return {name: form[name] for name in (CONF_BOUNDARY_TIME,) if name in form}


def interval_of_form(profile: LineProfile, form: Mapping[str, Any]) -> int:
    """The interval of a form in seconds. Raises OutOfRange where the meter cannot bear it."""
    interval = timedelta(**form[CONF_INTERVAL])
    shortest, longest = intervals(profile)
    if not shortest <= interval <= longest:
        raise OutOfRange
    return round(interval.total_seconds())


class OutOfRange(ValueError):
    """An interval that wears out the meter's battery or the line, or outlives the values."""


def intervals(profile: LineProfile) -> tuple[timedelta, timedelta]:
    """The shortest and the longest interval a meter can have."""
    if profile.pushes:
        return timedelta(seconds=1), DAY
    shortest = DAY / WAKE_UPS_A_DAY if profile.on_battery else SHORTEST_INTERVAL
    return shortest, LONGEST_INTERVAL


def shown(length: timedelta) -> str:
    """A time in its largest fitting unit; the unit signs are the same in every language."""
    seconds = max(1, round(length.total_seconds()))
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 120:
        number, sign = seconds, UnitOfTime.SECONDS
    elif minutes < 120:
        number, sign = minutes, UnitOfTime.MINUTES
    elif hours <= 48:
        number, sign = hours, UnitOfTime.HOURS
    else:
        number, sign = round(hours / 24), UnitOfTime.DAYS
    return f"{number}{NO_BREAK}{sign}"
