"""GET, SET and ACTION from the first request to the last answer, by octets written down by hand."""

from collections.abc import Callable

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.iec62056.protocol.dlms import service_exchange
from custom_components.iec62056.protocol.dlms.apdu import AccessResult
from custom_components.iec62056.protocol.dlms.axdr import encode
from custom_components.iec62056.protocol.dlms.data import Data, Tag, octet_string, structure
from custom_components.iec62056.protocol.dlms.descriptors import (
    Access,
    Item,
    LogicalName,
    Member,
    by_range,
    capture_object,
)
from custom_components.iec62056.protocol.dlms.service_exchange import MAX_ANSWER, Exchange
from custom_components.iec62056.protocol.dlms_errors import (
    AuthenticationRefused,
    DlmsError,
    DlmsMalformed,
    DlmsUnsent,
    ServiceRefused,
)

IMPORT = Member(3, LogicalName(1, 0, 1, 8, 0), 2)
CLOCK = Member(8, LogicalName(0, 0, 1, 0, 0), 2)
PROFILE = Member(7, LogicalName(1, 0, 99, 1, 0), 2)
RESET = Member(3, LogicalName(1, 0, 1, 8, 0), 1)
INVOKE = service_exchange.invoke_octet(1)
LIMIT = 1024
DESCRIPTOR = "0003 0100010800FF 02"


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


def get(*items: Item) -> Exchange:
    return service_exchange.get(items or (Item(IMPORT),), INVOKE)


def pending(asking: Exchange) -> bytes | None:
    return asking.request


def long(number: int) -> Data:
    return Data(Tag.DOUBLE_LONG_UNSIGNED, number)


def test_invoke_ids_count_modulo_sixteen() -> None:
    assert [service_exchange.invoke_octet(number) for number in (1, 15, 16)] == [0xC1, 0xCF, 0xC0]


# GET.


@pytest.mark.parametrize("echoed", ["C1", "81", "41", "01"])
def test_get(echoed: str) -> None:
    reading = get()
    assert reading.request == octets(f"C001C1 {DESCRIPTOR} 00")
    reading.answer(octets(f"C401{echoed} 00 06000004D2"))
    assert pending(reading) is None
    assert reading.results == (long(1234),)


def test_what_follows_an_answer_is_left_aside() -> None:
    reading = get()
    reading.answer(octets("C401C1 00 06000004D2 C401C1"))
    assert reading.results == (long(1234),)


@pytest.mark.parametrize(
    ("code", "result", "denied"),
    [
        (3, AccessResult.READ_WRITE_DENIED, True),
        (4, AccessResult.OBJECT_UNDEFINED, False),
        (13, AccessResult.SCOPE_OF_ACCESS_VIOLATED, True),
        (250, AccessResult.OTHER_REASON, False),
        (77, AccessResult.OTHER_REASON, False),
    ],
)
def test_get_refused(code: int, result: AccessResult, denied: bool) -> None:
    reading = get()
    reading.answer(octets("C401C1 01") + bytes((code,)))
    assert reading.results == (result,)
    assert result.denied is denied


def test_get_with_list() -> None:
    reading = get(Item(IMPORT), Item(CLOCK))
    assert reading.request == octets(f"C003C1 02 {DESCRIPTOR} 00 0008 0000010000FF 02 00")
    reading.answer(octets("C403C1 02 00 1105 01 03"))
    assert reading.results == (Data(Tag.UNSIGNED, 5), AccessResult.READ_WRITE_DENIED)


def test_one_reason_for_a_whole_list() -> None:
    reading = get(Item(IMPORT), Item(CLOCK))
    reading.answer(octets("C401C1 01 03"))
    assert reading.results == (AccessResult.READ_WRITE_DENIED,) * 2


@pytest.mark.parametrize("answer", ["C403C1 01 00 1105", "C403C1 03 00 1105 00 1105 00 1105"])
def test_a_list_of_another_length(answer: str) -> None:
    with pytest.raises(DlmsMalformed):
        get(Item(IMPORT), Item(CLOCK)).answer(octets(answer))


def test_get_in_blocks() -> None:
    reading = get()
    reading.answer(octets("C402C1 00 00000001 00 03 090641"))
    assert reading.request == octets("C002C1 00000001")
    reading.answer(octets("C402C1 00 00000002 00 03 424344"))
    assert reading.request == octets("C002C1 00000002")
    reading.answer(octets("C402C1 01 00000003 00 02 4546"))
    assert pending(reading) is None
    assert reading.results == (octet_string(b"ABCDEF"),)


def test_a_last_block_without_content_and_with_an_echo_behind_it() -> None:
    """A server puts everything in the first block, and repeats itself behind an empty last one (Gurux C)."""
    reading = get()
    reading.answer(octets("C402C1 00 00000001 00 02 1105"))
    reading.answer(octets("C402C1 01 00000002 00 00 C402C1010000000200"))
    assert reading.results == (Data(Tag.UNSIGNED, 5),)


