"""How fast the values of mode E are decoded, against what other clients do with the same octets.

All run in turns, in one run on one machine; a figure counts only as a ratio to another. Ours keeps the type of each value.

    python -m benchmarks.decoders [--rounds N]
"""

import argparse
from collections.abc import Callable
from pathlib import Path
import sys
from time import process_time

ROOT = Path(__file__).parent.parent
# The client alone: the folder above it is Home Assistant's and would import it.
sys.path.insert(0, str(ROOT / "custom_components" / "iec62056"))

from gurux_dlms import GXByteBuffer  # noqa: E402
from gurux_dlms.internal._GXCommon import _GXCommon  # noqa: E402
from gurux_dlms.internal._GXDataInfo import _GXDataInfo  # noqa: E402
from microdlms.axdr import decode_axdr  # noqa: E402
from protocol.dlms.axdr import decode  # noqa: E402

OURS, BEST_PEER = "this client", "microdlms"
OBJECTS, ROWS = 500, 2880


def _length(count: int) -> bytes:
    return bytes((count,)) if count < 0x80 else b"\x82" + count.to_bytes(2)


def _list(tag: int, parts: list[bytes]) -> bytes:
    return bytes((tag,)) + _length(len(parts)) + b"".join(parts)


def _array(*parts: bytes) -> bytes:
    return _list(1, list(parts))


def _structure(*parts: bytes) -> bytes:
    return _list(2, list(parts))


def object_list() -> bytes:
    """The object list of a large meter."""
    rights = [_structure(bytes((15, n)), bytes((22, 1)), b"\0") for n in (1, 2, 3)]
    methods = _array(_structure(b"\x0f\x01", b"\x16\x00"))
    names = (bytes((1, 0, n % 200, 8, n // 200, 255)) for n in range(OBJECTS))
    return _array(
        *(
            _structure(
                b"\x12\0\3", b"\x11\0", b"\x09\x06" + name, _structure(_array(*rights), methods)
            )
            for name in names
        )
    )


def load_profile() -> bytes:
    """A month of quarters of an hour: time, status, two registers, two means."""
    return _array(
        *(
            _structure(
                b"\x09\x0c" + bytes((7, 234, 1, 1, 1, n // 60 % 24, n % 60, 0, 0, 128, 0, 0)),
                b"\x11\x00",
                b"\x06" + (n * 77).to_bytes(4),
                b"\x06" + (n * 3).to_bytes(4),
                b"\x12" + n.to_bytes(2),
                b"\x12" + n.to_bytes(2),
            )
            for n in range(ROWS)
        )
    )


def _gurux(octets: bytes) -> object:
    return _GXCommon.getData(None, GXByteBuffer(octets), _GXDataInfo())


DECODERS: dict[str, Callable[[bytes], object]] = {
    OURS: decode,
    BEST_PEER: decode_axdr,
    "gurux-dlms": _gurux,
}


def main() -> int:
    """Print milliseconds and ratios; 1 where another client is faster."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    slower = False
    for name, octets in (("object list", object_list()), ("load profile", load_profile())):
        best = dict.fromkeys(DECODERS, float("inf"))
        for _ in range(rounds):
            for who, decoder in DECODERS.items():
                start = process_time()
                decoder(octets)
                best[who] = min(best[who], process_time() - start)
        print(f"{name}, {len(octets)} octets")
        for who, seconds in best.items():
            print(f"  {who:<12} {seconds * 1000:8.2f} ms  {seconds / best[OURS]:6.2f}")
        slower |= best[OURS] > best[BEST_PEER]
    return int(slower)


if __name__ == "__main__":
    sys.exit(main())
