"""Promise: for any bytes, position and limit the parsers and encoders of the accelerator say what
their Python twins say, and what is plain is what a frame-by-frame reading finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from websocket._exceptions import WebSocketException
from websocket._wire import speedups
from websocket._wire.batches import (
    encode_messages,
    parse_fragments,
    parse_fragments_in_python,
    parse_messages,
    parse_messages_in_python,
)
from websocket._wire.decoding import FrameDecoder
from websocket._wire.frames import (
    BINARY,
    CONT,
    TEXT,
    encode_frame,
    encode_frame_in_python,
)

Parser = Callable[[bytes, int, int], "tuple[Any, ...]"]
parsers = pytest.mark.parametrize("parse", [parse_messages, parse_messages_in_python])
joiners = pytest.mark.parametrize("parse", [parse_fragments, parse_fragments_in_python])

KEYS = st.binary(min_size=4, max_size=4)
SIZES = st.sampled_from([0, 1, 7, 124, 125, 126, 127, 4096, 65535, 65536, 65537])
TEXTS = st.text(max_size=60).map(str.encode) | SIZES.map(lambda size: b"t" * size)
DATA = st.binary(max_size=60) | SIZES.map(bytes) | TEXTS
FRAMES = st.tuples(
    st.sampled_from([CONT, CONT, TEXT, TEXT, TEXT, BINARY, BINARY, 3, 8, 9, 10, 15]),
    DATA,
    st.none() | st.none() | st.none() | KEYS,
    st.sampled_from([True, True, False]),
    st.sampled_from([0, 0, 0, 0, 1, 2, 4, 7]),
).map(lambda said: encode_frame(*said))
WRONG_LENGTHS = st.sampled_from(
    [b"\x82\x7e\x00\x7d", b"\x82\x7f" + bytes(6) + b"\xff\xff", b"\x82\x7f" + b"\xff" * 8]
)
STREAMS = st.binary(max_size=40) | st.lists(
    FRAMES | FRAMES | FRAMES | WRONG_LENGTHS, max_size=8
).map(b"".join)
LIMITS = st.sampled_from([-1, -7, 0, 1, 7, 125, 126, 65536, 1 << 40]) | st.integers(0, 200)


@st.composite
def batches(draw: st.DrawFn) -> tuple[bytes, int, int]:
    """A stream that ends anywhere, a position anywhere in it, and a limit."""
    stream = draw(STREAMS)
    stream = stream[: draw(st.just(len(stream)) | st.integers(0, len(stream)))]
    return stream, draw(st.just(0) | st.integers(0, len(stream))), draw(LIMITS)


@settings(max_examples=400, deadline=None)
@given(batches())
def test_the_parsers_are_the_same(batch: tuple[bytes, int, int]) -> None:
    assert parse_messages(*batch) == parse_messages_in_python(*batch)
    assert parse_fragments(*batch) == parse_fragments_in_python(*batch)


@settings(deadline=None)
@given(batches())
def test_messages_are_what_the_decoder_finds_and_can_be_said_again(
    batch: tuple[bytes, int, int],
) -> None:
    stream, position, limit = batch
    messages, end, payload = parse_messages(*batch)
    assert position <= end <= len(stream)
    assert encode_messages(messages) == stream[position:end]
    decoder = FrameDecoder()
    decoder.feed(stream[position:])
    for message in messages:
        frame = decoder.next()
        assert frame is not None
        assert frame.fin
        assert not (frame.masked or frame.rsv1 or frame.rsv2 or frame.rsv3)
        assert limit < 0 or len(frame.data) <= limit
        payload -= len(frame.data)
        if frame.opcode == TEXT:
            assert message == frame.data.decode()
        else:
            assert (frame.opcode, frame.data) == (BINARY, message)
    assert payload == 0
    assert decoder.position == end - position


@settings(deadline=None)
@given(batches())
def test_nothing_plain_is_left_behind_the_batch(batch: tuple[bytes, int, int]) -> None:
    """Where it stops, there is no further message that it could have taken."""
    stream, _, limit = batch
    _, end, _ = parse_messages(*batch)
    decoder = FrameDecoder()
    decoder.feed(stream[end:])
    try:
        frame = decoder.next()
    except WebSocketException:
        return
    if frame is None or frame.masked or frame.rsv1 or frame.rsv2 or frame.rsv3 or not frame.fin:
        return
    allowed = limit < 0 or len(frame.data) <= limit
    assert frame.opcode != BINARY or not allowed
    if frame.opcode == TEXT and allowed:
        with pytest.raises(UnicodeDecodeError):
            frame.data.decode()


@settings(deadline=None)
@given(st.lists(DATA, min_size=1, max_size=6), st.booleans(), LIMITS)
def test_a_run_of_fragments_is_their_data(data: list[bytes], final: bool, limit: int) -> None:
    last = len(data) - 1
    frames = [
        encode_frame(CONT, piece, None, final and at == last) for at, piece in enumerate(data)
    ]
    taken, size = 0, 0
    while taken <= last and (limit < 0 or size + len(data[taken]) <= limit):
        size += len(data[taken])
        taken += 1
    behind = encode_frame(CONT, b"of another message", None)
    joined, ended, end = parse_fragments(b"".join(frames) + (behind if final else b""), 0, limit)
    assert (joined, ended) == (b"".join(data[:taken]), final and taken > last)
    assert end == sum(map(len, frames[:taken]))


@settings(deadline=None)
@given(
    st.integers(0, 15),
    st.text(max_size=80) | SIZES.map(lambda size: "é" * size),
    st.none() | KEYS,
)
def test_text_is_framed_the_same(opcode: int, text: str, key: bytes | None) -> None:
    framed = encode_frame(opcode, text, key)
    assert framed == encode_frame_in_python(opcode, text, key)
    assert framed == encode_frame(opcode, text.encode(), key)


@pytest.mark.parametrize("encode", [encode_frame, encode_frame_in_python])
@pytest.mark.parametrize("text", ["\ud800", "fine \udfff", "x" * 5000 + "\udc80"])
def test_half_a_surrogate_pair_is_no_text(encode: Callable[..., bytes], text: str) -> None:
    with pytest.raises(UnicodeEncodeError):
        encode(TEXT, text, b"abcd")


class _Shout(str):
    __slots__ = ()


@pytest.mark.parametrize("text", [_Shout("plain"), _Shout("not plain: é")])
def test_a_subclass_of_str_is_text(text: str) -> None:
    assert encode_frame(TEXT, text, None) == encode_frame_in_python(TEXT, str(text), None)


@pytest.mark.parametrize("name", ["parse_messages", "parse_fragments"])
@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (b"", 0),
        (b"", 0, 0, 0),
        ("", 0, 0),
        (bytearray(), 0, 0),
        (b"", "0", 0),
        (b"", 0.0, 0),
        (b"", 0, 0.5),
        (b"", 0, None),
        (b"", 1, 0),
        (b"abc", -1, 0),
        (b"abc", 4, -1),
        (b"abc", 1 << 70, -1),
    ],
)
def test_the_accelerator_refuses_what_makes_no_sense(
    name: str, arguments: tuple[object, ...]
) -> None:
    parse = getattr(speedups._accelerator, name, None)
    if parse is None:
        pytest.skip("the accelerator was not built, or is not wanted")
    with pytest.raises((TypeError, ValueError, OverflowError)):
        parse(*arguments)


@parsers
def test_a_limit_beyond_all_sizes_is_none(parse: Parser) -> None:
    assert parse(encode_frame(TEXT, b"x", None), 0, 1 << 100)[0] == ["x"]


@joiners
def test_a_limit_beyond_all_sizes_of_fragments_is_none(parse: Parser) -> None:
    assert parse(encode_frame(CONT, b"x", None), 0, 1 << 100) == (b"x", True, 3)
