"""A login that the meter does not answer costs itself alone: what everybody may read is read on the same line."""

from dataclasses import replace

import pytest

from custom_components.iec62056.protocol.dlms.login import DlmsLogin, Keyring
from custom_components.iec62056.protocol.dlms.security import Mechanism
from custom_components.iec62056.protocol.dlms_errors import HdlcLost, HdlcSilent
from simulator import Kind
from simulator.dlms import BinaryMeter
from simulator.dlms.frames import Heard

from .meters import DOORS, LOW, E, client, device, door, high, keyring, meter


def ignores(simulated: BinaryMeter, *clients: int) -> None:
    """The meter does not hear those client addresses at all, as most meters do with one they do not know."""
    hears = simulated.station.hears

    def hear(heard: Heard) -> bytes:
        return b"" if heard.client[0] >> 1 in clients else hears(heard)

    simulated.station.hears = hear  # type: ignore[method-assign]


def never_associates(simulated: BinaryMeter, *clients: int) -> None:
    """The meter takes the link, and says nothing to the association."""
    hears = simulated.station.hears

    def hear(heard: Heard) -> bytes:
        wanted = heard.client[0] >> 1 in clients and heard.content.startswith(b"\xe6\xe6\x00\x60")
        return b"" if wanted else hears(heard)

    simulated.station.hears = hear  # type: ignore[method-assign]


LOGINS = {
    "a password": LOW,
    "a key": high(Mechanism.GMAC),
    "a secret": high(Mechanism.MD5),
    "another client": DlmsLogin(5),
}


@pytest.mark.parametrize("login", LOGINS.values(), ids=LOGINS)
@pytest.mark.parametrize("fault", [ignores, never_associates])
@pytest.mark.parametrize("window", [1, 4])
async def test_the_public_association_is_read_all_the_same(
    login: DlmsLogin, fault: object, window: int
) -> None:
    simulated = meter(
        device(logins={16: DOORS[16], 1: DOORS[1], 2: door(Mechanism.GMAC)}),
        size=256,
        window=window,
    )
    fault(simulated, login.client)  # type: ignore[operator]
    ring = keyring(login)
    line, reader = client(simulated, ring)
    reading = await reader.read_all()
    assert reading.first("1-0:1.8.0") is not None
    assert isinstance(reader.refusal, HdlcSilent | HdlcLost)
    if fault is ignores:
        # A meter that waits for frames at 9600 Bd hears no sign-on; before a key, its counter was asked for.
        counter = login.credentials.keys is not None
        assert len([run for run in line.written if run.startswith(b"/?")]) == 1 + counter
    assert line.elapsed < 45


@pytest.mark.parametrize("fault", [ignores, never_associates])
async def test_a_client_address_that_is_wrong_falls_back_to_the_public_one(fault: object) -> None:
    simulated = meter(size=256, window=4)
    fault(simulated, 5)  # type: ignore[operator]
    _, reader = client(simulated, profile=replace(E, client=5))
    assert (await reader.read_all()).first("1-0:1.8.0") is not None
    assert isinstance(reader.refusal, HdlcSilent | HdlcLost)


async def test_nobody_is_answered() -> None:
    simulated = meter()
    ignores(simulated, 16, 1)
    line, reader = client(simulated, keyring(LOW))
    with pytest.raises(HdlcSilent):
        await reader.read_all()
    assert len([run for run in line.written if run.startswith(b"/?")]) == 1
    assert not line.log.of(Kind.BREAK)
    assert line.elapsed < 30


async def test_single_registers_in_the_public_association() -> None:
    simulated = meter()
    ignores(simulated, 1)
    _, reader = client(simulated, Keyring((keyring().logins[0], LOW)))
    (answer,) = await reader.read(["1-0:1.8.0"])
    assert answer.register is not None
    assert isinstance(reader.refusal, HdlcSilent)
