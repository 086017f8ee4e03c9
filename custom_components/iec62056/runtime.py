"""The parts of one loaded meter, as `entry.runtime_data` holds them."""

from dataclasses import dataclass

from homeassistant.config_entries import ConfigEntry

from .coordinator import MeterCoordinator
from .statistics.corrections import Corrections
from .statistics.importer import ProfileImporter

type MeterConfigEntry = ConfigEntry[MeterRuntime]


@dataclass(frozen=True, slots=True)
class MeterRuntime:
    """What works for one meter while its entry is loaded."""

    coordinator: MeterCoordinator
    importer: ProfileImporter
    corrections: Corrections


def coordinator_of(entry: MeterConfigEntry) -> MeterCoordinator | None:
    """The coordinator of an entry; None while the entry is not loaded."""
    runtime: MeterRuntime | None = getattr(entry, "runtime_data", None)
    return None if runtime is None else runtime.coordinator
