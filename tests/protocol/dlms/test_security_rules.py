"""What a session of mode E never does, each rule against a meter, or an impostor, that would have it."""

import asyncio
from dataclasses import replace

import pytest

from custom_components.iec62056.protocol.client import MeterClient
from custom_components.iec62056.protocol.dlms.login import DlmsLogin, Keyring
from custom_components.iec62056.protocol.dlms.security import (
    Credentials,
    InvocationCounter,
    Keys,
    Mechanism,
    Protection,
)
from custom_components.iec62056.protocol.dlms_errors import (
    AssociationRefused,
    AuthenticationRefused,
    CounterExhausted,
    ProtectionDiffers,
    SecurityBroken,
)
from custom_components.iec62056.protocol.errors import LoginError, MeterError
from custom_components.iec62056.protocol.mode_e import ModeEMeter as Reader
from simulator.dlms import Device, Login as Door, Policy
from simulator.dlms.values import u32

from ...common.waiting import until
from ...common.wired import WiredLine
from .meters import (
    DOORS,
    KEYS,
    LOW,
    SECRET,
    TITLE,
    Disk,
    E,
    client,
    device,
    door,
    high,
    keyring,
    meter,
)

HIGH = [Mechanism.AES, Mechanism.MD5, Mechanism.SHA1, Mechanism.GMAC, Mechanism.SHA256]


def secured(mechanism: Mechanism = Mechanism.GMAC, **policy: object) -> Device:
    """A meter with a public client and one of high level security."""
    doors = {16: Door(), 2: door(mechanism)}
    return device(logins=doors, policy=Policy(**policy))  # type: ignore[arg-type]


async def login(dev: Device, way: DlmsLogin, ring: Keyring | None = None) -> WiredLine:
    """Log in and out again, by that way alone."""
    line = WiredLine(meter(dev))
    session = Reader(line, E, ring or keyring(way))._session
    try:
        await session.enter(way)
    finally:
        await session.leave()
    return line


@pytest.mark.parametrize("mechanism", HIGH)
async def test_every_mechanism_reads(mechanism: Mechanism) -> None:
    ring = keyring(high(mechanism))
    _, reader = client(meter(secured(mechanism), size=256, window=3), ring)
    reading = await reader.read_all()
    assert reader.refusal is None
    assert reading.first("8193/1-0:199.8.2") is not None


@pytest.mark.parametrize("mechanism", HIGH)
@pytest.mark.parametrize("pending", [0, 1])
async def test_a_proof_that_is_due_whatever_the_diagnostic_says(
    mechanism: Mechanism, pending: int
) -> None:
    """A challenge is there (jDLMS sends diagnostic 0 with it): the meter waits for the proof, and gives its own."""
    dev = secured(mechanism, pending=pending)
    _, reader = client(meter(dev, size=256, window=3), keyring(high(mechanism)))
    reading = await reader.read_all()
    assert reader.refusal is None
    assert reading.first("8193/1-0:199.8.2") is not None
    with pytest.raises(SecurityBroken, match="prove"):
        await login(secured(mechanism, pending=pending, wrong_proof=True), high(mechanism))


@pytest.mark.parametrize("mechanism", HIGH)
@pytest.mark.parametrize("instance", [1, 3, 7])
async def test_the_association_has_another_name(mechanism: Mechanism, instance: int) -> None:
    """The proof is given, and the list is asked for, where the meter has them."""
    name = bytes((0, 0, 40, 0, instance, 255))
    dev = secured(mechanism, association=name)
    next(thing for thing in dev.things if thing.class_id == 15).name = name
    ring = keyring(high(mechanism))
    _, reader = client(meter(dev), Keyring((high(mechanism),), ring.counter, ring.store))
    reading = await reader.read_all()
    assert reader.refusal is None
    assert reading.first("8193/1-0:199.8.2") is not None
    # With keys, the public client is asked for the counter, and nothing tells its name.
    assert not reading.unparsed or mechanism is Mechanism.GMAC


async def test_no_association_takes_the_proof() -> None:
    dev = secured(Mechanism.MD5, association=bytes(6))
    with pytest.raises(AuthenticationRefused):
        await login(dev, high(Mechanism.MD5))


