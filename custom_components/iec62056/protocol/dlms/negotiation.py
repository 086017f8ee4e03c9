"""Parameters that client and meter negotiate for an HDLC link (SNRM and UA)."""

from dataclasses import dataclass, replace
from typing import Self

from ..dlms_errors import DlmsUnsent
from .frame import MAX_INFORMATION

# IEC 62056-46 6.4.4.4.3.2: what counts where a station names no value, and what it may name.
_DEFAULT_INFORMATION = 128
_DEFAULT_WINDOW = 1
MAX_WINDOW = 7

# The LLC must fit into the first frame, and one octet with it.
_SHORTEST = 4


@dataclass(frozen=True, slots=True)
class Parameters:
    """Information field lengths in octets and windows in frames, both as this client sees them."""

    transmit: int = _DEFAULT_INFORMATION
    receive: int = _DEFAULT_INFORMATION
    transmit_window: int = _DEFAULT_WINDOW
    receive_window: int = _DEFAULT_WINDOW

    def __post_init__(self) -> None:
        """Refuse what no station can do. Raises DlmsUnsent."""
        lengths, windows = (
            (self.transmit, self.receive),
            (self.transmit_window, self.receive_window),
        )
        if not all(_SHORTEST <= length <= MAX_INFORMATION for length in lengths):
            raise DlmsUnsent(why="there is no such length of an information field")
        if not all(1 <= window <= MAX_WINDOW for window in windows):
            raise DlmsUnsent(why="there is no such window")

    def encode(self) -> bytes:
        """The information field of an SNRM: 81 80, length, then each parameter with its length."""
        size = 1 if max(self.transmit, self.receive) < 0x100 else 2
        fields = (
            (5, self.transmit.to_bytes(size)),
            (6, self.receive.to_bytes(size)),
            (7, self.transmit_window.to_bytes(4)),
            (8, self.receive_window.to_bytes(4)),
        )
        body = b"".join(bytes((name, len(value))) + value for name, value in fields)
        return b"\x81\x80" + bytes((len(body),)) + body

    def agreed(self, information: bytes) -> Self:
        """What holds after the UA that answered this SNRM.

        The UA says what the meter does: its transmit length bounds what this client receives, and the other way
        round. What it leaves out, or names as zero, is the default; nothing exceeds what was asked for.
        """
        named = _named(information)

        def least(asked: int, name: int, default: int, floor: int) -> int:
            value = named.get(name, 0)
            return min(asked, value if value >= floor else default)

        return replace(
            self,
            transmit=least(self.transmit, 6, _DEFAULT_INFORMATION, _SHORTEST),
            receive=least(self.receive, 5, _DEFAULT_INFORMATION, _SHORTEST),
            transmit_window=least(self.transmit_window, 8, _DEFAULT_WINDOW, 1),
            receive_window=least(self.receive_window, 7, _DEFAULT_WINDOW, 1),
        )


def _named(information: bytes) -> dict[int, int]:
    """The parameters of a UA by name; their lengths differ from meter to meter (NIK sends one octet, others two)."""
    named: dict[int, int] = {}
    if information[:2] != b"\x81\x80":
        return named
    fields = information[3 : 3 + information[2]] if len(information) > 2 else b""
    while len(fields) >= 2:
        name, size = fields[0], fields[1]
        if len(fields) < 2 + size:
            break
        named[name] = int.from_bytes(fields[2 : 2 + size])
        fields = fields[2 + size :]
    return named
