"""Actions for load profiles: read one, import it into the statistics, take imports back."""

from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import async_register_admin_service
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType, JsonValueType
import voluptuous as vol

from ..const import DOMAIN
from ..coordinator import MeterCoordinator
from ..protocol.errors import MeterError
from ..protocol.profiles.billing import Billing, billings
from ..protocol.profiles.events import LOGS, Event
from ..protocol.profiles.load_profile import LOAD_PROFILES, Profile, Status
from ..statistics.importer import Result
from ..statistics.planner import Change, SkippedRange
from ..statistics.profile_writer import Imported
from .readings import METERS, failed, head_of, runtimes_of

SERVICE_READ_LOAD_PROFILE: Final = "read_load_profile"
SERVICE_IMPORT_LOAD_PROFILE: Final = "import_load_profile"
SERVICE_CLEAR_IMPORTED: Final = "clear_imported"
ATTR_FROM: Final = "from"
ATTR_TO: Final = "to"
ATTR_PREVIEW: Final = "preview"
ATTR_EVERYTHING: Final = "everything"
ATTR_PROFILE: Final = "profile"

# What a meter has stored at its resets comes with its readout, and has no standard name as a whole.
BILLING: Final = "billing"

# As much as most meters keep of quarters of an hour.
USUAL_PAST: Final = timedelta(days=62)
LONGEST_PAST: Final = timedelta(days=1100)
# The user waits for a read.
LONGEST_READ: Final = timedelta(days=8)
# So long an import is waited for; what takes longer goes on, and the next call says how far it is.
WAIT: Final = 50.0

_RANGE: Final = {vol.Optional(ATTR_FROM): cv.datetime, vol.Optional(ATTR_TO): cv.datetime}
READ_SCHEMA: Final = vol.Schema(
    {
        **METERS,
        **_RANGE,
        vol.Optional(ATTR_PROFILE, default=LOAD_PROFILES[0]): vol.In(
            (*LOAD_PROFILES, *LOGS, BILLING)
        ),
    }
)
IMPORT_SCHEMA: Final = vol.Schema(
    {
        **METERS,
        **_RANGE,
        vol.Optional(ATTR_PREVIEW, default=False): cv.boolean,
        vol.Optional(ATTR_EVERYTHING, default=False): cv.boolean,
    }
)
CLEAR_SCHEMA: Final = vol.Schema(METERS)


@callback
def async_setup_profile_services(hass: HomeAssistant) -> None:
    """Register the actions, for administrators and automations."""
    for name, action, schema, response in (
        (SERVICE_READ_LOAD_PROFILE, _read, READ_SCHEMA, SupportsResponse.ONLY),
        (SERVICE_IMPORT_LOAD_PROFILE, _import, IMPORT_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_CLEAR_IMPORTED, _clear, CLEAR_SCHEMA, SupportsResponse.OPTIONAL),
    ):
        async_register_admin_service(hass, DOMAIN, name, action, schema, supports_response=response)


async def _read(call: ServiceCall) -> ServiceResponse:
    """Read part of a load profile or an event log, the last day where nothing is said; or take what was stored at resets."""
    first, last = _range(call, timedelta(days=1), LONGEST_READ)
    code: str = call.data[ATTR_PROFILE]
    found: list[JsonValueType] = []
    for runtime in runtimes_of(call):
        meter = runtime.coordinator
        answer: JsonObjectType
        try:
            if code == BILLING:
                answer = {"billings": [_billing(one) for one in _billings(meter)]}
            elif code in LOGS:
                events = await meter.reader.async_read_events(code, first, last)
                answer = {"events": [_event(one) for one in events]}
            else:
                profiles = await runtime.importer.async_read(first, last, code)
                answer = {"profiles": [_profile(one) for one in profiles]}
        except MeterError as err:
            raise failed(meter, "profile_failed", err) from err
        found.append({**head_of(meter), **answer})
    return {"meters": found}


async def _import(call: ServiceCall) -> ServiceResponse:
    """Import the load profile into the statistics, or only say what that would change."""
    first, last = _range(call, USUAL_PAST, LONGEST_PAST)
    preview: bool = call.data[ATTR_PREVIEW]
    found: list[JsonValueType] = []
    for runtime in runtimes_of(call):
        meter = runtime.coordinator
        _need_recorder(call.hass)
        try:
            result = await runtime.importer.async_import(
                first, last, everything=call.data[ATTR_EVERYTHING], preview=preview, wait=WAIT
            )
        except MeterError as err:
            raise failed(meter, "profile_failed", err) from err
        found.append({**head_of(meter), **_result(result)})
    return {"meters": found} if call.return_response else None


