"""Config entry data: the form's fields, what an entry keeps of them, and the line profile they make."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from homeassistant.const import CONF_ADDRESS, CONF_DEVICE, CONF_PASSWORD

from .const import CONF_MODE
from .protocol.discovery import DiscoveryHints
from .protocol.dlms.security import Mechanism
from .protocol.errors import BadSecret
from .protocol.model import SIGN_ON_SPEED, LineProfile, Mode
from .protocol.reasons import Secret
from .protocol.transport.fair_lock import BUS_IDLE

CONF_SHARED: Final = "shared"
CONF_SHOW_REST: Final = "show_rest"
CONF_ALIGN: Final = "align"
SECTION_SEVERAL: Final = "several"
SECTION_ADVANCED: Final = "advanced"
CONF_SPEED: Final = "speed"
CONF_BUS: Final = "bus"
CONF_DTR: Final = "dtr"
CONF_RTS: Final = "rts"
CONF_WAKE_UP: Final = "wake_up"
CONF_SWITCH_DELAY: Final = "switch_delay"
CONF_REQUEST: Final = "request"
CONF_STAY: Final = "stay"
# How a password is proven; it is kept in the data, beside the password.
CONF_LOGIN: Final = "login"

# Mode E: who asks, how that is proven, and where the meter is on its link. All of it is kept in the data.
CONF_SECURITY: Final = "security"
CONF_ENCRYPTION_KEY: Final = "encryption_key"
CONF_AUTHENTICATION_KEY: Final = "authentication_key"
CONF_SYSTEM_TITLE: Final = "system_title"
CONF_UNENCRYPTED: Final = "unencrypted"
CONF_PROTECTION: Final = "protection"
CONF_CLIENT: Final = "client"
CONF_SERVER: Final = "server"
CONF_PHYSICAL: Final = "physical"
CONF_HDLC_AT_ONCE: Final = "hdlc_at_once"
SECTION_BINARY: Final = "binary"

# Options of an entry: when the meter is read, and what becomes of its registers.
CONF_INTERVAL: Final = "interval"  # seconds; where there is none, what fits the meter
CONF_ALIGN_READING: Final = "aligned"
CONF_BOUNDARY: Final = "boundary"  # minutes: one of BOUNDARIES, or a day
CONF_BOUNDARY_TIME: Final = "boundary_time"  # "HH:MM:SS", for the boundary of a day
CONF_QUIET_FROM: Final = "quiet_from"  # "HH:MM:SS", local; both ends or none
CONF_QUIET_TO: Final = "quiet_to"
CONF_MAINS: Final = "mains"  # whether a meter that could have a battery has mains power
CONF_AMPERES: Final = "amperes"
CONF_REGISTERS: Final = (
    "registers"  # {key of the sensor: whether it is wanted}; only what differs from the default
)
CONF_CUSTOM: Final = "custom"  # {key of the sensor: {name, unit, device_class, state_class}}
CONF_EXTRA: Final = "extra"  # [code]: registers that are asked for with each readout
CONF_QUICK: Final = "quick"  # [code]: registers that are read again and again between the readouts
CONF_QUICK_SECONDS: Final = "quick_seconds"  # from one round of them to the next
CONF_QUICK_REQUEST: Final = "quick_request"  # where they come in a short list: its request
CONF_WRITE: Final = "write"  # [code]: registers that may be written
CONF_EXECUTE: Final = "execute"  # [code]: commands that may be executed
CONF_CLOCK: Final = "set_clock"  # whether the clock may be set
CONF_AUTOMATIONS: Final = "automations"  # whether automations may change what an administrator may

ALIGNED_OFF: Final = "off"
ALIGNED_BEFORE: Final = "before"
ALIGNED_AFTER: Final = "after"
BOUNDARIES: Final = (15, 30, 60)

AUTO: Final = "auto"
ON: Final = "on"
OFF: Final = "off"
# Std Annex B.1 and B.2.
STANDARD: Final = "standard"
FAST: Final = "fast"
NEVER: Final = "never"
MODES: Final = (Mode.A, Mode.B, Mode.C, Mode.D, Mode.E)
# Std 6.3.14 item 13, and what pushing meters and bridges are set to.
SPEEDS: Final = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
# The standard's, and those some makes have for other lists.
REQUESTS: Final = ("?", "#", "2")
# Adapters and heads that take longer are not known.
LONGEST_SWITCH_DELAY: Final = 400

# The security levels of mode E that the user may choose; by itself, a password is of the low one.
SECURITIES: Final = tuple(mechanism.name.lower() for mechanism in Mechanism)
# Client addresses: most makes' for a password or a key, the public client's, SPODES' reader and configurator, NIK's.
CLIENTS: Final = (1, 16, 32, 48, 2)
# HDLC addresses of one octet have seven bits, those of two fourteen (Green Book 8.4.2.2).
MOST_CLIENT: Final = 0x7F
MOST_SERVER: Final = 0x3FFF

_PINS: Final = (CONF_DTR, CONF_RTS)
# Not shown again: a stored secret is kept where its field is left empty.
SECRETS: Final = (CONF_PASSWORD, CONF_ENCRYPTION_KEY, CONF_AUTHENTICATION_KEY, CONF_SYSTEM_TITLE)
_NUMBERS: Final = (CONF_CLIENT, CONF_SERVER, CONF_PHYSICAL)
_BINARY: Final = (CONF_SECURITY, CONF_UNENCRYPTED, CONF_PROTECTION, *_NUMBERS, CONF_HDLC_AT_ONCE)
ALL_BINARY: Final = (*_BINARY, *SECRETS[1:])
# Who asks, and how that is proven: what one meter was told of that is no other's business.
WHO_ASKS: Final = (
    *SECRETS,
    CONF_LOGIN,
    CONF_SECURITY,
    CONF_UNENCRYPTED,
    CONF_PROTECTION,
    CONF_CLIENT,
)
_ADVANCED: Final = (
    CONF_MODE,
    CONF_SPEED,
    CONF_BUS,
    CONF_WAKE_UP,
    CONF_REQUEST,
    CONF_STAY,
    CONF_SWITCH_DELAY,
    CONF_LOGIN,
    *_PINS,
)


def entry_data_from_form(form: Mapping[str, Any], device: str) -> dict[str, Any]:
    """What an entry keeps of the form: nothing of what was left to be found. Raises BadSecret, as `kept_binary`."""
    said: dict[str, Any] = {}
    several = form.get(SECTION_SEVERAL, {})
    if several.get(CONF_SHARED):
        said[CONF_SHARED] = True
    for name, value in form[SECTION_ADVANCED].items():
        if _is_open(value):
            continue
        if name == CONF_MODE:
            said[name] = Mode(value.upper())
        elif name in _PINS:
            said[name] = value == ON
        else:
            said[name] = int(value) if name in (CONF_SPEED, CONF_SWITCH_DELAY) else value
    said |= mode_e_data_from_form(form.get(SECTION_BINARY, {}))
    address = several.get(CONF_ADDRESS, "").strip()
    return {CONF_DEVICE: device, CONF_ADDRESS: address, **said}


def _is_open(value: Any) -> bool:
    """Whether a field says nothing."""
    return value is None or value is False or value in (AUTO, "")


def mode_e_data_from_form(form: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry keeps of the fields of mode E. Raises BadSecret where the client address is none."""
    said = {
        name: value for name, value in form.items() if name in ALL_BINARY and not _is_open(value)
    }
    for name in _NUMBERS:
        if name in said:
            said[name] = _number(said[name])
    if not 1 <= said.get(CONF_CLIENT, 1) <= MOST_CLIENT:
        raise BadSecret(why=Secret.CLIENT)
    return said


