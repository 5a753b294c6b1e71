"""Promise: `ABNF`, `frame_buffer` and `continuous_frame` do what programs that drive them know."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from websocket._abnf import ABNF, continuous_frame, frame_buffer
from websocket._exceptions import (
    WebSocketConnectionClosedException,
    WebSocketPayloadException,
    WebSocketProtocolException,
    WebSocketTimeoutException,
)


def test_the_fields_of_a_frame() -> None:
    frame = ABNF()
    assert (frame.fin, frame.rsv1, frame.rsv2, frame.rsv3) == (0, 0, 0, 0)
    assert (frame.opcode, frame.mask_value, frame.data) == (ABNF.OPCODE_TEXT, 1, "")
    assert ABNF(data=None).data == ""
    assert str(ABNF(1, 0, 0, 0, 1, 0, b"x")) == "fin=1 opcode=1 data=b'x'"


def test_a_frame_on_the_wire() -> None:
    frame = ABNF.create_frame("Hello", ABNF.OPCODE_TEXT)
    frame.get_mask_key = lambda count: b"abcd"[:count]
    assert frame.format() == b"\x81\x85abcd)\x07\x0f\x08\x0e"
    assert ABNF(1, 1, 0, 1, ABNF.OPCODE_BINARY, 0, b"\x00").format() == b"\xd2\x01\x00"
    assert ABNF(0, 0, 0, 0, ABNF.OPCODE_TEXT, 0, "é").format() == b"\x01\x02\xc3\xa9"
    assert ABNF(1, 0, 0, 0, ABNF.OPCODE_BINARY, 0, [1, 2]).format() == b"\x82\x02\x01\x02"
    assert ABNF.create_frame(bytes(126), 2).format()[1:4] == b"\xfe\x00\x7e"
    assert ABNF.create_frame(bytes(65536), 2).format()[1:10] == b"\xff" + (65536).to_bytes(8, "big")


def test_a_key_may_be_a_str_and_has_four_bytes() -> None:
    frame = ABNF.create_frame(b"\x00\x00\x00\x00\x00", ABNF.OPCODE_BINARY)
    frame.get_mask_key = lambda count: "\xff\x00\x01a"
    assert frame.format() == b"\x82\x85\xff\x00\x01a\xff\x00\x01a\xff"
    frame.get_mask_key = lambda count: b"abc"
    with pytest.raises(ValueError, match="expected 4"):
        frame.format()


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (ABNF(2), "not 0 or 1"),
        (ABNF(1, 0, 0, 2), "not 0 or 1"),
        (ABNF(1, opcode=5), "Invalid OPCODE"),
    ],
)
def test_what_cannot_be_put_on_the_wire(frame: ABNF, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        frame.format()


def test_masking() -> None:
    assert ABNF.mask(b"abcd", b"Hello") == b")\x07\x0f\x08\x0e"
    assert ABNF.mask("abcd", "Hello") == b")\x07\x0f\x08\x0e"
    assert ABNF.mask(b"abcd", bytearray(b"Hello")) == b")\x07\x0f\x08\x0e"
    assert ABNF.mask(b"abcd", None) == b""


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (ABNF(1, 1), "^rsv is not implemented, yet$"),
        (ABNF(1, opcode=5), "^Invalid opcode 5$"),
        (ABNF(0, opcode=ABNF.OPCODE_PING), "fragmented"),
        (ABNF(1, opcode=ABNF.OPCODE_PONG, data=bytes(126)), "125"),
        (ABNF(1, opcode=ABNF.OPCODE_CLOSE, data=b"\x03"), "^Invalid close frame.$"),
        (ABNF(1, opcode=ABNF.OPCODE_CLOSE, data=b"\x03\xe7"), "^Invalid close opcode 999$"),
        (ABNF(1, opcode=ABNF.OPCODE_CLOSE, data=b"\x03\xe8\xff"), "UTF-8"),
    ],
)
def test_what_a_received_frame_may_not_be(frame: ABNF, message: str) -> None:
    with pytest.raises(WebSocketProtocolException, match=message):
        frame.validate()


def test_what_a_received_frame_may_be() -> None:
    for code in (1000, 1003, 1007, 1014, 3000, 4999):
        ABNF(1, opcode=ABNF.OPCODE_CLOSE, data=code.to_bytes(2, "big") + b"why").validate()
    ABNF(1, opcode=ABNF.OPCODE_CLOSE, data=b"").validate()
    ABNF(1, opcode=ABNF.OPCODE_CLOSE, data=b"\x03\xe8\xff").validate(skip_utf8_validation=True)
    ABNF(0, opcode=ABNF.OPCODE_TEXT, data=b"x").validate()


# --- frame_buffer ---------------------------------------------------------------------------------


def source(*pieces: bytes | Exception) -> Callable[[int], bytes]:
    """Gives these pieces, whatever is asked for; exceptions are raised."""
    left = list(pieces)

    def recv(count: int) -> bytes:
        piece = left.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece

    return recv


def test_a_frame_in_any_cut_survives_timeouts() -> None:
    timeout = WebSocketTimeoutException("now")
    buffer = frame_buffer(
        source(b"\x81", timeout, b"\x85abcd)\x07", timeout, b"\x0f\x08\x0e"), False
    )
    for _ in range(2):
        with pytest.raises(WebSocketTimeoutException):
            buffer.recv_frame()
    frame = buffer.recv_frame()
    assert (frame.fin, frame.opcode, frame.mask_value, frame.data) == (1, 1, 1, b"Hello")


@pytest.mark.parametrize("length", [0, 125, 126, 65535, 65536, 100000])
def test_frames_of_all_lengths(length: int) -> None:
    frame = ABNF.create_frame(bytes(length), ABNF.OPCODE_BINARY)
    asked: list[int] = []
    wire = io.BytesIO(frame.format())

    def recv(count: int) -> bytes:
        asked.append(count)
        return wire.read(count)

    assert frame_buffer(recv, False).recv_frame().data == bytes(length)
    assert max(asked) <= 16384


def test_surplus_is_kept_for_the_next_read() -> None:
    buffer = frame_buffer(source(b"abcdef"), True)
    assert buffer.recv_strict(4) == b"abcd"
    assert buffer.recv_buffer == [b"ef"]
    assert buffer.recv_strict(2) == b"ef"
    assert buffer.recv_buffer == []


def test_the_end_of_the_stream_in_a_frame() -> None:
    with pytest.raises(WebSocketConnectionClosedException):
        frame_buffer(source(b"\x81\x05he", b""), False).recv_frame()


def test_a_frame_that_is_wrong_is_refused() -> None:
    with pytest.raises(WebSocketProtocolException, match="Invalid opcode 3"):
        frame_buffer(io.BytesIO(b"\x83\x00").read, False).recv_frame()


def test_clear_forgets_the_frame_under_way() -> None:
    buffer = frame_buffer(io.BytesIO(b"\x81\x85abcd").read, True)
    assert (buffer.needs_header(), buffer.needs_length(), buffer.needs_mask()) == (True, True, True)
    assert not buffer.has_mask()
    buffer.recv_header()
    buffer.recv_length()
    buffer.recv_mask()
    assert buffer.header == (1, 0, 0, 0, 1, 1, 5)
    assert (buffer.length, buffer.mask_value) == (5, b"abcd")
    assert buffer.has_mask()
    assert not (buffer.needs_header() or buffer.needs_length() or buffer.needs_mask())
    buffer.clear()
    assert (buffer.header, buffer.length, buffer.mask_value) == (None, None, None)


# --- continuous_frame -----------------------------------------------------------------------------


def fed(assembler: continuous_frame, *frames: ABNF) -> list[tuple[int, bytes]]:
    """What comes out of it."""
    out: list[tuple[int, bytes]] = []
    for frame in frames:
        assembler.validate(frame)
        assembler.add(frame)
        if assembler.is_fire(frame):
            opcode, whole = assembler.extract(frame)
            out.append((opcode, whole.data))
    return out


def parts(opcode: int, *pieces: bytes) -> list[ABNF]:
    frames = [ABNF(0, opcode=opcode if i == 0 else 0, data=p) for i, p in enumerate(pieces)]
    frames[-1].fin = 1
    return frames


def test_fragments_become_a_message() -> None:
    assembler = continuous_frame(False, False)
    assert fed(assembler, *parts(1, b"a", b"b", b"c"), *parts(2, b"\xff")) == [
        (1, b"abc"),
        (2, b"\xff"),
    ]
    assert assembler.cont_data is None
    assert assembler.recving_frames is None


def test_fragments_one_by_one() -> None:
    assembler = continuous_frame(True, False)
    assert fed(assembler, *parts(1, b"a", b"\xff")) == [(1, b"a"), (0, b"\xff")]


def test_fragments_out_of_order() -> None:
    with pytest.raises(WebSocketProtocolException, match="Illegal frame"):
        fed(continuous_frame(False, False), ABNF(1, opcode=0, data=b"x"))
    with pytest.raises(WebSocketProtocolException, match="Illegal frame"):
        fed(continuous_frame(False, False), parts(1, b"a", b"b")[0], ABNF(1, opcode=1, data=b"x"))


def test_text_that_is_not_utf8() -> None:
    """Cut anywhere it may be; its end may not be missing."""
    assert fed(continuous_frame(False, False), *parts(1, b"\xc3", b"\xa9")) == [(1, "é".encode())]
    for pieces in ((b"\xff",), (b"a", b"\xc3")):
        with pytest.raises(WebSocketPayloadException):
            fed(continuous_frame(False, False), *parts(1, *pieces))
        assert fed(continuous_frame(False, True), *parts(1, *pieces)) == [(1, b"".join(pieces))]


def test_many_fragments_take_linear_time() -> None:
    """32768 of 1 KiB took websocket-client over a minute."""
    frames = parts(2, *[bytes(1024)] * 32768)
    ((_, whole),) = fed(continuous_frame(False, False), *frames)
    assert len(whole) == 32 << 20
