"""A meter that was set up by an earlier version, or by a later one: it is there, or it is left alone.

What version 0.1.0 wrote stands in upgrade/. It is never written anew: whatever comes later must take it.
"""

import copy
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
import json
from pathlib import Path
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

import custom_components.iec62056 as component
from custom_components.iec62056 import storage
from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.flows.config import MeterConfigFlow
from custom_components.iec62056.meter.login_manager import LoginManager, async_migrate_logins
from custom_components.iec62056.meter.wake_budget import WakeBudget
from custom_components.iec62056.protocol import obis
from custom_components.iec62056.protocol.codec import encode
from custom_components.iec62056.protocol.model import Mode, Register, Value
from custom_components.iec62056.registers.overrides import RegisterOverride
from custom_components.iec62056.state.meter_state import RegisterState
from custom_components.iec62056.statistics.gaps import Gap, Point, ReadingHistory
from custom_components.iec62056.statistics.import_job import (
    ImportJob,
    Imports,
    ImportStore,
    Replaced,
)
from custom_components.iec62056.statistics.planner import Hour
from custom_components.iec62056.storage import MeterStore, Stored
from custom_components.iec62056.validation.register_history import HoldReason
from custom_components.iec62056.validation.validation_state import HeldValue

from .common.bench import NUMBER, Bench, state

WRITTEN = json.loads(Path(__file__).with_name("upgrade").joinpath("0.1.0.json").read_text("utf-8"))
TOTAL, PEAK = "1-0:1.8.0", "1-0:1.6.0"


# What was enabled by default in 0.1 is not always now.
pytestmark = pytest.mark.usefixtures("every_sensor_enabled")


@pytest.fixture
def old(hass: HomeAssistant, hass_storage: dict[str, Any]) -> MockConfigEntry:
    """The entry and the file of 0.1.0."""
    written = copy.deepcopy(WRITTEN)
    entry = MockConfigEntry(domain=DOMAIN, **written["entry"])
    entry.add_to_hass(hass)
    hass_storage[f"{DOMAIN}.{entry.entry_id}"] = written["file"]
    return entry


def assert_as_before(hass: HomeAssistant, entry: MockConfigEntry, bench: Bench) -> None:
    """The meter is there without having been read, under the names its statistics have."""
    assert entry.state is ConfigEntryState.LOADED
    assert bench.reads == 0
    assert state(hass, TOTAL).state == "12345.678"
    assert state(hass, TOTAL).attributes["unit_of_measurement"] == "kWh"
    assert state(hass, PEAK).state == "3.210"
    registered = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    assert set(WRITTEN["unique_ids"]) <= {one.unique_id for one in registered}
    assert f"LGZ_{NUMBER}_{TOTAL}" in WRITTEN["unique_ids"]


async def test_what_the_first_version_wrote(
    hass: HomeAssistant, bench: Bench, old: MockConfigEntry
) -> None:
    await hass.config_entries.async_setup(old.entry_id)
    await hass.async_block_till_done()
    assert_as_before(hass, old, bench)
    assert old.runtime_data.coordinator.validator.units == WRITTEN["file"]["data"]["units"]
    assert old.runtime_data.coordinator.validator.state is not None


async def test_it_goes_on_from_there(
    hass: HomeAssistant, bench: Bench, old: MockConfigEntry
) -> None:
    """The next reading is judged by what was known: the same meter, and no new one."""
    await hass.config_entries.async_setup(old.entry_id)
    await hass.async_block_till_done()
    await old.runtime_data.coordinator.async_refresh()
    assert bench.reads == 1
    assert old.runtime_data.coordinator.last_update_success
    assert state(hass, TOTAL).state == "12345.678"


@pytest.mark.parametrize("version", [(1, 2), (2, 1)])
async def test_a_later_version_migrates_it(
    hass: HomeAssistant,
    bench: Bench,
    old: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    version: tuple[int, int],
) -> None:
    asked: list[tuple[int, int]] = []

    async def migrate(hass: HomeAssistant, entry: MockConfigEntry) -> bool:
        asked.append((entry.version, entry.minor_version))
        hass.config_entries.async_update_entry(
            entry, data={**entry.data, "later": 1}, version=version[0], minor_version=version[1]
        )
        return True

    monkeypatch.setattr(MeterConfigFlow, "VERSION", version[0])
    monkeypatch.setattr(MeterConfigFlow, "MINOR_VERSION", version[1])
    monkeypatch.setattr(component, "async_migrate_entry", migrate, raising=False)
    await hass.config_entries.async_setup(old.entry_id)
    await hass.async_block_till_done()
    assert asked == [(1, 1)]
    assert (old.version, old.minor_version) == version
    assert old.data["later"] == 1
    assert_as_before(hass, old, bench)


async def test_a_minor_version_needs_no_migration(
    hass: HomeAssistant, bench: Bench, old: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MeterConfigFlow, "MINOR_VERSION", 2)
    await hass.config_entries.async_setup(old.entry_id)
    await hass.async_block_till_done()
    assert_as_before(hass, old, bench)


