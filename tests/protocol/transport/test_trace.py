"""Counters and the record of what went over a line."""

import json
from unittest.mock import patch

from hypothesis import given, strategies as st

from custom_components.iec62056.protocol.model import ParitySeen
from custom_components.iec62056.protocol.transport import trace as trace_module
from custom_components.iec62056.protocol.transport.trace import (
    RUN_LIMIT,
    TRACE_LIMIT,
    Direction,
    LineStats,
    Trace,
)

TEXT = b"1-0:1.8.0*255(004711.93*kWh)\r\n"
EVEN = bytes(byte | (byte.bit_count() & 1) << 7 for byte in TEXT)
ODD = bytes(byte ^ 0x80 for byte in EVEN)


def tally(*runs: bytes) -> LineStats:
    counters = LineStats()
    for run in runs:
        counters.count(run)
    return counters


def test_even_parity_is_seen() -> None:
    assert tally(EVEN).parity is ParitySeen.EVEN
    assert tally(EVEN).wrong == 0


def test_a_line_that_strips_bit_7_is_seen_and_nothing_counts_as_wrong() -> None:
    """Half of the characters have an odd number of ones then: that is no damage."""
    assert tally(TEXT).parity is ParitySeen.STRIPPED
    assert tally(TEXT).wrong == 0


def test_odd_parity_and_noise_are_neither() -> None:
    assert tally(ODD).parity is ParitySeen.OTHER
    assert tally(bytes(range(256))).parity is ParitySeen.OTHER


def test_damaged_characters_are_counted_without_changing_what_the_line_is() -> None:
    damaged = bytes([EVEN[0] ^ 0x04]) + EVEN[1:9] + bytes([EVEN[9] ^ 0x80]) + EVEN[10:]
    assert tally(damaged).parity is ParitySeen.EVEN
    assert tally(damaged).wrong == 2


def test_one_noisy_character_leaves_a_stripped_line_stripped() -> None:
    assert tally(TEXT, TEXT, b"\xff").parity is ParitySeen.STRIPPED
    assert tally(TEXT, TEXT, b"\xff").wrong == 0


def test_few_characters_prove_nothing() -> None:
    """Three that must carry the bit; NULs and zeros say nothing of it at all."""
    assert tally(b"124" + b"0" * 100).parity is ParitySeen.UNKNOWN
    assert tally(bytes(100)).parity is ParitySeen.UNKNOWN


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_counters_are_what_a_person_would_count(runs: list[bytes]) -> None:
    data = b"".join(runs)
    counters = tally(*runs)
    assert counters.characters == len(data)
    assert counters.bit_7 == sum(byte > 127 for byte in data)
    assert counters.odd == sum(byte.bit_count() % 2 for byte in data)
    assert counters.must == sum((byte & 127).bit_count() % 2 for byte in data)


def test_the_share_of_one_reading() -> None:
    counters = tally(EVEN)
    start = counters.copy()
    counters.count(ODD)
    counters.echoed += 5
    counters.late_switches += 1
    share = counters.since(start)
    assert share == LineStats(
        len(ODD), sum(b > 127 for b in ODD), len(ODD), tally(ODD).must, 5, late_switches=1
    )
    assert start == tally(EVEN)


def test_bytes_without_a_pause_are_one_run() -> None:
    trace = Trace()
    trace.add(Direction.SENT, 10.0, 300, b"\xaf?!")
    trace.add(Direction.RECEIVED, 10.2, 300, b"/L")
    trace.add(Direction.RECEIVED, 10.25, 300, b"GZ")
    trace.add(Direction.RECEIVED, 10.30, 9600, b"\x02")
    trace.add(Direction.RECEIVED, 11.30, 9600, b"F")
    assert [(run.direction, run.time, run.speed, bytes(run.data)) for run in trace.runs] == [
        (Direction.SENT, 10.0, 300, b"\xaf?!"),
        (Direction.RECEIVED, 10.2, 300, b"/LGZ"),
        (Direction.RECEIVED, 10.30, 9600, b"\x02"),
        (Direction.RECEIVED, 11.30, 9600, b"F"),
    ]


def test_a_run_is_measured_from_its_latest_byte() -> None:
    """At 300 Bd each character comes alone: a readout is one run all the same."""
    trace = Trace()
    for number in range(100):
        trace.add(Direction.RECEIVED, number / 30, 300, b"x")
    assert len(trace.runs) == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Direction),
            st.floats(0, 1),
            st.sampled_from([300, 9600]),
            st.binary(min_size=1, max_size=40),
        ),
        max_size=30,
    )
)
def test_the_latest_bytes_are_kept(parts: list[tuple[Direction, float, int, bytes]]) -> None:
    now = 0.0
    with patch.object(trace_module, "TRACE_LIMIT", 64):
        trace = Trace()
        for direction, pause, speed, data in parts:
            now += pause
            trace.add(direction, now, speed, data)
    everything = b"".join(data for *_, data in parts)
    kept = b"".join(bytes(run.data) for run in trace.runs)
    assert kept == everything[-64:]
    assert trace.dropped == len(everything) - len(kept)


