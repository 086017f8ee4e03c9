"""Meters that push DLMS: readings from octets, from a line of the simulator, and from stored telegrams."""

from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from itertools import pairwise
import json
from pathlib import Path
import random
from typing import override

import pytest

from custom_components.iec62056.protocol import __main__ as command, push
from custom_components.iec62056.protocol.cli.key_file import read_push_keys
from custom_components.iec62056.protocol.cli.pushed_file import explain
from custom_components.iec62056.protocol.dlms.push.ciphering import PushKeys
from custom_components.iec62056.protocol.dlms_errors import (
    DlmsMalformed,
    DlmsUnsent,
    PushKeyNeeded,
    PushKeyWrong,
    PushUnframed,
    SecurityBroken,
)
from custom_components.iec62056.protocol.errors import (
    BadKeyFile,
    BridgeRefusedSettings,
    CheckWrong,
    Incomplete,
    MeterError,
    NoAnswer,
    NoTelegram,
)
from custom_components.iec62056.protocol.model import CheckKind, Mode, Reading, Verdict
from custom_components.iec62056.protocol.push import Format, PushReader, listen
from custom_components.iec62056.protocol.transport.serial_line import open_line
from simulator import Foreign, Household, Pusher, serve
from simulator.dlms.push import (
    AUTHENTICATION_KEY,
    KEY,
    MAKES,
    Make,
    PushMeter,
    ciphered,
    hdlc,
    in_blocks,
    mbus,
    notification,
    telegram,
)
from simulator.dlms.things import name
from simulator.dlms.values import octets, struct, u32

from ..common.wired import WiredLine

MOMENT = datetime(2031, 5, 17, 8, 0, tzinfo=UTC)
KEYS = PushKeys(KEY, AUTHENTICATION_KEY)
SEED = 62056
TITLE = b"LGZ\x67\x01\x02\x03\x04"


class Still:
    """A household at one moment."""

    def __init__(self) -> None:
        self._block = Household(clock=lambda: MOMENT).block()

    def block(self) -> bytes:
        return self._block


CONTENT = Still()


def pushed(make: str, counter: int = 1) -> bytes:
    return b"".join(MAKES[make].frames(CONTENT, MOMENT, counter))


def plain(number: int = 4711) -> bytes:
    return notification(struct(octets(name("1.8.0")), u32(number)), MOMENT)


def heard(listener: PushReader, stream: bytes) -> list[Reading]:
    return listener.feed(stream, 0.0, MOMENT) + listener.silence(MOMENT)


def keys_of(reading: Reading) -> dict[str, str]:
    return {one.key: one.values[0].text for one in reading.registers}


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("keys", [KEYS, PushKeys(KEY)])
def test_each_make(make: str, keys: PushKeys) -> None:
    (reading,) = heard(PushReader(keys), b"\x00\x7e\x68" + pushed(make))
    health = reading.health
    assert (health.check, health.mode) == (Verdict.RIGHT, Mode.D)
    kinds = {"wired": CheckKind.SUM}
    assert health.check_kind is kinds.get(make, CheckKind.CRC16)
    energy = reading.first("1-0:1.8.0")
    assert energy is not None
    number = energy.values[0].number
    assert number == (7084592 if energy.values[0].unit == "Wh" else number)
    assert energy.values[0].unit == ("kWh" if make == "p1" else "Wh")
    assert reading.identification is not None
    assert reading.identification.flag.upper() in {"ISK", "KFM", "LGZ", "SAG"}


def test_a_telegram_that_comes_again_is_no_reading() -> None:
    listener = PushReader(KEYS)
    first, second = pushed("optical", 5), pushed("optical", 6)
    assert len(heard(listener, first)) == 1
    assert heard(listener, first) == []
    assert len(heard(listener, second)) == 1
    assert heard(listener, first + second) == []
    assert (listener.telegrams, listener.replayed) == (2, 2)
    assert listener.failure is None
    # What was seen before a restart counts.
    assert heard(PushReader(KEYS, listener.seen), second) == []
    assert len(heard(PushReader(KEYS, listener.seen), pushed("optical", 7))) == 1


def test_telegrams_in_the_clear_have_no_counter() -> None:
    listener = PushReader()
    assert len(heard(listener, pushed("blocks") * 2)) == 2
    assert listener.seen == {}


