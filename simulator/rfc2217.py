"""The server's side of Telnet's COM port control (RFC 2217), as far as a meter reader uses it."""

from collections.abc import Callable
from enum import IntEnum

from .manners import OBEDIENT, BridgeManners

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
BINARY, SUPPRESS_GO_AHEAD, COM_PORT = 0, 3, 44
SERVER = 100  # what is added to a command's code in its answer
SETTING_LIMIT = 64  # octets of one subnegotiation


class Command(IntEnum):
    """Codes of RFC 2217, client to server."""

    SIGNATURE = 0
    BAUDRATE = 1
    DATASIZE = 2
    PARITY = 3
    STOPSIZE = 4


def escape(octets: bytes) -> bytes:
    """Data or a setting as Telnet carries it."""
    return octets.replace(b"\xff", b"\xff\xff")


class Server:
    """One connection. Feed it what arrives; it calls back with data and settings, in their order."""

    def __init__(
        self,
        answer: Callable[[bytes], None],
        data: Callable[[bytes], None],
        speed: Callable[[int], None],
        seven_bits: Callable[[bool], None],
        initial_speed: int,
        *,
        manners: BridgeManners = OBEDIENT,
    ) -> None:
        self._manners = manners
        self._answer = answer
        self._data = data
        self._speed = speed
        self._seven_bits = seven_bits
        self._settings = {Command.BAUDRATE: initial_speed, Command.DATASIZE: 8}
        self._settings |= {Command.PARITY: 1, Command.STOPSIZE: 1}
        self._telnet = bytearray()
        self._enabled: set[tuple[int, int]] = set()

    def feed(self, octets: bytes) -> None:
        """Take what arrived."""
        data = bytearray()
        for octet in octets:
            if not self._telnet and octet != IAC:
                data.append(octet)
                continue
            self._telnet.append(octet)
            if self._telnet == b"\xff\xff":
                data.append(IAC)
                self._telnet.clear()
            elif self._complete():
                if data:
                    self._data(bytes(data))
                    data.clear()
                command = bytes(self._telnet)
                self._telnet.clear()
                self._obey(command)
        if data:
            self._data(bytes(data))

    def _complete(self) -> bool:
        command = self._telnet
        if len(command) < 2:
            return False
        if command[1] == SB:
            # An IAC inside a setting is doubled: only a single one before SE ends it.
            ended = command.replace(b"\xff\xff", b"").endswith(b"\xff\xf0")
            return ended or len(command) > SETTING_LIMIT
        return len(command) == 3 if command[1] in (DO, DONT, WILL, WONT) else True

    def _obey(self, command: bytes) -> None:
        match command[1]:
            case 251 | 253 as verb:
                self._agree(verb, command[2])
            case 250 if len(command) >= 6 and command[2] == COM_PORT:
                payload = command[4:-2].replace(b"\xff\xff", b"\xff")
                self._set(command[3], payload)

    def _agree(self, verb: int, option: int) -> None:
        # Answering what is already so would go back and forth for ever (RFC 854).
        if (verb, option) in self._enabled:
            return
        self._enabled.add((verb, option))
        wanted = option in (BINARY, SUPPRESS_GO_AHEAD, COM_PORT)
        yes, no = (DO, DONT) if verb == WILL else (WILL, WONT)
        self._answer(bytes([IAC, yes if wanted else no, option]))

    def _set(self, code: int, payload: bytes) -> None:
        manners = self._manners
        if code in self._settings:
            command = Command(code)
            value = int.from_bytes(payload)
            refused = command is Command.BAUDRATE and value > (manners.fastest or value)
            if refused and manners.truthful:
                value = 0
            # Zero asks for the present value.
            if value and not refused:
                self._settings[command] = value
                if command is Command.BAUDRATE:
                    self._speed(value)
                else:
                    self._seven_bits(self._settings[Command.DATASIZE] == 7)
            if not manners.answers:
                return
            size = 4 if command is Command.BAUDRATE else 1
            told = value or self._settings[command]
            payload = (told & (1 << 8 * size) - 1).to_bytes(size)
        elif code == Command.SIGNATURE:
            payload = b"simulated meter"
        elif code > 12:
            return
        self._answer(bytes([IAC, SB, COM_PORT, code + SERVER]) + escape(payload) + bytes([IAC, SE]))
