"""Registers that move with time: a household with photovoltaics, a heat meter, a gas meter.

Powers are whole watts, held for one slot; energies are sums over slots in watt-seconds: registers of energy
never fall, whatever the times at which they are asked for.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from math import cos, exp, pi, sin, sqrt
from random import Random
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from .profile import LoadProfile

SLOT = 10  # seconds
DEMAND_PERIOD = 900  # seconds; a maximum demand is a mean over a quarter of an hour
WATT_HOUR = 3600  # watt-seconds
_PEAK = 6000  # watts of the photovoltaics


def local_now() -> datetime:
    """The clock of this machine, with its zone."""
    return datetime.now().astimezone()


def _kilo(thousandths: int, digits: int = 6) -> str:
    return f"{thousandths // 1000:0{digits}d}.{thousandths % 1000:03d}"


def _noise(*key: int) -> float:
    """A number from 0 to 1 that is always the same for the same key; much cheaper than a generator for each slot."""
    state = 0
    for part in key:
        state = (state + part) * 0x9E3779B97F4A7C15 % (1 << 64)
        state ^= state >> 29
    return (state * 0xBF58476D1CE4E5B9 >> 40 & 0xFFFFFF) / 0x1000000


def _lines(sets: Iterable[str]) -> bytes:
    return "".join(f"{data_set}\r\n" for data_set in sets).encode("ascii")


class Household:
    """Three phases, two tariffs (day from 6 to 22), feed-in by day, maximum demand of the month with its time."""

    def __init__(
        self,
        *,
        serial: str = "10012345",
        seed: int = 1,
        clock: Callable[[], datetime] = local_now,
    ) -> None:
        self._serial = serial
        self._seed = seed
        self._clock = clock
        start = clock()
        self._zone = start.tzinfo
        self._slot = int(start.timestamp()) // SLOT
        self._month = (start.year, start.month)
        self._imported = [4_211_073 * WATT_HOUR, 2_873_519 * WATT_HOUR]
        self._fed_in = 1_904_688 * WATT_HOUR
        self._reactive = 608_242 * WATT_HOUR
        self._stored = [4_102_310, 2_790_044]
        self._period = 0
        self._period_energy = 0
        self._maximum = (2_310, start - timedelta(hours=1))

    def block(self) -> bytes:
        """The registers now."""
        now = self._clock()
        self._catch_up(now)
        # The slot that runs counts for the seconds it has run.
        run = max(0, int(now.timestamp()) - self._slot * SLOT)
        phases = self._phases(self._slot, datetime.fromtimestamp(self._slot * SLOT, self._zone))
        power = sum(phases)
        imported = list(self._imported)
        imported[self._tariff(now)] += max(power, 0) * run
        wh = [total // WATT_HOUR for total in imported]
        fed_in = (self._fed_in + max(-power, 0) * run) // WATT_HOUR
        reactive = (self._reactive + self._reactive_power(self._slot) * run) // WATT_HOUR
        demand, demand_at = self._maximum
        random = Random(f"{self._seed}:{self._slot}:volts")
        sets = [
            "F.F(00000000)",
            f"0.0.0({self._serial})",
            f"C.1.0({self._serial})",
            "0.2.0(SIM 1.0)",
            f"0.9.1({now:%H%M%S})",
            f"0.9.2({now:%y%m%d})",
            f"1.8.0({_kilo(sum(wh))}*kWh)",
            f"1.8.1({_kilo(wh[0])}*kWh)",
            f"1.8.2({_kilo(wh[1])}*kWh)",
            f"1.8.0*01({_kilo(sum(self._stored))}*kWh)",
            f"1.8.1*01({_kilo(self._stored[0])}*kWh)",
            f"1.8.2*01({_kilo(self._stored[1])}*kWh)",
            f"2.8.0({_kilo(fed_in)}*kWh)",
            f"3.8.0({_kilo(reactive)}*kvarh)",
            f"1.6.0({demand / 1000:06.3f}*kW)({demand_at:%y%m%d%H%M})",
            f"1.7.0({max(power, 0) / 1000:06.3f}*kW)",
            f"2.7.0({max(-power, 0) / 1000:06.3f}*kW)",
            f"3.7.0({self._reactive_power(self._slot) / 1000:06.3f}*kvar)",
            f"14.7.0({50 + random.uniform(-0.03, 0.03):.2f}*Hz)",
        ]
        apparent = 0.0
        for first, watts in zip((21, 41, 61), phases, strict=True):
            volts = 231.4 - watts / 2500 + random.uniform(-0.6, 0.6)
            factor = random.uniform(0.93, 0.99)
            volt_amperes = abs(watts) / factor
            apparent += volt_amperes
            sets += [
                f"{first}.7.0({max(watts, 0) / 1000:06.3f}*kW)",
                f"{first + 1}.7.0({max(-watts, 0) / 1000:06.3f}*kW)",
                f"{first + 2}.7.0({sqrt(volt_amperes**2 - watts**2) / 1000:06.3f}*kvar)",
                f"{first + 10}.7.0({volt_amperes / volts:06.2f}*A)",
                f"{first + 11}.7.0({volts:.1f}*V)",
                f"{first + 12}.7.0({factor:.3f})",
            ]
        sets += [
            f"9.7.0({apparent / 1000:06.3f}*kVA)",
            f"13.7.0({sum(map(abs, phases)) / (apparent or 1):.3f})",
            f"16.7.0({power / 1000:+07.3f}*kW)",
        ]
        return _lines([*sets, "C.7.0(0003)", "C.8.0(00021944*h)"])

    def _catch_up(self, now: datetime) -> None:
        """Count all slots that are over. A clock that goes back leaves the registers as they are."""
        while (self._slot + 1) * SLOT <= now.timestamp():
            at = datetime.fromtimestamp(self._slot * SLOT, self._zone)
            power = sum(self._phases(self._slot, at))
            self._close(at)
            self._imported[self._tariff(at)] += max(power, 0) * SLOT
            self._fed_in += max(-power, 0) * SLOT
            self._reactive += self._reactive_power(self._slot) * SLOT
            self._period_energy += max(power, 0) * SLOT
            self._slot += 1

    def _close(self, at: datetime) -> None:
        """End of a demand period, and of a month: the totals are stored, the maximum begins anew."""
        period = int(at.timestamp()) // DEMAND_PERIOD
        if period != self._period:
            mean = self._period_energy // DEMAND_PERIOD
            if mean > self._maximum[0]:
                self._maximum = (mean, at)
            self._period, self._period_energy = period, 0
        if (at.year, at.month) != self._month:
            self._month = (at.year, at.month)
            self._stored = [total // WATT_HOUR for total in self._imported]
            self._maximum = (0, at)

    def remember(self, profile: LoadProfile, days: int) -> None:
        """Write down what these last days before its start were like; its registers began after them."""
        first = self._slot - days * 86_400 // SLOT
        first -= first % (DEMAND_PERIOD // SLOT)
        totals = [(0, 0)]
        for slot in range(first, self._slot):
            power = sum(self._phases(slot, datetime.fromtimestamp(slot * SLOT, self._zone)))
            taken, given = totals[-1]
            totals.append((taken + max(power, 0) * SLOT, given + max(-power, 0) * SLOT))

        def registers(at: datetime) -> list[int]:
            return [total // WATT_HOUR for total in totals[int(at.timestamp()) // SLOT - first]]

        begin, end = (datetime.fromtimestamp(slot * SLOT, UTC) for slot in (first, self._slot))
        profile.watch(registers, begin, end)

    @staticmethod
    def _tariff(at: datetime) -> int:
        return 0 if 6 <= at.hour < 22 else 1

    def _phases(self, slot: int, at: datetime) -> tuple[int, int, int]:
        """Watts on the three phases in that slot, negative where the house feeds in."""
        seed = self._seed
        hour = at.hour + at.minute / 60 + at.second / 3600
        morning, evening = exp(-((hour - 7.5) ** 2) / 2), exp(-((hour - 19.5) ** 2) / 6)
        base = 160 + 300 * morning + 520 * evening
        # A kettle or an oven runs in some spells of five minutes.
        cooking = 2000 if _noise(seed, 1, slot // 30) < 0.04 + 0.1 * evening else 0
        sun = _PEAK * max(0.0, sin((hour - 6) / 12 * pi)) if 6 <= hour <= 18 else 0.0
        sun *= 0.6 + 0.4 * _noise(seed, 2, slot // 18)
        return (
            round(base * (0.7 + 0.6 * _noise(seed, 3, slot)) - sun / 3),
            round(base * (0.5 + 0.4 * _noise(seed, 4, slot)) + cooking - sun / 3),
            round(base * 0.6 - sun / 3),
        )

    def _reactive_power(self, slot: int) -> int:
        return 40 + int(60 * _noise(self._seed, 5, slot))


class _Utility:
    """A meter whose registers follow the hours since it was made; its `NUMBER` where it is given no other."""

    NUMBER: ClassVar[str]

    def __init__(self, *, serial: str = "", clock: Callable[[], datetime] = local_now) -> None:
        self._serial = serial or self.NUMBER
        self._clock = clock
        self._start = clock()

    def _hours(self, now: datetime) -> float:
        return max(0.0, (now - self._start).total_seconds() / 3600)


class Heat(_Utility):
    """A battery heat meter with several short codes on a line; heat in MWh, volume in m³."""

    NUMBER = "70012345"

    def block(self) -> bytes:
        """The registers now."""
        now = self._clock()
        hours = self._hours(now)
        heat, volume = 218_431 + int(hours * 4.3), 512_017 + int(hours * 14)
        serial = self._serial
        return _lines(
            [
                f"6.8({_kilo(heat, 4)}*MWh)6.26({volume // 100:05d}.{volume % 100:02d}*m3)9.21(00{serial[2:]})",
                "6.26*01(04877.60*m3)6.8*01(0207.912*MWh)",
                f"F(0)9.20({serial})6.35(60*m)",
                "6.6(0021.7*kW)6.6*01(0019.2*kW)6.33(000.655*m3ph)9.4(094.2*C&071.8*C)",
                f"6.31({61_204 + int(hours):07d}*h)6.32(0000011*h)9.22(R)9.6(000&{serial}&0&000&{serial}&0)",
                "9.7(20000)6.36(01-01&00:00)6.8.1()6.8.2()6.8.3()",
                f"9.36({now:%Y-%m-%d&%H:%M:%S})9.24(1.5*m3ph)9.31(0017744*h)0.0({serial})",
            ]
        )


class Gas(_Utility):
    """A gas meter: one volume that rises in waves of half a day, temperature, clock."""

    NUMBER = "7ELS0012345"

    def block(self) -> bytes:
        """The registers now."""
        now = self._clock()
        hours = self._hours(now)
        # The integral of a flow of 0.6 ± 0.5 m³/h: it never falls.
        litres = 3_184_221 + int(600 * hours + 3000 / pi * (1 - cos(hours * pi / 6)))
        return _lines(
            [
                "7-0:97.97.0(00000000)",
                f"7-0:0.0.0({self._serial})",
                f"7-0:3.0.0({_kilo(litres, 5)}*m3)",
                "7-0:3.0.0*01(03009.870*m3)",
                f"7-0:41.0.0({12 + 3 * sin(hours / 3):.1f}*C)",
                f"7-0:0.9.1({now:%H%M%S})",
                f"7-0:0.9.2({now:%y%m%d})",
            ]
        )
