"""Promise: `FrameDecoder` gives the same frames whatever the cut, and takes no announced length on
trust."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings, strategies as st

from websocket._exceptions import WebSocketProtocolException
from websocket._wire.decoding import FrameDecoder
from websocket._wire.frames import BINARY, TEXT, Frame, encode_frame

WIRE_FRAMES = st.tuples(
    st.integers(0, 15),
    st.binary(max_size=40) | st.integers(100, 400).map(bytes),
    st.none() | st.binary(min_size=4, max_size=4),
    st.booleans(),
    st.integers(0, 7),
)
Spec = tuple[int, bytes, "bytes | None", bool, int]


def pull_all(decoder: FrameDecoder) -> list[Frame]:
    frames: list[Frame] = []
    while (frame := decoder.next()) is not None:
        frames.append(frame)
    return frames


def described(frame: Frame) -> tuple[int, bytes, bool, bool, int]:
    rsv = frame.rsv1 << 2 | frame.rsv2 << 1 | frame.rsv3
    return frame.opcode, frame.data, frame.masked, frame.fin, rsv


@settings(deadline=None)
@given(st.lists(WIRE_FRAMES, max_size=8), st.lists(st.integers(0, 3000), max_size=10))
def test_any_cut_gives_the_same_frames(specs: list[Spec], cuts: list[int]) -> None:
    stream = b"".join(encode_frame(*spec) for spec in specs)
    expected = [(op, data, key is not None, fin, rsv) for op, data, key, fin, rsv in specs]
    decoder = FrameDecoder()
    found: list[Frame] = []
    start = 0
    for end in sorted({min(cut, len(stream)) for cut in cuts} | {len(stream)}):
        decoder.feed(stream[start:end])
        found += pull_all(decoder)
        start = end
    assert [described(frame) for frame in found] == expected
    assert decoder.at_border


@settings(deadline=None)
@given(st.lists(WIRE_FRAMES, min_size=1, max_size=4))
def test_what_is_missing_is_never_more_than_what_comes(specs: list[Spec]) -> None:
    """Who reads exactly `missing` bytes each time gets every frame and never reads beyond one."""
    decoder = FrameDecoder()
    for op, data, key, fin, rsv in specs:
        stream = encode_frame(op, data, key, fin, rsv)
        at = 0
        while (frame := decoder.next()) is None:
            assert 1 <= decoder.missing <= len(stream) - at
            decoder.feed(stream[at : at + decoder.missing])
            at += decoder.missing
        assert at == len(stream)
        assert decoder.at_border
        assert frame.data == data


@settings(deadline=None)
@given(st.lists(WIRE_FRAMES, max_size=4), st.lists(st.integers(0, 500), max_size=12), st.booleans())
def test_bytes_given_back_and_fed_again_change_nothing(
    specs: list[Spec], cuts: list[int], pulled: bool
) -> None:
    stream = b"".join(encode_frame(*spec) for spec in specs)
    decoder = FrameDecoder()
    found: list[Frame] = []
    start = 0
    for end in sorted({min(cut, len(stream)) for cut in cuts} | {len(stream)}):
        decoder.feed(stream[start:end])
        start = end
        if pulled:
            found += pull_all(decoder)
        surplus = decoder.give_back()
        assert decoder.give_back() == b""
        decoder.feed(surplus)
    found += pull_all(decoder)
    assert [described(frame)[:2] for frame in found] == [spec[:2] for spec in specs]


def test_what_was_given_back_is_gone() -> None:
    decoder = FrameDecoder()
    decoder.feed(encode_frame(TEXT, b"one", None) + b"\x81\x7e\x01")
    assert [frame.data for frame in pull_all(decoder)] == [b"one"]
    assert not decoder.at_border
    assert decoder.give_back() == b"\x81\x7e\x01"  # a cut header, too
    assert decoder.at_border
    decoder.feed(encode_frame(TEXT, b"two", None))
    assert [frame.data for frame in pull_all(decoder)] == [b"two"]


@pytest.mark.parametrize(
    ("header", "what"),
    [
        (b"\x82\x7e\x00\x00", "0 in 2 bytes"),
        (b"\x82\x7e\x00\x7d", "125 in 2 bytes"),
        (b"\x82\x7f" + bytes(8), "0 in 8 bytes"),
        (b"\x82\x7f" + (125).to_bytes(8, "big"), "125 in 8 bytes"),
        (b"\x82\x7f" + (65535).to_bytes(8, "big"), "65535 in 8 bytes"),
        (b"\x82\x7f\x80" + bytes(7), "most significant bit"),
        (b"\x82\x7f" + b"\xff" * 8, "most significant bit"),
        (b"\x82\xfe\x00\x01abcd", "1 in 2 bytes"),
        (b"\x82\xff" + bytes(7) + b"\x01abcd", "1 in 8 bytes"),
    ],
)
def test_forbidden_lengths_are_refused(header: bytes, what: str) -> None:
    """RFC 6455 5.2: the shortest form, and the top bit 0; with the header complete, not later."""
    decoder = FrameDecoder()
    for at in range(len(header) - 1):
        decoder.feed(header[at : at + 1])
        assert decoder.next() is None
    decoder.feed(header[-1:])
    with pytest.raises(WebSocketProtocolException, match=what) as caught:
        decoder.next()
    assert caught.value.close_code == 1002


@pytest.mark.parametrize("length", [125, 126, 65535, 65536, 200_000])
def test_shortest_forms_at_the_borders_are_taken(length: int) -> None:
    payload = bytes(at % 251 for at in range(length))
    for key in (None, b"\x01\x82\xf3\x04"):
        stream = encode_frame(BINARY, payload, key)
        for cut in (len(stream), 1, 9, 13, 70, length // 2, length):
            decoder = FrameDecoder()
            decoder.feed(stream[:cut])
            found = pull_all(decoder)
            decoder.feed(stream[cut:])
            assert [frame.data for frame in found + pull_all(decoder)] == [payload]


@pytest.mark.parametrize("announced", [2**31, 2**40, 2**62, 2**63 - 1])
def test_an_announced_length_allocates_nothing(announced: int) -> None:
    decoder = FrameDecoder()
    tracemalloc.start()
    try:
        decoder.feed(b"\x82\x7f" + announced.to_bytes(8, "big"))
        assert decoder.next() is None
        decoder.feed(b"some")
        assert decoder.next() is None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16384
    assert (decoder.announced, decoder.missing) == (announced, announced - 4)


def peeked(decoder: FrameDecoder) -> bytes:
    with decoder.peek() as piece:
        return bytes(piece)


@pytest.mark.parametrize("key", [None, b"k3y!"])
def test_an_opened_frame_shows_its_header_and_what_has_come(key: bytes | None) -> None:
    payload = bytes(range(200))
    stream = encode_frame(BINARY, payload, key, False, 4)
    head = len(stream) - len(payload)
    decoder = FrameDecoder()
    decoder.feed(stream[: head + 3])
    assert decoder.next() is None
    opened = decoder.opened
    assert opened is not None
    assert (opened.opcode, opened.fin, opened.rsv1, opened.data) == (BINARY, False, True, b"")
    assert (decoder.announced, decoder.missing, decoder.at_border) == (200, 197, False)
    assert peeked(decoder) == payload[:3]
    assert peeked(decoder) == b""
    decoder.feed(stream[head + 3 : head + 50])
    assert decoder.next() is None
    assert peeked(decoder) == payload[3:50]
    assert decoder.drain() == payload[:50]
    assert peeked(decoder) == decoder.drain() == b""
    decoder.feed(stream[head + 50 :] + b"\x89\x00")
    frame = decoder.next()
    assert frame is not None
    assert frame is opened
    assert frame.data == payload[50:]
    assert [ping.opcode for ping in pull_all(decoder)] == [9]
