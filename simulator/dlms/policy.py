"""Who may associate with a simulated meter, and what is odd about it."""

from dataclasses import dataclass

from . import secrets
from .things import CURRENT

PUBLIC, PASSWORD, KEY = 0, 1, 2
# Block transfer of GET, SET and ACTION, lists, GET, SET, selective access, ACTION.
BLOCKS, LISTS, EVERYTHING = 0x001C00, 0x000200, 0x001E1D
_PENDING = 14


@dataclass(frozen=True, slots=True)
class Login:
    """One client address the meter knows, and what it wants of it."""

    level: int = PUBLIC
    mechanism: int = secrets.NONE
    secret: bytes = b""
    ciphered: bool = False


@dataclass(slots=True)
class Policy:
    """What the meter can do, and what is odd about it.

    `pdu`: the longest message it takes; `block`: what is longer goes out in blocks. `granted`: its conformance.
    `lists_fail`: it grants lists and refuses them. `own_challenge`: its challenge, fixed; `echoes`: it sends the
    client's own back. `wrong_proof`, `plain`, `replays`, `skips_proof`: an impostor's manners. `pending`: the diagnostic while a
    proof is still due. `refuses`: result and
    diagnostic of every association. `denies_by_exception`: an exception in place of a result. `unlisted`: clients
    that get no object list. `control`: how its messages are protected, `takes`: others it takes too.
    `short_names`: it knows no logical ones. `association`: the name of the object that takes a proof.
    """

    pdu: int = 0x0400
    block: int = 0xFFFF
    granted: int = EVERYTHING
    lists_fail: bool = False
    challenge: bytes | None = None
    echoes: bool = False
    wrong_proof: bool = False
    plain: bool = False
    replays: bool = False
    skips_proof: bool = False
    pending: int = _PENDING
    refuses: tuple[int, int] | None = None
    denies_by_exception: bool = False
    unlisted: frozenset[int] = frozenset()
    counter_in_exception: bool = True
    control: int = 0x30
    takes: int = 0x30
    short_names: bool = False
    association: bytes = CURRENT


@dataclass(slots=True)
class Association:
    """What is between the meter and the client that is connected now."""

    client: int
    login: Login
    title: bytes = b""
    ours: bytes = b""
    theirs: bytes = b""
    proven: bool = False
    limit: int = 0xFFFF
    pending: bytes = b""
    number: int = 0
    incoming: bytes = b""
    target: bytes = b""
