"""The link: negotiation, windows, segments and what is lost, against a station of the tests and frames by hand."""

import contextlib
from functools import partial

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.iec62056.protocol.dlms.frame import Address
from custom_components.iec62056.protocol.dlms.hdlc import (
    MAX_MESSAGE,
    Connected,
    Connection,
    Disconnected,
    Event,
    NotReady,
    Received,
    State,
)
from custom_components.iec62056.protocol.dlms.negotiation import Parameters
from custom_components.iec62056.protocol.dlms_errors import (
    DlmsMalformed,
    DlmsUnsent,
    HdlcLost,
    HdlcRefused,
    HdlcSilent,
)

from .wire import CLIENT, SERVER, Heard, Station, frame, heard

WISH = Parameters(2030, 2030, 7, 7)
LLC = b"\xe6\xe7\x00"


def connection(wish: Parameters | None = WISH) -> Connection:
    return Connection(Address(16), Address(1, 17, 2), wish)


def linked(parameters: Parameters | None = None) -> Connection:
    """A link with these parameters on both sides."""
    link = connection(parameters)
    link.connect()
    link.output()
    body = b"" if parameters is None else parameters.encode()
    assert link.receive(frame(0x73, body)) == [Connected(parameters or Parameters())]
    return link


def receive_all(link: Connection, frames: list[bytes]) -> None:
    for octets in frames:
        link.receive(octets)


def sent(link: Connection) -> list[Heard]:
    return heard(link.output())


def controls(link: Connection) -> list[int]:
    return [got.control for got in sent(link)]


# Setting up.


@pytest.mark.parametrize(
    ("wish", "octets"),
    [
        (Parameters(), "818012 050180 060180 0704 00000001 0804 00000001"),
        (Parameters(256, 256, 1, 1), "818014 05020100 06020100 0704 00000001 0804 00000001"),
        (WISH, "818014 050207EE 060207EE 0704 00000007 0804 00000007"),
    ],
)
def test_snrm_carries_the_wish(wish: Parameters, octets: str) -> None:
    link = connection(wish)
    link.connect()
    (snrm,) = sent(link)
    assert (snrm.control, snrm.information) == (0x93, bytes.fromhex(octets))


@pytest.mark.parametrize(
    ("answer", "agreed"),
    [
        ("", (128, 128, 1, 1)),
        ("818012 050190 060190 0704 00000001 0804 00000001", (144, 144, 1, 1)),
        ("818014 05020100 06020200 0704 00000004 0804 00000002", (512, 256, 2, 4)),
        ("81800C 05020100 0704 00000004", (128, 256, 1, 4)),
        ("81800C 060203E8 0901AA 080105", (1000, 128, 5, 1)),
        ("818014 05021000 06021000 0704 00000009 0804 00000009", (2030, 2030, 7, 7)),
        ("818012 050100 060100 0704 00000000 0804 00000000", (128, 128, 1, 1)),
        ("818012 0501", (128, 128, 1, 1)),
        ("8180", (128, 128, 1, 1)),
        ("0102030405", (128, 128, 1, 1)),
    ],
)
def test_the_meters_view_is_ours_turned_round(answer: str, agreed: tuple[int, ...]) -> None:
    link = connection()
    link.connect()
    link.output()
    (event,) = link.receive(frame(0x73, bytes.fromhex(answer)))
    assert event == Connected(Parameters(*agreed))
    assert link.parameters == Parameters(*agreed)
    assert not link.waiting


@pytest.mark.parametrize("wrong", [(2031,), (3,), (128, 128, 0), (128, 128, 1, 8)])
def test_wishes_no_station_can_fulfil(wrong: tuple[int, ...]) -> None:
    with pytest.raises(DlmsUnsent):
        Parameters(*wrong)


@pytest.mark.parametrize("refusal", [0x1F, 0x0F, 0x97])
def test_refused_once_is_asked_without_parameters(refusal: int) -> None:
    link = connection()
    link.connect()
    link.output()
    assert link.receive(frame(refusal)) == []
    (snrm,) = sent(link)
    assert snrm.information == b""
    with pytest.raises(HdlcRefused):
        link.receive(frame(refusal))
    assert link.state is State.DOWN


def test_silence_is_asked_three_times_the_last_without_parameters() -> None:
    link = connection()
    link.connect()
    asked = [bool(got.information) for got in sent(link)]
    for _ in range(2):
        link.timeout()
        asked += [bool(got.information) for got in sent(link)]
    assert asked == [True, True, False]
    with pytest.raises(HdlcSilent):
        link.timeout()


