"""The memory of a simulated meter: a load profile, written down at the end of each period by the meter's own clock."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
import re

SUMMER, CLOCK_SET, POWER_UP, POWER_DOWN = 0x08, 0x20, 0x40, 0x80
_RANGE = re.compile(r"([0-9]{10,11})?;([0-9]{10,11})?(?:;[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Period:
    """One period: when it ended (UTC), its amounts in Wh, what befell it."""

    end: datetime
    amounts: tuple[int, ...]
    status: int = 0


@dataclass(slots=True)
class LoadProfile:
    """A load profile with its channels as the meter names them, in kW where `power`, else in kWh.

    `zone` is that of the meter's clock; `flagged`: times begin with the digit of the season. `most` is how many periods
    it holds: the oldest go first. `ahead` is how far its clock is wrong.
    """

    zone: tzinfo
    channels: Sequence[str] = ("1.5", "2.5")
    power: bool = True
    minutes: int = 15
    flagged: bool = True
    most: int = 5760
    ahead: timedelta = timedelta(0)
    code: str = "P.01"
    periods: list[Period] = field(default_factory=list)

    def watch(
        self,
        registers: Callable[[datetime], Sequence[int]],
        begin: datetime,
        end: datetime,
        dark: Iterable[tuple[datetime, datetime]] = (),
    ) -> None:
        """Write down what the registers (Wh at a time) do from `begin` to `end`; without power while it is `dark`."""
        length = timedelta(minutes=self.minutes)
        failures = list(dark)
        at = begin
        while at + length <= end:
            status = 0
            lit = True
            for off, on in failures:
                status |= POWER_DOWN if at <= off < at + length else 0
                status |= POWER_UP if at < on <= at + length else 0
                lit = lit and not (off < at and at + length <= on)
            if lit:
                before, behind = registers(at), registers(at + length)
                amounts = tuple(b - a for a, b in zip(before, behind, strict=True))
                self.periods.append(Period(at + length, amounts, status))
            at += length
        del self.periods[: -self.most]

    def answer(self, operand: str) -> str:
        """What is sent for a range ([s]YYMMDDhhmm;[s]YYMMDDhhmm, either may be missing); empty where it holds nothing."""
        asked = _RANGE.fullmatch(operand)
        if asked is None:
            return ""
        first, last = (self._moment(text) for text in asked.groups())
        wanted = [
            one
            for one in self.periods
            if (first is None or one.end >= first) and (last is None or one.end <= last)
        ]
        return "\r\n".join(self._lines(wanted)) + "\r\n" if wanted else ""

    def _moment(self, text: str | None) -> datetime | None:
        if text is None:
            return None
        local = datetime.strptime(text[-10:], "%y%m%d%H%M").replace(tzinfo=self.zone)
        summer, winter = local.replace(fold=0), local.replace(fold=1)
        # Only in the hour that comes twice they differ; there the digit tells which.
        return (winter if text[:-10] == "0" else summer).astimezone(UTC) - self.ahead

    def _lines(self, periods: Sequence[Period]) -> Iterator[str]:
        before: tuple[datetime, int] | None = None
        for one in periods:
            status = one.status | (SUMMER if one.end.astimezone(self.zone).dst() else 0)
            follows = one.end - timedelta(minutes=self.minutes)
            if before != (follows, status):
                yield self._head(one.end, status)
            before = one.end, status
            yield "".join(f"({self._number(amount)})" for amount in one.amounts)

    def _head(self, end: datetime, status: int) -> str:
        local = (end + self.ahead).astimezone(self.zone)
        digit = str(int(bool(local.dst()))) if self.flagged else ""
        names = "".join(f"({one})({'kW' if self.power else 'kWh'})" for one in self.channels)
        return (
            f"{self.code}({digit}{local:%y%m%d%H%M%S})({status:08X})"
            f"({self.minutes})({len(self.channels)}){names}"
        )

    def _number(self, amount: int) -> str:
        thousandths = amount * 60 // self.minutes if self.power else amount
        return f"{thousandths // 1000}.{thousandths % 1000:03}"
