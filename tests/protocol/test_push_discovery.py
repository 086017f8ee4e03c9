"""Meters that push DLMS, found on a line of which nothing is known."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from custom_components.iec62056.protocol.discovery import DiscoveryHints, discover
from custom_components.iec62056.protocol.dlms.login import Keyring
from custom_components.iec62056.protocol.dlms.push.ciphering import PushKeys
from custom_components.iec62056.protocol.dlms_errors import PushKeyNeeded, PushKeyWrong
from custom_components.iec62056.protocol.errors import (
    PushHeard,
)
from custom_components.iec62056.protocol.model import (
    DiscoveryStep,
    LineProfile,
    Mode,
    Progress,
)
from simulator import Household, Manners, Meter
from simulator.dlms.push import (
    AUTHENTICATION_KEY,
    KEY,
    MAKES,
    Make,
    PushMeter,
    blocks,
    hdlc,
    notification,
)
from simulator.dlms.values import struct, u16
from simulator.meter import Content

from ..common.wired import WiredLine

KEYS = PushKeys(KEY, AUTHENTICATION_KEY)
# How long a user would wait.
LONGEST = 100.0


def line_of(make: Make, **options: object) -> WiredLine:
    return WiredLine(PushMeter(Household(), make), **options)  # type: ignore[arg-type]


def hints(keys: PushKeys | None = KEYS, **more: object) -> DiscoveryHints:
    return DiscoveryHints(keyring=Keyring(push_keys=keys), **more)  # type: ignore[arg-type]


def told() -> tuple[list[DiscoveryStep], Callable[[Progress], None]]:
    steps: list[DiscoveryStep] = []

    def tell(progress: Progress) -> None:
        if progress.step is not None and progress.step not in steps:
            steps.append(progress.step)

    return steps, tell


@pytest.mark.parametrize("make", MAKES)
async def test_each_make_is_found(make: str) -> None:
    line = line_of(MAKES[make])
    profile, reading = await discover(line, hints())
    assert line.elapsed < LONGEST
    assert (profile.mode, profile.dlms_push) == (Mode.D, True)
    assert (profile.listen_speed, profile.even_parity) == (MAKES[make].speed, MAKES[make].even)
    assert reading.first("1-0:1.8.0") is not None
    assert reading.identification is not None
    # The next time, it is there at once.
    again = line_of(MAKES[make])
    found, _ = await discover(again, hints(profile=profile))
    assert found == profile
    assert again.elapsed <= 3 * MAKES[make].interval
    assert again.written == []


@pytest.mark.parametrize("speed", [2400, 38400, 115200])
async def test_optical_telegrams_at_another_speed(speed: int) -> None:
    line = line_of(replace(MAKES["optical"], speed=speed))
    profile, _ = await discover(line, hints())
    assert (profile.listen_speed, profile.dlms_push) == (speed, True)
    assert line.elapsed < LONGEST


@pytest.mark.parametrize("make", ["optical", "wired"])
@pytest.mark.parametrize(
    ("keys", "error"), [(None, PushKeyNeeded), (PushKeys(bytes(16)), PushKeyWrong)]
)
async def test_who_cannot_open_them_is_told_where_the_meter_is(
    make: str, keys: PushKeys | None, error: type[PushKeyNeeded | PushKeyWrong]
) -> None:
    with pytest.raises(error) as caught:
        await discover(line_of(MAKES[make]), hints(keys))
    found = caught.value.found
    assert (found.listen_speed, found.even_parity) == (MAKES[make].speed, MAKES[make].even)
    _, reading = await discover(line_of(MAKES[make]), hints(profile=found))
    assert reading.first("1-0:1.8.0") is not None


@pytest.mark.parametrize(("make", "speed"), [("optical", 9600), ("wired", 2400)])
async def test_on_a_line_with_a_fixed_speed(make: str, speed: int) -> None:
    line = line_of(MAKES[make], can_switch=False, speed=speed)
    profile, _ = await discover(line, hints())
    assert profile.dlms_push
    assert line.elapsed < LONGEST


async def test_the_telegram_that_names_the_meter_is_waited_for() -> None:
    """Some makes send a short list often, and a long one now and then."""
    sent: list[bool] = []

    def by_turns(content: Content, moment: datetime, counter: int) -> list[bytes]:
        sent.append(counter % 5 == 0)
        if sent[-1]:
            return blocks(content, moment, counter)
        return hdlc(notification(struct(u16(417)), moment))

    line = line_of(replace(MAKES["blocks"], frames=by_turns, interval=2.0))
    _, reading = await discover(line, hints())
    assert sent[-1]
    assert {"[0]", "1-0:1.8.0"} <= {one.key for one in reading.registers}


async def test_who_chose_another_mode_is_told() -> None:
    line = line_of(MAKES["optical"], can_switch=False, speed=9600)
    profile = LineProfile(mode=Mode.C)
    with pytest.raises(PushHeard):
        await discover(line, hints(profile=profile, fixed=frozenset({"mode"})))


async def test_mode_d_leaves_the_calls_out() -> None:
    steps, tell = told()
    line = line_of(MAKES["optical"])
    fixed = hints(profile=LineProfile(mode=Mode.D), fixed=frozenset({"mode"}))
    await discover(line, fixed, tell)
    assert steps == [DiscoveryStep.LISTEN]
    assert line.written == []


async def test_a_meter_that_answers_is_found_as_ever() -> None:
    steps, tell = told()
    profile, _ = await discover(WiredLine(Meter(Household(), Manners())), hints(), tell)
    assert steps == [DiscoveryStep.SIGN_ON]
    assert not profile.dlms_push
