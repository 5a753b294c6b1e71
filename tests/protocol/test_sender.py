"""Promise: what the sending half puts on the wire is masked with a fresh key, in order, and nothing
comes behind our close frame."""

from __future__ import annotations

import pytest

from websocket._exceptions import WebSocketConnectionClosedException
from websocket._protocol.receiving import Receiver
from websocket._protocol.sending import Payload, Sender
from websocket._wire.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT, Close, Frame, encode_frame


def seen_by_server(data: bytes) -> list[Frame]:
    receiver = Receiver(server=True)
    receiver.feed(data)
    frames: list[Frame] = []
    while (frame := receiver.next_frame()) is not None:
        frames.append(frame)
    assert receiver.at_border
    return frames


def test_each_verb_makes_its_frame() -> None:
    sender = Sender()
    data = sender.message(TEXT, b"text") + sender.message(BINARY, bytearray(b"binary"))
    data += sender.message(TEXT, b"a", False) + sender.ping(b"1") + sender.message(CONT, b"b")
    data += sender.pong(memoryview(b"2")) + sender.close(1001, "bye")
    assert seen_by_server(data) == [
        Frame(TEXT, b"text"),
        Frame(BINARY, b"binary"),
        Frame(TEXT, b"a", False),
        Frame(PING, b"1"),
        Frame(CONT, b"b"),
        Frame(PONG, b"2"),
        Frame(CLOSE, b"\x03\xe9bye"),
    ]


def test_every_frame_has_a_key_of_its_own() -> None:
    """RFC 6455 5.3. Of 300 random keys one pair is alike once in 96,000 runs, two pairs never."""
    sender = Sender()
    keys = [sender.message(BINARY, b"")[2:6] for _ in range(100)]
    keys += [sender.ping(b"")[2:6] for _ in range(100)] + [
        sender.pong(b"")[2:6] for _ in range(100)
    ]
    assert len(set(keys)) >= 299


@pytest.mark.parametrize(
    "key", ["\x01\x80\xff\x00", b"\x01\x80\xff\x00", bytearray(b"\1\x80\xff\0")]
)
def test_keys_can_be_given(key: bytes | str) -> None:
    asked: list[int] = []

    def give(size: int) -> bytes | str:
        asked.append(size)
        return key

    sender = Sender(get_mask_key=give)
    expected = encode_frame(TEXT, b"hello", b"\x01\x80\xff\x00")
    assert sender.message(TEXT, b"hello") == expected
    assert asked == [4]
    sender.use_keys(None)
    assert sender.message(TEXT, b"hello") != expected


@pytest.mark.parametrize("key", [b"", b"abc", b"abcde", "abc", "€uro"])
def test_a_bad_key_sends_nothing_and_ends_nothing(key: bytes | str) -> None:
    sender = Sender(get_mask_key=lambda size: key)
    for send in (lambda: sender.message(TEXT, b""), lambda: sender.close(1000)):
        with pytest.raises(ValueError, match=r"expected 4|codec can't encode"):
            send()
    assert sender.our_close is None


def test_a_server_does_not_mask() -> None:
    sender = Sender(server=True, get_mask_key=lambda size: b"abcd")
    assert sender.message(TEXT, b"hello") == b"\x81\x05hello"
    assert sender.ping(b"") == b"\x89\x00"
    assert sender.close(1000) == b"\x88\x02\x03\xe8"


@pytest.mark.parametrize(
    ("code", "reason", "body", "latch"),
    [
        (1000, "", b"\x03\xe8", Close(1000, "")),
        (1001, "gone", b"\x03\xe9gone", Close(1001, "gone")),
        (4999, b"raw", b"\x13\x87raw", Close(4999, "raw")),
        (1000, None, b"\x03\xe8", Close(1000, "")),
        (None, "", b"", Close(1005, "")),
        (1005, "", b"", Close(1005, "")),
    ],
)
def test_one_close_frame_ever(
    code: int | None, reason: str | bytes | None, body: bytes, latch: Close
) -> None:
    sender = Sender(server=True)
    assert sender.our_close is None
    assert sender.close(code, reason) == bytes([0x88, len(body)]) + body
    assert sender.our_close == latch
    assert sender.close(1001, "again") == b""
    assert sender.our_close == latch
    sender.abandon()
    assert sender.our_close == latch


