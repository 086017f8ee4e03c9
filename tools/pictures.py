"""The pictures of the documentation, taken while the user sets four meters up and lives with them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
import re
import sys
from tempfile import TemporaryDirectory
from typing import Any

from playwright.async_api import Locator, expect

from demo import meter
from tests.browser.house import PATIENCE, ROOT, House, house, keep

PICTURES = ROOT / "docs" / "pictures"
# A telegram, since no scenario of the simulator is a water meter.
WATER = "/WAT5WM-20\r\n8-0:0.0.0(90012345)\r\n8-0:1.0.0(00312.874*m3)\r\n!\r\n"
BRIDGE = ("--rfc2217", "127.0.0.1:0")
METERS = {
    "House": ("--scenario", "household", "--ident", "/LGZ3ZMF100AC.M26"),
    "Heating": (*BRIDGE, "--scenario", "heat"),
    "Gas": (*BRIDGE, "--scenario", "gas", "--ident", "/ELS4EK220"),
}
# What an hour of the day adds, from midnight. Meters that live on a battery are read before the day ends.
BURNT = (*[0] * 23, 8.2)  # cubic metres
RUN = (*[0] * 23, 0.43)  # cubic metres
WARMTH = (*[0] * 23, 0.061)  # megawatt hours
DAY = [used if 6 <= hour < 22 else 0 for hour, used in enumerate(meter.TAKEN)]
NIGHT = [used - by_day for used, by_day in zip(meter.TAKEN, DAY, strict=True)]
WEEK = "Last 7 days"
# Longer than what is looked at: the first hour of all would be drawn as a fall.
PAST = timedelta(days=14)
HOUR = timedelta(hours=1)


async def main() -> None:
    """Take all pictures, or those that are named: house, outage."""
    PICTURES.mkdir(exist_ok=True)
    expect.set_options(timeout=PATIENCE)
    with TemporaryDirectory(prefix="meters-") as folder:
        telegram = Path(folder) / "water.txt"
        telegram.write_text(WATER, "ascii", newline="")
        meters = {**METERS, "Water": (*BRIDGE, "--telegram", str(telegram))}
        remembering = {"House": (*METERS["House"], "--load-profile", "3")}
        for name, houses, tour in (("house", meters, walk), ("outage", remembering, miss_hours)):
            if name in (sys.argv[1:] or name):
                (own := Path(folder) / name).mkdir()
                await visit(own, houses, tour)


async def visit(
    folder: Path,
    meters: Mapping[str, Sequence[str]],
    tour: Callable[[House], Awaitable[None]],
) -> None:
    """Go through a house, and keep what is seen where that fails."""
    async with house(folder, meters) as it:
        try:
            await tour(it)
        except Exception:
            await keep(it, "pictures")
            raise


async def walk(it: House) -> None:
    """All that the user does."""
    await set_up(it)
    for name in ("Heating", "Gas", "Water"):
        await meter.add(it.home, it.ports[name], lambda _: None)
    await give_names(it)
    await change(it)
    await fill_energy(it)


async def set_up(it: House) -> None:
    """Add the electricity meter by clicks."""
    person = it.person
    await person.begin_to_add()
    await (await person.open_ports()).get_by_text("House").first.wait_for()
    await take(it, "setup-port", dialogue(it))
    await person.page.keyboard.press("Escape")
    await person.pick_port("House")
    await person.submit()
    await person.dialogue.get_by_text(re.compile(r"[1-9]\d* registers so far")).wait_for()
    await take(it, "setup-reading", dialogue(it), still=False)
    await person.dialogue.get_by_text("Meter found").wait_for()
    await take(it, "setup-registers", dialogue(it))
    await person.submit()
    name = person.dialogue.locator("step-flow-create-entry input").first
    await name.fill("House")
    await take(it, "setup-done", dialogue(it))
    await person.leave("Finish")


async def give_names(it: House) -> None:
    """Call the other meters by what they measure, as the user does."""
    for device in await it.home.command("config/device_registry/list"):
        for make, name in (("UH50", "Heating"), ("EK220", "Gas"), ("WM-20", "Water")):
            if device["model"] == make:
                await meter.call(it.home, device, name)


async def change(it: House) -> None:
    """The meter's page, its options, and another port."""
    person = it.person
    await person.open_meter("House")
    await person.page.get_by_text("Energy import tariff 1").first.wait_for()
    await take(it, "device")
    await person.open_options("House", "Reading schedule")
    await take(it, "options-reading", dialogue(it))
    await person.submit("Next")
    await take(it, "options-interval", dialogue(it))
    await person.from_menu("House", "Reconfigure")
    await person.type_port("rfc2217://192.168.1.20:4000")
    await take(it, "reconfigure", dialogue(it))


