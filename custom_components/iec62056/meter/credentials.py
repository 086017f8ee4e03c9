"""From a config entry's data and options to the client's credentials and permits."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from secrets import token_bytes
from typing import Any, Final

from homeassistant.const import CONF_PASSWORD
from homeassistant.core import HomeAssistant

from ..const import CONF_MODE
from ..entry_data import (
    AUTO,
    CONF_AUTHENTICATION_KEY,
    CONF_CLIENT,
    CONF_CLOCK,
    CONF_ENCRYPTION_KEY,
    CONF_EXECUTE,
    CONF_HDLC_AT_ONCE,
    CONF_LOGIN,
    CONF_PROTECTION,
    CONF_SECURITY,
    CONF_SYSTEM_TITLE,
    CONF_UNENCRYPTED,
    CONF_WRITE,
)
from ..protocol.ascii.passwords import Password, PasswordMethod
from ..protocol.dlms.login import (
    OTHERS,
    PRESETS,
    PUBLIC,
    DlmsLogin,
    Keyring,
    default_keyring,
)
from ..protocol.dlms.object_cache import ObjectCache
from ..protocol.dlms.push.ciphering import PushKeys
from ..protocol.dlms.security import SYSTEM_TITLE, Credentials as Proof, Keys, Mechanism, Protection
from ..protocol.dlms_errors import DlmsUnsent
from ..protocol.errors import BadSecret
from ..protocol.model import Identification, LineProfile, Mode
from ..protocol.reasons import Secret
from ..protocol.register_session import Level, Permits
from .invocation_counters import counters_of

# The first three octets of a system title name its maker; the rest is this client's own.
_MAKER: Final = b"HAS"
# Meters that want HDLC at once, without saying what make they are, are those of SPODES.
_AT_ONCE: Final = PRESETS["MIR"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves who asks; empty where nothing was given. `login` is the one of mode E, `client` its client address.

    `push_keys` are those of a meter that pushes: nothing is proven with them.
    """

    password: Password | None = None
    login: DlmsLogin | None = None
    client: int | None = None
    push_keys: PushKeys | None = None

    @property
    def secret(self) -> str | None:
        """The text by which a refusal is remembered, None where there is nothing that could be refused."""
        if self.login is not None:
            proof, keys = self.login.credentials, self.login.credentials.keys
            used = b"" if keys is None else keys.encryption + keys.authentication
            return f"{self.login.name}:{proof.secret.hex()}:{used.hex()}"
        if self.password is None:
            return None
        return f"{self.password.login or ''}:{self.password.text}"

    def in_mode_e(self, profile: LineProfile) -> DlmsLogin | None:
        """The login of mode E at a meter that speaks it; by itself, a password is of the low level."""
        if self.login is not None or self.password is None or profile.mode is not Mode.E:
            return self.login
        proof = Proof(Mechanism.LOW, self.password.text.encode("utf-8"))
        return DlmsLogin(self.client or OTHERS.password, proof)


NOBODY = Credentials()


def credentials_of(data: Mapping[str, Any]) -> Credentials:
    """The credentials in an entry's data, or in a form. Raises BadSecret."""
    try:
        if data.get(CONF_MODE) == Mode.D:
            return Credentials(push_keys=_push_keys(data))
        login = _login(data)
    except DlmsUnsent as err:
        raise BadSecret(why=err.placeholders["why"]) from None
    if login is not None:
        return Credentials(login=login)
    text: str = data.get(CONF_PASSWORD, "")
    if not text:
        return NOBODY
    way: str | None = data.get(CONF_LOGIN)
    password = Password(text, None if way is None else PasswordMethod(way))
    return Credentials(password, client=data.get(CONF_CLIENT))


