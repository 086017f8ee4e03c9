"""What the simulated meter does, and when: every time is computed, none is measured."""

from functools import reduce
from operator import xor

from hypothesis import given, settings, strategies as st
import pytest

from simulator import Check, Faults, Kind, Manners, Meter, Mode, WakeUp
from simulator.wire import even

from .bench import Bench, Stock

CHARACTER = 10 / 300
REQUEST = "/?!\r\n"


def meter(faults: Faults | None = None, **manners: object) -> Meter:
    return Meter(Stock(), Manners(**manners), faults)  # type: ignore[arg-type]


def block(check: bytes) -> str:
    return f"\x02{Stock().lines.decode()}!\r\n\x03{check.decode()}"


def xor_of(text: str) -> int:
    return reduce(xor, text.encode())


def test_mode_c_goes_through_in_computed_time() -> None:
    bench = Bench(meter())
    bench.write(REQUEST)
    identified = bench.run_until(Kind.IDENTIFIED)
    # Request, reaction, identification of 15 characters and its line end.
    assert identified == pytest.approx(100 + 5 * CHARACTER + 0.2 + 15 * CHARACTER)
    assert bench.text == "/SIM5METER-01\r\n"
    bench.run(0.2)
    bench.write("\x06050\r\n")
    bench.run(6 * CHARACTER)
    left = bench.now
    bench.switch(9600)
    bench.read = b""
    sent = bench.run_until(Kind.SENT)
    body = Stock().lines.decode() + "!\r\n\x03"
    assert bench.text == "\x02" + body + chr(xor_of(body))
    assert sent == pytest.approx(left + 0.2 + len(bench.text) * 10 / 9600)
    assert bench.read == bytes(map(even, bench.read))
    (option,) = bench.log.of(Kind.OPTION)
    assert option.text == "\\x06050\\r\\n"
    assert option.value == pytest.approx(0.2)
    assert not bench.log.of(Kind.MISSED, Kind.DAMAGED, Kind.DEAF)


def test_no_option_select_gives_the_data_at_the_first_speed() -> None:
    bench = Bench(meter())
    bench.sign_on()
    begin = bench.run_until(Kind.DATA)
    (identified,) = bench.log.of(Kind.IDENTIFIED)
    assert 1.5 < begin - identified.at <= 2.2 + 0.2
    bench.run_until(Kind.SENT)
    assert "1.8.0(000123.4*kWh)" in bench.text
    assert len(bench.log.of(Kind.NO_OPTION)) == 1


@pytest.mark.parametrize("option", ["\x06040\r\n", "\x06000\r\n", "\x06052\r\n", "\x06x50\r\n"])
def test_another_option_stays_at_the_first_speed(option: str) -> None:
    bench = Bench(meter())
    bench.sign_on()
    bench.write(option)
    bench.run_until(Kind.SENT)
    assert "2.8.0(000005.6*kWh)" in bench.text
    assert bench.log.of(Kind.DATA)[0].text.endswith("at 300")


def test_an_option_select_with_wrong_parity_stays_at_the_first_speed() -> None:
    bench = Bench(meter())
    bench.sign_on()
    bench.write_raw(bytes(octet ^ 0x80 for octet in map(even, b"\x06050\r\n")))
    bench.run_until(Kind.SENT)
    assert bench.log.of(Kind.DATA)[0].text.endswith("at 300")
    assert len(bench.log.of(Kind.DAMAGED)) == 6


def test_a_switch_too_early_garbles_the_rest_of_the_clients_own_message() -> None:
    bench = Bench(meter())
    bench.sign_on()
    bench.write("\x06050\r\n")
    bench.run(4.5 * CHARACTER)
    bench.switch(9600)
    (change,) = bench.log.of(Kind.SPEED)
    assert change.value == pytest.approx(-1.5 * CHARACTER)
    bench.run_until(Kind.DATA)
    assert bench.log.of(Kind.DATA)[0].text.endswith("at 300")
    assert len(bench.log.of(Kind.DAMAGED)) == 2


