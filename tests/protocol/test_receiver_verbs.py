"""Promise: the three verbs may be mixed; a message is delivered once and whole, or in pieces that
add up to it, and never its end alone."""

from __future__ import annotations

import pytest

from websocket._exceptions import WebSocketPayloadException
from websocket._protocol.receiving import Receiver
from websocket._wire.frames import BINARY, CLOSE, CONT, PING, TEXT, Frame, encode_frame


def wire(opcode: int, payload: bytes = b"", fin: bool = True) -> bytes:
    return encode_frame(opcode, payload, None, fin)


def fed(*pieces: bytes) -> Receiver:
    receiver = Receiver()
    for piece in pieces:
        receiver.feed(piece)
    return receiver


@pytest.mark.parametrize("verb", ["next_message", "next_frame", "next_piece"])
def test_a_message_that_was_put_back_is_first_in_line_for_every_verb(verb: str) -> None:
    receiver = fed(wire(BINARY, b"one") + wire(BINARY, b"two"))
    message = receiver.next_message()
    assert message is not None
    receiver.put_back(message)
    assert getattr(receiver, verb)() is message
    assert getattr(receiver, verb)() == Frame(BINARY, b"two")
    assert getattr(receiver, verb)() is None


def test_a_message_can_be_put_back_twice() -> None:
    receiver = fed(wire(TEXT, b"one", False) + wire(CONT, b"!") + wire(TEXT, b"two"))
    for _ in range(2):
        message = receiver.next_message()
        assert message is not None
        assert message == Frame(TEXT, b"one!")
        receiver.put_back(message)
    assert receiver.next_message() == Frame(TEXT, b"one!")
    assert receiver.next_message() == Frame(TEXT, b"two")


def test_a_long_frame_comes_in_pieces_as_it_arrives() -> None:
    stream = wire(BINARY, b"0123456789") + wire(BINARY, b"next")
    receiver = fed(stream[:1])
    assert receiver.next_piece() is None
    receiver.feed(stream[1:2])
    assert receiver.next_piece() is None  # nothing is no piece
    for at, opcode in ((2, BINARY), (3, CONT), (4, CONT)):
        receiver.feed(stream[at : at + 1])
        assert receiver.next_piece() == Frame(opcode, stream[at : at + 1], False)
        assert receiver.next_piece() is None
        assert receiver.unfinished
        assert receiver.missing == 11 - at
    receiver.feed(stream[5:])
    assert receiver.next_piece() == Frame(CONT, b"3456789")
    assert not receiver.unfinished
    assert receiver.next_piece() == Frame(BINARY, b"next")


@pytest.mark.parametrize("kind", [TEXT, BINARY])
@pytest.mark.parametrize("cut", range(2, 12))
def test_the_rest_of_a_message_left_early_is_left_out(kind: int, cut: int) -> None:
    """Control frames of the meantime and the next message are not."""
    stream = wire(kind, b"0123", False) + wire(PING, b"p") + wire(CONT, b"4567")
    receiver = fed(stream[: cut + 1])
    assert receiver.next_piece() is not None
    assert receiver.unfinished
    receiver.feed(stream[cut + 1 :])
    frame = receiver.next_message()
    while frame is not None and frame.opcode == PING:
        frame = receiver.next_message()
    assert frame is None
    assert not receiver.unfinished
    receiver.feed(wire(TEXT, b"next"))
    assert receiver.next_message() == Frame(TEXT, b"next")


def test_the_rest_is_left_out_however_late_it_comes() -> None:
    stream = wire(TEXT, b"0123456789", False) + wire(CONT, b"end") + wire(TEXT, b"next")
    receiver = fed(stream[:4])
    assert receiver.next_piece() == Frame(TEXT, b"01", False)
    found: list[Frame] = []
    for at in range(4, len(stream)):
        receiver.feed(stream[at : at + 1])
        while (frame := receiver.next_message()) is not None:
            found.append(frame)
    assert found == [Frame(TEXT, b"next")]


