"""The Telnet side: octet by octet, doubled IACs, and rubbish."""

from hypothesis import given, strategies as st

from simulator.rfc2217 import Server, escape

IAC_SB = b"\xff\xfa\x2c"
IAC_SE = b"\xff\xf0"


class Client:
    """What a server calls back."""

    def __init__(self) -> None:
        self.answers = b""
        self.heard: list[object] = []
        self.server = Server(
            self._answer, self.heard.append, self.heard.append, self.heard.append, 9600
        )

    def _answer(self, octets: bytes) -> None:
        self.answers += octets


def setting(code: int, payload: bytes) -> bytes:
    return IAC_SB + bytes([code]) + payload + IAC_SE


@given(st.integers(1, 8))
def test_data_and_settings_keep_their_order(size: int) -> None:
    client = Client()
    stream = b"one" + setting(1, (2400).to_bytes(4)) + b"\xff\xfftwo" + setting(2, b"\x07") + b"!"
    for place in range(0, len(stream), size):
        client.server.feed(stream[place : place + size])
    merged: list[object] = []
    for item in client.heard:
        if isinstance(item, bytes) and merged and isinstance(merged[-1], bytes):
            merged[-1] += item
        else:
            merged.append(item)
    assert merged == [b"one", 2400, b"\xfftwo", True, b"!"]
    assert client.answers == setting(101, (2400).to_bytes(4)) + setting(102, b"\x07")


def test_zero_asks_for_the_present_value() -> None:
    client = Client()
    client.server.feed(setting(1, bytes(4)))
    assert client.answers == setting(101, (9600).to_bytes(4))
    assert client.heard == []


def test_a_doubled_octet_inside_a_setting() -> None:
    client = Client()
    # 65280 baud is 00 00 FF 00: the FF is doubled both ways.
    client.server.feed(setting(1, b"\x00\x00\xff\xff\x00"))
    assert client.heard == [0xFF00]
    assert client.answers == setting(101, b"\x00\x00\xff\xff\x00")


def test_negotiation_ends() -> None:
    client = Client()
    for _ in range(3):
        client.server.feed(bytes([255, 251, 44, 255, 253, 44, 255, 253, 1]))
    # WILL 44 → DO 44, DO 44 → WILL 44, DO ECHO → WONT ECHO, each answered once.
    assert client.answers == bytes([255, 253, 44, 255, 251, 44, 255, 252, 1])


def test_other_settings_are_confirmed() -> None:
    client = Client()
    for code, payload in ((3, b"\x01"), (4, b"\x01"), (5, b"\x08"), (10, b"\x00"), (12, b"\x03")):
        client.answers = b""
        client.server.feed(setting(code, payload))
        assert client.answers == setting(code + 100, payload)


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_rubbish_does_no_harm(stream: list[bytes]) -> None:
    client = Client()
    for octets in stream:
        client.server.feed(octets)
    client.server.feed(IAC_SE + b"\x00" * 70 + IAC_SE)
    client.heard.clear()
    client.server.feed(b"plain")
    assert b"".join(item for item in client.heard if isinstance(item, bytes)).endswith(b"plain")


@given(st.binary())
def test_escaped_data_comes_back_as_it_was(octets: bytes) -> None:
    client = Client()
    client.server.feed(escape(octets))
    assert b"".join(item for item in client.heard if isinstance(item, bytes)) == octets