def test_a_switch_too_late_costs_the_first_characters() -> None:
    bench = Bench(meter(reaction=0.02))
    bench.sign_on()
    bench.write("\x06050\r\n")
    bench.run(6 * CHARACTER + 0.02 + 5.5 * 10 / 9600)
    bench.switch(9600)
    bench.read = b""
    bench.run_until(Kind.SENT)
    assert bench.log.of(Kind.MISSED)[0].value == 6
    expected = Stock().lines.decode()[5:]
    assert expected in bench.text
    assert Stock().lines.decode()[4:] not in bench.text
    assert bench.log.of(Kind.SPEED)[0].value == pytest.approx(0.02 + 5.5 * 10 / 9600)


def test_mode_a_sends_data_at_once() -> None:
    bench = Bench(meter(mode=Mode.A, speed=300))
    bench.write(REQUEST)
    sent = bench.run_until(Kind.SENT)
    assert bench.text.startswith("/SIM-METER-01\r\n\x02")
    assert sent == pytest.approx(100 + 0.2 + (5 + len(bench.text)) * CHARACTER)


def test_mode_b_switches_without_an_option_select() -> None:
    bench = Bench(meter(mode=Mode.B, speed=2400))
    bench.write(REQUEST)
    identified = bench.run_until(Kind.IDENTIFIED)
    assert bench.text == "/SIMCMETER-01\r\n"
    bench.switch(2400)
    assert bench.run_until(Kind.DATA) == pytest.approx(identified + 0.2)
    bench.run_until(Kind.SENT)
    assert "2.8.0(000005.6*kWh)\r\n!\r\n\x03" in bench.text
    assert bench.log.of(Kind.OPTION, Kind.NO_OPTION) == []


def test_mode_d_pushes_without_being_asked_and_hears_nothing() -> None:
    bench = Bench(meter(mode=Mode.D, speed=2400, interval=5.0), speed=2400)
    bench.write(REQUEST)
    bench.run_until(Kind.SENT, 2)
    telegram = f"/SIM3METER-01\r\n\r\n{Stock().lines.decode()}!\r\n"
    assert bench.text == telegram * 2
    first, second = bench.log.of(Kind.DATA)
    assert second.at - first.at == pytest.approx(5.0)
    assert bench.log.of(Kind.SIGN_ON, Kind.IGNORED) == []


@pytest.mark.parametrize("check", list(Check))
def test_check_characters(check: Check) -> None:
    bench = Bench(meter(check=check))
    bench.sign_on()
    bench.run_until(Kind.SENT)
    body, _, received = bench.text.partition("\x02")[2].partition("\x03")
    body += "\x03"
    right = {Check.XOR: xor_of(body), Check.SUM: sum(body.encode()) & 0x7F}
    assert len(set(right.values())) == 2
    if check is Check.NONE:
        assert received == ""
    elif check is Check.WRONG:
        assert ord(received) not in right.values()
    else:
        assert ord(received) == right[check]


def test_known_check_character() -> None:
    # The same break in both dialects is in every description of them: 0x71 and 0x75.
    for check, expected in ((Check.XOR, "q"), (Check.SUM, "u")):
        bench = Bench(meter(Faults(broken_off=True), check=check))
        bench.sign_on()
        bench.run(4)
        assert bench.text.endswith(f"\x01B0\x03{expected}")


def test_data_without_frame() -> None:
    bench = Bench(meter(stx=False))
    bench.sign_on()
    bench.run_until(Kind.SENT)
    assert bench.text.endswith(f"METER-01\r\n{Stock().lines.decode()}!\r\n")


def test_a_repeat_is_sent_once_and_undamaged() -> None:
    bench = Bench(meter(Faults(flips={1: 0x01}, damaged_blocks=1), repeats=1))
    bench.sign_on()
    bench.select("\x06050\r\n", 9600)
    bench.run_until(Kind.SENT)
    first = bench.text
    bench.run(0.2)
    bench.write("\x15")
    bench.run_until(Kind.SENT, 2)
    second = bench.text[len(first) :]
    assert second == first.partition("\r\n")[2].replace("\x020.8.0", "\x021.8.0")
    bench.run(0.2)
    bench.write("\x15")
    bench.run(5)
    assert len(bench.log.of(Kind.SENT)) == 2


