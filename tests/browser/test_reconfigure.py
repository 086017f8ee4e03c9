"""The meter is reached in another way from now on."""

import pytest

from demo import meter

from .conftest import OLD_METER
from .house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_another_port_keeps_the_meter_and_its_sensors(
    the_house: House, old_meter: str
) -> None:
    person, home, bridge = the_house.person, the_house.home, the_house.ports["Bridge"]
    before = {sensor.entity_id for sensor in await meter.sensors(home, old_meter)}

    async def received() -> str:
        path = "services/iec62056/read_now?return_response"
        answer = await home.post(path, {"config_entry_id": old_meter})
        return str(answer["service_response"]["meters"][0]["received"])

    first = await received()
    await person.from_menu(OLD_METER, "Reconfigure")
    await person.type_port(bridge)
    await person.submit()
    await person.dialogue.get_by_text("Reconfiguration was successful").wait_for()
    await person.leave("Close")
    ports = await home.command("usb/list_serial_ports", include_usage=True)
    users = {
        user["config_entry_id"]: port["device"] for port in ports for user in port["consumers"]
    }
    assert users[old_meter] == bridge

    assert await received() > first
    after = await meter.sensors(home, old_meter)
    assert {sensor.entity_id for sensor in after} == before
    assert "unavailable" not in {sensor.state for sensor in after}
