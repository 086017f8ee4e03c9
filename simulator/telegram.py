"""A stored telegram as the content of a meter."""

from dataclasses import dataclass
from pathlib import Path
import re
from typing import Self


@dataclass(frozen=True, slots=True)
class Telegram:
    """Data lines of a file, and the identification in front of them, if there is one."""

    lines: bytes
    ident: str | None = None

    @classmethod
    def read(cls, path: Path) -> Self:
        """The telegram in that file. Raises OSError, and ValueError where the file holds no data set."""
        return cls.parse(path.read_bytes())

    @classmethod
    def parse(cls, stored: bytes) -> Self:
        """A telegram as text or as sent: with parity bits, frame and check character or without."""
        text = bytes(octet & 0x7F for octet in stored)
        ident = None
        # A stored request or its echo stands in front of some identifications.
        if found := re.search(rb"(?:^|[\r\n!])[ \t]*(/[^?!\r\n][^\r\n]*)", text):
            ident = found[1].rstrip().decode("ascii")
            text = text[found.end() :]
        block = text.rpartition(b"\x02")[2].partition(b"\x03")[0]
        # The "!" that ends the data stands behind a line or a bracket, never inside one.
        block = re.split(rb"(?:(?<=[\r\n)])|^)!", block, maxsplit=1)[0]
        lines = [line.rstrip(b"\r") for line in block.split(b"\n")]
        while lines and not lines[0].strip():
            del lines[0]
        while lines and not lines[-1].strip():
            del lines[-1]
        if not any(b"(" in line for line in lines):
            raise ValueError("no data set found")
        return cls(b"".join(line + b"\r\n" for line in lines), ident)

    def block(self) -> bytes:
        """The data lines, always the same."""
        return self.lines