def test_get_with_list_in_blocks() -> None:
    reading = get(Item(IMPORT), Item(CLOCK))
    reading.answer(octets("C402C1 00 00000001 00 04 02001105"))
    reading.answer(octets("C402C1 01 00000002 00 02 0104"))
    assert reading.results == (Data(Tag.UNSIGNED, 5), AccessResult.OBJECT_UNDEFINED)


def test_blocks_that_the_meter_breaks_off() -> None:
    reading = get()
    reading.answer(octets("C402C1 00 00000001 00 02 0906"))
    reading.answer(octets("C402C1 01 00000002 01 0F"))
    assert reading.results == (AccessResult.LONG_ABORTED,)
    assert pending(reading) is None


@pytest.mark.parametrize(
    "second",
    [
        "C402C1 00 00000001 00 01 41",
        "C402C1 00 00000003 00 01 41",
        "C402C1 00 00000002 00 00",
        "C402C1 00 00000002 02 00",
        "C402C2 01 00000002 00 01 41",
        "C402C1 01 00000002 00 05 41",
    ],
    ids=["again", "left out", "empty", "neither", "of another request", "cut short"],
)
def test_blocks_that_are_none(second: str) -> None:
    reading = get()
    reading.answer(octets("C402C1 00 00000001 00 02 0902"))
    with pytest.raises(DlmsMalformed):
        reading.answer(octets(second))
    assert pending(reading) is None


def test_blocks_without_end_are_not_kept() -> None:
    reading = get()
    size = 1 << 14
    blocks = [
        octets("C402C1 00") + number.to_bytes(4) + octets("00 824000") + bytes(size)
        for number in range(1, MAX_ANSWER // size + 2)
    ]
    for block in blocks[:-1]:
        reading.answer(block)
    with pytest.raises(DlmsMalformed, match="parts"):
        reading.answer(blocks[-1])


@pytest.mark.parametrize(
    "answer",
    ["C501C1 00", "C401C2 00 1105", "C404C1 00 1105", "C401C1 02", "C401C1", "C4", "", "0F00"],
)
def test_answers_to_something_else(answer: str) -> None:
    with pytest.raises(DlmsMalformed):
        get().answer(octets(answer))


@pytest.mark.parametrize(
    ("answer", "error", "why"),
    [
        ("D80102", ServiceRefused, "not supported"),
        ("D80104", ServiceRefused, "too long"),
        ("D80203", ServiceRefused, "unknown"),
        ("D80105", AuthenticationRefused, "decipher"),
        ("D8010600000010", ServiceRefused, "counter"),
        ("D80106", ServiceRefused, "counter"),
        ("D80909", ServiceRefused, "9"),
        ("0E010203", ServiceRefused, "1, 2, 3"),
    ],
)
def test_refusals(answer: str, error: type[DlmsError], why: str) -> None:
    with pytest.raises(error, match=why):
        get().answer(octets(answer))


def test_nothing_asked() -> None:
    with pytest.raises(DlmsUnsent):
        service_exchange.get([], INVOKE)


@pytest.mark.parametrize(
    "member",
    [
        Member(0x10000, IMPORT.name, 2),
        Member(3, LogicalName(1, 0, 256, 8, 0), 2),
        Member(3, IMPORT.name, 128),
    ],
)
def test_objects_there_are_none_of(member: Member) -> None:
    with pytest.raises(DlmsUnsent):
        get(Item(member))


# Selective access.


def test_by_range() -> None:
    first, last = (
        octet_string(bytes.fromhex(f"07E90B{day}FF00000000FFC400")) for day in ("15", "16")
    )
    access = by_range(capture_object(CLOCK), first, last)
    assert get(Item(PROFILE, access)).request == octets(
        "C001C1 0007 0100630100FF 02 01 01 0204 0204 120008 0906 0000010000FF 0F02 120000"
        "090C 07E90B15FF00000000FFC400 090C 07E90B16FF00000000FFC400 0100"
    )


# SET.


def set_value(value: Data, limit: int = LIMIT, *, blocks: bool = True) -> Exchange:
    return service_exchange.set_value(Item(IMPORT), value, INVOKE, limit=limit, blocks=blocks)


@pytest.mark.parametrize(
    ("code", "result"), [("00", AccessResult.SUCCESS), ("03", AccessResult.READ_WRITE_DENIED)]
)
def test_set(code: str, result: AccessResult) -> None:
    setting = set_value(Data(Tag.UNSIGNED, 5))
    assert setting.request == octets(f"C101C1 {DESCRIPTOR} 00 1105")
    setting.answer(octets(f"C501C1 {code}"))
    assert (pending(setting), setting.results) == (None, (result,))


def drive(sending: Exchange, acknowledge: Callable[[int], bytes]) -> list[bytes]:
    """What goes out while the meter acknowledges block by block."""
    sent = []
    while sending.request is not None:
        sent.append(sending.request)
        sending.answer(acknowledge(len(sent)))
    return sent


VALUE = octet_string(bytes(range(100)))


@pytest.mark.parametrize("limit", [30, 40, 64, 112])
def test_set_in_blocks(limit: int) -> None:
    total = len(encode(VALUE))
    setting = set_value(VALUE, limit)
    part, taken, number = b"", 0, 0
    while setting.request is not None:
        request, number = setting.request, number + 1
        assert len(request) <= limit
        head = 3 + 10 if number == 1 else 3
        assert request[:3] == octets("C102C1" if number == 1 else "C103C1")
        assert request[head + 1 : head + 5] == number.to_bytes(4)
        assert request[head + 5] == len(request) - head - 6
        part += request[head + 6 :]
        taken = len(part)
        last = bool(request[head])
        assert last == (taken == total)
        setting.answer(
            octets("C503C1 00") + request[head + 1 : head + 5]
            if last
            else octets("C502C1") + request[head + 1 : head + 5]
        )
    assert part == encode(VALUE)
    assert setting.results == (AccessResult.SUCCESS,)


def test_a_meter_that_refuses_at_the_first_block() -> None:
    setting = set_value(VALUE, 40)
    setting.answer(octets("C503C1 03 00000001"))
    assert (pending(setting), setting.results) == (None, (AccessResult.READ_WRITE_DENIED,))


@pytest.mark.parametrize("answer", ["C502C1 00000002", "C502C1 00000000", "C501C2 00"])
def test_acknowledgements_of_another_block(answer: str) -> None:
    with pytest.raises(DlmsMalformed):
        set_value(VALUE, 40).answer(octets(answer))


def test_a_block_is_not_asked_for_behind_the_last() -> None:
    with pytest.raises(DlmsMalformed):
        drive(set_value(VALUE, 64), lambda number: octets("C502C1") + number.to_bytes(4))


@pytest.mark.parametrize(("limit", "blocks"), [(64, False), (20, True), (0, True)])
def test_what_the_meter_cannot_take(limit: int, blocks: bool) -> None:
    with pytest.raises(DlmsUnsent):
        set_value(VALUE, limit, blocks=blocks)
    with pytest.raises(DlmsUnsent):
        service_exchange.act(RESET, VALUE, INVOKE, limit=limit, blocks=blocks)


# ACTION.


def act(parameters: Data | None = None, limit: int = LIMIT) -> Exchange:
    return service_exchange.act(RESET, parameters, INVOKE, limit=limit, blocks=True)


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ("C701C1 00", AccessResult.SUCCESS),
        ("C701C1 00 00", AccessResult.SUCCESS),
        ("C701C1 03 00", AccessResult.READ_WRITE_DENIED),
        ("C701C1 00 01 00 1105", Data(Tag.UNSIGNED, 5)),
        ("C701C1 00 01 01 04", AccessResult.OBJECT_UNDEFINED),
    ],
)
def test_action(answer: str, result: object) -> None:
    acting = act()
    assert acting.request == octets("C301C1 0003 0100010800FF 01 00")
    acting.answer(octets(answer))
    assert (pending(acting), acting.results) == (None, (result,))