def test_disconnect_from_any_state_and_without_an_answer() -> None:
    for answer in (0x73, 0x1F):
        link = connection()
        link.disconnect()
        assert controls(link) == [0x53]
        assert link.receive(frame(answer)) == [Disconnected()]
        assert link.state is State.DOWN
    link = linked()
    link.disconnect()
    assert link.timeout() == []
    assert controls(link) == [0x53, 0x53]
    assert link.timeout() == [Disconnected()]


def test_a_link_is_not_used_before_it_is_up_or_twice_at_once() -> None:
    link = connection()
    with pytest.raises(DlmsUnsent):
        link.send(b"\xc0")
    link = linked()
    link.send(b"\xc0")
    with pytest.raises(DlmsUnsent):
        link.send(b"\xc0")
    with pytest.raises(DlmsUnsent):
        linked().send(bytes(MAX_MESSAGE))


# Messages.


def converse(link: Connection, station: Station, message: bytes, patience: int = 12) -> bytes:
    """The answer to a message, the station's silence being a time-out."""
    link.send(message)
    return listen(link, station, patience)


def listen(link: Connection, station: Station, patience: int = 12) -> bytes:
    for _ in range(4000):
        events: list[Event] = link.receive(station.hears(link.output()))
        for event in events:
            if isinstance(event, Received):
                return event.apdu
        if link.waiting and not link._output:
            patience -= 1
            assert patience, "it never ends"
            events = link.timeout()
            for event in events:
                if isinstance(event, Received):
                    return event.apdu
    raise AssertionError


def open_link(station: Station, wish: Parameters | None = WISH) -> Connection:
    link = connection(wish)
    link.connect()
    for _ in range(4):
        if any(
            isinstance(event, Connected) for event in link.receive(station.hears(link.output()))
        ):
            return link
        link.timeout()
    raise AssertionError


@pytest.mark.parametrize("window", [1, 2, 7])
@pytest.mark.parametrize("length", [1, 60, 61, 62, 125, 1000, 5000])
def test_segments_both_ways(window: int, length: int) -> None:
    station = Station(lambda message: message[::-1], window=window)
    link = open_link(station)
    message = bytes(place % 251 for place in range(length))
    for _ in range(3):
        assert converse(link, station, message) == message[::-1]
        assert not link.waiting
    assert station.received == [message] * 3
    assert link.retransmissions == 0


@settings(max_examples=300, deadline=None)
@given(
    lose=st.sets(st.integers(3, 60), max_size=6),
    spoil=st.sets(st.integers(3, 60), max_size=4),
    window=st.integers(1, 7),
    length=st.integers(1, 600),
)
def test_lost_and_damaged_frames_change_nothing_or_are_told(
    lose: set[int], spoil: set[int], window: int, length: int
) -> None:
    """The meter gets each message once, and its answer arrives as it was, or the link says that it broke."""
    station = Station(lambda message: b"A" + message, window=window)
    link = open_link(station)
    station.lose, station.spoil = lose, spoil
    for number in range(3):
        message = bytes((number,)) * length
        with contextlib.suppress(HdlcLost):
            assert converse(link, station, message, 40) == b"A" + message
            assert station.received[-1] == message
        assert len(station.received) <= number + 1
        if link.state is State.DOWN:
            return


@pytest.mark.parametrize("number", range(2, 20))
@pytest.mark.parametrize("window", [1, 3, 7])
def test_one_lost_frame_is_always_made_good(number: int, window: int) -> None:
    station = Station(lambda message: message * 3, window=window, lose={number})
    link = open_link(station)
    for count in range(1, 4):
        assert converse(link, station, b"m" * 150) == b"m" * 450
        assert len(station.received) == count


def test_window_of_the_request_ends_with_the_poll_bit() -> None:
    link = linked(Parameters(10, 10, 3, 3))
    link.send(bytes(50))
    first = sent(link)
    assert [(got.control >> 1 & 7, got.final, got.segmented) for got in first] == [
        (0, False, True),
        (1, False, True),
        (2, True, True),
    ]
    assert link.receive(frame(0x71)) == []
    second = sent(link)
    assert [(got.control >> 1 & 7, got.final, got.segmented) for got in second] == [
        (3, False, True),
        (4, False, True),
        (5, True, False),
    ]
    assert b"".join(got.information for got in first + second) == b"\xe6\xe6\x00" + bytes(50)


@pytest.mark.parametrize("kind", [0x11, 0x19], ids=["RR", "REJ"])
def test_what_the_meter_did_not_get_is_sent_again(kind: int) -> None:
    link = linked(Parameters(10, 10, 3, 3))
    link.send(bytes(50))
    before = sent(link)
    link.receive(frame(kind | 1 << 5))
    assert [got.information for got in sent(link)] == [got.information for got in before[1:]]
    assert link.retransmissions == 1


