"""Sessions that stay open between two readings: a meter that has left, a line that has gone."""

import pytest

from custom_components.iec62056.protocol.errors import ConnectionLost
from simulator.dlms.frames import DISC, Heard

from .meters import client, keyring, meter

CODES = ["1-0:1.8.0", "1-0:32.7.0"]


@pytest.mark.parametrize(
    ("inactivity", "answers_dm"),
    [(12.0, False), (30.0, False), (60.0, False), (119.0, False), (12.0, True), (60.0, True)],
)
async def test_a_meter_that_left_while_nothing_was_asked(
    inactivity: float, answers_dm: bool
) -> None:
    simulated, ring = meter(inactivity=1e6 if answers_dm else inactivity), keyring()
    line, reader = client(simulated, ring)
    async with reader.conversation() as session:
        await session.read(CODES)
        for number in range(3):
            await line.sleep_until(line.now() + inactivity + 5)
            if answers_dm:
                # Learned from the first time, the link is opened anew before the meter says so.
                simulated.station.faults.closes_after = 0 if number == 0 else None
            before = line.elapsed
            answers = await session.read(CODES)
            assert [answer.refusal for answer in answers] == [None, None]
            # A sign-on takes 3 s; the first time, the silence of the meter tells that it has left.
            assert line.elapsed - before < (9.5 if number == 0 else 6)
        assert session.opened == 4
    assert not ring.known.alone


async def test_a_lost_frame_after_a_pause_is_no_end() -> None:
    simulated = meter()
    line, reader = client(simulated)
    async with reader.conversation() as session:
        await session.read(CODES)
        await line.sleep_until(line.now() + 5)
        simulated.station.faults.lost = {simulated.station._sent + 1}
        answers = await session.read(CODES)
        assert [answer.refusal for answer in answers] == [None, None]
        assert session.opened == 1


@pytest.mark.parametrize("left", [0, 1, 2])
async def test_a_line_that_broke_is_told_as_such_each_time(left: int) -> None:
    line, reader = client(meter())
    async with reader.conversation() as session:
        await session.read(CODES)
        line._writes = len(line.written) + left
        # As many questions as writes that are left.
        for _ in range(left):
            await session.read(CODES)
        for _ in range(3):
            with pytest.raises(ConnectionLost):
                await session.read(CODES)


@pytest.mark.parametrize("waits", [False, True])
async def test_a_connection_that_ends_with_the_link_costs_no_reading(waits: bool) -> None:
    simulated = meter()
    line, reader = client(simulated)
    hears = simulated.station.hears

    def hear(heard: Heard) -> bytes:
        out = hears(heard)
        if heard.control & ~0x10 == DISC:
            line._gone = True
            return b"" if waits else out
        return out

    simulated.station.hears = hear  # type: ignore[method-assign]
    reading = await reader.read_all()
    assert reading.first("1-0:1.8.0") is not None
