"""Actions that read and write registers, execute commands and set the clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Final, cast

from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.service import async_register_admin_service
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType, JsonValueType
import voluptuous as vol

from ..const import DOMAIN
from ..coordinator import MeterCoordinator
from ..derived.history import DerivedHistory
from ..derived.sources import Derived
from ..derived.values import DerivedValues
from ..entry_data import CONF_AUTOMATIONS, CONF_CLOCK, CONF_EXECUTE, CONF_WRITE
from ..messages import async_message
from ..protocol.ascii import clock
from ..protocol.client import MeterClient
from ..protocol.errors import ClockUnknown, MeterError, NotPermitted
from ..protocol.model import Register
from ..protocol.register_session import Answer, RegisterSession, WriteOutcome, Written
from ..registers.descriptions import describe_state
from ..registers.index import RegisterIndex
from ..registers.overrides import overrides_of
from ..state.meter_state import MeterState
from .readings import METERS, failed, head_of, meters_of

SERVICE_READ_REGISTERS: Final = "read_registers"
SERVICE_WRITE_REGISTER: Final = "write_register"
SERVICE_SET_CLOCK: Final = "set_clock"
SERVICE_EXECUTE: Final = "execute"

ATTR_CODES: Final = "codes"
ATTR_LEVELS: Final = "levels"
ATTR_CODE: Final = "code"
ATTR_VALUE: Final = "value"
ATTR_LIMIT: Final = "limit"

# What was asked for and what became of it; what was written is left out: it may be a password.
EVENT_CHANGED: Final = f"{DOMAIN}_changed"
ATTR_ACTION: Final = "action"
ATTR_METER: Final = "meter"
ATTR_RESULT: Final = "result"

CLOCK_IN_MODE_E: Final = "0-0:1.0.0"
# What is asked for in one session must not keep the line from everybody else.
MOST_CODES: Final = 64
# A drift that nobody notices, and more than what the asking takes.
USUAL_LIMIT: Final = 30
_SHORTEST_LIMIT: Final = 5
_LONGEST_LIMIT: Final = 86400

READ_SCHEMA: Final = vol.Schema(
    {
        **METERS,
        vol.Required(ATTR_CODES): vol.All(
            cv.ensure_list, [cv.string], vol.Length(min=1, max=MOST_CODES)
        ),
        vol.Optional(ATTR_LEVELS, default=False): cv.boolean,
    }
)
CHANGE_SCHEMA: Final = vol.Schema(
    {**METERS, vol.Required(ATTR_CODE): cv.string, vol.Optional(ATTR_VALUE, default=""): cv.string}
)
CLOCK_SCHEMA: Final = vol.Schema(
    {
        **METERS,
        vol.Optional(ATTR_LIMIT, default=USUAL_LIMIT): vol.All(
            vol.Coerce(int), vol.Range(min=_SHORTEST_LIMIT, max=_LONGEST_LIMIT)
        ),
    }
)

# The option without which an action is refused, and the sentence that names it.
_NEEDS: Final = {
    SERVICE_WRITE_REGISTER: (CONF_WRITE, "write_off"),
    SERVICE_EXECUTE: (CONF_EXECUTE, "execute_off"),
    SERVICE_SET_CLOCK: (CONF_CLOCK, "clock_off"),
}


@callback
def async_setup_access_services(hass: HomeAssistant) -> None:
    """Register the actions, for administrators; automations need an option of the meter to change anything."""
    for name, action, schema, response in (
        (SERVICE_READ_REGISTERS, _read, READ_SCHEMA, SupportsResponse.ONLY),
        (SERVICE_WRITE_REGISTER, _write, CHANGE_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_EXECUTE, _execute, CHANGE_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_SET_CLOCK, _set_clock, CLOCK_SCHEMA, SupportsResponse.OPTIONAL),
    ):
        async_register_admin_service(hass, DOMAIN, name, action, schema, supports_response=response)


async def _read(call: ServiceCall) -> ServiceResponse:
    """Read registers; with `levels`, tell at which level each can be seen."""
    found: list[JsonObjectType] = []
    for meter in meters_of(call):
        codes = call.data[ATTR_CODES]
        async with _session(meter) as client:
            answers = await (client.survey(codes) if call.data[ATTR_LEVELS] else client.read(codes))
        registers: list[JsonValueType] = [_answer(call.hass, answer) for answer in answers]
        found.append({**head_of(meter), "registers": registers})
    return cast(JsonObjectType, {"meters": found})


async def _write(call: ServiceCall) -> ServiceResponse:
    """Write one register."""
    meter, code = _allowed(call), call.data[ATTR_CODE]
    async with _session(meter, change=True) as client:
        written = await client.write(code, call.data[ATTR_VALUE])
    return _result(call, meter, written)


async def _execute(call: ServiceCall) -> ServiceResponse:
    """Execute one command."""
    meter, code = _allowed(call), call.data[ATTR_CODE]
    async with _session(meter, change=True) as client:
        written = await client.execute(code, call.data[ATTR_VALUE])
    return _result(call, meter, written)


async def _set_clock(call: ServiceCall) -> ServiceResponse:
    """Set the clock where it is off."""
    meter, limit = _allowed(call), timedelta(seconds=call.data[ATTR_LIMIT])
    async with _session(meter, change=True) as client, client.conversation() as session:
        drift = await _drift(meter, session)
        written = None
        if abs(drift) > limit:
            written = await session.set_clock(dt_util.as_local(dt_util.utcnow()))
    ahead: JsonObjectType = {"ahead": int(drift.total_seconds())}
    if written is None:
        return {**head_of(meter), **ahead, ATTR_RESULT: "right"} if call.return_response else None
    response = _result(call, meter, written)
    return None if response is None else {**response, **ahead}


def _allowed(call: ServiceCall) -> MeterCoordinator:
    """The one meter that is meant, if it may be changed so. Nothing was sent to it."""
    meters = meters_of(call)
    if len(meters) > 1:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="one_meter")
    meter = meters[0]
    options = meter.config_entry.options
    option, refusal = _NEEDS[call.service]
    if not options.get(option):
        raise _refused(meter, refusal)
    if call.context.user_id is None and not options.get(CONF_AUTOMATIONS):
        raise _refused(meter, "automations_off")
    return meter


def _refused(meter: MeterCoordinator, key: str) -> ServiceValidationError:
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders={ATTR_METER: meter.config_entry.title},
    )


@asynccontextmanager
async def _session(meter: MeterCoordinator, *, change: bool = False) -> AsyncIterator[MeterClient]:
    """The client on an open line; a failure becomes a sentence."""
    try:
        async with meter.reader.session(change=change) as client:
            yield client
    except MeterError as err:
        raise failed(meter, "access_failed", err) from err


async def _drift(meter: MeterCoordinator, session: RegisterSession) -> timedelta:
    """How far the clock of the meter is ahead. Raises ClockUnknown where that cannot be said."""
    codes = (CLOCK_IN_MODE_E,) if meter.reader.in_mode_e else (clock.DATE, clock.TIME)
    registers = (answer.register for answer in await session.read(codes))
    shown = replace(
        meter.data.reading,
        registers=tuple(register for register in registers if register is not None),
        received=dt_util.utcnow(),
        health=replace(meter.data.health, duration=0.0),
    )
    overrides = overrides_of(meter.config_entry.options)
    state = describe_state(MeterState.of(shown, meter.data.profile), overrides)
    zone = dt_util.get_default_time_zone()
    ahead = (
        DerivedValues(RegisterIndex.of(state), DerivedHistory(), zone)
        .result(Derived.CLOCK_DRIFT)
        .value
    )
    if not isinstance(ahead, Decimal):
        raise ClockUnknown
    return timedelta(seconds=int(ahead))


def _result(call: ServiceCall, meter: MeterCoordinator, written: Written) -> ServiceResponse:
    """Note what became of a change and return it; who wants no answer gets an error where it was not made."""
    if written.certainty is WriteOutcome.NOT_SENT:
        raise failed(meter, "access_failed", written.refusal or NotPermitted(code=written.code))
    device = dr.async_get(call.hass).async_get_device_by_identifier(
        (DOMAIN, meter.unique_id), meter.config_entry.entry_id
    )
    call.hass.bus.async_fire(
        EVENT_CHANGED,
        {
            "config_entry_id": meter.config_entry.entry_id,
            ATTR_DEVICE_ID: None if device is None else device.id,
            ATTR_METER: meter.config_entry.title,
            ATTR_ACTION: call.service,
            ATTR_CODE: written.code,
            ATTR_RESULT: written.certainty.value,
        },
        context=call.context,
    )
    refusal = written.refusal
    if call.return_response:
        return {
            **head_of(meter),
            ATTR_CODE: written.code,
            ATTR_RESULT: written.certainty.value,
            "before": _values(written.before),
            "after": _values(written.after),
            "reason": None if refusal is None else async_message(call.hass, refusal),
        }
    if refusal is not None:
        raise failed(meter, "access_failed", refusal)
    return None


def _answer(hass: HomeAssistant, answer: Answer) -> JsonObjectType:
    refusal = answer.refusal
    return {
        ATTR_CODE: answer.code,
        "level": answer.level.value,
        "obis": None
        if answer.register is None or answer.register.obis is None
        else str(answer.register.obis),
        "values": _values(answer.register),
        "refused": None if refusal is None else refusal.key,
        "reason": None if refusal is None else async_message(hass, refusal),
    }


def _values(register: Register | None) -> list[JsonValueType] | None:
    """The brackets of a register, as text; None where there is no register."""
    if register is None:
        return None
    return [{"value": text, "unit": unit} for text, unit in register.values]
