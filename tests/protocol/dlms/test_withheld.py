"""Registers that a meter keeps back are counted, with the level that shows them."""

import pytest

from custom_components.iec62056.protocol.dlms.login import Keyring
from custom_components.iec62056.protocol.errors import PasswordNeeded
from simulator.dlms import Device

from .meters import LOW, client, device, keyring, meter


def kept(dev: Device, **levels: int) -> Device:
    """A meter whose registers of that code need a level."""
    for thing in dev.things:
        for code, level in levels.items():
            if thing.name[2] == int(code[1:]):
                thing.readable[0] = level
    return dev


async def withheld(dev: Device, ring: Keyring) -> str:
    _, reader = client(meter(dev), ring)
    return (await reader.read_all()).withheld


async def test_the_public_client_is_told_what_a_password_shows() -> None:
    told = await withheld(device(), keyring())
    assert "(3; shown with a password or keys)" in told
    for code in ("0-0:96.50.1", "0-0:97.98.0", "8193/1-0:199.8.2"):
        assert code in told


async def test_a_password_is_told_what_keys_show() -> None:
    told = await withheld(kept(device(), c32=2), keyring(LOW))
    assert "(1; shown with keys)" in told
    assert "1-0:32.7.0" in told
    assert "96.50.1" not in told


async def test_nothing_is_said_where_nothing_is_kept_back() -> None:
    assert await withheld(device(), keyring(LOW)) == ""


async def test_a_refusal_counts_also_against_the_list() -> None:
    dev = device()
    next(thing for thing in dev.things if thing.name[2] == 32).gives = False
    assert "(4; " in await withheld(dev, keyring())


async def test_a_level_that_is_known_and_refused_now() -> None:
    ring, dev = keyring(LOW), device()
    assert await withheld(dev, ring) == ""
    dev.logins.pop(1)
    assert "shown with a password" in await withheld(dev, ring)


async def test_a_meter_that_shows_nothing_without_a_password_says_so() -> None:
    dev = device()
    for thing in dev.things:
        thing.readable[0] = 1
    _, reader = client(meter(dev), keyring())
    with pytest.raises(PasswordNeeded, match=r"0-0:42\.0\.0, .* …"):
        await reader.read_all()
