"""The meter's application: who may associate how, what each may see, and the services GET, SET and ACTION."""

from dataclasses import dataclass, field
from random import Random

from . import secrets, short_names
from .policy import LISTS, Association, Login, Policy
from .things import Thing, listed
from .values import Cursor, Short, array, element, elements, length, null, octets, sized

SUCCESS, DENIED, UNDEFINED, MISMATCH, SCOPE, OTHER = 0, 3, 4, 12, 13, 250
_REQUESTS = {0xC0: 0xC4, 0xC1: 0xC5, 0xC3: 0xC7}
_GLO = {0xC8: 0xCC, 0xC9: 0xCD, 0xCB: 0xCF, 0x25: 0x2C}
_GENERAL = 0xDB
_PLAIN = {0xC8: 0xC0, 0xC9: 0xC1, 0xCB: 0xC3, 0x25: short_names.READ}
_CONTEXT = bytes.fromhex("60857405080100")[:-1]
_MECHANISM = bytes.fromhex("60857405080200")[:-1]


@dataclass(slots=True)
class Device:
    """A meter's objects and doors. `seen` is the invocation counter of the client it saw last; `log` what was done.

    `lists_read`: how often somebody was given its object list.
    """

    things: list[Thing]
    logins: dict[int, Login] = field(default_factory=lambda: {16: Login()})
    policy: Policy = field(default_factory=Policy)
    title: bytes = b"SIM\x00\x00\x00\x00\x01"
    key: bytes = bytes(range(16))
    auth: bytes = bytes(range(0xD0, 0xE0))
    seen: int = 0
    seed: int = 1
    log: list[str] = field(default_factory=list)
    lists_read: int = 0
    _counter: int = 0
    _open: Association | None = None
    _random: Random | None = None
    _last: bytes = b""

    def hang_up(self) -> None:
        """The link is gone, and the association with it."""
        self._open = None

    def answer(self, client: int, message: bytes) -> bytes:
        """The answer to one message of that client address; empty where it is not worth one."""
        try:
            if message[:1] == b"\x60":
                return self._associate(client, message)
            if message[:1] == b"\x62":
                self._open = None
                return bytes.fromhex("6303800100")
            return self._serve(message)
        except Short, IndexError:
            return b"\xd8\x01\x01"

    # Associations.

    def _associate(self, client: int, message: bytes) -> bytes:
        fields = elements(Cursor(message[1:]).string())
        login = self.logins.get(client)
        self._open = None
        context = elements(fields[0xA1])[6]
        if self.policy.refuses:
            return self._aare(context, *self.policy.refuses)
        if login is None:
            return self._aare(context, 1, 1)
        if context[-1] != 1 + self.policy.short_names + 2 * login.ciphered:
            return self._aare(context, 1, 2)
        named = fields.get(0x8B, b"\x00")[-1]
        if named != login.mechanism:
            return self._aare(context, 1, 12 if named == secrets.NONE else 11)
        given = elements(fields[0xAC])[0x80] if 0xAC in fields else b""
        if login.mechanism == secrets.LOW and given != login.secret:
            self.log.append("wrong password")
            return self._aare(context, 1, 13)
        title = elements(fields[0xA6])[4] if 0xA6 in fields else b""
        opened = Association(client, login, title, theirs=given)
        initiate = elements(fields[0xBE])[4]
        if login.ciphered:
            plain = self._unsealed(opened, Cursor(initiate[1:]).string())
            if isinstance(plain, int):
                return self._exception(plain)
            initiate = plain
        opened.limit = int.from_bytes(initiate[-2:]) or 0xFFFF
        high = login.mechanism > secrets.LOW
        if high and not self.policy.skips_proof:
            fresh = self.policy.challenge or self._fresh()
            opened.ours = given if self.policy.echoes else fresh
        else:
            opened.proven = True
        self._open = opened
        return self._aare(context, 0, 0 if opened.proven else self.policy.pending, opened)

    def _fresh(self) -> bytes:
        if self._random is None:
            self._random = Random(self.seed)
        return self._random.randbytes(16)

    def _aare(
        self, context: bytes, result: int, diagnostic: int, opened: Association | None = None
    ) -> bytes:
        out = element(0xA1, element(6, context))
        out += element(0xA2, element(2, bytes([result])))
        out += element(0xA3, element(0xA1, element(2, bytes([diagnostic]))))
        if opened is not None:
            if opened.login.ciphered or opened.login.mechanism in (secrets.GMAC, secrets.SHA256):
                out += element(0xA4, element(4, self.title))
            if opened.ours:
                out += element(0x88, b"\x07\x80")
                out += element(0x89, _MECHANISM + bytes([opened.login.mechanism]))
                out += element(0xAA, element(0x80, opened.ours))
            names = self.policy.short_names
            granted = (short_names.EVERYTHING if names else self.policy.granted).to_bytes(3)
            initiate = (
                b"\x08\x00\x06\x5f\x1f\x04\x00"
                + granted
                + self.policy.pdu.to_bytes(2)
                + (b"\xfa\x00" if self.policy.short_names else b"\x00\x07")
            )
            if opened.login.ciphered and not self.policy.plain:
                initiate = b"\x28" + sized(self._sealed(initiate))
            out += element(0xBE, element(4, initiate))
        return b"\x61" + sized(out)

    def _prove(self, opened: Association, proof: bytes) -> bytes | None:
        """Our proof where theirs is right."""
        mechanism, secret = opened.login.mechanism, opened.login.secret
        if mechanism == secrets.GMAC:
            counter = int.from_bytes(proof[1:5])
            wanted = secrets.gmac(self.key, self.auth, opened.title, counter, opened.ours)
            if proof != wanted:
                return None
            self.seen = max(self.seen, counter + 1)
            own = secrets.gmac(self.key, self.auth, self.title, self._next(), opened.theirs)
        else:
            wanted = secrets.digest(
                mechanism,
                secret,
                opened.ours,
                titles=opened.title + self.title,
                other=opened.theirs,
            )
            if proof != wanted:
                return None
            own = secrets.digest(
                mechanism,
                secret,
                opened.theirs,
                titles=self.title + opened.title,
                other=opened.ours,
            )
        opened.proven = True
        return bytes(len(own)) if self.policy.wrong_proof else own

    # Ciphers.

    def _next(self) -> int:
        self._counter += 1
        return self._counter

    def _sealed(self, plain: bytes) -> bytes:
        return secrets.seal(
            self.key, self.auth, self.title, self._next(), plain, control=self.policy.control
        )

    def _unsealed(self, opened: Association, sealed: bytes) -> bytes | int:
        """The plain text, or the reason of the exception."""
        found = secrets.unseal(self.key, self.auth, opened.title, sealed)
        if found is None or sealed[0] not in (self.policy.control, self.policy.takes):
            return 5
        counter, plain = found
        if counter < self.seen:
            return 6
        self.seen = counter + 1
        return plain

    def _exception(self, reason: int) -> bytes:
        counter = reason == 6 and self.policy.counter_in_exception
        return b"\xd8\x01" + bytes([reason]) + (self.seen.to_bytes(4) if counter else b"")

    # Services.

    def _serve(self, message: bytes) -> bytes:
        opened = self._open
        if opened is None:
            return b"\xd8\x01\x01"
        if message[0] not in _GLO and message[0] != _GENERAL:
            if opened.login.ciphered:
                return b"\xd8\x01\x02"
            return self._plain(opened, message)
        cursor = Cursor(message[1:])
        general = message[0] == _GENERAL
        if general:
            cursor.string()
        plain = self._unsealed(opened, cursor.string())
        if isinstance(plain, int):
            return self._exception(plain)
        if not general and plain[0] != _PLAIN[message[0]]:
            return b"\xd8\x01\x02"
        out = self._plain(opened, plain)
        if self.policy.plain and opened.proven:
            return out
        head = bytes([_GENERAL]) + sized(self.title) if general else bytes([_GLO[message[0]]])
        answer = head + sized(self._sealed(out))
        if self.policy.replays and self._last:
            return self._last
        self._last = answer
        return answer

    def _plain(self, opened: Association, message: bytes) -> bytes:
        if self.policy.short_names:
            return self._read(opened, Cursor(message))
        cursor = Cursor(message)
        service, form, invoke = cursor.one(), cursor.one(), cursor.one()
        if service not in _REQUESTS:
            return b"\xd8\x02\x02"
        if service == 0xC3 and not opened.proven:
            return self._proof(opened, cursor, invoke)
        if not opened.proven:
            return b"\xd8\x01\x01"
        match service, form:
            case 0xC0, 1:
                return self._long(opened, invoke, self._get(opened, cursor), 1)
            case 0xC0, 2:
                return self._block(opened, invoke, int.from_bytes(cursor.take(4)))
            case 0xC0, 3:
                if self.policy.lists_fail or not self.policy.granted & LISTS:
                    return b"\xd8\x01\x02"
                count = cursor.count()
                results = b"".join(self._get(opened, cursor) for _ in range(count))
                return self._long(opened, invoke, length(count) + results, 3)
            case 0xC1, _:
                return self._set(opened, form, invoke, cursor)
            case 0xC3, 1:
                return bytes([0xC7, 1, invoke]) + self._act(opened, cursor)
        return b"\xd8\x01\x02"

    def _proof(self, opened: Association, cursor: Cursor, invoke: int) -> bytes:
        target = cursor.take(9)
        if target[2:8] != self.policy.association:
            return bytes([0xC7, 1, invoke, UNDEFINED, 0])
        cursor.one()
        own = self._prove(opened, Cursor(cursor.take(cursor.left)[1:]).string())
        if own is None:
            self._open = None
            return bytes([0xC7, 1, invoke, DENIED, 0])
        return bytes([0xC7, 1, invoke, SUCCESS, 1, 0]) + octets(own)

    def _read(self, opened: Association, cursor: Cursor) -> bytes:
        """READ of short names, in blocks where the answer is longer than goes at once."""
        if cursor.one() != short_names.READ:
            return b"\xd8\x02\x02"
        results = []
        for _ in range(count := cursor.count()):
            kind = cursor.one()
            if kind == short_names.BLOCK:
                return self._read_block(opened, int.from_bytes(cursor.take(2)))
            address = int.from_bytes(cursor.take(2))
            selector = cursor.one() if kind == short_names.PART else 0
            chosen = cursor.value() if kind == short_names.PART else b""
            if address == short_names.REPLY and not opened.proven:
                own = self._prove(opened, Cursor(chosen[1:]).string())
                results.append(bytes([1, DENIED]) if own is None else b"\x00" + octets(own))
            elif not opened.proven:
                return b"\xd8\x01\x01"
            else:
                thing, number = short_names.find(self.things, address)
                results.append(self._value(opened, thing, number, selector, chosen))
        content = length(count) + b"".join(results)
        if len(content) < min(opened.limit, self.policy.block):
            return bytes([short_names.ANSWER]) + content
        # As other servers do, without what stands before the first value.
        bare = b"".join(results)[1:]
        opened.pending, opened.number = content if results[0][0] else bare, 0
        return self._read_block(opened, 0)

    def _read_block(self, opened: Association, before: int) -> bytes:
        if before != opened.number or not opened.pending:
            return bytes([short_names.ANSWER, 1, 1, 19])
        size = min(opened.limit, self.policy.block) - 16
        part, opened.pending = opened.pending[:size], opened.pending[size:]
        opened.number += 1
        head = bytes([short_names.ANSWER, 1, 2, not opened.pending])
        return head + opened.number.to_bytes(2) + sized(part)

    def _find(self, cursor: Cursor) -> tuple[Thing | None, int]:
        class_id, name = int.from_bytes(cursor.take(2)), cursor.take(6)
        number = cursor.one()
        for thing in self.things:
            if (thing.class_id, thing.name) == (class_id, name):
                return thing, number
        return None, number

    def _get(self, opened: Association, cursor: Cursor) -> bytes:
        """A Get-Data-Result."""
        thing, number = self._find(cursor)
        selector = cursor.one() and cursor.one()
        chosen = cursor.value() if selector else b""
        return self._value(opened, thing, number, selector, chosen)

    def _value(
        self, opened: Association, thing: Thing | None, number: int, selector: int, chosen: bytes
    ) -> bytes:
        """What an association gets of an attribute."""
        if thing is None:
            return bytes([1, UNDEFINED])
        if (
            thing.name == self.policy.association
            and number == 2
            and opened.client in self.policy.unlisted
        ):
            return bytes([1, DENIED])
        if thing.name == self.policy.association and number == 2:
            self.lists_read += 1
            if self.policy.short_names:
                return b"\x00" + short_names.object_list(self.things)
            return b"\x00" + self.object_list(opened.login.level)
        if number not in thing.attributes and number != 1:
            return bytes([1, SCOPE])
        if opened.login.level < thing.level_to_read(number) or not thing.gives:
            if self.policy.denies_by_exception:
                raise Short
            return bytes([1, DENIED])
        if selector:
            if thing.part is None or number != 2:
                return bytes([1, OTHER])
            return b"\x00" + thing.part(selector, chosen)
        return b"\x00" + thing.value(number)

    def _long(self, opened: Association, invoke: int, content: bytes, form: int) -> bytes:
        """An answer, in blocks where it is longer than goes at once."""
        if len(content) + 3 <= min(opened.limit, self.policy.block):
            return bytes([0xC4, form, invoke]) + content
        # The blocks hold the value alone; a list keeps the choice of each item.
        opened.pending = content[1:] if form == 1 and content[0] == 0 else content
        opened.number = 0
        return self._block(opened, invoke, 0)

    def _block(self, opened: Association, invoke: int, before: int) -> bytes:
        if before != opened.number or not opened.pending:
            return bytes([0xC4, 2, invoke, 1]) + before.to_bytes(4) + bytes([1, 19])
        size = min(opened.limit, self.policy.block) - 16
        part, opened.pending = opened.pending[:size], opened.pending[size:]
        opened.number += 1
        head = bytes([0xC4, 2, invoke, not opened.pending]) + opened.number.to_bytes(4)
        return head + b"\x00" + sized(part)

    def _set(self, opened: Association, form: int, invoke: int, cursor: Cursor) -> bytes:
        if form == 1:
            target = self._target(cursor)
            return bytes([0xC5, 1, invoke, self._put(opened, target, cursor.value())])
        if form == 2:
            opened.target, opened.incoming = self._target(cursor), b""
        last, number = cursor.one(), int.from_bytes(cursor.take(4))
        opened.incoming += cursor.string()
        if not last:
            return bytes([0xC5, 2, invoke]) + number.to_bytes(4)
        result = self._put(opened, opened.target, opened.incoming)
        return bytes([0xC5, 3, invoke, result]) + number.to_bytes(4)

    @staticmethod
    def _target(cursor: Cursor) -> bytes:
        target = cursor.take(9)
        if cursor.one():
            raise Short
        return target

    def _put(self, opened: Association, target: bytes, value: bytes) -> int:
        thing, number = self._find(Cursor(target))
        if thing is None:
            return UNDEFINED
        if opened.login.level < thing.level_to_write(number):
            return DENIED
        if value[0] != thing.value(number)[0]:
            return MISMATCH
        thing.put(number, value)
        self.log.append(f"set {thing.name.hex()},{number} {value.hex()}")
        return SUCCESS

    def _act(self, opened: Association, cursor: Cursor) -> bytes:
        thing, number = self._find(cursor)
        parameters = cursor.value() if cursor.one() else null()
        if thing is None:
            return bytes([UNDEFINED, 0])
        level = thing.methods.get(number)
        if level is None or opened.login.level < level:
            return bytes([DENIED, 0])
        self.log.append(f"act {thing.name.hex()},{number} {parameters.hex()}")
        if thing.act is not None:
            thing.act(number, parameters)
        return bytes([SUCCESS, 0])

    def object_list(self, level: int) -> bytes:
        """Every object, with what an association of that level may do with it."""
        return array([listed(thing, level) for thing in self.things])
