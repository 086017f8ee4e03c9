"""Actions that read meters now and show a telegram as it was sent."""

import asyncio
from typing import Final

from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_DEVICE_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import (
    async_get_config_entry,
    async_get_device_and_config_entry,
)
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType
import voluptuous as vol

from ..const import DOMAIN
from ..coordinator import MeterCoordinator
from ..messages import async_message
from ..protocol.errors import MeterError, NotPermitted
from ..registers.registry import entity_id_of
from ..registers.values import native, taken_at
from ..runtime import MeterConfigEntry, MeterRuntime
from ..state.description import Description
from ..state.meter_state import RegisterState
from ..state.redaction import SHORTEST_SECRET, redact, redact_value, secrets_of

SERVICE_READ_NOW: Final = "read_now"
SERVICE_RAW_TELEGRAM: Final = "raw_telegram"
ATTR_UNREDACTED: Final = "unredacted"

METERS: Final = {
    vol.Optional(ATTR_CONFIG_ENTRY_ID, default=list): vol.All(cv.ensure_list, [cv.string]),
    vol.Optional(ATTR_DEVICE_ID, default=list): vol.All(cv.ensure_list, [cv.string]),
}
READ_NOW_SCHEMA: Final = vol.Schema(METERS)
RAW_TELEGRAM_SCHEMA: Final = vol.Schema(
    {**METERS, vol.Optional(ATTR_UNREDACTED, default=False): cv.boolean}
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions; they are there as long as Home Assistant runs."""
    hass.services.async_register(
        DOMAIN, SERVICE_READ_NOW, _read_now, READ_NOW_SCHEMA, SupportsResponse.OPTIONAL
    )
    hass.services.async_register(
        DOMAIN, SERVICE_RAW_TELEGRAM, _raw_telegram, RAW_TELEGRAM_SCHEMA, SupportsResponse.ONLY
    )


async def _read_now(call: ServiceCall) -> ServiceResponse:
    """Read the meters; those on one line wait for each other there."""
    meters = meters_of(call)
    results = await asyncio.gather(
        *(meter.async_read_now() for meter in meters), return_exceptions=True
    )
    # Only once all are through: one that fails must not cost the others their reading.
    for meter, result in zip(meters, results, strict=True):
        if isinstance(result, HomeAssistantError):
            raise failed(meter, "read_failed", result) from result
        if isinstance(result, BaseException):
            raise result
    if not call.return_response:
        return None
    masked = await _is_no_administrator(call)
    return {"meters": [_reading(meter, masked=masked) for meter in meters]}


async def _raw_telegram(call: ServiceCall) -> ServiceResponse:
    """Return the last telegrams."""
    unredacted: bool = call.data[ATTR_UNREDACTED]
    if unredacted:
        await _only_administrators(call)
    return {"meters": [_telegram(meter, unredacted=unredacted) for meter in meters_of(call)]}


async def _only_administrators(call: ServiceCall) -> None:
    """Refuse anyone else; an automation has no user, and may pass on to anyone what it gets."""
    user_id = call.context.user_id
    user = None if user_id is None else await call.hass.auth.async_get_user(user_id)
    if user is None:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="unredacted")
    if not user.is_admin:
        raise Unauthorized(context=call.context, user_id=user_id)


async def _is_no_administrator(call: ServiceCall) -> bool:
    """Whether a user asks who is none; an automation may know what it reads."""
    user_id = call.context.user_id
    user = None if user_id is None else await call.hass.auth.async_get_user(user_id)
    return user_id is not None and not (user and user.is_admin)


def meters_of(call: ServiceCall) -> list[MeterCoordinator]:
    """The coordinators of the meters that are meant."""
    return [runtime.coordinator for runtime in runtimes_of(call)]


def runtimes_of(call: ServiceCall) -> list[MeterRuntime]:
    """The meters that are meant, each once, in the order of the call."""
    entries: list[MeterConfigEntry] = [
        *(
            async_get_config_entry(call.hass, DOMAIN, entry_id)
            for entry_id in call.data[ATTR_CONFIG_ENTRY_ID]
        ),
        *(
            async_get_device_and_config_entry(call.hass, DOMAIN, device_id)[1]
            for device_id in call.data[ATTR_DEVICE_ID]
        ),
    ]
    if not entries:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_meter")
    return [entry.runtime_data for entry in dict.fromkeys(entries)]


def failed(
    meter: MeterCoordinator, key: str, reason: MeterError | HomeAssistantError
) -> HomeAssistantError:
    """That something was not done at a meter, and why; what may not be asked for is the caller's fault."""
    own = isinstance(reason, ServiceValidationError | NotPermitted)
    return (ServiceValidationError if own else HomeAssistantError)(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders={
            "meter": meter.config_entry.title,
            "reason": async_message(meter.hass, reason),
        },
    )


def head_of(meter: MeterCoordinator) -> JsonObjectType:
    """What every answer says of its meter."""
    return {
        "config_entry_id": meter.config_entry.entry_id,
        "meter": meter.config_entry.title,
        "received": meter.data.received.isoformat(),
    }


def _reading(meter: MeterCoordinator, *, masked: bool) -> JsonObjectType:
    registers = [
        _register(known, description)
        | {"entity_id": entity_id_of(meter.hass, meter.unique_id, description.key)}
        for known in meter.data.registers.values()
        for description in known.descriptions
    ]
    if masked:
        secrets = _secrets(meter)
        for register in registers:
            if register["value"] is not None:
                address, value = str(register["address"]), str(register["value"])
                register["value"] = redact_value(address, value, secrets)
    return {**head_of(meter), "registers": [*registers]}


def _secrets(meter: MeterCoordinator) -> frozenset[str]:
    """What names the meter or its owner, wherever it stands."""
    secrets = secrets_of(known.register for known in meter.data.registers.values())
    address = meter.reader.address
    return secrets | {address} if len(address) >= SHORTEST_SECRET else secrets


def _register(known: RegisterState, description: Description) -> JsonObjectType:
    """One value: exact, as text, in the unit it is published in, and when it came. `time` is the meter's own."""
    register, zone = known.register, dt_util.get_default_time_zone()
    value = native(register, description, zone)
    taken = taken_at(register, description, zone)
    return {
        "address": register.address,
        "obis": None if register.obis is None else str(register.obis),
        "value": None if value is None else str(value),
        "unit": description.unit,
        "time": None if taken is None else taken.isoformat(),
        "received": known.received.isoformat(),
    }


def _telegram(meter: MeterCoordinator, *, unredacted: bool) -> JsonObjectType:
    state = meter.data
    text, unparsed = state.raw.decode("latin-1"), list(state.unparsed)
    if not unredacted:
        secrets = _secrets(meter)
        text = redact(text, secrets)
        unparsed = [redact(line, secrets) for line in unparsed]
    return {
        **head_of(meter),
        "check": state.health.check.value,
        "text": text,
        "unparsed": [*unparsed],
    }
