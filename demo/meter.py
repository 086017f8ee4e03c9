"""The meter in Home Assistant: added as the user adds it, looked at as the user looks at it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
import time

from .home import Home, HomeError, Json

DOMAIN = "iec62056"
ADDED_WITHIN = 300.0
IMPORT, EXPORT = "1-0:1.8.0", "1-0:2.8.0"
# Two weeks: the first day of all is drawn as a fall, and the user looks at the last one.
HISTORY = timedelta(days=14)

# kWh in each hour of a day, from midnight: a household that cooks in the evening, and panels on its roof.
TAKEN = (
    0.2,
    0.2,
    0.2,
    0.2,
    0.2,
    0.3,
    0.6,
    0.8,
    0.5,
    0.2,
    0.1,
    0,
    0,
    0,
    0,
    0.1,
    0.3,
    0.8,
    1.3,
    1.2,
    0.9,
    0.6,
    0.4,
    0.3,
)
GIVEN = (0, 0, 0, 0, 0, 0, 0, 0, 0.1, 0.5, 1.0, 1.4, 1.6, 1.5, 1.1, 0.6, 0.2, 0, 0, 0, 0, 0, 0, 0)
# What the panels make: what is given away, and what the household takes from them at once.
PANELS = "inverter:panels"
MADE = [given * 1.3 for given in GIVEN]
# No day is like the other; these begin with Monday.
WEEK = (0.95, 0.85, 1.05, 0.9, 1.0, 1.3, 1.2)


@dataclass(frozen=True, slots=True)
class Sensor:
    """One sensor of the meter as Home Assistant shows it."""

    entity_id: str
    code: str
    name: str
    state: str
    unit: str

    @property
    def number(self) -> Decimal | None:
        """The state as a number, None where it is none."""
        try:
            return Decimal(self.state)
        except InvalidOperation:
            return None


async def add(home: Home, port: str, watch: Callable[[str], None]) -> str:
    """Go through the dialogue that adds the meter on this port; `watch` is told each step. Returns the entry's id."""
    step = await home.post("config/config_entries/flow", {"handler": DOMAIN})
    answers: dict[str, Json] = {"user": {"device": port, "advanced": {}}}
    seen, end = "", time.monotonic() + ADDED_WITHIN
    while step["type"] != "create_entry":
        if time.monotonic() > end:
            raise HomeError(f"the meter was not found within {ADDED_WITHIN:.0f} s: {seen}")
        if step["type"] == "abort" or step.get("errors"):
            raise HomeError(f"the meter was not found: {step.get('reason') or step['errors']}")
        path = f"config/config_entries/flow/{step['flow_id']}"
        if step["type"] == "form":
            step = await home.post(path, answers.get(step["step_id"], {}))
            continue
        if (now := str(step.get("progress_action"))) != seen:
            watch(seen := now)
        step = await home.get(path)
    return str(step["result"]["entry_id"])


async def sensors(home: Home, entry_id: str) -> list[Sensor]:
    """The enabled sensors of the meter that have a state, in the order of their names."""
    registry = await home.command("config/entity_registry/list")
    states = {state["entity_id"]: state for state in await home.get("states")}
    found = [
        Sensor(
            entity_id=item["entity_id"],
            code=(shown := states[item["entity_id"]])["attributes"].get("obis_code", ""),
            name=shown["attributes"].get("friendly_name", ""),
            state=shown["state"],
            unit=shown["attributes"].get("unit_of_measurement", ""),
        )
        for item in registry
        if item["config_entry_id"] == entry_id
        and item["entity_id"].startswith("sensor.")
        and item["entity_id"] in states
    ]
    return sorted(found, key=lambda sensor: sensor.name)


async def poll(home: Home, sensor: Sensor) -> None:
    """Have the meter read now."""
    await home.post("services/homeassistant/update_entity", {"entity_id": sensor.entity_id})


def moved(before: Iterable[Sensor], after: Iterable[Sensor]) -> set[str]:
    """The entity ids whose number is another one now."""
    numbers = {sensor.entity_id: sensor.number for sensor in before}
    return {
        sensor.entity_id
        for sensor in after
        if sensor.number is not None
        and (known := numbers.get(sensor.entity_id)) is not None
        and known != sensor.number
    }


def table(before: Iterable[Sensor], after: Iterable[Sensor]) -> str:
    """Both readings side by side, with a mark where a number moved."""
    changed = moved(before, after)
    earlier = {sensor.entity_id: sensor.state for sensor in before}
    rows = [("Sensor", "first", "then", "")]
    rows += [
        (
            sensor.name,
            earlier.get(sensor.entity_id, ""),
            sensor.state,
            f"{sensor.unit:<6}{'*' if sensor.entity_id in changed else ''}",
        )
        for sensor in after
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        f"{name:<{widths[0]}}  {first:>{widths[1]}}  {then:>{widths[2]}}  {rest}".rstrip()
        for name, first, then, rest in rows
    )


