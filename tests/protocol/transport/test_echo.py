"""Which received characters are our own: every kind of echo, and answers that look like one."""

from hypothesis import example, given, strategies as st
import pytest

from custom_components.iec62056.protocol.transport.echo import EchoFilter, length_of_echo

LAG = 0.25
SIGN_ON = b"/?!\r\n"
ADDRESSED = b"/?20087654!\r\n"
OPTION = b"\x06050\r\n"
READ = b"\x01R1\x021.8.0()\x03Z"
MODE_E = b"\x06252\r\n"
NULS = bytes(66)
BREAK = b"\x01B0\x03q"
MESSAGES = [SIGN_ON, ADDRESSED, OPTION, READ, MODE_E, NULS, BREAK, b"\x06", b"\x15"]
ANSWERS = [
    b"/LGZ4ZMF100AC.M23\r\n",
    b"/ESM5 20087654!\r\n",
    b"/?",
    b"\x02F.F(00)\r\n!\r\n\x03k",
    b"\x021.8.0(000421.9*kWh)\x03y",
    b"\x021.8.0()\x03p",
    b"\x06",
    b"\x15",
    BREAK,
    MODE_E,
]


def even(data: bytes) -> bytes:
    return bytes(byte | (byte.bit_count() & 1) << 7 for byte in data)


def chunked(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % len(data) for cut in cuts} - {0}) if data else []
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


class Exchange:
    """A filter and what came out of it."""

    def __init__(self) -> None:
        self.filter = EchoFilter(LAG)
        self.sent_at = 0.0
        self.out = b""

    def send(self, message: bytes, now: float, speed: int = 300) -> None:
        self.out += self.filter.settle(now)
        self.sent_at = now + len(message) * 10 / speed
        self.filter.expect(message, self.sent_at)

    def get(self, data: bytes, now: float) -> None:
        self.out += self.filter.feed(data, now)

    def later(self) -> bytes:
        """All that came out, once nothing is kept back any more."""
        while (due := self.filter.due) is not None:
            self.out += self.filter.settle(due)
        out, self.out = self.out, b""
        return out


messages = st.sampled_from(MESSAGES)
answers = st.sampled_from(ANSWERS) | st.binary(min_size=1, max_size=40).map(
    lambda data: bytes(byte & 0x7F for byte in data)
)
cuts = st.lists(st.integers(0, 200), max_size=6)


@given(messages, answers, cuts, st.floats(0.02, 2.0), st.booleans())
@example(SIGN_ON, b"/LGZ4ZMF100AC.M23\r\n", [1, 2, 3, 4, 5], 0.02, True)
@example(SIGN_ON, b"/", [], 0.02, True)
def test_an_answer_without_an_echo_is_whole(
    message: bytes, answer: bytes, places: list[int], reaction: float, parity: bool
) -> None:
    if answer.startswith(message):
        return
    line = Exchange()
    line.send(message, 1.0)
    for number, part in enumerate(chunked(answer, places)):
        line.get(even(part) if parity else part, line.sent_at + reaction + number * 0.034)
    assert bytes(byte & 0x7F for byte in line.later()) == answer
    assert line.filter.echoed == 0


@given(messages, answers, cuts, st.floats(-1.0, 0.1), st.booleans())
@example(SIGN_ON, b"/?!\r\n", [5], 0.0, True)
def test_a_full_echo_is_removed_and_the_answer_is_whole(
    message: bytes, answer: bytes, places: list[int], lag: float, parity: bool
) -> None:
    """Even where the answer repeats the message, and where echo and answer come in one run."""
    line = Exchange()
    line.send(message, 1.0)
    raw = even(message) if parity else message
    for part in chunked(raw + answer, places):
        line.get(part, max(1.0, line.sent_at + lag))
    assert line.later() == answer
    assert line.filter.echoed == len(message)


@given(messages, messages, cuts)
def test_on_a_line_that_does_not_echo_an_answer_may_repeat_the_message(
    first: bytes, second: bytes, places: list[int]
) -> None:
    """The acknowledgement of mode E and a break sent back are answers."""
    line = Exchange()
    line.send(first, 1.0)
    line.get(b"\x7fXYZ4 1\r\n", line.sent_at + 0.2)
    assert line.later() == b"\x7fXYZ4 1\r\n"
    line.send(second, 5.0)
    for number, part in enumerate(chunked(second, places)):
        line.get(part, line.sent_at + 0.02 + number * 0.034)
    assert line.later() == second


@given(messages, messages, cuts)
def test_on_a_line_that_echoes_the_meter_may_repeat_the_message(
    first: bytes, second: bytes, places: list[int]
) -> None:
    line = Exchange()
    line.send(first, 1.0)
    line.get(first, line.sent_at)
    line.send(second, 5.0)
    for part in chunked(second + second, places):
        line.get(part, line.sent_at + 0.02)
    assert line.later() == second


@pytest.mark.parametrize(
    "damaged",
    [b"/_!\r\n", b"?!\r\n", b"/?\r\n", b"/?!\r", b"\xff?!\r\n", b"/\x00\x00\r\n", b"\x80/?!\r\n"],
)
def test_a_damaged_echo_is_removed(damaged: bytes) -> None:
    """Characters changed, lost or added; a rest of one character may be left over, the answer never suffers."""
    line = Exchange()
    line.send(SIGN_ON, 1.0)
    line.get(damaged, 1.1)
    line.get(b"/ISK5ME162-0001\r\n", line.sent_at + 0.2)
    out = line.later()
    assert out.endswith(b"/ISK5ME162-0001\r\n")
    assert len(out) <= len(b"/ISK5ME162-0001\r\n") + 1
    assert line.filter.echoed >= 4


