"""How fast a telegram becomes registers, against what other readers do with the same characters.

Ours: from the bytes to registers with their codes, units and exact numbers, the check character judged.
The others as far as each goes, at its own entrance; none of them does all of that, and the table says how many
values each of them found. All run in turns, in one run on one machine; a figure counts only as a ratio to another.

    python -m benchmarks.parsers [--seconds S] [--npm FOLDER]
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
import json
from pathlib import Path
import subprocess
import sys
import tempfile
from time import perf_counter

ROOT = Path(__file__).parent.parent
# The client alone: the folder above it is Home Assistant's and would import it.
sys.path.insert(0, str(ROOT / "custom_components" / "iec62056"))

from dsmr_parser import telegram_specifications  # noqa: E402
from dsmr_parser.parsers import TelegramParser  # noqa: E402
from iec62056_21.messages import ReadoutDataMessage  # noqa: E402
from protocol.ascii.receiver import Receiver  # noqa: E402
from protocol.ascii.registers import registers  # noqa: E402
from protocol.model import CheckKind, Medium  # noqa: E402
from ultraheat_api.response import HeatMeterResponseParser  # noqa: E402

OURS = "this client"
# As an adapter hands over what comes at 9600 Bd.
RUN = 64
IN_RUNS = f"{OURS}, in runs of {RUN} bytes"
ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Text:
    """Data lines as a meter frames them."""

    name: str
    lines: bytes
    values: int

    @property
    def framed(self) -> bytes:
        """With STX, end mark, ETX and the check character of the standard."""
        block = self.lines + b"!\r\n\x03"
        check = 0
        for code in block:
            check ^= code
        return b"\x02" + block + bytes((check,))


def readout() -> Text:
    """95 registers, as a meter with two tariffs and a year of history sends them."""
    lines = ["F.F(00000000)", "0.0.0(31415926)", "C.1.0(27182818)"]
    lines += [f"1.8.{tariff}({4711 + tariff * 31:06}.{tariff}93*kWh)" for tariff in range(3)]
    lines += [f"{phase}2.7(23{phase}.{phase}*V)" for phase in (3, 5, 7)]
    number = 0
    while len(lines) < 95:
        month, kind = divmod(number, 3)
        lines.append(f"1.{(8, 6, 2)[kind]}.0*{month + 1:02}({90210 - number * 77:08}.{kind}*kW)")
        number += 1
    return Text("2 kB readout", "".join(f"{line}\r\n" for line in lines).encode(), len(lines))


def profile() -> Text:
    """Some 200 kB: a load profile as an answer to R5, a header and rows of four values without address."""
    lines = ["P.01(1261101001500)(00000000)(15)(4)(1.5)(kW)(2.5)(kW)(5.5)(kvar)(8.5)(kvar)"]
    lines += [
        f"({row % 97 / 1e4:.4f})({row % 89 / 1e3:.4f})({row % 11 / 1e2:.4f})(0.0000)"
        for row in range(6000)
    ]
    text = "".join(f"{line}\r\n" for line in lines)
    return Text("200 kB load profile", text.encode(), text.count("("))


def ours(text: Text, size: int | None = None) -> Callable[[], int]:
    """Bytes in one piece, or in runs of that size, to registers."""
    framed = text.framed
    step = size or len(framed)

    def once() -> int:
        receiver = Receiver()
        for start in range(0, len(framed), step):
            receiver.feed(framed[start : start + step])
        receiver.end()
        assert CheckKind.XOR in receiver.fits
        found, homeless = registers(receiver.datasets, Medium.ELECTRICITY)
        assert not homeless
        return sum(len(register.values) for register in found)

    return once


def iec62056_21(text: Text) -> Callable[[], int]:
    """The whole telegram at once, as its client hands it over; it judges the check character too."""
    framed = text.framed.decode("latin-1")

    def once() -> int:
        message = ReadoutDataMessage.from_representation(framed)
        return sum(len(line.data_sets) for line in message.data_block.data_lines)

    return once


def dsmr_parser(text: Text) -> Callable[[], int]:
    """As far as it knows the codes: it is made for P1 telegrams."""
    parser = TelegramParser(telegram_specifications.V4, apply_checksum_validation=False)
    telegram = "/XYZ5BENCH\r\n\r\n" + text.lines.decode("latin-1") + "!\r\n"

    def once() -> int:
        found = parser.parse(telegram)
        return sum(1 for _ in found) if hasattr(found, "__iter__") else 0

    return once


def ultraheat(text: Text) -> Callable[[], int]:
    """It looks for the fields of one heat meter."""
    lines = text.lines.decode("latin-1")
    parser = HeatMeterResponseParser()

    def once() -> int:
        found = parser.parse("UH50", lines)
        return sum(
            value not in {None, 0} for name, value in vars(found).items() if name != "raw_response"
        )

    return once


def rate(once: Callable[[], int], seconds: float) -> float:
    """How often it can be done in a second."""
    count, start = 0, perf_counter()
    while (spent := perf_counter() - start) < seconds:
        once()
        count += 1
    return count / spent


def node(text: Text, seconds: float, npm: Path) -> tuple[int, float]:
    """The same for smartmeter-obis, in a process of its own."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(text.framed)
        file.flush()
        answer = subprocess.run(
            (
                *("node", ROOT / "benchmarks" / "peers" / "obis.js"),
                *(npm / "node_modules" / "smartmeter-obis", file.name, str(seconds)),
            ),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=60 + seconds,
        )
    found = json.loads(answer.stdout)
    return found["sets"], found["rate"]


def measure(text: Text, seconds: float, npm: Path | None) -> None:
    """Print a table: the best of some rounds, all readers in turns."""
    peers: dict[str, Callable[[], int]] = {
        OURS: ours(text),
        IN_RUNS: ours(text, RUN),
        "iec62056-21 0.0.2": iec62056_21(text),
        "dsmr-parser 1.11.2": dsmr_parser(text),
        "ultraheat-api 0.6.1": ultraheat(text),
    }
    sets = {name: once() for name, once in peers.items()}
    assert sets[OURS] == text.values, sets
    best = dict.fromkeys(peers, 0.0)
    for _ in range(ROUNDS):
        for name, once in peers.items():
            best[name] = max(best[name], rate(once, seconds))
        if npm is not None:
            name = "smartmeter-obis 4.0.0"
            sets[name], found = node(text, seconds, npm)
            best[name] = max(best.get(name, 0.0), found)
    size = len(text.framed)
    print(f"\n{text.name}: {size} bytes, {text.values} values\n")
    print("| reader | values found | MB/s | values/s | ours is so many times as fast |")
    print("|---|---|---|---|---|")
    for name, found in best.items():
        print(
            f"| {name} | {sets[name]} | {found * size / 1e6:.1f} | {found * sets[name] / 1e3:.0f} k"
            f" | {best[OURS] / found:.2f} |"
        )


def main() -> None:
    """Make the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--npm", type=Path)
    options = parser.parse_args()
    for text in (readout(), profile()):
        measure(text, options.seconds, options.npm)


if __name__ == "__main__":
    main()
