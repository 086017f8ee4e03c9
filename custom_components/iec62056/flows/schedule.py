"""Options for when the meter is read: the kind of schedule first, then a page with its fields."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.helpers.selector import BooleanSelector, DurationSelector, TimeSelector
from homeassistant.util import dt as dt_util
import voluptuous as vol

from ..const import CONF_FILL_GAPS
from ..entry_data import (
    ALIGNED_AFTER,
    ALIGNED_BEFORE,
    ALIGNED_OFF,
    BOUNDARIES,
    CONF_ALIGN_READING,
    CONF_BOUNDARY,
    CONF_BOUNDARY_TIME,
    CONF_INTERVAL,
    CONF_MAINS,
    CONF_QUIET_FROM,
    CONF_QUIET_TO,
)
from ..meter.schedule import Schedule
from ..meter.wake_budget import DAY
from ..state.meter_state import MeterState
from .fields import dropdown, one_of
from .forms import OutOfRange, interval_marker, interval_of_form, intervals, shown
from .keys import KeysFlow

CONF_SCHEDULE: Final = "schedule"
INTERVAL: Final = "interval"
ALIGNED: Final = "aligned"
ONCE_A_DAY: Final = "daily"

# What these pages decide about: what they do not keep of these is as it would be by itself.
_DECIDED: Final = (
    CONF_INTERVAL,
    CONF_ALIGN_READING,
    CONF_BOUNDARY,
    CONF_BOUNDARY_TIME,
    CONF_QUIET_FROM,
    CONF_QUIET_TO,
    CONF_FILL_GAPS,
    CONF_MAINS,
)
_WHEN: Final = dropdown(CONF_ALIGN_READING, ALIGNED_BEFORE, ALIGNED_AFTER)
_BOUNDARY: Final = dropdown(CONF_BOUNDARY, *(str(minutes) for minutes in BOUNDARIES))


class ScheduleFlow(KeysFlow):
    """Choose when the meter is read."""

    # As it was when the pages were opened, with the power that the user has chosen.
    _seen: MeterState
    _power: dict[str, Any]

    async def async_step_reading(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the kind of schedule; a meter that sends by itself has but one."""
        options = self.config_entry.options
        self._seen, self._power = self._coordinator.data, {}
        profile = self._seen.profile
        if profile.pushes:
            return await self.async_step_reading_pushed()
        if user_input is not None:
            mains = user_input.get(CONF_MAINS, False)
            self._power = {CONF_MAINS: True} if mains else {}
            self._seen = replace(self._seen, profile=replace(profile, mains=mains))
            pages = {
                INTERVAL: self.async_step_reading_interval,
                ALIGNED: self.async_step_reading_aligned,
                ONCE_A_DAY: self.async_step_reading_daily,
            }
            return await pages[user_input[CONF_SCHEDULE]]()
        now = self._schedule(options)
        kind = INTERVAL
        if now.aligned != ALIGNED_OFF:
            kind = ONCE_A_DAY if now.interval == DAY else ALIGNED
        kinds = one_of(CONF_SCHEDULE, INTERVAL, ALIGNED, ONCE_A_DAY)
        fields: dict[vol.Marker, Any] = {vol.Required(CONF_SCHEDULE, default=kind): kinds}
        if profile.may_have_battery:
            fields[vol.Required(CONF_MAINS, default=profile.mains)] = BooleanSelector()
        return self.async_show_form(
            step_id="reading",
            data_schema=vol.Schema(fields),
            description_placeholders={"duration": shown(now.duration)},
            last_step=False,
        )

    async def async_step_reading_interval(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the time between two readings."""
        return self._interval_page("reading_interval", user_input)

    async def async_step_reading_pushed(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask how often the values of a meter that sends by itself are shown."""
        return self._interval_page("reading_pushed", user_input)

    def _interval_page(self, step: str, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        errors = _wrong_quiet_hours(user_input or {})
        kept: dict[str, Any] = {}
        if user_input is not None:
            try:
                kept = {CONF_INTERVAL: interval_of_form(self._seen.profile, user_input)}
            except OutOfRange:
                errors[CONF_INTERVAL] = "interval"
            if not errors:
                return self._keep_schedule(ALIGNED_OFF, kept, user_input)
        wanted = {**self.config_entry.options, CONF_ALIGN_READING: ALIGNED_OFF}
        fields = {interval_marker(self._schedule(wanted).interval): DurationSelector()}
        if step == "reading_interval":
            fields |= self._quiet_fields() | self._gap_field()
        return self._page(step, fields, user_input, errors)

    async def async_step_reading_aligned(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the time of the clock that readings are aligned to."""
        errors = _wrong_quiet_hours(user_input or {})
        if user_input is not None and not errors:
            kept = {CONF_BOUNDARY: int(user_input[CONF_BOUNDARY])}
            return self._keep_schedule(user_input[CONF_ALIGN_READING], kept, user_input)
        options = self.config_entry.options
        boundary = str(options.get(CONF_BOUNDARY))
        boundary = boundary if boundary in _BOUNDARY.config["options"] else str(BOUNDARIES[0])
        fields: dict[vol.Marker, Any] = {
            vol.Required(CONF_BOUNDARY, default=boundary): _BOUNDARY,
            self._when(): _WHEN,
            **self._quiet_fields(),
            **self._gap_field(),
        }
        return self._page("reading_aligned", fields, user_input, errors)

    async def async_step_reading_daily(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the time of day."""
        if user_input is not None:
            kept = {CONF_BOUNDARY: DAY // timedelta(minutes=1)}
            kept[CONF_BOUNDARY_TIME] = user_input[CONF_BOUNDARY_TIME]
            return self._keep_schedule(user_input[CONF_ALIGN_READING], kept, user_input)
        at = str(self._schedule(self.config_entry.options).at)
        fields: dict[vol.Marker, Any] = {
            vol.Required(CONF_BOUNDARY_TIME, default=at): TimeSelector(),
            self._when(): _WHEN,
            **self._gap_field(),
        }
        return self._page("reading_daily", fields, user_input, {})

    def _when(self) -> vol.Marker:
        aligned = self._schedule(self.config_entry.options).aligned
        default = ALIGNED_BEFORE if aligned == ALIGNED_OFF else aligned
        return vol.Required(CONF_ALIGN_READING, default=default)

    def _quiet_fields(self) -> dict[vol.Marker, Any]:
        options = self.config_entry.options
        return {
            vol.Optional(name, description={"suggested_value": options.get(name)}): TimeSelector()
            for name in (CONF_QUIET_FROM, CONF_QUIET_TO)
        }

    def _gap_field(self) -> dict[vol.Marker, Any]:
        """Whether gaps are filled: nothing is read beyond its turn from a meter on its battery."""
        if self._seen.profile.on_battery:
            return {}
        fills = self.config_entry.options.get(CONF_FILL_GAPS, True)
        return {vol.Required(CONF_FILL_GAPS, default=fills): BooleanSelector()}

    def _page(
        self,
        step: str,
        fields: dict[vol.Marker, Any],
        user_input: dict[str, Any] | None,
        errors: dict[str, str],
    ) -> ConfigFlowResult:
        shortest, longest = intervals(self._seen.profile)
        return self.async_show_form(
            step_id=step,
            data_schema=self.add_suggested_values_to_schema(vol.Schema(fields), user_input),
            errors=errors,
            description_placeholders={
                "shortest": shown(shortest),
                "longest": shown(longest),
                "duration": shown(self._schedule({}).duration),
            },
        )

    def _schedule(self, options: Mapping[str, Any]) -> Schedule:
        return Schedule.of(options, self._seen, dt_util.get_default_time_zone())

    def _keep_schedule(
        self, aligned: str, kept: dict[str, Any], form: Mapping[str, Any]
    ) -> ConfigFlowResult:
        options = self.config_entry.options
        if CONF_INTERVAL in options:
            # What was agreed once holds again as soon as readings are not aligned.
            kept = {CONF_INTERVAL: options[CONF_INTERVAL], **kept}
        kept |= {name: form[name] for name in (CONF_QUIET_FROM, CONF_QUIET_TO) if name in form}
        kept[CONF_ALIGN_READING] = aligned
        if not form.get(CONF_FILL_GAPS, True):
            kept[CONF_FILL_GAPS] = False
        return self._keep(_DECIDED, {**kept, **self._power})


def _wrong_quiet_hours(form: Mapping[str, Any]) -> dict[str, str]:
    begin, end = form.get(CONF_QUIET_FROM), form.get(CONF_QUIET_TO)
    if (begin is None) != (end is None):
        return {CONF_QUIET_TO if end is None else CONF_QUIET_FROM: "quiet_one_end"}
    if begin is not None and begin == end:
        return {CONF_QUIET_TO: "quiet_all_day"}
    return {}