def test_repeated_characters_do_not_hide_a_damaged_echo() -> None:
    """Any two of the six may be wrong."""
    assert length_of_echo(b"\x06000\r\n", b"\x06080\x0f\n") == 6
    assert length_of_echo(b"\x06000\r\n", b"\x06080\x0f\x0b") == 0


def test_what_may_be_the_answer_is_left_where_the_end_of_an_echo_is_lost() -> None:
    assert length_of_echo(SIGN_ON, b"/?!\r/") == 4
    assert length_of_echo(SIGN_ON, b"/?!/L") == 3


@given(
    st.sampled_from(MESSAGES),
    st.lists(st.tuples(st.integers(0, 65), st.integers(1, 127)), max_size=2),
)
def test_any_two_changed_characters_are_forgiven(
    message: bytes, changes: list[tuple[int, int]]
) -> None:
    """But of a message of one or two, which nothing would be left of."""
    if len(message) < 3:
        return
    damaged = bytearray(message)
    for place, bits in changes:
        damaged[place % len(message)] ^= bits
    # A changed character at the end is left over: it may be the first of the answer.
    assert length_of_echo(message, bytes(damaged)) >= len(message) - len(changes)


def test_an_echo_of_nuls_with_some_lost_is_removed() -> None:
    line = Exchange()
    line.send(NULS, 1.0)
    line.get(bytes(61), 2.0)
    assert line.later() == b""
    assert line.filter.echoed == 61


@given(st.sampled_from([SIGN_ON, ADDRESSED, READ]), st.sampled_from(ANSWERS[:6]), cuts)
def test_a_meter_in_no_time_is_not_taken_for_an_echo(
    message: bytes, answer: bytes, places: list[int]
) -> None:
    """What a test without time does: it answers before the request can have left."""
    line = Exchange()
    line.send(message, 1.0)
    for part in chunked(answer, places):
        line.get(part, 1.0)
    assert line.later() == answer


@pytest.mark.parametrize("answer", ANSWERS[:6])
@pytest.mark.parametrize("message", [SIGN_ON, ADDRESSED, OPTION, READ])
def test_no_answer_is_near_a_message(message: bytes, answer: bytes) -> None:
    assert length_of_echo(message, answer) == 0


def test_an_answer_shorter_than_the_request_is_not_kept_back() -> None:
    """The meter waits for our option select no longer than 1.5 s."""
    line = Exchange()
    line.send(b"/?0123456789ABCDEF0123456789ABCDEF!\r\n", 1.0)
    line.get(b"/KAM MC\r\n", line.sent_at + 0.2)
    assert line.out == b"/KAM MC\r\n"


def test_on_a_line_that_echoes_a_late_echo_may_be_damaged_too() -> None:
    """A bridge brings it after our last character has left."""
    line = Exchange()
    line.send(SIGN_ON, 1.0)
    line.get(SIGN_ON, line.sent_at + 0.1)
    line.send(OPTION, 2.0)
    line.get(b"\x0605\x10\r\n\x02", line.sent_at + 0.1)
    assert line.later() == b"\x02"


def test_an_echo_that_began_is_awaited_to_its_end_on_any_line() -> None:
    line = Exchange()
    line.send(SIGN_ON, 1.0)
    line.get(b"/EMH4", line.sent_at + 0.2)
    assert line.later() == b"/EMH4"
    line.send(OPTION, 2.0)
    line.get(OPTION[:-1], line.sent_at - 0.01)
    line.get(OPTION[-1:], line.sent_at + 0.02)
    assert line.later() == b""


def test_of_a_long_message_the_beginning_is_compared() -> None:
    message = bytes(range(128)) * 3
    assert length_of_echo(message, b"\x01" + message[1:]) == len(message)


def test_two_messages_in_a_row_are_both_awaited() -> None:
    """Wake-up and request leave behind one another; their echo comes in one run."""
    line = Exchange()
    line.send(NULS, 1.0, speed=9600)
    line.send(SIGN_ON, 1.1, speed=9600)
    line.get(NULS + SIGN_ON + b"/KAM4", 1.2)
    assert line.later() == b"/KAM4"
    assert line.filter.echoed == len(NULS + SIGN_ON)


def test_what_comes_when_an_echo_is_over_passes_at_once() -> None:
    line = Exchange()
    line.send(SIGN_ON, 1.0)
    line.get(b"/", line.sent_at + LAG)
    assert line.filter.due is None
    assert line.out == b"/"


def test_a_lone_character_is_kept_back_no_longer_than_an_echo_can_be_late() -> None:
    line = Exchange()
    line.send(SIGN_ON, 1.0)
    line.get(b"/", line.sent_at + 0.02)
    assert line.out == b""
    assert line.filter.due == line.sent_at + LAG
    assert line.later() == b"/"


@pytest.mark.parametrize("count", [2, 8, len(ADDRESSED) - 1])
def test_dropped_input_takes_the_begun_echo_with_it(count: int) -> None:
    line = Exchange()
    line.send(ADDRESSED, 1.0)
    line.get(ADDRESSED[:count], 1.07)
    line.filter.drop()
    line.get(ADDRESSED[count:] + b"/EMH4ITZ", line.sent_at)
    assert line.later() == b"/EMH4ITZ"


def test_a_lost_line_gives_out_what_was_kept_back() -> None:
    line = Exchange()
    line.send(SIGN_ON, 1.0)
    line.get(b"/?", 1.07)
    assert line.filter.finish() == b"/?"
    assert line.filter.due is None
