"""What a person is asked about a meter's values.

Here: the questions as issues of Home Assistant. They follow from what is kept of the meter, so they are there again
after a start.
Never here: the answers (repairs), the judgement (beliefs).
"""

from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN
from .registers.descriptions import clean_text
from .state.meter_state import MeterState
from .validation.checks import Sample
from .validation.validation_state import ValidationState

HELD: Final = "held"
EXCHANGED: Final = "exchanged"
CHECK: Final = "check"


def _id(kind: str, entry_id: str, key: str = "") -> str:
    return f"{kind}_{entry_id}_{key}" if key else f"{kind}_{entry_id}"


def _shown(sample: Sample | None) -> str:
    """A value as the meter wrote it, fit to stand in a sentence."""
    return "?" if sample is None else clean_text(f"{sample.text} {sample.unit or ''}")


@callback
def async_ask(
    hass: HomeAssistant,
    entry_id: str,
    title: str,
    beliefs: ValidationState,
    state: MeterState | None,
) -> None:
    """Let exactly those questions stand that are open."""
    open_now: set[str] = set()

    def ask(kind: str, key: str = "", **placeholders: str) -> None:
        issue_id = _id(kind, entry_id, key)
        open_now.add(issue_id)
        ir.async_create_issue(
            hass,
            DOMAIN,
            issue_id,
            data={"entry_id": entry_id, "kind": kind, "key": key},
            is_fixable=True,
            severity=ir.IssueSeverity.WARNING,
            translation_key=kind,
            translation_placeholders={"title": title, **placeholders},
        )

    for key in sorted(beliefs.asked):
        record = beliefs.records[key]
        numbers = [one.sample for one in record.held if one.sample.number is not None]
        ask(
            HELD,
            key,
            code=clean_text(key),
            published=_shown(record.good),
            held=_shown(numbers[-1] if numbers else None),
        )
    other = beliefs.exchange
    if other is not None and other.state is not None:
        ask(
            EXCHANGED,
            old="?" if state is None else clean_text(state.identity.number or "?"),
            new=clean_text(other.number),
        )
    if beliefs.check_is_own:
        ask(CHECK)
    for domain, issue_id in list(ir.async_get(hass).issues):
        mine = domain == DOMAIN and f"_{entry_id}" in issue_id
        if mine and issue_id not in open_now:
            ir.async_delete_issue(hass, DOMAIN, issue_id)


@callback
def async_forget(hass: HomeAssistant, entry_id: str) -> None:
    """No question stands about a meter that is gone."""
    async_ask(hass, entry_id, "", ValidationState(), None)