def test_damage_does_not_move_the_counter() -> None:
    listener = PushReader(PushKeys(KEY))
    spoilt = ciphered(plain(), TITLE, 0xFFFFFF)[:-2]
    longer = b"\xdb\x08" + TITLE + bytes((len(spoilt) - 11,)) + spoilt[11:]
    assert heard(listener, hdlc(longer)[0]) == []
    assert listener.seen == {}
    assert len(heard(listener, hdlc(ciphered(plain(), TITLE, 5))[0])) == 1


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        (None, PushKeyNeeded),
        (PushKeys(bytes(16)), PushKeyWrong),
        (PushKeys(KEY, bytes(16)), PushKeyWrong),
    ],
)
def test_what_cannot_be_opened_is_told_once_it_is_certain(
    keys: PushKeys | None, error: type[MeterError]
) -> None:
    listener = PushReader(keys)
    # That a key is missing, one telegram shows.
    for counter in range(1 if keys is None else push.UNREADABLE_IN_A_ROW):
        assert listener.failure is None
        sealed = ciphered(plain(), TITLE, counter, auth=AUTHENTICATION_KEY)
        assert heard(listener, hdlc(sealed)[0]) == []
    assert isinstance(listener.failure, error)


def test_a_telegram_that_can_be_read_ends_the_doubt() -> None:
    listener = PushReader(PushKeys(KEY))
    other = hdlc(ciphered(plain(), TITLE, 1, key=bytes(16)))[0]
    for counter in range(1, 6):
        heard(listener, other * 2 + hdlc(ciphered(plain(), TITLE, counter))[0])
        assert listener.failure is None


def test_nothing_without_a_check_is_believed_from_a_line() -> None:
    bare = ciphered(plain(), TITLE, 5)
    assert heard(PushReader(KEYS), bare) == []
    assert heard(PushReader(), plain()) == []
    tagged = ciphered(plain(), TITLE, 5, auth=AUTHENTICATION_KEY)
    assert len(heard(PushReader(KEYS), tagged)) == 1
    # The tag is there, but not the key for it.
    assert heard(PushReader(PushKeys(KEY)), tagged) == []
    # A P1 telegram within has a check of its own.
    text = telegram(CONTENT, "/Sag5meter")
    assert len(heard(PushReader(PushKeys(KEY)), ciphered(text, TITLE, 5))) == 1
    spoilt = text.replace(b"1.8.0(007", b"1.8.0(008")
    assert spoilt != text
    assert heard(PushReader(PushKeys(KEY)), ciphered(spoilt, TITLE, 5)) == []


def numbers(reading: Reading) -> set[tuple[str, str]]:
    return {(one.key, value.text) for one in reading.registers for value in one.values}


@pytest.mark.parametrize("make", MAKES)
def test_no_wrong_value_from_a_bit_that_was_turned_over(make: str) -> None:
    stream = pushed(make)
    (right,) = heard(PushReader(KEYS), stream)
    chance = random.Random(SEED)
    places = [(at, bit) for at in range(len(stream)) for bit in range(8)]
    for at, bit in chance.sample(places, 800):
        spoilt = stream[:at] + bytes((stream[at] ^ 1 << bit,)) + stream[at + 1 :]
        for reading in heard(PushReader(KEYS), spoilt):
            assert numbers(reading) <= numbers(right), (at, bit)


def test_no_wrong_value_from_cuts_and_joins() -> None:
    chance = random.Random(SEED)
    streams = [pushed(make, counter) for make in MAKES for counter in (1, 2)]
    known = set[tuple[str, str]]()
    for stream in streams:
        for reading in heard(PushReader(KEYS), stream):
            known |= numbers(reading)
    for number in range(1500):
        parts = chance.choices(streams, k=2)
        joined = b"".join(
            part[chance.randrange(20) : len(part) - chance.randrange(20)]
            if chance.random() < 0.5
            else part[: chance.randrange(len(part))] + part[chance.randrange(len(part)) :]
            for part in parts
        )
        for reading in heard(PushReader(KEYS), joined):
            assert numbers(reading) <= known, (SEED, number)


async def first(line: WiredLine, listener: PushReader, **options: object) -> Reading:
    async with aclosing(listen(line, listener, **options)) as readings:  # type: ignore[arg-type]
        return await anext(readings)


@pytest.mark.parametrize("make", MAKES)
async def test_from_a_line_at_each_speed(make: str) -> None:
    line = WiredLine(PushMeter(CONTENT, MAKES[make], clock=lambda: MOMENT))
    reading = await first(line, PushReader(KEYS))
    assert reading.health.speed == MAKES[make].speed
    assert "1-0:1.8.0" in keys_of(reading)
    assert not line.binary
    assert not line.even_parity
    assert line.written == []


async def test_parity_while_it_listens() -> None:
    line = WiredLine(PushMeter(CONTENT, MAKES["wired"], clock=lambda: MOMENT))
    async with aclosing(listen(line, PushReader(KEYS))) as readings:
        await anext(readings)
        assert (line.speed, line.even_parity, line.binary) == (2400, True, True)