def _number(value: Any) -> int:
    try:
        return int(value)
    except ValueError:
        return 0


def mode_e_form_from_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of mode E that `kept_binary` took those data from; no secret is shown again."""
    return {
        name: str(data[name]) if name == CONF_CLIENT else data[name]
        for name in _BINARY
        if name in data
    }


def form_from_entry_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """The form that `kept` took those data from."""
    several = {name: data[name] for name in (CONF_ADDRESS, CONF_SHARED) if name in data}
    advanced: dict[str, Any] = {}
    for name, value in data.items():
        if name == CONF_MODE:
            advanced[name] = value.lower()
        elif name in _PINS:
            advanced[name] = ON if value else OFF
        elif name in _ADVANCED:
            advanced[name] = str(value) if name == CONF_SPEED else value
    return {
        CONF_DEVICE: data[CONF_DEVICE],
        SECTION_SEVERAL: several,
        SECTION_ADVANCED: advanced,
        SECTION_BINARY: mode_e_form_from_data(data),
    }


def non_connection_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry knows of its meter that has nothing to do with where it is."""
    # 0.1.0 kept the kind of the port's adapter.
    of_the_line = {CONF_DEVICE, CONF_ADDRESS, CONF_SHARED, "adapter", *_ADVANCED, *_BINARY}
    return {name: value for name, value in data.items() if name not in of_the_line}


