"""Cuts frames of any kind out of octets as they arrive, from anywhere in a stream."""

from collections.abc import Callable, Mapping
import re

FLAG = 0x7E

# What begins at a place, and how many octets it takes: 0 for nothing, None where that cannot be told yet. What is damaged
# or not whole yet has a size alone.
type Found[F] = tuple[F | None, int | None]
type Finder[F] = Callable[[bytearray, int], Found[F]]


class Scanner[F]:
    """Frames by the octet that each kind begins with.

    There is no octet stuffing: 7E stands inside frames too, so a frame ends where its length says (the FCS of a
    MEM600 held 7E: u9n/dlms-cosem#97). Neighbours may share one flag or have several between them. What fails is
    left at its first octet and looked through again, so that a false start costs nothing. Never holds more than the
    longest frame and what came with its end.
    """

    def __init__(self, kinds: Mapping[int, Finder[F]]) -> None:
        """Begin anywhere in a stream."""
        self._kinds = kinds
        self._starts = re.compile(b"[%b]" % re.escape(bytes(kinds)))
        self._held = bytearray()
        self.damaged = 0
        """Frames with a right header and a wrong end or check, so far."""

    def feed(self, octets: bytes) -> list[F]:
        """The frames that are complete now."""
        self._held += octets
        return self._cut(at_end=False)

    def silence(self) -> list[F]:
        """The frames that are there once nothing more follows: a false start may have held them up."""
        frames = self._cut(at_end=True)
        self._held.clear()
        return frames

    def _cut(self, *, at_end: bool) -> list[F]:
        frames: list[F] = []
        held = self._held
        start = 0
        while begun := self._starts.search(held, start):
            start = begun.start()
            frame, size = self._kinds[held[start]](held, start)
            if frame is not None and size:
                frames.append(frame)
                # The closing flag of a frame may open the next one.
                start += size - (held[start] == FLAG)
                continue
            if size and start + size <= len(held):
                self.damaged += 1
            elif size != 0 and not at_end:
                break
            start += 1
        del held[: start if begun else len(held)]
        return frames