def test_a_flipped_bit_shows_in_the_parity_and_two_do_not() -> None:
    bench = Bench(meter(Faults(flips={2: 0x04, 5: 0x03})))
    bench.sign_on()
    bench.read = b""
    bench.run_until(Kind.SENT)
    wrong = [place for place, octet in enumerate(bench.read) if octet != even(octet)]
    assert wrong == [2]
    assert bench.text[1:12] == "1*8.3(00012"


def test_lost_characters() -> None:
    bench = Bench(meter(Faults(lost={1, 2})))
    bench.sign_on()
    bench.read = b""
    bench.run_until(Kind.SENT)
    assert bench.text.startswith("\x028.0(000123.4")


def test_a_meter_that_drops_out_answers_the_next_sign_on() -> None:
    device = meter(Faults(drop_after=10))
    bench = Bench(device)
    bench.sign_on()
    bench.run(30)
    assert bench.text.endswith("\r\n\x021.8.0(000")
    device.faults.drop_after = None
    bench.sign_on()
    bench.run_until(Kind.SENT)
    assert bench.text.endswith(block(b"")[-5:] + chr(xor_of(block(b"")[1:])))


def test_a_stall_loses_nothing() -> None:
    bench = Bench(meter(Faults(stall=(7, 1.4))))
    bench.sign_on()
    begin = bench.run_until(Kind.DATA)
    sent = bench.run_until(Kind.SENT)
    whole = block(b"?")
    assert whole[:-1] in bench.text
    assert sent - begin == pytest.approx(1.4 + len(whole) * CHARACTER)


@pytest.mark.parametrize("count", [0, 10_000])
def test_faults_beyond_the_block_are_harmless(count: int) -> None:
    bench = Bench(meter(Faults(stall=(count, 0.5), flips={count + 9999: 1})))
    bench.sign_on()
    bench.run_until(Kind.SENT)
    assert block(b"") in bench.text


def test_an_error_message_in_place_of_data() -> None:
    bench = Bench(meter(Faults(error="ER05")))
    bench.sign_on()
    bench.run_until(Kind.REFUSED)
    assert bench.text.endswith("\x02(ER05)\x03" + chr(xor_of("(ER05)\x03")))


def test_noise_around_the_messages() -> None:
    bench = Bench(meter(Faults(noise_before=b"\x7f\x7f", noise_after=b"\x00\xff")))
    bench.sign_on()
    bench.run_until(Kind.SENT)
    assert bench.read.startswith(b"\x7f\x7f" + bytes(map(even, b"/SIM5")))
    assert b"\x7f\x7f" + bytes(map(even, b"\x021.8.0")) in bench.read
    assert bench.read.endswith(b"\x00\xff")


@pytest.mark.parametrize(
    ("address", "needs", "request_", "answered"),
    [
        ("", False, "/?!\r\n", True),
        ("00123", False, "/?!\r\n", True),
        ("00123", True, "/?!\r\n", False),
        ("00123", True, "/?00123!\r\n", True),
        ("00123", True, "/?123!\r\n", True),
        ("123", True, "/?0000123!\r\n", True),
        ("0000", True, "/?00!\r\n", True),
        ("00123", False, "/?124!\r\n", False),
        ("aB", False, "/?AB!\r\n", False),
        ("", False, "/2!\r\n", False),
        ("", False, "/?!\n", False),
        ("", False, "noise/?!\r\n", True),
        ("", False, "/?/?!\r\n", True),
    ],
)
def test_who_answers(address: str, needs: bool, request_: str, answered: bool) -> None:
    bench = Bench(meter(address=address, needs_address=needs))
    bench.write(request_)
    bench.run(2)
    assert bool(bench.log.of(Kind.IDENTIFIED)) is answered