def test_a_request_that_is_lost_again_and_again_ends_the_link() -> None:
    link = linked()
    link.send(b"\xc0")
    with pytest.raises(HdlcLost):
        receive_all(link, [frame(0x11)] * 10)
    assert link.state is State.DOWN


def test_a_gap_is_asked_for_and_ends_the_link_where_it_stays() -> None:
    link = linked(Parameters(64, 64, 3, 3))
    link.send(b"\xc0")
    link.output()
    # N(S) 0, then 2 with the final bit: 1 is missing.
    link.receive(frame(0x20, LLC + b"a", segmented=True) + frame(0x34, b"c"))
    assert controls(link) == [0x31]
    with pytest.raises(HdlcLost):
        receive_all(link, [frame(0x34, b"c")] * 10)


def test_a_gap_that_is_filled() -> None:
    link = linked(Parameters(64, 64, 3, 3))
    link.send(b"\xc0")
    link.receive(frame(0x20, LLC + b"a", segmented=True) + frame(0x34, b"c"))
    assert link.receive(frame(0x22, b"b", segmented=True) + frame(0x34, b"c")) == [Received(b"abc")]


def test_a_busy_meter_is_waited_for() -> None:
    link = linked()
    link.send(b"\xc0")
    link.output()
    for _ in range(10):
        # First it takes nothing (RNR), then it has nothing to say yet (RR).
        assert link.receive(frame(0x35)) == [NotReady()]
        assert link.timeout() == []
        assert controls(link) == [0x11]
        assert link.receive(frame(0x31)) == [NotReady()]
        assert link.timeout() == []
        assert controls(link) == [0x11]
    assert link.receive(frame(0x30, LLC + b"late")) == [Received(b"late")]


def test_silence_is_asked_by_rr_then_repeated_with_the_same_number() -> None:
    link = linked()
    link.send(b"\xc0")
    assert controls(link) == [0x10]
    asked = []
    for _ in range(3):
        link.timeout()
        asked += controls(link)
    assert asked == [0x11, 0x10, 0x11]
    with pytest.raises(HdlcLost):
        link.timeout()


@pytest.mark.parametrize("control", [0x1F, 0x97], ids=["DM", "FRMR"])
def test_a_link_that_the_meter_ends(control: int) -> None:
    link = linked()
    link.send(b"\xc0")
    with pytest.raises(HdlcLost):
        link.receive(frame(control))
    assert link.state is State.DOWN
    link.connect()
    link.output()
    assert link.receive(frame(0x73)) == [Connected(Parameters())]


def test_what_is_not_for_this_link_is_left_aside() -> None:
    link = linked()
    whole = LLC + b"x"
    # The answer to a request of an earlier link.
    assert link.receive(frame(0x10, whole)) == []
    link.send(b"\xc0")
    for foreign in (
        frame(0x30, whole, to=b"\x23"),
        frame(0x30, whole, source=b"\x02\x25"),
        frame(0x30, whole, source=b"\x04\x23"),
        frame(0x13, whole),
        frame(0x73),
    ):
        assert link.receive(foreign) == []
    assert link.receive(frame(0x30, whole)) == [Received(b"x")]
    # And what comes when nothing was asked.
    assert link.receive(frame(0x32, whole)) == []


def test_a_meter_called_by_the_all_station_address_answers_with_its_own() -> None:
    link = Connection(Address(16), Address(1, 0x3FFF, 4), None)
    link.connect()
    assert link.receive(frame(0x73, source=b"\x00\x02\x0c\xc5")) == [Connected(Parameters())]


def test_a_meter_called_by_its_logical_address_alone_answers_with_both() -> None:
    link = Connection(Address(16), Address(1), None)
    link.connect()
    for foreign in (
        frame(0x73, source=b"\x04\x23"),
        frame(0x73, source=b"\x00\x04\x0c\xc5"),
        frame(0x73, to=b"\x23"),
    ):
        assert link.receive(foreign) == []
    assert link.receive(frame(0x73)) == [Connected(Parameters())]


def test_a_meter_called_by_both_addresses_answers_with_both() -> None:
    link = connection()
    link.connect()
    for foreign in (frame(0x73, source=b"\x03"), frame(0x73, source=b"\x02\x25")):
        assert link.receive(foreign) == []
    assert link.receive(frame(0x73)) == [Connected(Parameters())]