def test_action_with_parameters() -> None:
    assert act(Data(Tag.INTEGER, 0)).request == octets("C301C1 0003 0100010800FF 01 01 0F00")


def test_action_in_blocks_both_ways() -> None:
    acting = act(VALUE, 64)
    sent = []
    while (request := acting.request) and request[1] in (4, 6):
        sent.append(request)
        assert len(request) <= 64
        block = request[13:] if request[1] == 4 else request[4:]
        last = request[12 if request[1] == 4 else 3]
        number = block[:4]
        acting.answer(
            octets("C704C1") + number if not last else octets("C702C1 00 00000001 03 000100")
        )
    assert [request[1] for request in sent] == [4, 6, 6]
    assert b"".join([sent[0][18:], *(request[9:] for request in sent[1:])]) == encode(VALUE)
    assert acting.request == octets("C302C1 00000001")
    acting.answer(octets("C702C1 01 00000002 02 1105"))
    assert acting.results == (Data(Tag.UNSIGNED, 5),)


# Whatever comes.


@settings(max_examples=500)
@given(
    st.sampled_from(["C401C1", "C402C1", "C403C1", "C502C1", "C701C1", "C702C1", "D8", ""]),
    st.binary(max_size=60),
)
def test_any_octets_end_in_a_defined_way(start: str, rest: bytes) -> None:
    for asking in (get(), get(Item(IMPORT), Item(CLOCK)), set_value(VALUE, 40), act(VALUE, 40)):
        try:
            asking.answer(octets(start) + rest)
        except DlmsError:
            continue
        assert (asking.request is None) == bool(asking.results)


def test_access_names_its_selector() -> None:
    assert Access(7, structure()).encode() == octets("07 0200")