async def _clear(call: ServiceCall) -> ServiceResponse:
    """Put the statistics back as they were before all imports."""
    found: list[JsonValueType] = []
    for runtime in runtimes_of(call):
        meter = runtime.coordinator
        _need_recorder(call.hass)
        cleared = await runtime.importer.async_clear()
        found.append({**head_of(meter), "hours": {**cleared}})
    return {"meters": found} if call.return_response else None


def _need_recorder(hass: HomeAssistant) -> None:
    if "recorder" not in hass.config.components:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_recorder")


def _range(call: ServiceCall, usual: timedelta, longest: timedelta) -> tuple[datetime, datetime]:
    """The range that is asked for in UTC; times without a zone are local."""
    now = dt_util.utcnow()
    last = min(dt_util.as_utc(call.data.get(ATTR_TO, now)), now)
    first = dt_util.as_utc(call.data.get(ATTR_FROM, last - usual))
    if not timedelta(0) < last - first <= longest:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="bad_range",
            translation_placeholders={"days": str(longest.days)},
        )
    return first, last


def _profile(profile: Profile) -> JsonObjectType:
    rows: list[JsonValueType] = []
    for row in profile.rows:
        numbers: list[JsonValueType] = [None if one is None else str(one) for one in row.values]
        befell: list[JsonValueType] = [
            bit.name.lower() for bit in Status(row.status & 0xFF) if bit.name is not None
        ]
        rows.append({"end": _local(row.end), "values": numbers, "status": befell})
    return {
        "profile": profile.code,
        "minutes": int(profile.period.total_seconds()) // 60,
        "channels": [
            {"code": one.address, "unit": one.unit, "measure": one.measure.value}
            for one in profile.channels
        ],
        "rows": rows,
    }


def _event(event: Event) -> JsonObjectType:
    return {
        "log": event.log,
        "time": None if event.at is None else _local(event.at),
        "status": f"{event.status:08X}",
        "meanings": [meaning.value for meaning in event.meanings],
        "values": {note.address: note.value.text for note in event.notes},
    }


def _billings(meter: MeterCoordinator) -> tuple[Billing, ...]:
    """What the last reading has brought of resets; of an older one, nothing says which reset it was."""
    state = meter.data
    registers = (one.register for one in state.registers.values() if one.received >= state.received)
    return billings(registers, dt_util.get_default_time_zone())


def _billing(billing: Billing) -> JsonObjectType:
    return {
        "number": billing.number,
        "time": None if billing.at is None else _local(billing.at),
        "registers": [
            {
                "address": one.address,
                "obis": None if one.obis is None else str(one.obis),
                "values": [{"value": text, "unit": unit} for text, unit in one.values],
            }
            for one in billing.registers
        ],
    }


def _result(result: Result) -> JsonObjectType:
    job = result.job
    return {
        "finished": job.done,
        "progress": round(job.progress, 3),
        "from": _local(job.first),
        "to": _local(job.last),
        "read_to": _local(job.read_to),
        "preview": job.preview,
        "sensors": [_imported(one) for one in result.sensors],
    }


def _imported(one: Imported) -> JsonObjectType:
    return {
        "entity_id": one.entity_id,
        "unit": one.unit,
        "hours": len(one.plan.changes),
        "changes": [_change(change) for change in one.plan.changes],
        "refused": [_refusal(refusal) for refusal in one.plan.refusals],
    }


def _change(change: Change) -> JsonObjectType:
    return {
        "start": _local(change.start),
        "state": change.hour.state,
        "sum": change.hour.sum,
        "sum_before": None if change.before is None else change.before.sum,
        "measured": change.measured,
    }


def _refusal(refusal: SkippedRange) -> JsonObjectType:
    figures: dict[str, Any] = {"register": refusal.register, "profile": refusal.profile}
    return {
        "reason": refusal.reason.value,
        "from": _local(refusal.first),
        "to": _local(refusal.last),
        **{name: None if one is None else str(one) for name, one in figures.items()},
    }


def _local(moment: datetime) -> str:
    return dt_util.as_local(moment).isoformat()
