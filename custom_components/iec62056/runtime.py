"""The parts of one loaded meter, as `entry.runtime_data` holds them."""

from dataclasses import dataclass

from homeassistant.config_entries import ConfigEntry

from .coordinator import MeterCoordinator
from .meter.fast_polling import FastPoller
from .meter.probe_alignment import ProbeAlignment
from .meter.push_listener import PushListener
from .meter.reader import MeterReader
from .statistics.importer import ProfileImporter
from .statistics.ledger import Ledger

type MeterConfigEntry = ConfigEntry[MeterRuntime]


@dataclass(frozen=True, slots=True)
class MeterRuntime:
    """What works for one meter while its entry is loaded."""

    coordinator: MeterCoordinator
    reader: MeterReader
    listener: PushListener
    fast_poller: FastPoller
    alignment: ProbeAlignment
    importer: ProfileImporter
    ledger: Ledger


def runtime_of(entry: MeterConfigEntry) -> MeterRuntime | None:
    """The parts of an entry; None while it is not loaded."""
    return getattr(entry, "runtime_data", None)