def _login(data: Mapping[str, Any]) -> DlmsLogin | None:
    """The login of mode E, where a security level was chosen or keys were given. Raises DlmsUnsent."""
    keyed = CONF_ENCRYPTION_KEY in data or CONF_AUTHENTICATION_KEY in data
    security: str = data.get(CONF_SECURITY, AUTO)
    if security == AUTO and not keyed:
        return None
    mechanism = Mechanism.GMAC if security == AUTO else Mechanism[security.upper()]
    keys = None
    if keyed:
        keys = Keys(_octets(data, CONF_ENCRYPTION_KEY), _octets(data, CONF_AUTHENTICATION_KEY))
    title = _octets(data, CONF_SYSTEM_TITLE) or None
    secret: str = data.get(CONF_PASSWORD, "")
    proof = Proof(
        mechanism,
        # Without a mechanism, or with GMAC, there is nothing it could prove.
        b"" if mechanism in (Mechanism.NONE, Mechanism.GMAC) else secret.encode("utf-8"),
        keys,
        title,
        keyed and not data.get(CONF_UNENCRYPTED, False),
        Protection[data.get(CONF_PROTECTION, Protection.BOTH.name).upper()],
    )
    client: int | None = data.get(CONF_CLIENT)
    login = DlmsLogin(client or OTHERS.password, proof)
    return None if login.level is Level.OPEN else login


def _push_keys(data: Mapping[str, Any]) -> PushKeys | None:
    """The keys of a meter that pushes. Raises DlmsUnsent."""
    if CONF_ENCRYPTION_KEY not in data:
        return None
    authentication = _octets(data, CONF_AUTHENTICATION_KEY) or None
    return PushKeys(_octets(data, CONF_ENCRYPTION_KEY), authentication)


def _octets(data: Mapping[str, Any], name: str) -> bytes:
    try:
        return bytes.fromhex(data.get(name, ""))
    except ValueError:
        raise DlmsUnsent(why=Secret.KEY_DIGITS) from None


def completed(
    data: Mapping[str, Any], identification: Identification | None = None
) -> dict[str, Any]:
    """The data of an entry with what a login needs and the user may leave out: a system title, the make's client address.

    Both must stay: a number of the counter counts for one title, and a refusal for one address.
    """
    whole = dict(data)
    if data.get(CONF_MODE) == Mode.D:
        return whole
    security: str = data.get(CONF_SECURITY, AUTO)
    keyed = CONF_ENCRYPTION_KEY in data
    if security == AUTO and not keyed and data.get(CONF_MODE) != Mode.E:
        return whole
    if (keyed or security == Mechanism.SHA256.name.lower()) and CONF_SYSTEM_TITLE not in data:
        whole[CONF_SYSTEM_TITLE] = (_MAKER + token_bytes(SYSTEM_TITLE - len(_MAKER))).hex().upper()
    if CONF_CLIENT not in data and (keyed or data.get(CONF_PASSWORD)):
        preset = _AT_ONCE if data.get(CONF_HDLC_AT_ONCE) else OTHERS
        if identification is not None:
            preset = PRESETS.get(identification.flag.upper(), preset)
        low = security in (AUTO, Mechanism.LOW.name.lower()) and not keyed
        whole[CONF_CLIENT] = preset.password if low else preset.key
    return whole


async def async_keyring(
    hass: HomeAssistant, credentials: Credentials, profile: LineProfile, known: ObjectCache
) -> Keyring:
    """The logins of mode E, with what the meter said of its objects: the public client, and that of the credentials."""
    login = credentials.in_mode_e(profile)
    if login is None:
        return replace(default_keyring(profile), known=known, push_keys=credentials.push_keys)
    keyring = Keyring((PUBLIC, login), known=known)
    keys, title = login.credentials.keys, login.credentials.system_title
    if keys is not None:
        keyring.counter, keyring.store = await counters_of(hass).async_counter(keys, title or b"")
    return keyring


def permits_of(options: Mapping[str, Any]) -> Permits:
    """What may be changed."""
    return Permits(
        frozenset(options.get(CONF_WRITE, ())),
        frozenset(options.get(CONF_EXECUTE, ())),
        bool(options.get(CONF_CLOCK)),
    )
