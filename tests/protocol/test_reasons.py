"""Each thing that goes wrong with a line is made to happen, and the client names exactly that."""

from pathlib import Path

import pytest

from custom_components.iec62056.protocol.discovery import discover
from custom_components.iec62056.protocol.errors import MeterError
from custom_components.iec62056.protocol.transport.serial_line import open_line

from ..common.causes import CAUSES, PARAMETERS, Cause
from ..common.clock import hurried
from ..common.held import open_files


async def read(url: str) -> None:
    line = await open_line(url)
    try:
        await discover(line)
    finally:
        await line.close()


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize("cause", PARAMETERS)
async def test_reason(cause: Cause, tmp_path: Path) -> None:
    before = open_files()
    with hurried(cause.pace):
        async with cause.make(tmp_path) as url:
            with pytest.raises(MeterError) as caught:
                await read(url)
    assert caught.value.key == cause.key
    assert cause.placeholders.items() <= caught.value.placeholders.items()
    assert open_files() == before


def test_every_reason_has_its_cause() -> None:
    """What the user may be told without having done anything wrong, but for what only needs a longer wait."""
    told = {cause.key for cause in CAUSES}
    assert told >= {
        "no_answer",
        "only_echo",
        "wrong_parity",
        "no_identification",
        "several_meters",
        "other_protocol",
        "no_data",
        "check_wrong",
        "port_busy",
        "no_permission",
        "connection_refused",
        "connection_lost",
        "connection_timed_out",
        "bridge_not_ready",
        "bridge_taken",
        "bridge_silent",
        "bridge_refused_settings",
        "meter_faster",
    }