def test_other_requests_of_makes() -> None:
    bench = Bench(meter(queries=("?", "#", "2")))
    for count, request in enumerate(("/#!\r\n", "/2!\r\n"), 1):
        bench.write(request)
        bench.run_until(Kind.SENT, count)
        bench.run(1)


def test_the_second_sign_on_is_ignored() -> None:
    bench = Bench(meter(Faults(ignore={2}), mode=Mode.A, speed=300))
    for _ in range(3):
        bench.write(REQUEST)
        bench.run(10)
    assert len(bench.log.of(Kind.SIGN_ON)) == 3
    assert len(bench.log.of(Kind.IDENTIFIED)) == 2


def test_a_meter_without_identification() -> None:
    bench = Bench(meter(ident=None))
    bench.write(REQUEST)
    bench.run_until(Kind.SENT)
    assert bench.text.startswith("\x021.8.0(")


def test_a_break_ends_the_session() -> None:
    bench = Bench(meter())
    bench.sign_on()
    bench.write("\x01B0\x03q")
    bench.run(1)
    assert len(bench.log.of(Kind.BREAK)) == 1
    bench.write(REQUEST)
    bench.run_until(Kind.IDENTIFIED, 2)


def test_a_request_instead_of_the_option_select_begins_anew() -> None:
    bench = Bench(meter())
    bench.sign_on()
    bench.write(REQUEST)
    bench.run_until(Kind.IDENTIFIED, 2)
    assert bench.text == "/SIM5METER-01\r\n" * 2


def test_a_meter_hears_nothing_while_it_sends() -> None:
    bench = Bench(meter(mode=Mode.A, speed=300))
    bench.write(REQUEST)
    bench.run_until(Kind.DATA)
    bench.write("\x01B0\x03q")
    bench.run_until(Kind.SENT)
    assert len(bench.log.of(Kind.DEAF)) == 5
    assert block(b"") in bench.text


def test_a_meter_that_is_deaf_after_its_own_message() -> None:
    bench = Bench(meter(deaf=0.3))
    bench.sign_on()
    bench.select("\x06050\r\n", 9600)
    bench.run_until(Kind.DATA)
    assert bench.log.of(Kind.DATA)[0].text.endswith("at 300")


@pytest.mark.parametrize(
    ("nuls", "pause", "woken", "answered"),
    [
        (66, 1.6, True, True),
        (63, 1.5, True, True),
        (62, 1.6, False, False),
        (84, 1.6, False, False),
        (66, 0.2, True, False),
        (66, 6.0, True, False),
    ],
)
def test_waking_up(nuls: int, pause: float, woken: bool, answered: bool) -> None:
    bench = Bench(meter(wake_up=WakeUp()))
    bench.write(bytes(nuls))
    bench.run(nuls * CHARACTER + pause)
    bench.write(REQUEST)
    bench.run(2)
    assert bool(bench.log.of(Kind.WOKEN)) is woken
    assert bool(bench.log.of(Kind.IDENTIFIED)) is answered


def test_nuls_with_gaps_wake_nobody() -> None:
    bench = Bench(meter(wake_up=WakeUp()))
    for _ in range(66):
        bench.write(b"\0")
        bench.run(CHARACTER + 0.006)
    bench.run(1.6)
    assert bench.log.of(Kind.WOKEN) == []


def test_a_sleeping_meter_does_not_answer() -> None:
    bench = Bench(meter(wake_up=WakeUp()))
    bench.write(REQUEST)
    bench.run(5)
    assert bench.log.of(Kind.IDENTIFIED, Kind.SIGN_ON) == []


