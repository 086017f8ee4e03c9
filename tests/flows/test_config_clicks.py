"""What it costs the user to add a meter: clicks, and the time until it answers."""

from functools import reduce
from operator import xor
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.iec62056.const import DOMAIN

from ..common.bench import PORT
from ..common.flow_pages import settled
from ..protocol.scripted import Reply, ScriptedLine
from ..protocol.timed import START

# At 9600 Bd, with what a meter of industry sends: 240 registers, 15 months of them.
REGISTERS = {
    "C.1.0": "34567812",
    "F.F": "00000000",
    "16.7": "001.250*kW",
    **{
        f"{code}.8.{tariff}{period}": "0012345.678*kWh"
        for code in (1, 2)
        for tariff in range(5)
        for period in ("", *(f"*{month:02}" for month in range(1, 16)))
    },
    **{f"{code}.7": "000.00*A" for code in (31, 51, 71)},
    **{f"96.50.{number}": "0000" for number in range(74)},
}


def line() -> ScriptedLine:
    """A line with that meter at its end."""
    block = "".join(f"{code}({value})\r\n" for code, value in REGISTERS.items()) + "!\r\n\x03"
    data = block.encode()
    telegram = b"\x02" + data + bytes([reduce(xor, data)])
    return ScriptedLine(
        script=[
            Reply(b"/?!\r\n", b"/LGZ5ZMD405CR\r\n"),
            Reply(b"\x06050\r\n", telegram, speed=9600),
        ]
    )


async def test_from_the_open_dialogue_to_the_meter_in_four_clicks(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(START)
    opened = line()
    clicks = 0

    async def open_line(url: str, *, speed: int) -> ScriptedLine:
        assert (url, speed) == (PORT, 300)
        return opened

    with patch("custom_components.iec62056.meter.connection.open_line", open_line):
        shown: Any = await hass.config_entries.flow.async_init(
            DOMAIN, context={"source": SOURCE_USER}
        )
        # Nothing but the port is to be said: its choice, and the button below.
        clicks += 2
        shown = await settled(
            hass,
            await hass.config_entries.flow.async_configure(
                shown["flow_id"], {"device": PORT, "advanced": {}}
            ),
        )
        while shown["type"] is not FlowResultType.CREATE_ENTRY:
            # All is filled in, so the button is enough.
            assert shown["type"] is FlowResultType.FORM, shown
            clicks += 1
            shown = await hass.config_entries.flow.async_configure(shown["flow_id"], {})
        # The page that says it is done is closed.
        clicks += 1
        await hass.async_block_till_done(wait_background_tasks=True)
    assert clicks <= 4
    entry = shown["result"]
    assert entry.unique_id == "LGZ_34567812"
    assert len(entry.runtime_data.coordinator.data.registers) == len(REGISTERS)
    assert opened.speed == 9600
    # All the waiting of the line, its own clock has counted.
    assert 5 < opened.elapsed < 30
