"""Promise: a frame on the wire is what RFC 6455 5.2 says, byte for byte, in its shortest form."""

from __future__ import annotations

import array

import pytest
from hypothesis import given, settings, strategies as st

from websocket._exceptions import WebSocketProtocolException
from websocket._wire.frames import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    Close,
    Frame,
    check_close,
    encode_close,
    encode_frame,
    is_valid_close_code,
    parse_close,
)


def reference(opcode: int, payload: bytes, key: bytes | None, fin: bool, rsv: int) -> bytes:
    """The header bit by bit, as in the drawing of RFC 6455 5.2."""
    length = len(payload)
    code = length if length <= 125 else 126 if length <= 0xFFFF else 127
    bits = f"{int(fin)}{rsv:03b}{opcode:04b}{int(key is not None)}{code:07b}"
    if code == 126:
        bits += f"{length:016b}"
    elif code == 127:
        bits += f"{length:064b}"
    header = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    if key is None:
        return header + payload
    return header + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


@pytest.mark.parametrize("length", [0, 1, 2, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537])
@pytest.mark.parametrize("key", [None, b"\0\0\0\0", b"\x01\x80\xff\x37"])
def test_each_length_has_its_shortest_form(length: int, key: bytes | None) -> None:
    payload = bytes(at % 251 for at in range(length))
    assert encode_frame(BINARY, payload, key) == reference(BINARY, payload, key, True, 0)


@settings(deadline=None)
@given(
    opcode=st.integers(0, 15),
    payload=st.binary(max_size=300),
    key=st.none() | st.binary(min_size=4, max_size=4),
    fin=st.booleans(),
    rsv=st.integers(0, 7),
)
def test_frames_equal_those_of_a_reference_encoder(
    opcode: int, payload: bytes, key: bytes | None, fin: bool, rsv: int
) -> None:
    assert encode_frame(opcode, payload, key, fin, rsv) == reference(opcode, payload, key, fin, rsv)


@pytest.mark.parametrize("key", [None, b"abcd"])
@pytest.mark.parametrize("length", [0, 1, 125, 126, 3000, 70000])
def test_every_kind_of_bytes_gives_the_same_frame(key: bytes | None, length: int) -> None:
    payload = bytes(at % 253 for at in range(length))
    expected = reference(TEXT, payload, key, True, 0)
    for same in (bytearray(payload), memoryview(payload), memoryview(bytearray(payload))):
        assert encode_frame(TEXT, same, key) == expected
        assert bytes(same) == payload  # the caller's buffer is left alone


@pytest.mark.parametrize("key", [None, b"abcd"])
def test_a_memoryview_counts_bytes_and_not_items(key: bytes | None) -> None:
    """A view of numbers, of a matrix, of every second byte is sent as the bytes it stands for."""
    numbers = array.array("I", range(100))
    matrix = memoryview(bytes(range(12))).cast("B", (3, 4))
    for view in (memoryview(numbers), matrix, memoryview(bytes(range(250)))[::2]):
        assert encode_frame(BINARY, view, key) == reference(BINARY, view.tobytes(), key, True, 0)


def test_a_frame_says_what_it_is() -> None:
    frame = Frame(TEXT, b"x" * 100, False, rsv1=True)
    assert repr(frame).startswith("<Frame text rsv1 [100 bytes] b'xxx")
    assert len(repr(frame)) < 120
    assert repr(Frame(CONT, b"")) == "<Frame cont fin [0 bytes] b''>"
    assert repr(Frame(0xB, b"")) == "<Frame 0xb fin [0 bytes] b''>"


def test_frames_are_equal_when_the_wire_said_the_same() -> None:
    assert Frame(PING, b"a") == Frame(PING, b"a")
    assert hash(Frame(PING, b"a")) == hash(Frame(PING, b"a"))
    for other in (
        Frame(PONG, b"a"),
        Frame(PING, b"b"),
        Frame(PING, b"a", False),
        Frame(PING, b"a", True, True),
        Frame(PING, b"a", rsv2=True),
        Frame(PING, b"a", rsv3=True),
        b"a",
    ):
        assert Frame(PING, b"a") != other


# --- close frames ---------------------------------------------------------------------------------

ALLOWED = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}


def test_the_close_codes_that_may_travel() -> None:
    """RFC 6455 7.4 and the IANA registry; 1004, 1005, 1006 and 1015 never do."""
    assert {code for code in range(-1, 70000) if is_valid_close_code(code)} == ALLOWED


@pytest.mark.parametrize("code", sorted({*ALLOWED} & {*range(1000, 3001), 4999}))
def test_close_bodies_are_read_as_they_were_written(code: int) -> None:
    for reason in ("", "bye", "\u20ac" * 41, "x" * 123):
        assert parse_close(encode_close(code, reason)) == Close(code, reason)
    assert encode_close(code, b"raw") == code.to_bytes(2, "big") + b"raw"
    assert encode_close(code, None) == code.to_bytes(2, "big")


def test_no_code_is_an_empty_body() -> None:
    assert encode_close(None) == encode_close(1005) == b""
    assert parse_close(b"") == Close(1005, "")


@pytest.mark.parametrize("code", [-1, 0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65535, 65536])
def test_illegal_codes_are_not_sent(code: int) -> None:
    with pytest.raises(ValueError, match=rf"code is invalid range: {code}\b"):
        check_close(code)
    with pytest.raises(ValueError, match="expected 1000-1003"):
        encode_close(code, "reason")


@pytest.mark.parametrize("reason", ["x" * 124, b"x" * 124, "\u20ac" * 42])
def test_long_reasons_are_not_sent(reason: str | bytes) -> None:
    with pytest.raises(ValueError, match="at most 123"):
        check_close(1000, reason)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"\x03", "a single byte"),
        (b"\x00\x00", "close opcode 0"),
        (b"\x03\xe7", "close opcode 999"),
        (b"\x03\xec", "close opcode 1004"),
        (b"\x03\xed", "close opcode 1005"),
        (b"\x03\xee", "close opcode 1006"),
        (b"\x03\xf7", "close opcode 1015"),
        (b"\x03\xf8", "close opcode 1016"),
        (b"\x0b\xb7", "close opcode 2999"),
        (b"\x13\x88", "close opcode 5000"),
        (b"\xff\xff", "close opcode 65535"),
        (b"\x03\xe8\xff", "not UTF-8"),
        (b"\x03\xe8ab\xe2\x82", "not UTF-8"),
        (b"\x03\xe8\xed\xa0\x80", "not UTF-8"),
    ],
)
def test_illegal_close_bodies_are_refused(body: bytes, what: str) -> None:
    with pytest.raises(WebSocketProtocolException, match=what) as caught:
        parse_close(body)
    assert caught.value.close_code == 1002


def test_opcodes_are_those_of_the_rfc() -> None:
    assert (CONT, TEXT, BINARY, CLOSE, PING, PONG) == (0, 1, 2, 8, 9, 10)