async def fill_energy(it: House) -> None:
    """Give the meters a past, put them into the Energy dashboard, and look at it."""
    person, home = it.person, it.home
    entries = await home.command("config_entries/get", domain=meter.DOMAIN)
    sensors = [one for entry in entries for one in await meter.sensors(home, entry["entry_id"])]
    for code, day, unit_class in (
        ("1-0:1.8.1", DAY, "energy"),
        ("1-0:1.8.2", NIGHT, "energy"),
        ("1-0:2.8.0", meter.GIVEN, "energy"),
        ("6-0:6.8.0", WARMTH, "energy"),
        ("7-0:3.0.0", BURNT, "volume"),
        ("8-0:1.0.0", RUN, "volume"),
    ):
        (sensor,) = [one for one in sensors if one.code == code]
        await meter.invent_past(home, sensor, day, unit_class, PAST)
    await meter.invent_panels(home, PAST)
    grid = ("electricity", "Add grid connection", "House")
    form = await person.choose_for_energy(*grid, "Energy import tariff 1", "Energy export")
    await take(it, "energy-grid", form.locator("dialog").first)
    await person.save(form)
    await person.fill_energy(*grid, "Energy import tariff 2")
    await meter.add_panels(it.home)
    await person.fill_energy("gas", "Add gas source", "Gas", "Gas")
    await person.fill_energy("water", "Add water source", "Water", "Water")
    await look(it, "overview", WEEK, "energy")
    await look(it, "electricity", "Yesterday", "energy-electricity")
    await look(it, "gas", WEEK, "energy-gas")
    await look(it, "water", WEEK, "energy-water")
    sources = (await home.command("energy/get_prefs"))["energy_sources"]
    sources = [source for source in sources if source["type"] != "gas"]
    await home.command("energy/save_prefs", energy_sources=sources)
    await person.fill_energy("gas", "Add gas source", "Heating", "Heat energy")
    await look(it, "gas", WEEK, "energy-heat")


async def miss_hours(it: House) -> None:
    """Nine hours of yesterday as the recorder leaves them without the meter, and after their import."""
    person, home = it.person, it.home
    entry_id = await meter.add(home, it.ports["House"], lambda _: None)
    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    first, last = midnight - 14 * HOUR, midnight - 5 * HOUR
    asked: dict[str, Any] = {
        "config_entry_id": entry_id,
        "from": (midnight - 26 * HOUR).isoformat(),
    }
    (read,) = (await call(it, "read_load_profile", asked))["meters"]
    sensors = await meter.sensors(home, entry_id)
    for channel, code in enumerate((meter.IMPORT, meter.EXPORT)):
        (sensor,) = [one for one in sensors if one.code == code]
        used = hourly(read["profiles"], channel)
        # What comes back after the outage is booked into its first hour.
        missed = [hour for hour in used if first <= hour < last]
        used[last] += sum(used[hour] for hour in missed)
        # Without a row behind the last hour, no import would know that it is over.
        used[max(used) + 2 * HOUR] = Decimal(0)
        await meter.import_hours(home, sensor, used | dict.fromkeys(missed, Decimal(0)))
    grid = ("electricity", "Add grid connection", read["meter"], "Energy import", "Energy export")
    await person.fill_energy(*grid)
    await look(it, "electricity", "Yesterday", "profile-before")
    until = (last + HOUR).isoformat()
    asked |= {"from": first.isoformat(), "to": until, "everything": True}
    (done,) = (await call(it, "import_load_profile", asked))["meters"]
    assert done["finished"], done
    assert not any(one["refused"] for one in done["sensors"] if one["hours"]), done
    assert any(one["hours"] >= 9 for one in done["sensors"]), done
    await look(it, "electricity", "Yesterday", "profile-after")


async def call(it: House, action: str, data: Mapping[str, Any]) -> Any:
    """What an action of the component returns."""
    answer = await it.home.post(f"services/{meter.DOMAIN}/{action}?return_response", data)
    return answer["service_response"]


def hourly(profiles: Sequence[Mapping[str, Any]], channel: int) -> dict[datetime, Decimal]:
    """Energy by the beginning of its hour, of the full hours of a profile of mean powers."""
    used: dict[datetime, list[Decimal]] = {}
    for profile in profiles:
        length = timedelta(minutes=profile["minutes"])
        for row in profile["rows"]:
            begin = datetime.fromisoformat(row["end"]).astimezone(UTC) - length
            hour = begin.replace(minute=0)
            energy = Decimal(row["values"][channel]) * profile["minutes"] / 60
            used.setdefault(hour, []).append(energy)
    return {hour: sum(parts, Decimal(0)) for hour, parts in used.items() if len(parts) == 4}


async def look(it: House, view: str, period: str, name: str) -> None:
    """A view of the Energy dashboard for a period that is over."""
    page = it.person.page
    await it.person.go(f"energy/{view}")
    totals = page.locator("hui-energy-sources-table-card")
    await expect(totals).to_contain_text(re.compile(r"\d"))
    today = await totals.inner_text()
    await it.person.click(page.get_by_role("button", name="Select time period"))
    await it.person.click(page.get_by_text(period, exact=True))
    await expect(totals).not_to_have_text(today)
    await take(it, name)


def dialogue(it: House) -> Locator:
    """The dialogue itself, without what lies behind it; of a list that is open in it, only its own part."""
    return it.person.dialogue.locator("dialog").first


async def take(it: House, name: str, of: Locator | None = None, *, still: bool = True) -> None:
    """Keep a picture, of what moves only if that is wanted."""
    async with asyncio.timeout(PATIENCE / 1000):
        picture = await it.person.picture(of)
        while still and picture != (after := await it.person.picture(of)):
            picture = after
    (PICTURES / f"{name}.png").write_bytes(picture)
    print(f"{name}: {len(picture) // 1000} kB")


if __name__ == "__main__":
    asyncio.run(main())