async def fill_energy(home: Home, bought: Sensor, sold: Sensor) -> Json:
    """Put the meter and the panels into the Energy dashboard; what `energy/validate` says of it."""
    grid = {
        "type": "grid",
        "stat_energy_from": bought.entity_id,
        "stat_energy_to": sold.entity_id,
        "cost_adjustment_day": 0,
    }
    await home.command("energy/save_prefs", energy_sources=[grid])
    await add_panels(home)
    result: Json = await home.command("energy/validate")
    return result


async def invent_panels(home: Home, past: timedelta = HISTORY) -> None:
    """Write what panels on the roof have made: no meter measures them, an inverter would send their energy."""
    metadata: Json = {
        "has_sum": True,
        "mean_type": 0,
        "name": "Solar panels",
        "source": PANELS.split(":", maxsplit=1)[0],
        "statistic_id": PANELS,
        "unit_class": "energy",
        "unit_of_measurement": "kWh",
    }
    rows = hours_before(1000, MADE, past)
    await home.command("recorder/import_statistics", metadata=metadata, stats=rows)


async def add_panels(home: Home) -> None:
    """Put the panels into the Energy dashboard."""
    sources = (await home.command("energy/get_prefs"))["energy_sources"]
    panels = {
        "type": "solar",
        "stat_energy_from": PANELS,
        "config_entry_solar_forecast": None,
    }
    await home.command("energy/save_prefs", energy_sources=[*sources, panels])


async def call(home: Home, device: Json, name: str) -> None:
    """Give a device the name that the user calls it by."""
    await home.command("config/device_registry/update", device_id=device["id"], name_by_user=name)


async def name_meter(home: Home, entry_id: str, name: str) -> None:
    """Call the meter of an entry by that name."""
    for device in await home.command("config/device_registry/list"):
        if entry_id in device["config_entries"]:
            await call(home, device, name)


async def have_history(home: Home, *wanted: str) -> bool:
    """Whether all these statistics have arrived in Home Assistant's database."""
    found = await home.command(
        "recorder/statistics_during_period",
        start_time=(datetime.now(UTC) - HISTORY).isoformat(),
        statistic_ids=list(wanted),
        period="day",
        types=["sum"],
    )
    return len(found) == len(wanted)


async def invent_past(
    home: Home,
    sensor: Sensor,
    day: Sequence[float],
    unit_class: str = "energy",
    past: timedelta = HISTORY,
) -> None:
    """Write hourly statistics that lead up to the meter's reading of now."""
    if sensor.number is None:
        raise HomeError(f"{sensor.entity_id} has no number: {sensor.state}")
    rows = hours_before(float(sensor.number), day, past)
    await write_hours(home, sensor, rows, unit_class)


async def import_hours(home: Home, sensor: Sensor, used: Mapping[datetime, Decimal]) -> None:
    """Write hourly statistics with what was used in each hour, up to the meter's reading of now."""
    if sensor.number is None:
        raise HomeError(f"{sensor.entity_id} has no number: {sensor.state}")
    state, total = sensor.number, Decimal(0)
    rows: list[Json] = []
    for hour in sorted(used, reverse=True):
        rows.append({"start": hour.isoformat(), "state": float(state), "sum": float(total)})
        state, total = state - used[hour], total - used[hour]
    await write_hours(home, sensor, rows[::-1], "energy")


async def write_hours(home: Home, sensor: Sensor, rows: Sequence[Json], unit_class: str) -> None:
    """Write rows of hourly statistics of this sensor."""
    metadata = {
        "has_sum": True,
        "mean_type": 0,
        "name": None,
        "source": "recorder",
        "statistic_id": sensor.entity_id,
        "unit_class": unit_class,
        "unit_of_measurement": sensor.unit,
    }
    await home.command("recorder/import_statistics", metadata=metadata, stats=rows)


def hours_before(state: float, day: Sequence[float], past: timedelta = HISTORY) -> list[Json]:
    """Hourly statistics that end with this state now, with what each hour of a day has added to it."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    # Home Assistant begins to count at 0 with the first state it sees; what was before it ends there.
    total = 0.0
    rows: list[Json] = []
    for _ in range(past // timedelta(hours=1)):
        hour -= timedelta(hours=1)
        rows.append({"start": hour.isoformat(), "state": round(state, 3), "sum": round(total, 3)})
        local = hour.astimezone()
        used = day[local.hour] * WEEK[local.weekday()]
        state, total = state - used, total - used
    return rows[::-1]