def test_the_number_of_runs_is_bounded() -> None:
    trace = Trace()
    for number in range(RUN_LIMIT + 10):
        trace.add(Direction.RECEIVED, float(number), 300, b"\x00")
    assert len(trace.runs) == RUN_LIMIT
    assert trace.dropped == 10


def test_text_says_when_who_how_fast_and_what() -> None:
    trace = Trace()
    trace.add(Direction.SENT, 100.0, 300, b"\xaf?!\x8d\x0a")
    trace.add(Direction.RECEIVED, 100.5, 9600, b"\\\x82\xfe\x01")
    trace.add(Direction.RECEIVED, 101.5, 9600, b"12(\r\n")
    assert [line.split() for line in trace.as_text().splitlines()] == [
        ["0.000", "s", "300", "Bd", "sent", "5", "even", "/?!\\r\\n"],
        ["0.500", "s", "9600", "Bd", "received", "4", "raw", "\\\\\\x82\\xfe\\x01"],
        ["1.500", "s", "9600", "Bd", "received", "5", "clear", "12(\\r\\n"],
    ]


def test_text_says_that_something_is_missing() -> None:
    trace = Trace()
    trace.add(Direction.RECEIVED, 1.0, 300, bytes(TRACE_LIMIT + 2))
    assert trace.as_text().startswith("... 2 bytes before this were dropped\n")


@given(st.binary(min_size=1, max_size=50), st.booleans())
def test_the_plain_form_loses_nothing(data: bytes, parity: bool) -> None:
    if parity:
        data = bytes(byte & 0x7F | ((byte & 0x7F).bit_count() & 1) << 7 for byte in data[1:]) + b"1"
    trace = Trace()
    trace.add(Direction.RECEIVED, 1.0, 300, data)
    [run] = json.loads(json.dumps(trace.as_dict()))["runs"]
    codes = [ord(code) for code in run["text"].encode("ascii").decode("unicode_escape")]
    if run["bits"] == "even":
        codes = [
            code & 0xFF if code > 0xFF else code | (code.bit_count() & 1) << 7 for code in codes
        ]
    assert bytes(codes) == data


def test_one_damaged_character_does_not_make_a_run_unreadable() -> None:
    trace = Trace()
    trace.add(Direction.RECEIVED, 1.0, 300, EVEN[:6] + b"\xa8" + EVEN[7:13])
    [run] = trace.as_dict()["runs"]
    assert (run["bits"], run["text"]) == ("even", "1-0:1.\\u01a8.0*255")


def even(text: bytes) -> bytes:
    return bytes(byte | (byte.bit_count() & 1) << 7 for byte in text)


PASSWORD = b"\x01P1\x02(k1Tt7-x2)\x03\x1a"


def test_of_a_secret_only_the_command_is_recorded() -> None:
    """Neither does its check character get in, from which a character of the secret could be told."""
    trace = Trace()
    trace.add(Direction.SENT, 1.0, 300, even(PASSWORD), secret=True)
    [run] = trace.runs
    assert bytes(run.data) == even(b"\x01P1\x02**********\x03*")
    assert run.bits == "even"


def test_echo_of_a_secret_is_none_either() -> None:
    """Not even one that comes damaged and in pieces; the acknowledgement behind it is seen."""
    trace = Trace()
    trace.add(Direction.SENT, 1.0, 300, even(PASSWORD), secret=True)
    echo = even(PASSWORD.replace(b"(", b"h"))
    for place, code in enumerate(echo + b"\x06"):
        trace.add(Direction.RECEIVED, 1.1 + place / 30, 300, bytes([code]))
    assert trace.runs[1].text == r"\x01**\x02**********\x03*\x06"
    assert "k1Tt7" not in trace.as_text()


def test_what_is_sent_next_is_seen_again_and_its_answer() -> None:
    trace = Trace()
    trace.add(Direction.SENT, 1.0, 300, even(PASSWORD), secret=True)
    trace.add(Direction.SENT, 2.0, 300, even(b"\x01R1\x02C.1()\x03"))
    trace.add(Direction.RECEIVED, 3.0, 300, even(b"\x02(7)\x03"))
    assert [run.text for run in trace.runs[1:]] == [r"\x01R1\x02C.1()\x03", r"\x02(7)\x03"]


@given(st.binary(min_size=1, max_size=40))
def test_secret_of_another_form_is_hidden_wholly(secret: bytes) -> None:
    trace = Trace()
    for number, direction in enumerate(Direction):
        trace.add(direction, float(number), 9600, b"\x7e" + secret, secret=True)
    assert {run.text for run in trace.runs} == {"*" * (len(secret) + 1)}