async def test_readings_follow_each_other() -> None:
    line = WiredLine(PushMeter(CONTENT, MAKES["optical"], clock=lambda: MOMENT))
    found = []
    async with aclosing(listen(line, PushReader(KEYS))) as readings:
        async for reading in readings:
            found.append(reading)
            if len(found) == 5:
                break
    times = [reading.received for reading in found]
    gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
    assert gaps == pytest.approx([1.0] * 4, abs=0.15)


async def test_a_line_with_a_fixed_speed() -> None:
    meter = PushMeter(CONTENT, MAKES["optical"], clock=lambda: MOMENT)
    line = WiredLine(meter, can_switch=False, speed=9600)
    assert (await first(line, PushReader(KEYS))).health.speed == 9600


class Refusing(WiredLine):
    """A bridge that knows one format alone."""

    @override
    async def set_format(self, speed: int, *, even_parity: bool) -> None:
        if (speed, even_parity) not in ((2400, True), (2400, False)):
            raise BridgeRefusedSettings(port=self.name, wanted="")
        await super().set_format(speed, even_parity=even_parity)


async def test_formats_that_a_bridge_refuses_are_passed_over() -> None:
    line = Refusing(PushMeter(CONTENT, MAKES["wired"], clock=lambda: MOMENT))
    assert (await first(line, PushReader(KEYS))).health.speed == 2400


@pytest.mark.parametrize(
    ("keys", "error"), [(None, PushKeyNeeded), (PushKeys(bytes(16)), PushKeyWrong)]
)
async def test_keys_that_do_not_fit(keys: PushKeys | None, error: type[MeterError]) -> None:
    line = WiredLine(PushMeter(CONTENT, MAKES["wired"], clock=lambda: MOMENT))
    with pytest.raises(error):
        await first(line, PushReader(keys))
    assert line.elapsed < 60


async def test_a_meter_that_says_the_same_again_and_again() -> None:
    recorded = pushed("optical", 7)
    line = WiredLine(PushMeter(CONTENT, Make(lambda *_: [recorded], 9600, 1.0)))
    async with aclosing(listen(line, PushReader(KEYS), [Format(9600)])) as readings:
        await anext(readings)
        with pytest.raises(SecurityBroken):
            await anext(readings)


async def test_other_traffic_and_silence_are_told_apart() -> None:
    with pytest.raises(PushUnframed):
        await first(WiredLine(Pusher(Foreign.CHATTER)), PushReader(KEYS))
    with pytest.raises(NoAnswer):
        await first(WiredLine(Pusher(Foreign.CHATTER, interval=1e9)), PushReader(KEYS))


async def test_a_port_with_even_parity() -> None:
    meter = PushMeter(CONTENT, MAKES["wired"], clock=lambda: MOMENT)
    async with serve(meter, speed_up=20) as served:
        line = await open_line(served.url)
        try:
            async with aclosing(
                listen(line, PushReader(KEYS), [Format(2400, even_parity=True)])
            ) as readings:
                reading = await anext(readings)
            # Left as a conversation of the other modes wants it.
            await line.set_speed(300, line.now())
        finally:
            await line.close()
    assert (reading.health.speed, line.speed) == (2400, 300)


# Stored telegrams.


def dump(octets_: bytes) -> bytes:
    lines = [octets_[at : at + 16].hex(" ") for at in range(0, len(octets_), 16)]
    return "\n".join(["# a remark", "", *lines]).encode("ascii")


@pytest.mark.parametrize(
    "written", [lambda octets_: octets_, dump, lambda octets_: octets_.hex().encode()]
)
@pytest.mark.parametrize("make", MAKES)
def test_a_stored_telegram(make: str, written: Callable[[bytes], bytes]) -> None:
    reading = explain(written(pushed(make)), "stored", MOMENT, KEYS)
    assert reading.health.check is Verdict.RIGHT
    assert "1-0:1.8.0" in keys_of(reading)


@pytest.mark.parametrize(
    "apdu",
    [
        plain(),
        ciphered(plain(), TITLE, 5),
        b"\x00\x01\x00\x01\x00\x66" + len(plain()).to_bytes(2) + plain(),
        b"\x0f\x00\x00\x00\x01\x00" + struct(octets(name("1.8.0")), u32(4711)),
    ],
)
def test_an_apdu_alone_is_understood_in_a_file(apdu: bytes) -> None:
    reading = explain(apdu, "stored", MOMENT, KEYS)
    assert keys_of(reading) == {"1-0:1.8.0": "4711"}
    assert reading.health.check is Verdict.ABSENT


def test_all_telegrams_of_a_file_count() -> None:
    stream = b"".join(
        hdlc(notification(struct(octets(name(code)), u32(5)), MOMENT))[0]
        for code in ("1.8.0", "2.8.0")
    )
    assert keys_of(explain(stream, "stored", MOMENT)) == {"1-0:1.8.0": "5", "1-0:2.8.0": "5"}


