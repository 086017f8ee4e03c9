"""Messages out of frames of every kind, by an encoder that is not the client's: whole ones come, others never."""

from collections.abc import Callable
import random
import tracemalloc

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.iec62056.protocol.dlms.push.messages import (
    GIVEN_UP_AFTER,
    Carrier,
    Message,
    Receiver,
)
from simulator.dlms.push import ciphered, hdlc, in_blocks, mbus

SEED = 20260
TITLE = b"KFM\x01\x02\x03\x04\x05"
PLAIN = b"\x0f" + bytes(range(200))
SEALED = ciphered(PLAIN, TITLE, 7)

APDUS = st.binary(max_size=700).map(lambda rest: b"\x0f" + rest)
WAYS = st.one_of(
    st.integers(20, 2000).map(lambda size: ("hdlc", size)),
    st.integers(20, 120).map(lambda size: ("blocks", size)),
    # Longer data would make a length that is no shorter one cut to eight bits.
    st.integers(60, 256).map(lambda size: ("mbus", size)),
)


def frames(way: str, apdu: bytes, size: int) -> list[bytes]:
    match way:
        case "hdlc":
            return hdlc(apdu, size=size)
        case "blocks":
            return in_blocks(apdu, size=size)
    return mbus(apdu, size=size)


def received(octets: bytes) -> list[Message]:
    receiver = Receiver()
    return receiver.feed(octets, 0.0) + receiver.silence()


def apdus(octets: bytes) -> list[bytes]:
    return [message.apdu for message in received(octets)]


@settings(max_examples=80, deadline=None)
@given(APDUS, WAYS, st.integers(1, 90), st.binary(max_size=40))
def test_every_message_comes_back(
    apdu: bytes, way: tuple[str, int], cut: int, noise: bytes
) -> None:
    stream = b"".join(frames(way[0], apdu, way[1]))
    stream = noise + stream + stream
    receiver = Receiver()
    found: list[Message] = []
    for at in range(0, len(stream), cut):
        found += receiver.feed(stream[at : at + cut], at / 1000)
    found += receiver.silence()
    # Noise may look like a beginning, of a length that swallows no more than its own.
    assert apdu in [message.apdu for message in found]
    assert {message.apdu for message in found} == {apdu}
    assert {message.carrier for message in found} == {
        Carrier.MBUS if way[0] == "mbus" else Carrier.HDLC
    }
    assert all(message.checked for message in found)
    assert found[0].in_blocks is (way[0] == "blocks")


@pytest.mark.parametrize("size", [250, 251, 252, 256])
def test_lengths_of_m_bus_that_are_cut_to_eight_bits(size: int) -> None:
    (frame,) = mbus(b"\x0f" + bytes(size - 1), size=size)
    assert frame[1] == (size + 5) % 256
    assert apdus(frame) == [b"\x0f" + bytes(size - 1)]


def test_frames_may_share_their_flags() -> None:
    first, second = hdlc(PLAIN)[0], hdlc(SEALED)[0]
    assert apdus(first[:-1] + second) == [PLAIN, SEALED]


@pytest.mark.parametrize(
    "octets", [b"\x7e", b"\x7d\x5e", b"\x68\x11\x11\x68\x53", b"/ABC5x\r\n\r\n"]
)
def test_nothing_is_stuffed(octets: bytes) -> None:
    apdu = b"\x0f" + octets * 12
    assert apdus(hdlc(apdu)[0]) == [apdu]
    assert apdus(mbus(apdu)[0]) == [apdu]


def test_blocks_that_come_out_of_order() -> None:
    first, second, third = in_blocks(SEALED, size=90)
    assert apdus(first + third + second) == [SEALED]
    # Before the one with the LLC: it cannot be known that nothing more follows, until nothing does.
    receiver = Receiver()
    assert receiver.feed(second + first + third, 0.0) == []
    (message,) = receiver.silence()
    assert message.apdu == SEALED
    assert apdus(second + third + first) == [SEALED]


def test_blocks_in_the_clear_never_join_those_before_their_beginning() -> None:
    first, second, third = in_blocks(PLAIN, size=90)
    assert apdus(second + first + third) == []
    assert apdus(third + first + second) == []


def test_blocks_of_a_later_message_take_the_place_of_old_ones() -> None:
    other = ciphered(PLAIN[::-1], TITLE, 8)
    old, new = in_blocks(other, size=90), in_blocks(SEALED, size=90)
    assert apdus(b"".join([*old[1:], *new])) == [SEALED]
    assert apdus(b"".join([old[0], *new])) == [SEALED]
    assert apdus(b"".join([*old[:2], *new])) == [SEALED]
    # The beginning of the second message is lost: what is left belongs to no message.
    assert apdus(b"".join([*old[:2], *new[1:]])) == []


