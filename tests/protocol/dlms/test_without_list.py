"""Meters that give no object list, or none that can be read: standard codes are read, and why is told."""

from dataclasses import replace

import pytest

from custom_components.iec62056.protocol.errors import MeterError, PasswordNeeded, UnknownRegister
from custom_components.iec62056.protocol.model import Medium
from simulator.dlms import BinaryMeter, Policy
from simulator.dlms.frames import SNRM, Heard
from simulator.dlms.things import CURRENT, Thing
from simulator.dlms.values import i32, octets, scaler_unit

from .meters import DOORS, LOW, E, client, device, keyring, meter

LIST = b"\x00\x0f" + CURRENT + b"\x02"


def patched(answer: bytes | None, *, after_block: int = 0) -> BinaryMeter:
    """A meter that says that to the object list, or to the block behind one of it; None: nothing at all."""
    dev = device(policy=Policy(block=120 if after_block else 0xFFFF))
    own = dev.answer
    listing = False

    def answers(number: int, message: bytes) -> bytes:
        nonlocal listing
        if message[:2] == b"\xc0\x01":
            listing = message[3:12] == LIST
        asked = message[:2] == b"\xc0\x02" and int.from_bytes(message[3:7]) == after_block
        if (
            listing
            and answer is not None
            and (asked if after_block else message[:2] == b"\xc0\x01")
        ):
            return answer[:2] + message[2:3] + answer[3:]
        return own(number, message)

    simulated = meter(dev, size=256, window=4)
    simulated.station._answer = answers
    if answer is None:
        hears, silent = simulated.station.hears, False

        def mute(heard: Heard) -> bytes:
            nonlocal silent
            silent = (silent or LIST in heard.content) and heard.control & ~0x10 != SNRM
            return b"" if silent else hears(heard)

        simulated.station.hears = mute  # type: ignore[method-assign]
    return simulated


DENIED = bytes.fromhex("C401000103")
ANSWERS = {
    "denied": DENIED,
    "undefined": bytes.fromhex("C401000104"),
    "exception": bytes.fromhex("D80102"),
    "service error": bytes.fromhex("0E010603"),
    "no list": bytes.fromhex("C401000011 05"),
    "cut short": bytes.fromhex("C4010000 0104 02"),
    "unknown type": bytes.fromhex("C4010000 99010203"),
    "empty": bytes.fromhex("C4010000 0100"),
    "silence": None,
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_standard_codes_are_read(answer: bytes | None) -> None:
    simulated, ring = patched(answer), keyring()
    for _ in range(3):
        _, reader = client(simulated, ring)
        reading = await reader.read_all()
        found = {register.key: register.values[0] for register in reading.registers}
        assert found["1-0:1.8.0"] == ("7084592", "Wh")
        assert found["1-0:16.7.0"] == ("-250", "W")
        assert found["1-0:32.7.0"] == ("231.4", "V")
        assert found["1-0:1.6.0"] == ("2310", "W")
        assert found["0-0:42.0.0"] == ("SIM0000010012345", None)
        assert any("0-0:40.0.0" in told for told in reading.unparsed)


@pytest.mark.parametrize(
    "answer",
    [bytes.fromhex("C40200000000000201"), bytes.fromhex("D80102")],
    ids=["result", "exception"],
)
@pytest.mark.parametrize("block", [1, 3])
async def test_an_error_in_a_block_of_the_list(answer: bytes, block: int) -> None:
    if answer[0] == 0xC4:
        answer = bytes.fromhex("C40200 01") + block.to_bytes(4) + bytes.fromhex("01 0D")
    _, reader = client(patched(answer, after_block=block))
    reading = await reader.read_all()
    assert reading.first("1-0:1.8.0") is not None
    assert any("0-0:40.0.0" in told for told in reading.unparsed)


async def test_what_the_meter_does_not_have_is_asked_once() -> None:
    simulated, ring = patched(DENIED), keyring()
    _, reader = client(simulated, ring)
    await reader.read_all()
    turns = simulated.station.turns
    await reader.read_all()
    assert simulated.station.turns - turns <= 8


@pytest.mark.parametrize("medium", [Medium.HEAT, Medium.GAS, Medium.COLD_WATER, Medium.HOT_WATER])
async def test_another_medium(medium: Medium) -> None:
    code = {Medium.GAS: (3, 0, 0)}.get(medium, (1, 0, 0))
    simulated = patched(DENIED)
    simulated.device.things.append(
        Thing(3, bytes((medium, 0, *code, 255)), {2: i32(4711), 3: scaler_unit(-1, 13)})
    )
    _, reader = client(simulated, profile=replace(E, medium=medium))
    reading = await reader.read_all()
    register = reading.first(f"{int(medium)}-0:{'.'.join(map(str, code))}")
    assert register is not None
    assert register.values[0] == ("471.1", "m3")


async def test_why_nothing_can_be_read() -> None:
    simulated = patched(DENIED)
    simulated.device.things = [thing for thing in simulated.device.things if thing.name == CURRENT]
    _, reader = client(simulated)
    with pytest.raises(PasswordNeeded, match="0-0:40"):
        await reader.read_all()


# Single registers.


async def test_a_single_register_does_not_need_the_list() -> None:
    simulated = meter()
    _, reader = client(simulated)
    answers = await reader.read(["1.8.0", "1-0:32.7.0", "1.6.0", "0-0:1.0.0"])
    assert [answer.refusal for answer in answers] == [None] * 4
    assert not simulated.device.lists_read
    assert simulated.station.turns < 12


async def test_a_code_without_a_standard_class_is_looked_up() -> None:
    simulated = meter()
    _, reader = client(simulated)
    answers = await reader.read(["1.8.0", "8193/1-0:199.8.2", "0-0:96.50.1", "99.99.9"])
    assert answers[0].register is not None
    assert isinstance(answers[3].refusal, UnknownRegister)
    assert simulated.device.lists_read == 1


@pytest.mark.parametrize("code", ["1-0:1.8.0/3", "0-0:96.50.1/1", "1.6.0/4", "0-0:1.0.0/8"])
async def test_a_class_that_the_user_names(code: str) -> None:
    simulated = patched(DENIED)
    simulated.device.logins = dict(DOORS)
    _, reader = client(simulated, keyring(LOW))
    (answer,) = await reader.read([code])
    assert answer.refusal is None
    assert answer.code == code
    assert simulated.device.lists_read == 0


async def test_a_class_that_is_wrong() -> None:
    _, reader = client(patched(DENIED))
    for code in ("1-0:1.8.0/1", "1-0:1.8.0/999999", "1-0:1.8.0/"):
        (answer,) = await reader.read([code])
        assert isinstance(answer.refusal, MeterError)


async def test_an_octet_string_without_a_list() -> None:
    simulated = patched(DENIED)
    simulated.device.things.append(Thing(1, bytes((0, 0, 96, 1, 9, 255)), {2: octets(b"Door 4")}))
    _, reader = client(simulated)
    (answer,) = await reader.read(["0-0:96.1.9/1"])
    assert answer.register is not None
    assert answer.register.values[0].text == "Door 4"
