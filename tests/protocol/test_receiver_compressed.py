"""Promise: where an inflater was agreed on, RSV1 marks the first frame of a compressed message and
no other (RFC 7692 6), and limits and UTF-8 count for what it holds."""

from __future__ import annotations

import random
import zlib

import pytest

from websocket._exceptions import WebSocketException, WebSocketPayloadException
from websocket._protocol.receiving import Receiver
from websocket._wire.batches import frame_of
from websocket._wire.frames import BINARY, CONT, PING, TEXT, Frame, encode_frame

RSV1 = 4


class Inflater:
    """RFC 7692 7.2.2 in its plainest form."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(-15)
        self.limits: list[int | None] = []

    def inflate(self, data: bytes, fin: bool, limit: int | None) -> bytes:
        self.limits.append(limit)
        data += b"\0\0\xff\xff" if fin else b""
        plain = self._zlib.decompress(data, 0 if limit is None else limit + 1)
        if limit is not None and len(plain) > limit:
            raise WebSocketPayloadException("too much", close_code=1009)
        return plain


def squeeze(data: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


def wire(opcode: int, payload: bytes = b"", fin: bool = True, rsv: int = 0) -> bytes:
    return encode_frame(opcode, payload, None, fin, rsv)


def pull(receiver: Receiver) -> list[Frame]:
    found: list[Frame] = []
    while (message := receiver.next_message()) is not None:
        found.append(message)
    return found


def test_compressed_and_plain_messages_take_turns() -> None:
    receiver = Receiver()
    receiver.use(Inflater())
    text = "κόσμε" * 50
    squeezed = squeeze(text.encode())
    stream = wire(TEXT, squeezed, rsv=RSV1) + wire(TEXT, b"plain")
    stream += wire(TEXT, squeezed[:9], False, RSV1) + wire(PING) + wire(CONT, squeezed[9:])
    stream += wire(BINARY, b"a", False) + wire(CONT, b"b")
    for step in (1, 7, len(stream)):
        receiver = Receiver(inflater=Inflater())
        found: list[Frame] = []
        for at in range(0, len(stream), step):
            receiver.feed(stream[at : at + step])
            found += pull(receiver)
        data = text.encode()
        assert [frame.data for frame in found] == [data, b"plain", b"", data, b"ab"]
        assert not any(frame.rsv1 for frame in found)


@pytest.mark.parametrize(
    "stream",
    [
        wire(PING, b"", rsv=RSV1),
        wire(CONT, b"x", rsv=RSV1),
        wire(TEXT, b"x", False) + wire(CONT, b"y", rsv=RSV1),
        wire(TEXT, squeeze(b"x"), rsv=RSV1 | 1),
        wire(TEXT, squeeze(b"x"), rsv=RSV1 | 2),
    ],
)
def test_reserved_bits_elsewhere_are_refused(stream: bytes) -> None:
    receiver = Receiver(inflater=Inflater())
    receiver.feed(stream)
    with pytest.raises(WebSocketException) as caught:
        pull(receiver)
    assert caught.value.close_code == 1002


def test_the_limit_counts_inflated_bytes_over_all_fragments() -> None:
    inflater = Inflater()
    receiver = Receiver(max_size=1000, inflater=inflater)
    squeezed = squeeze(b"a" * 1000)
    receiver.feed(wire(BINARY, squeezed, rsv=RSV1))
    assert [len(frame.data) for frame in pull(receiver)] == [1000]
    assert inflater.limits == [1000]
    receiver.feed(wire(BINARY, squeeze(b"a" * 1001), rsv=RSV1))
    with pytest.raises(WebSocketPayloadException) as caught:
        pull(receiver)
    assert caught.value.close_code == 1009


def test_what_does_not_compress_may_be_as_long_as_the_limit() -> None:
    """A message of max_size may take more bytes on the wire than it has."""
    noise = bytes(hash((at, "noise")) & 0xFF for at in range(1000))
    stored = (
        b"".join(b"\x00\x40\x00\xbf\xff" + noise[at : at + 64] for at in range(0, 960, 64))
        + b"\x00\x28\x00\xd7\xff"
        + noise[960:]
        + b"\x00"
    )
    assert len(stored) > 1000
    receiver = Receiver(max_size=1000, inflater=Inflater())
    stream = wire(BINARY, stored, rsv=RSV1)
    receiver.feed(stream[:50])
    assert receiver.next_message() is None
    receiver.feed(stream[50:])
    assert [frame.data for frame in pull(receiver)] == [noise]
    receiver.feed(bytes([0xC2, 0x7F]) + (2**40).to_bytes(8, "big"))
    with pytest.raises(WebSocketPayloadException) as caught:
        pull(receiver)
    assert caught.value.close_code == 1009


def test_inflated_text_is_validated_fragment_by_fragment() -> None:
    squeezed = squeeze(b"ok\xff" + b"x" * 50)
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = deflater.compress(b"ok\xff") + deflater.flush(zlib.Z_SYNC_FLUSH)
    for stream in (wire(TEXT, squeezed, rsv=RSV1), wire(TEXT, first, False, RSV1)):
        receiver = Receiver(inflater=Inflater())
        receiver.feed(stream)
        with pytest.raises(WebSocketPayloadException) as caught:
            pull(receiver)
        assert caught.value.close_code == 1007


def test_pieces_come_again_behind_a_compressed_message() -> None:
    """Only compressed frames have to be whole; a plain one is handed out as it comes."""
    receiver = Receiver(inflater=Inflater())
    receiver.feed(wire(TEXT, squeeze(b"squeezed"), rsv=RSV1))
    assert receiver.next_piece() == Frame(TEXT, b"squeezed")
    receiver.feed(wire(BINARY, b"plain and long")[:7])
    assert receiver.next_piece() == Frame(BINARY, b"plain", False)
    receiver.feed(wire(BINARY, b"plain and long")[7:])
    assert receiver.next_piece() == Frame(CONT, b" and long")
    receiver.feed(wire(TEXT, squeeze(b"squeezed"), rsv=RSV1)[:8])
    assert receiver.next_piece() is None
    receiver.feed(wire(TEXT, squeeze(b"squeezed"), rsv=RSV1)[8:])
    assert receiver.next_piece() == Frame(TEXT, b"squeezed")


def test_a_tiny_message_may_be_as_long_as_the_limit() -> None:
    receiver = Receiver(max_size=4, inflater=Inflater())
    receiver.feed(wire(BINARY, b"\x00\x04\x00\xfb\xff" + b"tiny" + b"\x00", rsv=RSV1))
    assert [frame.data for frame in pull(receiver)] == [b"tiny"]


def _items(receiver: Receiver) -> list[tuple[int, bytes]]:
    """What the verb of `recv` gives, as (opcode, data)."""
    found: list[tuple[int, bytes]] = []
    while (item := receiver.next_item()) is not None:
        frame = item if isinstance(item, Frame) else frame_of(item)
        found.append((frame.opcode, frame.data))
    return found


MIXED = [
    wire(TEXT, squeeze(b'{"price": 1.5}'), rsv=RSV1),
    wire(BINARY, squeeze(bytes(1000)), rsv=RSV1),
    wire(TEXT, squeeze(b""), rsv=RSV1),
    wire(TEXT, "grüße".encode()),
    wire(PING, b"?"),
    wire(TEXT, squeeze("grüße".encode() * 99), rsv=RSV1),
    wire(BINARY, squeeze(random.Random(1).randbytes(70_000)), rsv=RSV1),
    wire(TEXT, squeeze(b"in two")[:3], False, RSV1) + wire(CONT, squeeze(b"in two")[3:]),
]


@pytest.mark.parametrize("step", [1, 3, 50, 1 << 20])
@pytest.mark.parametrize("check_utf8", [True, False])
def test_a_whole_one_is_the_same_on_the_short_way(step: int, check_utf8: bool) -> None:
    stream = b"".join(MIXED * 3)
    short, long = (Receiver(inflater=Inflater(), check_utf8=check_utf8) for _ in range(2))
    items: list[tuple[int, bytes]] = []
    frames: list[Frame] = []
    for at in range(0, len(stream), step):
        for receiver in short, long:
            receiver.feed(stream[at : at + step])
        items += _items(short)
        frames += pull(long)
    assert items == [(frame.opcode, frame.data) for frame in frames]
    assert len(items) == 3 * len(MIXED)
    for name in ("messages", "payload", "wire", "saved", "pings"):
        assert getattr(short.count, name) == getattr(long.count, name), name


@pytest.mark.parametrize(
    ("message", "limit", "code"),
    [
        (wire(TEXT, squeeze(b"\xff"), rsv=RSV1), None, 1007),
        (wire(TEXT, squeeze(b"x" * 101), rsv=RSV1), 100, 1009),
        (wire(BINARY, random.Random(2).randbytes(400), rsv=RSV1), 100, 1009),
        (wire(BINARY, squeeze(b"x"), rsv=RSV1 | 2), None, 1002),
    ],
)
def test_what_is_wrong_with_a_whole_one_is_told(
    message: bytes, limit: int | None, code: int
) -> None:
    receiver = Receiver(inflater=Inflater(), max_size=limit)
    receiver.feed(message)
    with pytest.raises(WebSocketException) as caught:
        receiver.next_item()
    assert caught.value.close_code == code