async def test_an_entry_of_a_later_version_is_left_alone(
    hass: HomeAssistant, bench: Bench, hass_storage: dict[str, Any]
) -> None:
    written = copy.deepcopy(WRITTEN)
    entry = MockConfigEntry(domain=DOMAIN, **{**written["entry"], "version": 2})
    entry.add_to_hass(hass)
    name = f"{DOMAIN}.{entry.entry_id}"
    hass_storage[name] = {**written["file"], "version": 2}
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.MIGRATION_ERROR
    assert bench.reads == 0
    assert hass_storage[name] == {**WRITTEN["file"], "version": 2}


async def test_a_file_of_a_later_minor_version(
    hass: HomeAssistant, bench: Bench, old: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    """What a later version has added is passed over."""
    await hass.config_entries.async_setup(old.entry_id)
    await old.runtime_data.coordinator.record.async_save_now()
    await hass.config_entries.async_unload(old.entry_id)
    file = hass_storage[f"{DOMAIN}.{old.entry_id}"]
    file["minor_version"] = storage.MINOR_VERSION + 1
    file["data"]["later"] = file["data"]["state"]["later"] = {"more": 1}
    await hass.config_entries.async_setup(old.entry_id)
    await hass.async_block_till_done()
    assert_as_before(hass, old, bench)


FULL = json.loads(
    Path(__file__).with_name("upgrade").joinpath("0.1.0_full.json").read_text("utf-8")
)
START = datetime(2026, 11, 22, 12, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def register(address: str, *values: tuple[str, str | None]) -> Register:
    return Register(address, obis.parse(address), tuple(Value(*one) for one in values))


@pytest.fixture
def full(hass_storage: dict[str, Any]) -> str:
    """The files of a meter of 0.1.0 in which nothing is empty."""
    written, entry_id = copy.deepcopy(FULL), "written_by_0_1_0"
    hass_storage[f"{DOMAIN}.{entry_id}"] = written["file"]
    hass_storage[f"{DOMAIN}.{entry_id}.profile"] = written["profile"]
    return entry_id


async def test_all_that_the_first_version_wrote_of_a_meter(
    hass: HomeAssistant, full: str, caplog: pytest.LogCaptureFixture
) -> None:
    stored = await MeterStore(hass, full).async_load()
    assert stored is not None
    plain = FULL["file"]["data"]
    assert stored.units == {"1-0:1.8.0": "kWh"}
    assert stored.aligned_at == at(-1000)
    assert stored.wake_budget == WakeBudget((at(-100),), (at(-50),))
    assert [encode(one) for one in stored.offsets] == [
        {name: item for name, item in step.items() if name != "last" or item is not None}
        | {"reason": "reset", "recorded": False, "closed": False}
        for step in plain["steps"]
    ]
    # The state
    state = stored.state
    assert state.profile.mode is Mode.C
    assert state.profile.dtr is True
    assert asdict(state.profile) == plain["state"]["profile"] | {
        "dlms_push": False,
        "even_parity": False,
        "mains": False,
        "refused_speed": None,
    }
    assert state.identification is not None
    assert state.identification.model == "ZMF100AC.M26"
    assert asdict(state.health) == plain["state"]["health"]
    assert (state.unparsed, state.raw[-1:], state.received) == (("what?",), b"\xff", START)
    assert state.registers == {
        one.key: RegisterState(one, START)
        for one in (
            register("C.1.0", ("34567812", None)),
            register("1.8.0", ("012345.678", "kWh")),
            register("1.6.0", ("03.210", "kW"), ("2611210315", None)),
            register("ZZ1", ("?", None)),
        )
    }
    # What is believed
    validation = stored.validation
    assert validation is not None
    record = dict(plain["beliefs"]["records"]["1-0:1.8.0"])
    # Whether a number has a sign counts no more, nor how often a total was seen below.
    record["formats"] = [one[1:] for one in record.pop("forms")]
    record["held"] = [[*one, None] for one in record["held"]]
    del record["contradictions"]
    record["jump_days"] = []
    assert encode(validation.histories)["1-0:1.8.0"] == record
    assert len(validation.histories) == 3
    assert validation.held == {
        "1-0:1.8.0": HeldValue(register("1.8.0", ("000003.000", "kWh")), at(10), HoldReason.FELL),
        "ZZ2": HeldValue(register("ZZ2", ("7", None)), at(10), HoldReason.TOO_FAST),
    }
    assert [*validation.varying_texts, *validation.pending_repairs, *validation.dismissed] == [
        "0-0:1.0.0",
        "1-0:1.8.0",
        "ZZ2",
    ]
    assert validation.overrides == {"ZZ2": RegisterOverride(unit="kWh")}
    assert validation.wrong_checks == ("00ff", 2)
    other = validation.replacement
    assert other is not None
    assert (other.number, other.first_totals) == ("99887766", {"1-0:1.8.0": Decimal("7.000")})
    assert other.validation.held["ZZ3"].received == at(11)
    assert other.state is not None
    assert other.state.registers["1-0:1.8.0"].received == at(5)
    # What is derived, and what mode E knows
    assert [point.at for point in stored.derived.courses["import"].points] == [at(-5), at(0)]
    assert encode(stored.derived.peaks) == plain["memory"]["peaks"]
    assert encode(stored.derived.tariffs) == plain["memory"]["tariffs"]
    assert encode(stored.derived.counts) == plain["memory"]["counts"]
    assert (stored.derived.meter, stored.derived.tariff) == ("34567812", 1)
    assert encode(stored.object_cache).items() >= plain["known"].items()
    assert "Damaged" not in caplog.text


async def test_all_that_the_first_version_wrote_for_the_importer(
    hass: HomeAssistant, full: str, caplog: pytest.LogCaptureFixture
) -> None:
    await MeterStore(hass, full).async_load()
    # Once only: the second time there is nothing left to move.
    await MeterStore(hass, full).async_load()
    imports = await ImportStore(hass, full).async_load()
    assert imports is not None
    key = "1-0:1.8.0"
    assert imports.history == ReadingHistory(
        {key: (Point(at(-600), Decimal(12300)), "kWh")},
        {key: Point(at(0), Decimal("12345.678"))},
        (
            Gap(
                key,
                Point(at(-500), Decimal(12310)),
                Point(at(-300), Decimal(12320)),
                "kWh",
                done=True,
            ),
            Gap(key, Point(at(-200), Decimal(12330)), Point(at(-60), Decimal(12340)), "kWh"),
        ),
    )
    assert imports.replaced == {
        key: Replaced("kWh", {at(-300): None, at(-240): Hour(12310.0, 4.5)})
    }
    assert imports.has_profile
    # It begins to read anew.
    assert imports.job == ImportJob(
        at(-600), at(0), at(-600), at(-60), timedelta(hours=20), (), everything=True
    )
    assert "Damaged" not in caplog.text


_NEW_NAMES = {
    "aligned": "aligned_at",
    "beliefs": "validation",
    "budget": "wake_budget",
    "steps": "offsets",
    "memory": "derived",
    "known": "object_cache",
}


@pytest.mark.parametrize(
    ("file", "part", "junk"),
    [
        *(("file", part, junk) for part in FULL["file"]["data"] for junk in (None, 7, [1])),
        *(("profile", part, 7) for part in FULL["profile"]["data"]),
    ],
)
async def test_a_damaged_part_costs_only_itself(
    hass: HomeAssistant,
    full: str,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    *,
    file: str,
    part: str,
    junk: Any,
) -> None:
    name = f"{DOMAIN}.{full}" + (".profile" if file == "profile" else "")
    whole = await MeterStore(hass, full).async_load(), await ImportStore(hass, full).async_load()
    for key, content in (("", FULL["file"]), (".profile", FULL["profile"])):
        hass_storage[f"{DOMAIN}.{full}{key}"] = copy.deepcopy(content)
    caplog.clear()
    hass_storage[name]["data"][part] = junk
    stored = await MeterStore(hass, full).async_load()
    imports = await ImportStore(hass, full).async_load()
    assert caplog.text.count("Damaged") == (
        junk is not None or part not in ("aligned", "beliefs", "past")
    )
    if part == "state":
        assert stored is None
        return
    assert whole[0] is not None
    assert stored is not None
    for one in fields(Stored):
        if one.name != _NEW_NAMES.get(part, part):
            assert getattr(stored, one.name) == getattr(whole[0], one.name)
    assert imports is not None
    assert whole[1] is not None
    for one in fields(Imports):
        if one.name != (part if file == "profile" else "history"):
            assert getattr(imports, one.name) == getattr(whole[1], one.name)


@pytest.mark.parametrize(
    ("outcomes", "usable"),
    [(["accepted"], True), (["accepted", "refused"], False), (["refused", "accepted"], True)],
)
async def test_what_the_first_version_knew_of_a_password(
    hass: HomeAssistant,
    old: MockConfigEntry,
    hass_storage: dict[str, Any],
    outcomes: list[str],
    usable: bool,
) -> None:
    """The last try counts; the file of all meters, with those of others, is gone."""
    hass.config_entries.async_update_entry(old, data={**old.data, "password": "00000000"})
    tried = [
        {"meter": meter, "outcome": outcome, "at": f"2026-11-2{day}T12:00:00+00:00", "mark": "00"}
        for day, outcome in enumerate(outcomes)
        for meter in (old.unique_id, "ABC_1")
    ]
    # The latest need not stand last.
    data = {"salt": "00", "tried": tried[::-1]}
    hass_storage[f"{DOMAIN}.refusals"] = {"version": 1, "key": f"{DOMAIN}.refusals", "data": data}
    await async_migrate_logins(hass)
    assert f"{DOMAIN}.refusals" not in hass_storage
    assert ((await LoginManager(hass, old).async_usable()).secret is not None) is usable