@pytest.mark.parametrize(("later", "count"), [(0.0, 16), (0.01, 16), (0.02, 17)])
def test_two_meters_answer_at_once_and_spoil_each_other(later: float, count: int) -> None:
    bench = Bench(
        meter(ident="/ABC5first", address="1"),
        meter(ident="/XYZ5other-one", address="2", reaction=0.2 + later),
    )
    bench.write(REQUEST)
    bench.run_until(Kind.COLLISION)
    bench.run(1)
    assert "ABC" not in bench.text
    assert "XYZ" not in bench.text
    # Together they take the time of the longer one, and a character where one began first.
    assert len(bench.read) == count


def test_two_meters_at_their_addresses() -> None:
    bench = Bench(
        meter(ident="/ABC-first", address="1", mode=Mode.A),
        meter(ident="/XYZ-other", address="2", mode=Mode.A),
    )
    for address, ident in (("2", "/XYZ-other"), ("1", "/ABC-first")):
        bench.read = b""
        bench.write(f"/?{address}!\r\n")
        bench.run(10)
        assert bench.text.startswith(f"{ident}\r\n\x021.8.0")
        assert "!\r\n\x03" in bench.text
    assert bench.log.of(Kind.COLLISION) == []


def test_speed_up_shortens_what_the_meter_does_and_nothing_else() -> None:
    bench = Bench(meter(), speed_up=10)
    bench.write(REQUEST)
    identified = bench.run_until(Kind.IDENTIFIED)
    assert identified == pytest.approx(100 + 5 * CHARACTER + 0.02 + 15 * CHARACTER / 10)
    waited = bench.run_until(Kind.NO_OPTION)
    assert waited == pytest.approx(identified + 2.0)


MANNERS = st.builds(
    Manners,
    mode=st.sampled_from(Mode),
    speed=st.sampled_from([300, 2400, 9600]),
    ident=st.sampled_from(["", "/A", "/KAM MC", "/XYZ5\\@\x81odd", None]),
    queries=st.sampled_from([("?",), ("?", "#"), ()]),
    wake_up=st.sampled_from([None, WakeUp(), WakeUp(1, 2, 0.1)]),
    check=st.sampled_from(Check),
    deaf=st.sampled_from([0.0, 0.1]),
)
FAULTS = st.builds(
    Faults,
    drop_after=st.none() | st.integers(0, 60),
    stall=st.none() | st.tuples(st.integers(0, 60), st.floats(0, 2)),
    flips=st.dictionaries(st.integers(0, 60), st.integers(0, 255), max_size=3),
    noise_before=st.binary(max_size=4),
    noise_after=st.binary(max_size=4),
    error=st.sampled_from(["", "ER01"]),
    broken_off=st.booleans(),
)
MESSAGES = st.sampled_from(
    [b"/?!\r\n", b"/?", b"!\r\n", b"\x06050\r\n", b"\x06", b"\x15", b"\x01B0\x03q", b"\0" * 66]
)
DEEDS = st.lists(
    st.one_of(
        st.binary(max_size=40),
        MESSAGES.map(lambda message: bytes(map(even, message))),
        st.floats(0, 4),
        st.sampled_from([0, 300, 2400, 9600, 115200]),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(MANNERS, FAULTS, DEEDS)
def test_whatever_a_client_does_the_meter_lives_on(
    manners: Manners, faults: Faults, deeds: list[bytes | float | int]
) -> None:
    bench = Bench(Meter(Stock(), manners, faults))
    for deed in deeds:
        if isinstance(deed, bytes):
            bench.write_raw(deed)
        elif isinstance(deed, int):
            bench.switch(deed)
        else:
            bench.run(deed)
    # What a sensible client does afterwards works, whatever was before.
    faults.drop_after = faults.stall = None
    bench.switch(300)
    bench.run(60)
    assert bench.wire.due > bench.now
    before = len(bench.log.of(Kind.IDENTIFIED))
    if manners.mode is not Mode.D and "?" in manners.queries and manners.ident is not None:
        if needed := manners.wake_up:
            bench.write(bytes(needed.least))
            bench.run(needed.least * CHARACTER + needed.pause + 0.01)
        bench.write(REQUEST)
        bench.run(3)
        assert len(bench.log.of(Kind.IDENTIFIED)) == before + 1
