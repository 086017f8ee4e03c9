"""The simulated meter of mode E on its own: frames and values by octets written down by hand."""

from simulator import Household, Kind
from simulator.dlms import BinaryManners, BinaryMeter, Device, Login, Policy, household
from simulator.dlms.frames import Collector, address, build, crc, split
from simulator.dlms.values import Cursor, array, i8, octets, struct, u16

from .bench import Bench, Stock


def frame(control: int, content: bytes = b"") -> bytes:
    """A frame of client 16."""
    return build(b"\x03", b"\x21", control, content)


def meter(**manners: object) -> BinaryMeter:
    device = Device(household(Stock().block))
    return BinaryMeter(Stock(), device, binary=BinaryManners(**manners))  # type: ignore[arg-type]


def test_the_check_sequence() -> None:
    assert crc(b"123456789") == bytes.fromhex("6e90")
    # A frame of a real client: SNRM to server 1 from client 16.
    assert frame(0x93) == bytes.fromhex("7ea0070321930f017e")
    assert split(frame(0x93)[1:-1]) is not None
    assert split(b"\xa0\x07\x03\x21\x93\x00\x00") is None


def test_addresses() -> None:
    assert address(1, None, 1) == b"\x03"
    assert address(1, 16, 2) == b"\x02\x21"
    assert address(1, 866, 4) == bytes.fromhex("00020cc5")


def test_frames_are_collected_by_their_length() -> None:
    collector = Collector()
    stream = b"\x00\x7e\x7e" + frame(0x93)[1:] + frame(0x13, b"\x7e" * 9)[1:]
    found = [heard for octet in stream if (heard := collector.feed(octet))]
    assert [heard.control for heard in found] == [0x93]
    found = [heard for octet in frame(0x13, b"\x7e" * 9) if (heard := collector.feed(octet))]
    assert [heard.content for heard in found] == [b"\x7e" * 9]


def test_values_are_taken_apart() -> None:
    value = struct(i8(-1), array([u16(1), octets(b"x" * 200)]))
    cursor = Cursor(value + b"\x99")
    assert cursor.value() == value
    assert cursor.left == 1


def test_signing_on_and_changing_to_frames() -> None:
    bench = Bench(meter())
    bench.sign_on()
    assert bench.text == "/SIM5\\2METER-01\r\n"
    bench.read = b""
    bench.select("\x06252\r\n", 9600)
    bench.run(1.0)
    assert bench.text == "\x06252\r\n"
    bench.read = b""
    bench.write_raw(frame(0x93))
    bench.run(0.2)
    heard = split(bench.read[1:-1])
    assert heard is not None
    assert heard.control == 0x73
    bench.write_raw(frame(0x53))
    bench.run(0.2)
    # Back at the sign-on.
    bench.switch(300)
    bench.read = b""
    bench.write("/?!\r\n")
    bench.run_until(Kind.IDENTIFIED, 2)
    assert bench.text.startswith("/SIM5")


def test_a_client_that_says_nothing_more() -> None:
    bench = Bench(meter(inactivity=5.0))
    bench.sign_on()
    bench.select("\x06252\r\n", 9600)
    bench.run(1.0)
    bench.run_until(Kind.ASLEEP)
    bench.switch(300)
    bench.read = b""
    bench.write("/?!\r\n")
    bench.run_until(Kind.IDENTIFIED, 2)
    assert bench.text.startswith("/SIM5")


def test_the_door_by_client_address() -> None:
    device = Device(household(Household().block), {16: Login(), 1: Login(1, 1, b"pass")}, Policy())
    public = bytes.fromhex("601da109060760857405080101be10040e01000000065f1f0400001e1dffff")
    assert device.answer(16, public)[:1] == b"\x61"
    assert device.answer(2, public).hex().count("a203020101") == 1
    low = bytes.fromhex(
        "6036a1090607608574050801018a0207808b0760857405080201ac06800470617373be10040e01000000065f1f0400001e1dffff"
    )
    low = b"\x60" + bytes([len(low) - 2]) + low[2:]
    assert "a203020100" in device.answer(1, low).hex()
    wrong = low.replace(b"pass", b"word")
    assert "a305a10302010d" in device.answer(1, wrong).hex()
    assert device.log == ["wrong password"]
