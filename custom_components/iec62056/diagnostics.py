"""Diagnostics download: the last telegram with its timing, and why its values are published; everything private is masked."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Final

from homeassistant.const import CONF_PASSWORD
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .const import CONF_NUMBER_CODE
from .entry_data import CONF_EXTRA, CONF_QUICK
from .meter.session_history import TracedSession
from .protocol.errors import MeterError
from .protocol.transport.trace import Direction, Run
from .runtime import MeterConfigEntry
from .state.redaction import SHORTEST_SECRET, mask, mask_frames, redact, secrets_of

# Placeholders that name what is private: a host, another entry.
NAMES: Final = ("port", "holder")
HIDDEN: Final = "…"


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: MeterConfigEntry
) -> dict[str, Any]:
    """Everything needed to understand a reading, nothing that names the meter or its owner."""
    coordinator = entry.runtime_data.coordinator
    state = coordinator.data
    identity = state.identity
    refused = coordinator.reader.login.refused
    pushed = coordinator.reader.line_profile.dlms_push
    secrets = secrets_of(known.register for known in state.registers.values())
    if len(coordinator.reader.address) >= SHORTEST_SECRET:
        secrets |= {coordinator.reader.address}
    return {
        "line": {
            "scheme": coordinator.reader.device.partition("://")[0]
            if "://" in coordinator.reader.device
            else "device",
            "fixed_speed": coordinator.reader.speed,
            "profile": {
                **asdict(coordinator.reader.line_profile),
                "address": mask(coordinator.reader.address),
                # It often is the end of the meter's number.
                "physical": coordinator.reader.line_profile.physical and HIDDEN,
            },
        },
        "meter": {
            "make": identity.make,
            "model": identity.model and redact(identity.model, secrets),
            "firmware": identity.firmware,
            "number": identity.number and mask(identity.number),
            "number_code": entry.data.get(CONF_NUMBER_CODE),
        },
        "access": {
            "refused": refused and refused.outcome.value,
            "refused_at": refused and dt_util.as_local(refused.at).isoformat(timespec="seconds"),
            "stored": CONF_PASSWORD in entry.data,
            "extra": len(entry.options.get(CONF_EXTRA, ())),
            "quick": len(entry.options.get(CONF_QUICK, ())),
        },
        "schedule": {
            "interval": coordinator.interval.total_seconds(),
            "aligned": coordinator.poller.schedule.aligned,
            "life": coordinator.poller.max_age.total_seconds(),
            "alive": coordinator.poller.is_fresh(state.received),
            "failures": coordinator.failures,
            "signal": coordinator.reader.history.signal.current,
            "last_error": _reason(coordinator.last_exception, secrets),
        },
        "telegram": {
            "received": state.received.isoformat(),
            "text": redact(state.raw.decode("latin-1"), secrets),
            "unparsed": [redact(line, secrets) for line in state.unparsed],
        },
        "health": asdict(state.health),
        "validation": {
            "held_since_start": coordinator.validator.counts["held"],
            "retries_since_start": coordinator.validator.counts["retries"],
            "checks_failed_since_start": coordinator.checks_failed,
            "held": {
                key: {"reason": hold.reason, "received": hold.received.isoformat()}
                for key, hold in coordinator.validator.state.held.items()
            },
            "other_meter": coordinator.validator.is_replaced,
        },
        "registers": {
            key: {"received": known.received.isoformat(), "restored": known.restored}
            for key, known in state.registers.items()
        },
        "last_good_session": _session(coordinator.reader.history.last_good, secrets, pushed=pushed),
        "last_bad_session": _session(coordinator.reader.history.last_bad, secrets, pushed=pushed),
    }


def _reason(error: BaseException | None, secrets: Iterable[str]) -> dict[str, str] | None:
    """Why the last reading failed, in the words the user sees, but for names of ports and of other entries."""
    reason = None if error is None else error.__cause__
    if not isinstance(reason, MeterError):
        return None
    shown = {
        name: HIDDEN if name in NAMES else redact(text, secrets)
        for name, text in reason.placeholders.items()
    }
    return {"reason": reason.key, "sentence": str(type(reason)(**shown))}


def _framed(runs: Iterable[Run], *, pushed: bool) -> list[bool]:
    """Of each run whether it is of mode E: from our first frame to our next call; or what a meter `pushed`."""
    framed: list[bool] = []
    frames = False
    for run in runs:
        if run.direction is Direction.SENT:
            first = run.data[0]
            frames = (frames or first == ord("~")) and first & 0x7F != ord("/")
        framed.append(frames or pushed)
    return framed


def _session(
    session: TracedSession | None, secrets: Iterable[str], *, pushed: bool
) -> dict[str, Any] | None:
    """The runs of a session with their times, masked across the gaps between them."""
    if session is None:
        return None
    trace = session.trace
    framed = _framed(trace.runs, pushed=pushed)
    clear: dict[Direction, str] = {}
    for direction in Direction:
        joined = b"".join(
            bytes(run.data)
            for run, frames in zip(trace.runs, framed, strict=True)
            if run.direction is direction and not frames
        )
        # Whether the parity was right is told by `bits`; the characters are those of seven bits.
        clear[direction] = redact(bytes(byte & 0x7F for byte in joined).decode("ascii"), secrets)
    runs = []
    for run, frames, plain_run in zip(trace.runs, framed, trace.as_dict()["runs"], strict=True):
        if frames:
            runs.append({**plain_run, "text": mask_frames(bytes(run.data)).hex(" ")})
            continue
        text, clear[run.direction] = (
            clear[run.direction][: len(run.data)],
            clear[run.direction][len(run.data) :],
        )
        runs.append({**plain_run, "text": text.encode("unicode_escape").decode("ascii")})
    return {"ended": session.ended.isoformat(), "dropped": trace.dropped, "runs": runs}