def profile_overrides(
    data: Mapping[str, Any], options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The fields of a LineProfile that the user has given; they stay whatever the line teaches."""
    fields: dict[str, Any] = {CONF_ADDRESS: data.get(CONF_ADDRESS, "")}
    if options is not None:
        fields[CONF_MAINS] = options.get(CONF_MAINS, False)
    fields |= {
        name: data[name] for name in (CONF_REQUEST, CONF_STAY, CONF_BUS, *_PINS) if name in data
    }
    if CONF_WAKE_UP in data:
        fields["wake_up"] = data[CONF_WAKE_UP] == STANDARD
        fields["fast_wake_up"] = data[CONF_WAKE_UP] == FAST
    fields |= {
        name: data[name] for name in (CONF_SERVER, CONF_PHYSICAL, CONF_HDLC_AT_ONCE) if name in data
    }
    if CONF_CLIENT in data and not any(secret in data for secret in SECRETS):
        # Else it is the address of who has the secret; without it, the meter is asked as the public client.
        fields[CONF_CLIENT] = data[CONF_CLIENT]
    if CONF_MODE in data:
        fields[CONF_MODE] = Mode(data[CONF_MODE])
    elif any(name in data for name in (CONF_SECURITY, CONF_ENCRYPTION_KEY, CONF_HDLC_AT_ONCE)):
        # Who names a security level of mode E, or has its keys, wants what they show.
        fields[CONF_MODE] = Mode.E
    if CONF_SWITCH_DELAY in data:
        fields[CONF_SWITCH_DELAY] = data[CONF_SWITCH_DELAY] / 1000
    return fields


def line_profile_of(data: Mapping[str, Any]) -> LineProfile:
    """What is known of the line before anything was heard on it."""
    return LineProfile(**profile_overrides(data))


def hints_of(data: Mapping[str, Any], profile: LineProfile, *, shared: bool) -> DiscoveryHints:
    """What to look for the meter with; `profile` is what led to it before, `shared` what is known beside the entry."""
    return DiscoveryHints(
        profile=profile,
        fixed=frozenset(profile_overrides(data)),
        shared=shared or data.get(CONF_SHARED, False),
    )


def wakes(data: Mapping[str, Any]) -> bool:
    """Whether each call wakes the meter; without being woken, a battery meter does not hear it."""
    return data.get(CONF_WAKE_UP) in (STANDARD, FAST)


def speed_of(data: Mapping[str, Any]) -> int:
    """What a bridge that cannot change its speed is set to, in baud."""
    speed: int = data.get(CONF_SPEED, SIGN_ON_SPEED)
    return speed


def idle_of(profile: LineProfile) -> float:
    """How long the line rests between two meters, in seconds."""
    return BUS_IDLE if profile.bus else 0.0


def with_secrets(data: Mapping[str, Any], form: Mapping[str, Any]) -> dict[str, Any]:
    """An entry's data with the secrets of a form; where a field is left empty, what there is stays."""
    return {**data, **{name: form[name] for name in SECRETS if form.get(name)}}


def omit_keys(kept: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Data or options of an entry, less some of them."""
    return {name: value for name, value in kept.items() if name not in names}


def without_secrets(form: Mapping[str, Any]) -> dict[str, Any]:
    """A form as it may be shown again."""
    shown = dict(form)
    for part in (SECTION_ADVANCED, SECTION_BINARY):
        fields = form.get(part, {})
        shown[part] = {name: value for name, value in fields.items() if name not in SECRETS}
    return shown
