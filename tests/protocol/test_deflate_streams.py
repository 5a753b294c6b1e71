"""Promise: every stream that RFC 7692 7.2 allows is read, and every other fails with 1007."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import pytest

from websocket import Deflate, WebSocketPayloadException
from websocket._protocol.deflate import Deflater, Inflater

ROOT = Path(__file__).resolve().parents[2]
TAIL = b"\x00\x00\xff\xff"
HELLO = bytes.fromhex("f248cdc9c90700")  # RFC 7692 7.2.3.1


def pair(answer: str = "permessage-deflate", **settings: Any) -> tuple[Inflater, Deflater]:
    return Deflate(**settings).agree(answer)


def raw(data: bytes, flush: int = zlib.Z_SYNC_FLUSH, level: int = 6) -> bytes:
    """A raw stream of its own."""
    peer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return peer.compress(data) + peer.flush(flush)


# --- the examples of RFC 7692 7.2.3 ---------------------------------------------------------------


def test_one_compressed_block() -> None:
    assert pair()[0].inflate(HELLO, True, None) == b"Hello"


def test_a_message_in_two_fragments() -> None:
    inflater, _ = pair()
    assert inflater.inflate(HELLO[:3], False, None) + inflater.inflate(HELLO[3:], True, None) == (
        b"Hello"
    )


def test_the_window_is_shared_by_messages() -> None:
    inflater, _ = pair()
    assert inflater.inflate(HELLO, True, None) == b"Hello"
    assert inflater.inflate(bytes.fromhex("f200110000"), True, None) == b"Hello"


def test_a_window_that_is_not_shared_is_missed() -> None:
    """With no context takeover the second message refers to nothing that is there."""
    inflater, _ = pair("permessage-deflate; server_no_context_takeover")
    assert inflater.inflate(HELLO, True, None) == b"Hello"
    assert inflater.inflate(HELLO, True, None) == b"Hello"
    with pytest.raises(WebSocketPayloadException, match="Invalid compressed data") as caught:
        inflater.inflate(bytes.fromhex("f200110000"), True, None)
    assert caught.value.close_code == 1007


def test_a_block_without_compression() -> None:
    payload = bytes.fromhex("000500faff48656c6c6f00")
    assert pair()[0].inflate(payload, True, None) == b"Hello"


def test_a_final_block() -> None:
    """7.2.3.4: BFINAL ends a stream, not a message; behind it the next message begins anew."""
    inflater, _ = pair()
    payload = bytes.fromhex("f348cdc9c9070000")
    for _ in range(3):
        assert inflater.inflate(payload, True, None) == b"Hello"
    assert inflater.inflate(HELLO, True, None) == b"Hello"


def test_a_final_block_in_the_middle_of_a_message() -> None:
    inflater, _ = pair()
    payload = raw(b"one ", zlib.Z_FINISH) + raw(b"two ", zlib.Z_FINISH) + raw(b"three")[:-4]
    for cut in range(len(payload) + 1):
        pieces = inflater.inflate(payload[:cut], False, 13)
        assert pieces + inflater.inflate(payload[cut:], True, 13) == b"one two three"


def test_a_final_block_with_nothing_behind_it() -> None:
    """Not quite what 7.2.1 asks for (an empty block is missing), but not to be mistaken."""
    inflater, _ = pair()
    for _ in range(3):
        assert inflater.inflate(raw(b"Hello", zlib.Z_FINISH), True, 5) == b"Hello"


def test_two_blocks_in_one_message() -> None:
    """7.2.3.5."""
    payload = bytes.fromhex("f248050000 00ffffcac9c90700".replace(" ", ""))
    assert pair()[0].inflate(payload, True, None) == b"Hello"


def test_empty_messages() -> None:
    """7.2.3.6, in each form that a compressor may give them."""
    inflater, _ = pair()
    for payload in (b"\x00", b"\x02\x00", b"\x03\x00\x00", b"\x00\x00\x00\xff\xff\x00", b"\x01"):
        assert inflater.inflate(payload, True, 0) == b""
        assert inflater.inflate(HELLO, True, 5) == b"Hello"


# --- what we send ---------------------------------------------------------------------------------


def test_empty_messages_and_fragments_are_sent_as_streams() -> None:
    """A flush with nothing to flush gives nothing, which would not be a stream."""
    inflater, deflater = pair()
    for _ in range(3):
        for parts in ([b""], [b"", b""], [b"", b"a", b""], [b"a", b"", b"b"], [b"ab"]):
            out = b""
            for number, part in enumerate(parts):
                fin = number == len(parts) - 1
                squeezed = deflater.deflate(part, fin, number == 0)
                assert squeezed is not None and (squeezed or not fin)
                out += inflater.inflate(squeezed, fin, 2)
            assert out == b"".join(parts)


def test_each_fragment_can_be_inflated_as_it_comes() -> None:
    """What is streamed does not wait in the compressor for what follows."""
    inflater, deflater = pair()
    for number in range(10):
        squeezed = deflater.deflate(b"part %d" % number, False, number == 0)
        assert squeezed is not None
        assert inflater.inflate(squeezed, False, None) == b"part %d" % number


def test_every_kind_of_buffer_is_compressed() -> None:
    inflater, deflater = pair()
    for payload in (b"abc", bytearray(b"abc"), memoryview(b"xabcx")[1:4]):
        squeezed = deflater.deflate(payload, True, True)
        assert squeezed is not None
        assert inflater.inflate(squeezed, True, 3) == b"abc"


def test_a_threshold_leaves_small_messages_alone() -> None:
    inflater, deflater = pair(threshold=10)
    assert deflater.deflate(b"123456789", True, True) is None
    squeezed = deflater.deflate(b"1234567890", True, True)
    assert squeezed is not None
    assert inflater.inflate(squeezed, True, None) == b"1234567890"
    # How long a message in fragments will be shows too late.
    assert deflater.deflate(b"1", False, True) is not None


def test_context_is_kept_over_thousands_of_messages() -> None:
    """Each refers to those before it; the stream as a whole is one that zlib reads."""
    inflater, deflater = pair()
    peer = zlib.decompressobj(-15)
    total = 0
    for number in range(5000):
        message = b'{"sequence": %d, "price": %d}' % (number, number * 7919 % 10007)
        squeezed = deflater.deflate(message, True, True)
        assert squeezed is not None
        total += len(squeezed)
        assert inflater.inflate(squeezed, True, len(message)) == message
        assert peer.decompress(squeezed + TAIL) == message
    assert total < 5000 * 15  # a third; without context they would hardly shrink


def test_after_a_restart_nothing_refers_to_what_was_not_sent() -> None:
    inflater, deflater = pair()
    said = deflater.deflate(b"this text is known to the peer", True, True)
    assert said is not None
    inflater.inflate(said, True, None)
    deflater.deflate(b"that text never was", True, True)
    deflater.restart()
    for message in (b"that text never was", b"this text is known to the peer"):
        squeezed = deflater.deflate(message, True, True)
        assert squeezed is not None
        assert inflater.inflate(squeezed, True, None) == message


@pytest.mark.parametrize("alone", [False, True])
def test_nothing_is_allocated_before_it_is_needed(alone: bool) -> None:
    """Connections that are agreed on compression and never use it cost nothing, and with no context
    takeover nothing is held between messages."""
    parameters = "; server_no_context_takeover; client_no_context_takeover" if alone else ""
    inflater, deflater = pair("permessage-deflate" + parameters)
    assert inflater._stream is None and deflater._stream is None
    inflater.inflate(HELLO, True, None)
    deflater.deflate(b"Hello", True, True)
    assert (inflater._stream is None) is alone and (deflater._stream is None) is alone


# --- streams that are none ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        b"\x06",  # a block of the reserved kind (RFC 1951 3.2.3)
        b"\xff" * 10,
        b"\x00\x05\x00\x00\x00hello\x00",  # a length that is not its complement's
        bytes.fromhex("f200110000"),  # looks back to before the beginning
        b"",  # RFC 7692 7.2.3.6: an empty message has a byte
        b"Hello",
        b"\x78\x9c" + HELLO,  # zlib's wrapping
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + HELLO,  # gzip's
    ],
)
@pytest.mark.parametrize("parameters", ["", "; server_no_context_takeover"])
@pytest.mark.parametrize("limit", [None, 1000])
def test_a_bad_stream_fails_with_1007(payload: bytes, parameters: str, limit: int | None) -> None:
    inflater, _ = pair("permessage-deflate" + parameters)
    with pytest.raises(WebSocketPayloadException, match="Invalid compressed data") as caught:
        inflater.inflate(payload, True, limit)
    assert caught.value.close_code == 1007


@pytest.mark.parametrize("parameters", ["", "; server_no_context_takeover"])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_a_stream_that_was_cut_off_fails_with_1007(parameters: str, level: int) -> None:
    """zlib alone would return what there is: half a message, as if it were whole."""
    message = b"".join(b"%d %x " % (n, n * n) for n in range(60))
    payload = raw(message, level=level)[:-4]
    assert pair()[0].inflate(payload, True, len(message)) == message
    for cut in range(len(payload) - 1):
        if payload[:cut] == b"\x00":
            continue  # that is an empty message
        inflater, _ = pair("permessage-deflate" + parameters)
        with pytest.raises(WebSocketPayloadException) as caught:
            inflater.inflate(payload[:cut], True, 10 * len(message))
        assert caught.value.close_code == 1007


def test_garbage_never_raises_anything_else() -> None:
    payload = raw(b"a message to be damaged, with some text in it" * 3)[:-4]
    for place in range(len(payload)):
        for damage in (0x01, 0x80, 0xFF):
            damaged = bytearray(payload)
            damaged[place] ^= damage
            inflater, _ = pair()
            try:
                inflater.inflate(bytes(damaged), True, 10_000)
            except WebSocketPayloadException as exc:
                assert exc.close_code in (1007, 1009)