@pytest.mark.parametrize("code", [0, 5, 999, 1004, 1006, 1015, 2999, 5000, 65536, -1])
def test_a_close_that_cannot_travel_changes_nothing(code: int) -> None:
    sender = Sender()
    with pytest.raises(ValueError, match="code is invalid range"):
        sender.close(code)
    with pytest.raises(ValueError, match="at most 123"):
        sender.close(1000, "x" * 124)
    assert sender.our_close is None
    assert sender.message(TEXT, b"still open")


@pytest.mark.parametrize("abandoned", [False, True])
def test_no_data_behind_the_end(abandoned: bool) -> None:
    sender = Sender()
    if abandoned:
        sender.abandon()
        assert sender.our_close == Close(1006, "")
        assert sender.close(1000) == b""
    else:
        sender.close(1000)
    for send in (
        lambda: sender.message(TEXT, b"x"),
        lambda: sender.message(CONT, b"x", False),
        lambda: sender.raw(b"\x81\x00"),
    ):
        with pytest.raises(WebSocketConnectionClosedException, match="already closed"):
            send()


def test_a_frame_made_by_somebody_else_goes_as_it_is() -> None:
    assert Sender().raw(b"\x81\x85anything") == b"\x81\x85anything"


# --- compression ----------------------------------------------------------------------------------


class Deflater:
    """Notes what it was asked, and says no to what begins with a dash."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, bool, bool]] = []
        self.restarts = 0

    def deflate(self, data: Payload, fin: bool, first: bool) -> bytes | None:
        self.asked.append((bytes(data), fin, first))
        return None if bytes(data).startswith(b"-") else b"<" + bytes(data) + b">"

    def restart(self) -> None:
        self.restarts += 1


def sent(sender: Sender, *args: object, **options: bool) -> tuple[int, bytes]:
    data = sender.message(*args, **options)  # type: ignore[arg-type]
    return data[0], data[2:]


def test_the_first_frame_of_a_compressed_message_says_so() -> None:
    """RFC 7692 6: RSV1 there and nowhere else; control frames are never compressed."""
    deflater = Deflater()
    sender = Sender(server=True)
    sender.use(deflater)
    assert sent(sender, TEXT, b"whole") == (0xC1, b"<whole>")
    assert sent(sender, BINARY, b"one", False) == (0x42, b"<one>")
    assert sender.ping(b"p") == b"\x89\x01p"
    assert sent(sender, CONT, b"two", False) == (0x00, b"<two>")
    assert sent(sender, CONT, b"three") == (0x80, b"<three>")
    assert deflater.asked == [
        (b"whole", True, True),
        (b"one", False, True),
        (b"two", False, False),
        (b"three", True, False),
    ]
    sender.use(None)
    assert sent(sender, TEXT, b"plain") == (0x81, b"plain")


def test_a_message_that_was_not_written_makes_compression_start_anew() -> None:
    """The peer's inflater has not seen what ours would refer to (RFC 7692 7.2.3.3)."""
    deflater = Deflater()
    sender = Sender(deflater=deflater)
    sender.message(TEXT, b"lost")
    sender.unsent()
    assert deflater.restarts == 1
    Sender().unsent()


@pytest.mark.parametrize(("first", "compress"), [(b"-not", True), (b"first", False)])
def test_a_message_that_begins_plain_stays_plain(first: bytes, compress: bool) -> None:
    sender = Sender(server=True, deflater=Deflater())
    assert sent(sender, TEXT, first, False, compress=compress) == (0x01, first)
    assert sent(sender, CONT, b"later", False) == (0x00, b"later")
    assert sent(sender, CONT, b"last") == (0x80, b"last")
    assert sent(sender, TEXT, b"next") == (0xC1, b"<next>")


def test_a_message_that_begins_compressed_stays_compressed() -> None:
    sender = Sender(server=True, deflater=Deflater())
    assert sent(sender, TEXT, b"first", False) == (0x41, b"<first>")
    assert sent(sender, CONT, b"last", True, compress=False) == (0x80, b"<last>")
    assert sent(sender, TEXT, b"next", compress=False) == (0x81, b"next")
    assert sent(sender, CONT, b"stray") == (0x80, b"stray")