def test_the_rest_that_is_left_out_is_still_checked() -> None:
    stream = wire(TEXT, b"0123\xff")
    receiver = fed(stream[:4])
    assert receiver.next_piece() is not None
    receiver.feed(stream[4:])
    with pytest.raises(WebSocketPayloadException):
        receiver.next_message()


@pytest.mark.parametrize("verb", ["next_frame", "next_piece"])
def test_what_next_message_has_collected_is_not_lost(verb: str) -> None:
    """A `recv()` that timed out between two fragments, then a `recv_streaming()`."""
    receiver = fed(wire(TEXT, b"a", False) + wire(CONT, b"b", False))
    assert receiver.next_message() is None
    pull = getattr(receiver, verb)
    assert pull() == Frame(TEXT, b"ab", False)
    assert receiver.unfinished
    assert pull() is None
    receiver.feed(wire(CONT, b"c") + wire(TEXT, b"next"))
    assert pull() == Frame(CONT, b"c")
    assert not receiver.unfinished
    assert receiver.next_message() == Frame(TEXT, b"next")


@pytest.mark.parametrize("verb", ["next_frame", "next_piece"])
def test_a_message_is_never_delivered_without_its_beginning(verb: str) -> None:
    receiver = fed(wire(TEXT, "é".encode()[:1], False) + wire(CONT, "é".encode()[1:]))
    receiver.feed(wire(BINARY, b"next"))
    assert getattr(receiver, verb)() == Frame(TEXT, b"\xc3", False)
    assert receiver.next_message() == Frame(BINARY, b"next")


def test_pieces_then_frames_then_messages() -> None:
    """The rest of a frame that was handed out in part is a continuation for `next_frame`, too."""
    stream = wire(BINARY, b"0123456789")
    receiver = fed(stream[:5])
    assert receiver.next_piece() == Frame(BINARY, b"012", False)
    receiver.feed(stream[5:] + wire(BINARY, b"whole") + wire(TEXT, b"last"))
    assert receiver.next_frame() == Frame(CONT, b"3456789")
    assert not receiver.unfinished
    assert receiver.next_piece() == Frame(BINARY, b"whole")
    assert receiver.next_message() == Frame(TEXT, b"last")


def test_pieces_count_for_the_limit_of_their_message_only() -> None:
    receiver = Receiver(max_size=10)
    stream = wire(BINARY, bytes(10))
    receiver.feed(stream[:8])
    assert receiver.next_piece() == Frame(BINARY, bytes(6), False)
    receiver.feed(stream[8:] + wire(BINARY, bytes(6), False) + wire(CONT, bytes(4)))
    assert receiver.next_piece() == Frame(CONT, bytes(4))
    assert receiver.next_message() == Frame(BINARY, bytes(10))
    stream = wire(BINARY, bytes(6), False) + wire(CONT, bytes(5))
    receiver.feed(stream[:4])
    assert receiver.next_piece() == Frame(BINARY, bytes(2), False)
    receiver.feed(stream[4:8])
    assert receiver.next_piece() == Frame(CONT, bytes(4), False)
    receiver.feed(stream[8:])
    with pytest.raises(WebSocketPayloadException):
        receiver.next_piece()


def test_a_close_ends_a_message_in_pieces() -> None:
    receiver = fed(wire(TEXT, b"half", False) + wire(CLOSE, b"\x03\xe8"))
    assert receiver.next_piece() == Frame(TEXT, b"half", False)
    close = receiver.next_message()
    assert close is not None
    assert close.opcode == CLOSE
    assert receiver.next_message() is None


def test_at_border_only_between_frames() -> None:
    receiver = Receiver()
    assert receiver.at_border
    stream = wire(TEXT, b"0123456789", False) + wire(CONT, b"x")
    borders: list[int] = []
    for at in range(len(stream)):
        receiver.feed(stream[at : at + 1])
        receiver.next_piece()
        if receiver.at_border:
            borders.append(at + 1)
    assert borders == [12, 15]
