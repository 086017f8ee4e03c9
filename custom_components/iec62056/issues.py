"""Repair issues of one meter: questions about held values, another meter or its check, notices about its line.

All of them follow from what is stored or from the next failure, so they are there again after a restart.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er, issue_registry as ir

from .const import DOMAIN
from .messages import async_message
from .protocol.errors import LineError, MeterError, OtherProtocol, PortBusy
from .protocol.model import DataSet, LineProfile
from .protocol.obis import infer_medium
from .registers.naming import clean_text
from .registers.registry import entity_id_of
from .state.meter_state import MeterState
from .validation.offsets import totals_of
from .validation.register_history import HoldReason, Sample
from .validation.validation_state import MeterReplacement, ValidationState

# Questions about values.
HELD: Final = "held"
FELL: Final = "fell"
BEYOND: Final = "beyond"
METER_REPLACED: Final = "meter_replaced"
CHECK: Final = "check"
# Notices about the line.
PROTOCOL: Final = "protocol"
PORT_GONE: Final = "port_gone"
SPEED_REFUSED: Final = "speed_refused"
BATTERY: Final = "battery"

# What is asked about a held value; of all others, HELD.
QUESTIONS: Final = {HoldReason.FELL: FELL, HoldReason.OUT_OF_RANGE: BEYOND}
# A machine that is off over night or a bridge that is moved comes back by itself.
GONE_AFTER: Final = timedelta(hours=24)
# Home Assistant takes a total for a new one where it falls below this part of the last number.
RESET_BELOW: Final = Decimal("0.9")


@callback
def async_update_questions(
    hass: HomeAssistant, entry: ConfigEntry, validation: ValidationState, state: MeterState | None
) -> None:
    """Raise the questions that are open, and withdraw all others."""
    wanted: dict[str, tuple[str, str, dict[str, str]]] = {}

    def ask(kind: str, key: str = "", **placeholders: str) -> None:
        issue_id = f"{kind}_{entry.entry_id}_{key}" if key else f"{kind}_{entry.entry_id}"
        wanted[issue_id] = kind, key, placeholders

    for key in sorted(validation.pending_repairs):
        history = validation.histories[key]
        held = [one for one in history.held if one.sample.number is not None]
        ask(
            QUESTIONS.get(held[-1].reason, HELD) if held else HELD,
            key,
            sensor=_name_of(hass, entry, key),
            code=clean_text(key),
            published=_shown(history.good),
            held=_shown(held[-1].sample if held else None),
        )
    other = validation.replacement
    if other is not None and other.state is not None:
        ask(
            METER_REPLACED,
            old="?" if state is None else clean_text(state.identity.number or "?"),
            new=clean_text(other.number),
            amount=_counted_wrongly(validation, other),
        )
    if validation.check_is_own:
        ask(CHECK)
    for issue_id, (kind, key, placeholders) in wanted.items():
        _create(hass, entry, issue_id, kind, placeholders, key=key)
    for domain, issue_id in list(ir.async_get(hass).issues):
        if domain == DOMAIN and f"_{entry.entry_id}" in issue_id and issue_id not in wanted:
            ir.async_delete_issue(hass, DOMAIN, issue_id)


@callback
def async_withdraw_questions(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """The meter is unloaded: nobody could answer."""
    async_update_questions(hass, entry, ValidationState(), None)


@callback
def async_raise_notice(
    hass: HomeAssistant, entry: ConfigEntry, err: MeterError, since: datetime, now: datetime
) -> None:
    """Tell of a failure that does not mend itself. `since` is when the first missing reading was due."""
    if isinstance(err, OtherProtocol):
        _create(hass, entry, _notice_id(entry, PROTOCOL), PROTOCOL, err.placeholders)
    elif isinstance(err, LineError) and not isinstance(err, PortBusy) and now - since >= GONE_AFTER:
        reason = async_message(hass, err)
        _create(hass, entry, _notice_id(entry, PORT_GONE), PORT_GONE, {"reason": reason})


@callback
def async_withdraw_notices(hass: HomeAssistant, entry: ConfigEntry, profile: LineProfile) -> None:
    """The meter was read: its line needs no notice but that the bridge refuses a speed."""
    kinds = [PROTOCOL, PORT_GONE]
    if profile.refused_speed is None:
        kinds.append(SPEED_REFUSED)
    else:
        speed = {"speed": str(profile.refused_speed)}
        _create(hass, entry, _notice_id(entry, SPEED_REFUSED), SPEED_REFUSED, speed)
    for kind in kinds:
        ir.async_delete_issue(hass, DOMAIN, _notice_id(entry, kind))


@callback
def async_withdraw_all(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """The meter is removed."""
    for domain, issue_id in list(ir.async_get(hass).issues):
        if domain == DOMAIN and entry.entry_id in issue_id:
            ir.async_delete_issue(hass, DOMAIN, issue_id)


@callback
def async_propose_battery(
    hass: HomeAssistant, entry: ConfigEntry, state: MeterState, interval: timedelta
) -> None:
    """Propose to read a meter once a day that was added as one of electricity and measures something else."""
    sent = [DataSet(one.address, one.values) for one in state.reading.registers]
    seen = replace(state.profile, medium=infer_medium(state.identification, sent))
    if seen.on_battery and not state.profile.on_battery and interval < timedelta(days=1):
        _create(hass, entry, _notice_id(entry, BATTERY), BATTERY, {})
    else:
        ir.async_delete_issue(hass, DOMAIN, _notice_id(entry, BATTERY))


def _notice_id(entry: ConfigEntry, kind: str) -> str:
    return f"{entry.entry_id}_{kind}"


def _name_of(hass: HomeAssistant, entry: ConfigEntry, key: str) -> str:
    """What the user calls a sensor; its key where it has no name."""
    entities = er.async_get(hass)
    entity_id = entity_id_of(hass, entry.unique_id or entry.entry_id, key)
    entity = None if entity_id is None else entities.async_get(entity_id)
    return clean_text((entity and (entity.name or entity.original_name)) or key)


def _counted_wrongly(validation: ValidationState, other: MeterReplacement) -> str:
    """What a count of costs makes of the exchange: the largest of all totals, as Home Assistant counts a new number."""
    found = {}
    for description in totals_of(other.state, {}) if other.state is not None else ():
        before = validation.number(description.key)
        now = other.validation.number(description.key)
        if before is not None and now is not None:
            risen = now if now < before * RESET_BELOW else now - before
            found[abs(risen), str(risen)] = f"{risen} {description.unit or ''}"
    return clean_text(found[max(found)]) if found else "0"


def _shown(sample: Sample | None) -> str:
    """A value as the meter wrote it, fit to stand in a sentence."""
    return "?" if sample is None else clean_text(f"{sample.text} {sample.unit or ''}")


def _create(
    hass: HomeAssistant,
    entry: ConfigEntry,
    issue_id: str,
    kind: str,
    placeholders: dict[str, str],
    *,
    key: str = "",
) -> None:
    is_notice = kind in (PROTOCOL, PORT_GONE)
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        data={"entry_id": entry.entry_id, "kind": kind, "key": key},
        is_fixable=kind not in (PROTOCOL, SPEED_REFUSED),
        severity=ir.IssueSeverity.ERROR if is_notice else ir.IssueSeverity.WARNING,
        translation_key=kind,
        translation_placeholders={"title": clean_text(entry.title), **placeholders},
    )