@pytest.mark.parametrize("protection", Protection)
async def test_a_meter_that_asks_for_another_protection(protection: Protection) -> None:
    dev = secured(control=int(protection), takes=int(protection))
    login = high(Mechanism.GMAC, protection=protection)
    _, reader = client(meter(dev), keyring(login))
    reading = await reader.read_all()
    assert reader.refusal is None
    assert reading.first("8193/1-0:199.8.2") is not None


@pytest.mark.parametrize("chosen", Protection)
@pytest.mark.parametrize("answered", Protection)
async def test_less_protection_than_was_chosen_is_named(
    chosen: Protection, answered: Protection
) -> None:
    """Who is between us and the meter could take it away; more is no harm."""
    dev = secured(control=int(answered), takes=int(chosen))
    if chosen & answered == chosen:
        await login(dev, high(Mechanism.GMAC, protection=chosen))
        return
    with pytest.raises(ProtectionDiffers) as caught:
        await login(dev, high(Mechanism.GMAC, protection=chosen))
    assert "key" not in str(caught.value)
    assert f"{answered.name}".lower() in str(caught.value)


@pytest.mark.parametrize("mechanism", HIGH)
async def test_the_proof_of_the_meter_is_verified(mechanism: Mechanism) -> None:
    with pytest.raises(SecurityBroken, match="prove"):
        await login(secured(mechanism, wrong_proof=True), high(mechanism))


@pytest.mark.parametrize("mechanism", HIGH)
async def test_our_own_challenge_is_not_answered(mechanism: Mechanism) -> None:
    with pytest.raises(SecurityBroken, match="our own"):
        await login(secured(mechanism, echoes=True), high(mechanism))


@pytest.mark.parametrize("mechanism", HIGH)
async def test_a_short_challenge_is_not_answered(mechanism: Mechanism) -> None:
    with pytest.raises(SecurityBroken, match="8 to 64"):
        await login(secured(mechanism, challenge=b"1234567"), high(mechanism))


@pytest.mark.parametrize("mechanism", HIGH)
async def test_a_proof_that_is_skipped(mechanism: Mechanism) -> None:
    with pytest.raises(SecurityBroken, match="skips"):
        await login(secured(mechanism, skips_proof=True), high(mechanism))


async def test_a_plain_answer_in_a_ciphered_association() -> None:
    with pytest.raises(SecurityBroken):
        await login(secured(plain=True), high(Mechanism.GMAC))


async def test_a_replayed_answer_is_refused() -> None:
    dev, ring = secured(), keyring(high(Mechanism.GMAC))
    line, reader = client(meter(dev), ring)
    await reader.read_all()
    dev.policy.replays = True
    ring.known.forget()
    before = len(ring.refused)
    await reader.read_all()
    assert isinstance(reader.refusal, SecurityBroken)
    assert before == 0
    del line


@pytest.mark.parametrize(
    ("mechanism", "secret"),
    [(mechanism, b"not the secret") for mechanism in HIGH if mechanism is not Mechanism.GMAC],
)
async def test_a_wrong_secret_is_tried_once(mechanism: Mechanism, secret: bytes) -> None:
    way = high(mechanism)
    wrong = replace(way, credentials=replace(way.credentials, secret=secret))
    ring = keyring(wrong)
    line, reader = client(meter(secured(mechanism)), ring)
    reading = await reader.read_all()
    assert reading.first("1-0:1.8.0") is not None
    assert isinstance(reader.refusal, LoginError)
    asked = [octets for octets in line.written if bytes.fromhex("608574050802") in octets]
    await reader.read_all()
    assert asked == [octets for octets in line.written if bytes.fromhex("608574050802") in octets]


async def test_wrong_keys_are_tried_once() -> None:
    wrong = DlmsLogin(
        2, Credentials(Mechanism.GMAC, b"", Keys(bytes(16), KEYS.authentication), TITLE, True)
    )
    ring = keyring(wrong)
    line, reader = client(meter(secured()), ring)
    await reader.read_all()
    assert isinstance(reader.refusal, LoginError)
    asked = sum(bytes.fromhex("608574050802") in octets for octets in line.written)
    await reader.read_all()
    assert asked == sum(bytes.fromhex("608574050802") in octets for octets in line.written) == 1