def wrong_check(octets_: bytes) -> bytes:
    return octets_[:-2] + bytes((octets_[-2] ^ 1,)) + octets_[-1:]


@pytest.mark.parametrize(
    ("stored", "keys", "error"),
    [
        (wrong_check(hdlc(plain())[0]), None, CheckWrong),
        (mbus(plain())[0][:-2] + b"\x00\x16", None, CheckWrong),
        (hdlc(plain(), size=30)[0], None, Incomplete),
        (b"".join(in_blocks(plain(), size=20)[:-1]), None, Incomplete),
        (mbus(plain(), size=20)[0], None, Incomplete),
        (pushed("optical"), None, PushKeyNeeded),
        (
            b"/EGM5meter\r\n\r\n\x00" + ciphered(plain(), b"", 0)[2:] + b"!ABCD\r\n",
            None,
            PushKeyNeeded,
        ),
        (
            b"/EGM5meter\r\n\r\n\x00" + ciphered(plain(), b"", 0)[2:] + b"!ABCD\r\n",
            KEYS,
            DlmsMalformed,
        ),
        (pushed("optical"), PushKeys(bytes(16)), PushKeyWrong),
        (plain()[:-1], None, DlmsMalformed),
        (b"nothing at all", None, NoTelegram),
        (b"\x7e\xa0", None, NoTelegram),
    ],
)
def test_why_a_stored_telegram_is_not_read(
    stored: bytes, keys: PushKeys | None, error: type[MeterError]
) -> None:
    for written in (stored, dump(stored)):
        with pytest.raises(error) as caught:
            explain(written, "stored", MOMENT, keys)
        assert KEY.hex() not in str(caught.value).lower()


def test_text_is_read_as_before() -> None:
    reading = explain(b"/LGZ5x\r\n\x021.8.0(12.5*kWh)\r\n!\r\n\x03", "stored", MOMENT)
    assert keys_of(reading) == {"1-0:1.8.0": "12.5"}


# The command line.


def key_file(folder: Path, text: str | None = None) -> Path:
    path = folder / "keys.toml"
    own = f'encryption_key = "{KEY.hex(" ")}"\nauthentication_key = "{AUTHENTICATION_KEY.hex()}"\n'
    path.write_text(own if text is None else text)
    return path


def test_a_file_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored = tmp_path / "push.hex"
    stored.write_bytes(dump(pushed("optical")))
    arguments = ["--file", str(stored), "--json"]
    assert command.main([*arguments, "--key-file", str(key_file(tmp_path))]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["registers"][0]["values"][0]["timestamp"] == "2031-05-17T08:00:00+00:00"
    assert found["registers"][1]["address"] == "[1]"
    assert found["health"]["check"] == "right"
    assert command.main(arguments) == 1
    assert "there is no key" in capsys.readouterr().err


def test_listening_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines: list[WiredLine] = []

    async def open_line(url: str) -> WiredLine:
        assert url == "/dev/ttyTEST"
        lines.append(WiredLine(PushMeter(CONTENT, MAKES["optical"], clock=lambda: MOMENT)))
        return lines[-1]

    shown: list[Reading] = []

    def show(reading: Reading, _: object) -> None:
        shown.append(reading)
        if len(shown) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(command, "open_line", open_line)
    monkeypatch.setattr(command, "_show", show)
    path = str(key_file(tmp_path))
    assert command.main(["/dev/ttyTEST", "--listen", "--key-file", path]) == 130
    assert len(shown) == 3
    assert lines[0].closed
    capsys.readouterr()
    assert command.main(["/dev/ttyTEST", "--listen"]) == 1
    assert "there is no key" in capsys.readouterr().err
    assert lines[1].closed


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("encryption_key = 'hidden'", BadKeyFile),
        ("encryption_key = 5", BadKeyFile),
        ("authentication_key = '00'", BadKeyFile),
        ("not toml", BadKeyFile),
        ("encryption_key = '0011'", DlmsUnsent),
    ],
)
def test_key_files_that_are_none(tmp_path: Path, text: str, error: type[MeterError]) -> None:
    with pytest.raises(error) as caught:
        read_push_keys(key_file(tmp_path, text))
    assert "hidden" not in str(caught.value)
    with pytest.raises(BadKeyFile):
        read_push_keys(tmp_path / "none.toml")


def test_a_key_file_with_one_key(tmp_path: Path) -> None:
    keys = read_push_keys(key_file(tmp_path, f'encryption_key = "{KEY.hex()}"'))
    assert keys == PushKeys(KEY)
