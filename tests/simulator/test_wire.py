"""The wire: parity, links, echo, garbling, and a client that looks only now and then."""

from hypothesis import given, strategies as st
import pytest

from simulator import Echo, Kind, Link, Manners, Meter, Mode
from simulator.wire import PENDING_LIMIT, even

from .bench import Bench, Stock

CHARACTER = 10 / 300
REQUEST = "/?!\r\n"


def meter(**manners: object) -> Meter:
    return Meter(Stock(), Manners(**{"mode": Mode.A, "speed": 300} | manners))  # type: ignore[arg-type]


def test_even_parity_of_known_octets() -> None:
    # Std Annex E.4: ACK 2 5 2 CR LF with parity.
    assert bytes(map(even, b"\x06252\r\n")) == bytes.fromhex("06b235b28d0a")


@given(st.integers(0, 255))
def test_even_parity_of_all_octets(octet: int) -> None:
    assert even(octet).bit_count() % 2 == 0
    assert even(octet) & 0x7F == octet & 0x7F


def test_a_seven_bit_link_makes_and_strips_parity() -> None:
    bench = Bench(meter(), link=Link.SEVEN)
    bench.write_raw(REQUEST.encode())
    bench.run_until(Kind.SENT)
    assert bench.read.startswith(b"/SIM-METER-01\r\n\x02")
    assert max(bench.read) < 0x80


def test_an_eight_bit_link_needs_the_clients_parity() -> None:
    bench = Bench(meter())
    bench.write_raw(REQUEST.encode())
    bench.run(2)
    assert bench.log.of(Kind.SIGN_ON) == []
    # "/" and CR have an odd number of ones.
    assert [event.text[:2] for event in bench.log.of(Kind.DAMAGED)] == ["2f", "0d"]


def test_characters_leave_one_after_another() -> None:
    bench = Bench(meter())
    bench.write("/")
    bench.run(CHARACTER / 2)
    bench.write("?!\r\n")
    assert bench.run_until(Kind.SIGN_ON) == pytest.approx(100 + 5 * CHARACTER)


def test_full_echo_comes_character_by_character() -> None:
    bench = Bench(meter(), echo=Echo.FULL)
    bench.write(REQUEST)
    bench.run(2.5 * CHARACTER)
    assert bench.text == "/?"
    bench.run_until(Kind.SENT)
    assert bench.text.startswith("/?!\r\n/SIM-METER-01\r\n\x02")


@pytest.mark.parametrize("echo", [Echo.PARTIAL, Echo.DAMAGED])
def test_an_incomplete_echo_is_the_same_each_time(echo: Echo) -> None:
    seen = set()
    for _ in range(2):
        bench = Bench(meter(), echo=echo, seed=7)
        bench.write("/?12345678!\r\n")
        bench.run(1)
        seen.add(bench.read)
        assert bench.read != bytes(map(even, b"/?12345678!\r\n"))
        assert (len(bench.read) == 13) is (echo is Echo.DAMAGED)
    assert len(seen) == 1


@pytest.mark.parametrize(("speed", "count"), [(9600, 4), (600, 2)])
def test_a_client_that_reads_too_fast_sees_more_and_nothing_right(speed: int, count: int) -> None:
    bench = Bench(meter())
    bench.write(REQUEST)
    bench.run(5 * CHARACTER)
    bench.switch(speed)
    bench.run_until(Kind.IDENTIFIED)
    assert len(bench.read) == count * len("/SIM-METER-01\r\n")
    assert not set(bench.read) & set(map(even, b"/SIM-METER-01\r\n"))


def test_a_client_that_reads_too_slowly_sees_less() -> None:
    bench = Bench(meter(mode=Mode.D, speed=9600, interval=1.0))
    bench.run_until(Kind.SENT)
    sent = bench.log.of(Kind.SENT)[0].value
    assert sent is not None
    assert 0 < len(bench.read) < sent / 8
    assert bench.log.of(Kind.MISSED)[0].value == sent


def test_a_character_during_the_switch_is_spoilt() -> None:
    bench = Bench(meter())
    bench.write(REQUEST)
    bench.run_until(Kind.DATA)
    bench.run(10.5 * CHARACTER)
    before = bench.text
    bench.switch(600)
    bench.switch(300)
    bench.run(2 * CHARACTER)
    whole = "\x02" + Stock().lines.decode()
    assert before.endswith(whole[:10])
    assert not bench.text.startswith(before + whole[10])
    assert bench.text.endswith(whole[11])


def test_a_switch_seen_late_has_the_benefit_of_the_doubt() -> None:
    """The client switched somewhere between two looks: its message had left, and it reads from the start."""
    bench = Bench(Meter(Stock(), Manners(reaction=0.02)))
    bench.sign_on()
    bench.write("\x06050\r\n")
    bench.run(6 * CHARACTER - 0.001)
    looked = bench.now
    bench.now += 0.1
    bench.read = b""
    bench.wire.client_switches(9600, looked, bench.now)
    bench.run(0.1)
    assert bench.text.startswith("\x021.8.0(")
    assert bench.log.of(Kind.MISSED, Kind.DAMAGED) == []


def test_a_hung_up_client_sends_and_reads_nothing() -> None:
    bench = Bench(meter())
    bench.switch(0)
    bench.write(REQUEST)
    bench.run(5)
    bench.switch(300)
    bench.run(5)
    assert bench.log.of(Kind.SIGN_ON, Kind.DAMAGED) == []
    bench.write(REQUEST)
    bench.run_until(Kind.IDENTIFIED)


def test_a_buffer_has_an_end() -> None:
    bench = Bench(meter(mode=Mode.D, interval=1e9), link=Link.SEVEN, echo=Echo.FULL, speed=19200)
    bench.write_raw(bytes(range(128)) * 1000)
    bench.run(1000)
    assert len(bench.read) == PENDING_LIMIT
    assert bench.wire.due > 1e8


def test_steps_of_time_change_nothing() -> None:
    """The same octets arrive whether the wire is asked at its due moments, rarely or often."""

    def readout(step: float | None) -> tuple[bytes, list[object]]:
        bench = Bench(meter(mode=Mode.C, speed=300))
        bench.write(REQUEST)
        if step is None:
            bench.run_until(Kind.SENT)
            bench.run(1)
        while bench.now < 110:
            bench.run(step or 1)
        return bench.read, [(event.kind, round(event.at, 9)) for event in bench.log.events]

    assert readout(None) == readout(0.0007) == readout(10.0)