def test_reflected_frames_are_dropped() -> None:
    station = Station(lambda message: message)
    link = connection()
    link.connect()

    def exchange() -> list[Event]:
        octets = link.output()
        return link.receive(octets + station.hears(octets))

    assert exchange()
    link.send(b"q" * 100)
    events: list[Event] = []
    while not events:
        events = exchange()
    assert events == [Received(b"q" * 100)]
    assert link.echo


def test_reflected_frames_where_both_addresses_are_the_same() -> None:
    """Client 1 and server 1: only the octets tell."""
    same = partial(frame, to=b"\x03", source=b"\x03")
    link = Connection(Address(1), Address(1), None)
    link.connect()
    assert link.receive(link.output() + same(0x73)) == [Connected(Parameters())]
    link.send(b"\xc0")
    assert link.receive(link.output()) == []
    assert link.receive(same(0x30, LLC + b"a", segmented=True)) == []
    assert link.receive(link.output() + same(0x32, b"b")) == [Received(b"ab")]
    link.disconnect()
    assert link.receive(link.output() + same(0x73)) == [Disconnected()]


def test_a_message_without_end_is_not_kept() -> None:
    link = linked(WISH)
    link.send(b"\xc0")
    controls = [0x30 | number % 8 << 1 for number in range(100)]
    endless = [frame(control, bytes(2000), segmented=True) for control in controls]
    with pytest.raises(DlmsMalformed):
        receive_all(link, endless)
    assert not link._message


def test_an_answer_without_its_llc_is_none() -> None:
    link = linked()
    link.send(b"\xc0")
    with pytest.raises(DlmsMalformed):
        link.receive(frame(0x30, b"\xc4\x01\xc1"))


def test_an_answer_acknowledges_its_request_whatever_it_counts() -> None:
    """A meter whose N(R) stays behind: nothing of the answered request goes out with the next one."""
    link = linked(Parameters(10, 10, 2, 2))
    link.send(bytes(30))
    assert len(sent(link)) == 2
    assert link.receive(frame(0x10, LLC + b"x")) == [Received(b"x")]
    link.send(b"\xc0")
    (request,) = sent(link)
    assert request.information == b"\xe6\xe6\x00\xc0"


@pytest.mark.parametrize("segmented", [False, True])
def test_an_answer_that_comes_twice_is_not_asked_for_again(segmented: bool) -> None:
    """Whoever thinks too long is asked by RR, and answers both: what was said behind the first is on its way."""
    link = linked()
    link.send(b"\xc0")
    link.timeout()
    link.output()
    late = frame(0x30, LLC + b"a", segmented=segmented)
    link.receive(late)
    if not segmented:
        link.send(b"\xc1")
    link.output()
    assert link.receive(late) == []
    assert link.output() == b""
    assert link.waiting
    # Where nothing else comes, it was lost all the same.
    link.timeout()
    assert link.output()


def test_a_missing_final_bit_costs_one_time_out() -> None:
    link = linked()
    link.send(b"\xc0")
    assert link.receive(frame(0x20, LLC + b"x")) == [Received(b"x")]
    with pytest.raises(DlmsUnsent):
        link.send(b"\xc1")
    assert link.timeout() == []
    link.output()
    link.send(b"\xc1")
    assert [got.control for got in sent(link)] == [0x32]


def test_a_frame_swallowed_by_noise_is_found_at_the_time_out() -> None:
    link = linked()
    link.send(b"\xc0")
    assert link.receive(b"\x7e\xa4\x00\x21\x02" + frame(0x30, LLC + b"x")) in ([], [Received(b"x")])
    link = linked()
    link.send(b"\xc0")
    # A right header of a frame that never ends.
    assert link.receive(frame(0x20, bytes(300))[:12] + frame(0x30, LLC + b"x")) == []
    assert link.timeout() == [Received(b"x")]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0x11, 0x15, 0x19, 0x1F, 0x97, 0x73, 0x13])
            | st.integers(0, 127).map(lambda number: number << 1),
            st.binary(max_size=20),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_any_frames_end_in_a_defined_way(frames: list[tuple[int, bytes, bool]]) -> None:
    link = linked(Parameters(8, 8, 3, 3))
    link.send(bytes(60))
    try:
        for control, information, segmented in frames:
            link.receive(frame(control, information, segmented=segmented))
            heard(link.output())
    except HdlcLost, DlmsMalformed:
        assert link.state is State.DOWN
        assert link.output() == b""


def test_addresses_of_the_tests_are_those_of_the_client() -> None:
    assert (Address(16).encode(), Address(1, 17, 2).encode()) == (CLIENT, SERVER)