def test_a_message_that_broke_off_is_dropped() -> None:
    parts = hdlc(PLAIN, size=80)
    whole = b"".join(parts)
    assert apdus(b"".join(parts[:-1]) + whole) == [PLAIN]
    assert apdus(b"".join(parts[1:]) + whole) == [PLAIN]
    halves = mbus(PLAIN, size=120)
    assert apdus(halves[0] + b"".join(halves)) == [PLAIN]
    assert apdus(halves[1] + b"".join(halves)) == [PLAIN]
    receiver = Receiver()
    receiver.feed(halves[0], 0.0)
    receiver.silence()
    assert receiver.unfinished == 1


@pytest.mark.parametrize(
    "encode",
    [
        lambda: hdlc(PLAIN, size=80),
        lambda: mbus(PLAIN, size=120),
        lambda: in_blocks(PLAIN, size=90),
    ],
)
def test_half_a_message_is_given_up_after_a_silence(encode: Callable[..., list[bytes]]) -> None:
    parts = encode()
    for pause, count in ((GIVEN_UP_AFTER / 2, 1), (GIVEN_UP_AFTER * 1.5, 0)):
        receiver = Receiver()
        assert receiver.feed(parts[0], 10.0) == []
        later = receiver.feed(b"".join(parts[1:]), 10.0 + pause)
        assert len(later) == count


def test_another_address_does_not_continue_a_message() -> None:
    first, second = mbus(PLAIN, size=120)
    other = bytearray(second)
    other[7] = 0x47
    other[-2] = sum(other[4:-2]) & 0xFF
    assert apdus(first + bytes(other)) == []
    assert apdus(first + second) == [PLAIN]


def test_blocks_without_a_frame_prove_nothing() -> None:
    sealed = ciphered(PLAIN, TITLE, 7, auth=bytes(16))
    (bare,) = received(sealed)
    assert (bare.apdu, bare.checked) == (sealed, False)
    (named,) = received(b"/KFM5meter\r\n\r\n" + sealed + b"!0000\r\n")
    assert (named.apdu, named.name, named.checked) == (sealed, "/KFM5meter", False)
    # Inside of a frame it is the frame that counts.
    (framed,) = received(hdlc(sealed)[0])
    assert (framed.apdu, framed.checked) == (sealed, True)


def flips(octets: bytes) -> list[bytes]:
    return [
        octets[:at] + bytes((octets[at] ^ 1 << bit,)) + octets[at + 1 :]
        for at in range(len(octets))
        for bit in range(8)
    ]


@pytest.mark.parametrize("encode", [hdlc, mbus, lambda apdu: in_blocks(apdu, size=30)])
def test_no_message_with_a_bit_turned_over(encode: Callable[..., list[bytes]]) -> None:
    stream = b"".join(encode(PLAIN[:60]))
    for spoilt in flips(stream):
        assert set(apdus(spoilt)) <= {PLAIN[:60]}


def test_cuts_and_joins_give_nothing_new() -> None:
    chance = random.Random(SEED)
    messages = [b"\x0f" + chance.randbytes(chance.randrange(30, 300)) for _ in range(6)]
    streams = [
        b"".join(frames(way, apdu, size))
        for apdu in messages
        for way, size in (("hdlc", 2000), ("hdlc", 70), ("mbus", 245))
    ]
    for number in range(3000):
        one, other = chance.choice(streams), chance.choice(streams)
        joined = one[: chance.randrange(len(one))] + other[chance.randrange(len(other)) :]
        for found in received(joined):
            # Segments have no numbers and M-Bus parts no message: what is joined must have been sent, at least.
            known = found.apdu in messages
            assert known or any(found.apdu.endswith(apdu[-20:]) for apdu in messages), (
                SEED,
                number,
            )


def test_noise_takes_no_memory() -> None:
    chance = random.Random(SEED)
    begins = (
        b"\x7e\xa7\xff",
        b"\x68\xf0\xf0\x68\x53\xff\x00",
        b"\xdb\x08KFM",
        b"/KFM5",
        hdlc(PLAIN, size=80)[0],
        in_blocks(SEALED)[0],
    )
    receiver = Receiver()
    receiver.feed(b"".join(begins) * 20, 0.0)
    tracemalloc.start()
    for moment in range(60):
        noise = chance.randbytes(1000) + chance.choice(begins) * chance.randrange(9)
        receiver.feed(noise, moment / 100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 400_000