@pytest.mark.parametrize("refused", [Mechanism.GMAC, Mechanism.SHA256, Mechanism.AES])
async def test_no_weaker_mechanism_takes_the_place_of_one(refused: Mechanism) -> None:
    """A meter that knows only the password: the client says no word of a password that it has none of, and no secret."""
    ring = keyring(high(refused, client=1))
    dev = device(logins=dict(DOORS))
    line, reader = client(meter(dev), ring)
    await reader.read_all()
    assert isinstance(reader.refusal, AuthenticationRefused | AssociationRefused)
    mechanisms = {
        octets[octets.index(b"\x60\x85\x74\x05\x08\x02") + 6]
        for octets in line.written
        if b"\x60\x85\x74\x05\x08\x02" in octets
    }
    assert mechanisms == {int(refused)}
    assert not any(SECRET in octets for octets in line.written)


# The invocation counter.


async def test_the_counter_begins_behind_what_the_meter_has_seen() -> None:
    dev, disk = secured(), Disk()
    dev.seen = 70_001
    ring = keyring(high(Mechanism.GMAC), disk=disk)
    _, reader = client(meter(dev), ring)
    await reader.read_all()
    assert reader.refusal is None
    assert disk.writes[0] > 70_001
    assert dev.seen > 70_001


async def test_the_counter_begins_behind_what_was_stored() -> None:
    dev, disk = secured(), Disk()
    disk.end = 90_000
    ring = keyring(high(Mechanism.GMAC), disk=disk)
    line, reader = client(meter(dev), ring)
    await reader.read_all()
    first = next(octets for octets in line.written if b"\x21\x1f\x30" in octets)
    at = first.index(b"\x21\x1f\x30") + 3
    assert int.from_bytes(first[at : at + 4]) == 90_000


async def test_the_counter_of_another_client_of_the_same_key() -> None:
    """The meter says in an exception which counter it waits for."""
    dev, ring = secured(), keyring(high(Mechanism.GMAC))
    _, reader = client(meter(dev), ring)
    await reader.read_all()
    dev.seen = 500_000
    reading = await reader.read_all()
    assert reader.refusal is None
    assert reading.first("8193/1-0:199.8.2") is not None
    assert dev.seen > 500_000


def counters(line: WiredLine) -> list[int]:
    """The invocation counters of everything encrypted that went out."""
    found = []
    for octets in line.written:
        for tag in (b"\x21", b"\xc8", b"\xcb"):
            at = octets.find(tag)
            while at >= 0 and at + 7 < len(octets):
                head = at + (3 if octets[at + 1] == 0x81 else 2)
                if octets[head] == 0x30 and octets[head + 1 : head + 3] == b"\0\0":
                    found.append(int.from_bytes(octets[head + 1 : head + 5]))
                    break
                at = octets.find(tag, at + 1)
    return found


class Killed(BaseException):
    """The process ends at this moment."""


@pytest.mark.parametrize("moment", ["before the disk has it", "when the disk has it"])
async def test_killed_between_saving_and_sending(moment: str) -> None:
    """No counter is used twice, whenever the process dies: what it had reserved is lost."""
    dev, disk, used = secured(), Disk(), []
    for start in range(4):

        async def store(end: int, dies: bool = start < 3) -> None:
            if dies and moment.startswith("before"):
                raise Killed
            disk.end = end
            if dies:
                raise Killed

        ring = Keyring((high(Mechanism.GMAC),), InvocationCounter(disk.end), store, learned=True)
        line = WiredLine(meter(dev))
        try:
            await MeterClient(line, E, keyring=ring).read_all()
        except Killed:
            assert counters(line) == []
        used += counters(line)
    assert used
    assert len(set(used)) == len(used)
    assert max(used) < disk.end


@pytest.mark.parametrize("writes", range(3, 16))
async def test_killed_between_sending_and_saving(writes: int) -> None:
    """The line dies at any write, and the process with it; the next one begins behind everything that went out."""
    dev, disk, used = secured(), Disk(), []
    for dies in (True, True, False):
        ring = keyring(high(Mechanism.GMAC), disk=disk)
        ring.logins = (high(Mechanism.GMAC),)
        ring.learned = True
        line = WiredLine(meter(dev), writes=writes if dies else None)
        try:
            await MeterClient(line, E, keyring=ring).read_all()
        except MeterError:
            assert dies
        used += counters(line)
    assert len(set(used)) == len(used)
    assert max(used) < disk.end


