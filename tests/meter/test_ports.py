"""Names of USB ports that last, and what is opened where a port is gone."""

import asyncio
from collections.abc import Iterator, Sequence
import logging
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, patch

from homeassistant.components import usb
from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.meter import ports
from custom_components.iec62056.meter.ports import Why, lasting_name, tells_apart
from custom_components.iec62056.protocol.errors import PortMissing
from custom_components.iec62056.protocol.model import LineProfile, Medium, Mode
from custom_components.iec62056.state.meter_state import MeterState

from ..common.bench import NUMBER, reading
from ..common.stored_file import file_of, stored

CP210X = ("10C4", "EA60")
CH340 = ("1A86", "7523")


def adapter(
    device: Path | str,
    kind: tuple[str, str] = CP210X,
    serial: str | None = "0123ABD7",
    number: int = 0,
) -> usb.USBDevice:
    """A USB adapter as Home Assistant finds it."""
    return usb.USBDevice(
        device=str(device),
        vid=kind[0],
        pid=kind[1],
        serial_number=serial,
        manufacturer="Someone",
        description="A probe",
        interface_num=number,
    )


class Machine:
    """A folder that looks like /dev, and the adapters in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.links = folder / "serial"
        self.sockets = self.links / "by-path"
        self.found: list[usb.SerialDevice] = []
        self.by_id: dict[str, str] = {}

    def plug(self, name: str, *, by_id: str = "", by_path: str = "", **known: Any) -> str:
        """Plug an adapter in; a link of that name then leads to it."""
        device = self.folder / name
        device.touch()
        shown = device
        for kind, link in (("by-path", by_path), ("by-id", by_id)):
            if link:
                folder = self.links / kind
                folder.mkdir(parents=True, exist_ok=True)
                (folder / link).unlink(missing_ok=True)
                (folder / link).symlink_to(device)
                if kind == "by-id":
                    shown = folder / link
                    self.by_id[str(device)] = str(shown)
        self.found.append(adapter(shown, **known))
        return str(device)

    def name(self, device: str) -> tuple[str, Why | None]:
        """The lasting name, below the folder."""
        found = lasting_name(device, self.sockets)
        return found.device.removeprefix(f"{self.folder}/"), found.why


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    with (
        patch.object(usb, "scan_serial_ports", lambda: machine.found),
        patch.object(usb, "get_serial_by_id", lambda device: machine.by_id.get(device, device)),
    ):
        yield machine


@pytest.mark.parametrize(
    ("serial", "own"),
    [
        ("0123ABD7", True),
        ("AB0PQRST", True),
        ("00FD13C2", True),
        (None, False),
        ("", False),
        ("  ", False),
        ("0001", False),
        ("1234", False),
        ("00000000", False),
        ("00000001", False),
        ("12345678", False),
        ("0123456789abcdef", False),
    ],
)
def test_serial_number_of_its_own(serial: str | None, own: bool) -> None:
    assert tells_apart(serial) is own


def test_name_by_id_is_kept(machine: Machine) -> None:
    device = machine.plug("ttyUSB0", by_id="usb-Probe_0123ABD7-if00-port0", by_path="pci-usb-0:1")
    machine.plug("ttyUSB1", by_id="usb-Probe_77-if00-port0", by_path="pci-usb-0:2", serial="7766AC")
    name = "serial/by-id/usb-Probe_0123ABD7-if00-port0"
    assert machine.name(device) == (name, None)
    assert machine.name(str(machine.folder / name)) == (name, None)


@pytest.mark.parametrize("serial", [None, "0001"])
def test_without_a_serial_number_the_socket_is_kept(machine: Machine, serial: str | None) -> None:
    """The next adapter of its kind would take its name by id away."""
    device = machine.plug(
        "ttyUSB0",
        by_id="usb-1a86_USB_Serial-if00-port0",
        by_path="pci-usb-0:1",
        kind=CH340,
        serial=serial,
    )
    assert machine.name(device) == ("serial/by-path/pci-usb-0:1", Why.NO_SERIAL)


def test_two_adapters_with_one_number(machine: Machine) -> None:
    """The link by id leads to the one that came last, whatever was meant."""
    first = machine.plug("ttyUSB0", by_path="pci-usb-0:1")
    second = machine.plug("ttyUSB1", by_id="usb-Probe_0123ABD7-if00-port0", by_path="pci-usb-0:2")
    assert machine.name(first) == ("serial/by-path/pci-usb-0:1", Why.NOT_ALONE)
    assert machine.name(second) == ("serial/by-path/pci-usb-0:2", Why.NOT_ALONE)


def test_two_ports_of_one_adapter(machine: Machine) -> None:
    for number in (0, 1):
        name = f"usb-Probe_0123ABD7-if0{number}-port0"
        device = machine.plug(f"ttyUSB{number}", by_id=name, by_path=f"p{number}", number=number)
        assert machine.name(device) == (f"serial/by-id/{name}", None)


def test_of_two_names_of_one_socket_always_the_same(machine: Machine) -> None:
    machine.plug("ttyUSB0", by_path="pci-usbv2-0:1", serial=None)
    device = machine.plug("ttyUSB0", by_path="pci-usb-0:1", serial=None)
    assert machine.name(device)[0] == "serial/by-path/pci-usb-0:1"


@pytest.mark.parametrize(
    ("name", "why"), [("ttyUSB3", Why.PASSING), ("ttyACM0", Why.PASSING), ("ttyAMA0", None)]
)
def test_container_without_links(machine: Machine, name: str, why: Why | None) -> None:
    """There the plain name is all there is; that of a built-in port stays."""
    device = machine.folder / name
    device.touch()
    assert machine.name(str(device)) == (name, why)


def test_without_a_number_and_without_sockets(machine: Machine) -> None:
    device = machine.plug("ttyUSB0", by_id="usb-1a86_USB_Serial-if00-port0", serial=None)
    assert machine.name(device) == ("serial/by-id/usb-1a86_USB_Serial-if00-port0", None)


@pytest.mark.parametrize(
    ("name", "level"),
    [
        (ports.Name("/dev/serial/by-id/x"), None),
        (ports.Name("/dev/serial/by-path/x", Why.NO_SERIAL), logging.INFO),
        (ports.Name("/dev/ttyUSB0", Why.PASSING), logging.WARNING),
    ],
)
async def test_reason_is_said(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture, name: ports.Name, level: int | None
) -> None:
    with patch.object(ports, "lasting_name", return_value=name):
        assert await ports.async_lasting_name(hass, "/dev/ttyUSB0") == name.device
    said = [
        record
        for record in caplog.records
        if record.name.startswith("custom_components") and "/dev/ttyUSB0" in record.getMessage()
    ]
    assert [record.levelno for record in said] == ([] if level is None else [level])
    assert all(name.device in record.getMessage() for record in said)


@pytest.mark.parametrize("why", [*Why, None])
async def test_reason_has_a_sentence_for_the_dialogue(hass: HomeAssistant, why: Why | None) -> None:
    with patch.object(ports, "lasting_name", return_value=ports.Name("/dev/ttyUSB0", why)):
        assert await ports.async_why(hass, "/dev/ttyUSB0") is why
    texts = await async_get_translations(hass, "en", "selector", [DOMAIN])
    prefix = f"component.{DOMAIN}.selector.port_name.options."
    said = {name.removeprefix(prefix) for name in texts if name.startswith(prefix)}
    assert said == set(Why)


async def test_bridge_keeps_its_name(hass: HomeAssistant) -> None:
    assert await ports.async_lasting_name(hass, "socket://host:1") == "socket://host:1"
    assert await ports.async_why(hass, "socket://host:1") is None


async def test_name_that_was_stored_has_the_same_reason(machine: Machine) -> None:
    """It is asked again when the meter was found."""
    device = machine.plug("ttyUSB0", by_id="usb-1a86-if00", by_path="pci-usb-0:1", serial=None)
    first = lasting_name(device, machine.sockets)
    assert first.why is Why.NO_SERIAL
    assert lasting_name(first.device, machine.sockets) == first


OLD, NEW = "/dev/serial/by-path/1", "/dev/serial/by-path/2"


@pytest.mark.parametrize("mode", [Mode.C, Mode.D])
async def test_port_that_the_user_did_not_choose_is_never_opened(
    hass: HomeAssistant, hass_storage: dict[str, Any], mode: Mode
) -> None:
    """Also where the own port is gone, a free adapter of the same kind is there, and an older version noted the kind."""
    asked: list[str] = []

    async def open_line(url: str, *, speed: int) -> Any:
        asked.append(url)
        raise PortMissing(port=url)

    async def scan(_: HomeAssistant) -> Sequence[usb.SerialDevice]:
        return [adapter(NEW, CH340, None)]

    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Meter",
        unique_id=f"LGZ_{NUMBER}",
        data={"device": OLD, "address": "", "adapter": "1A86:7523"},
    )
    entry.add_to_hass(hass)
    hass_storage[file_of(entry)] = stored(
        MeterState.of(reading(), LineProfile(medium=Medium.ELECTRICITY, mode=mode))
    )
    with (
        patch("custom_components.iec62056.meter.connection.open_line", open_line),
        patch.object(usb, "async_scan_serial_ports", scan),
        patch.object(usb, "async_get_serial_port_consumers", AsyncMock(return_value={})),
    ):
        assert await hass.config_entries.async_setup(entry.entry_id)
        failures = entry.runtime_data.coordinator.failures
        async with asyncio.timeout(10):
            while entry.runtime_data.coordinator.failures == failures:
                await entry.runtime_data.coordinator.async_refresh()
                await asyncio.sleep(0)
    assert entry.runtime_data.coordinator.last_exception.translation_key == "port_missing"
    assert set(asked) == {OLD}
    assert entry.data["device"] == OLD