async def test_nothing_goes_out_where_the_disk_is_full() -> None:
    class Full(Exception):
        pass

    async def store(_: int) -> None:
        raise Full

    ring = Keyring((high(Mechanism.GMAC),), InvocationCounter(5), store, learned=True)
    line = WiredLine(meter(secured()))
    with pytest.raises(Full):
        await MeterClient(line, E, keyring=ring).read_all()
    assert counters(line) == []
    # Signed off all the same.
    assert not line.binary


async def test_a_counter_at_its_end() -> None:
    ring = Keyring((high(Mechanism.GMAC),), InvocationCounter((1 << 32) - 1), learned=True)
    reader = MeterClient(WiredLine(meter(secured())), E, keyring=ring)
    # What needs no message of that counter is read.
    assert (await reader.read_all()).registers
    assert isinstance(reader.refusal, CounterExhausted)


async def test_a_cancelled_reading_hangs_up() -> None:
    simulated = meter()
    line, reader = client(simulated)
    task = asyncio.ensure_future(reader.read_all())
    await until(lambda: len(line.written) >= 6)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert line.written[-1][5] & 0xEF == 0x43
    assert not line.binary


async def test_a_password_is_never_sent_to_the_public_client() -> None:
    line, reader = client(meter(), keyring(LOW))
    await reader.read_all()
    with_password = [octets for octets in line.written if b"12345678" in octets]
    assert len(with_password) == 1


async def test_a_meter_without_a_public_client() -> None:
    """What was stored must do; the first number of a new key is zero."""
    dev = device(logins={2: door(Mechanism.GMAC)})
    ring = keyring(high(Mechanism.GMAC))
    ring.logins = ring.logins[1:]
    _, reader = client(meter(dev), ring)
    reading = await reader.read_all()
    assert reading.first("8193/1-0:199.8.2") is not None


async def test_a_meter_whose_public_client_has_no_list() -> None:
    """The counter is asked for under its usual names."""
    dev = secured()
    dev.seen = 4_000
    dev.policy.unlisted = frozenset((16,))
    ring = keyring(high(Mechanism.GMAC))
    ring.logins = ring.logins[1:]
    line, reader = client(meter(dev), ring)
    await reader.read_all()
    assert reader.refusal is None
    assert min(counters(line)) == 4_000


async def test_a_counter_that_was_stored_is_never_taken_back() -> None:
    """A meter, or who speaks for it, that says it has seen less than we sent."""
    dev, disk = secured(), Disk()
    disk.end = 9_000
    dev.things = [thing for thing in dev.things if thing.name[2] != 43]
    line, reader = client(meter(dev), keyring(high(Mechanism.GMAC), disk=disk))
    await reader.read_all()
    assert min(counters(line)) == 9_000


async def test_a_counter_that_would_use_the_key_up_is_not_believed() -> None:
    """A meter, or who speaks for it, that says it has seen nearly all; what was stored does."""
    dev, disk = secured(), Disk()
    disk.end = 9_000
    (thing,) = (thing for thing in dev.things if thing.name[2] == 43)
    thing.put(2, u32(0xFFFFFE00))
    line, reader = client(meter(dev), keyring(high(Mechanism.GMAC), disk=disk))
    await reader.read_all()
    assert reader.refusal is None
    assert min(counters(line)) == 9_000
    assert max(disk.writes) < 10_000


async def test_a_meter_that_does_not_say_which_counter_it_waits_for() -> None:
    """It costs one reading at that level; the next one asks the meter again."""
    dev, ring = secured(), keyring(high(Mechanism.GMAC))
    dev.policy.counter_in_exception = False
    _, reader = client(meter(dev), ring)
    await reader.read_all()
    dev.seen = 500_000
    reading = await reader.read_all()
    assert reader.refusal is not None
    # Read by the public client meanwhile, though the lists are known, and one login did for all before.
    assert reading.first("1-0:1.8.0") is not None
    assert reading.first("8193/1-0:199.8.2") is None
    _, again = client(meter(dev), ring)
    reading = await again.read_all()
    assert again.refusal is None
    assert reading.first("8193/1-0:199.8.2") is not None


async def test_a_password_that_was_changed_in_the_meter() -> None:
    dev, ring = device(), keyring(LOW)
    _, reader = client(meter(dev), ring)
    await reader.read_all()
    dev.logins[1] = replace(dev.logins[1], secret=b"other")
    reading = await reader.read_all()
    assert isinstance(reader.refusal, AuthenticationRefused)
    assert reading.first("1-0:1.8.0") is not None
    await reader.read_all()
    assert dev.log == ["wrong password"]
