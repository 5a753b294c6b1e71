"""Promise: what is parsed ahead is what frame-by-frame reading gives, by any mix of verbs, in any
cut, within the same limits and up to the same error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from websocket._exceptions import (
    WebSocketException,
    WebSocketPayloadException,
    WebSocketProtocolException,
)
from websocket._protocol.receiving import Receiver
from websocket._wire.batches import frame_of
from websocket._wire.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT, Frame, encode_frame

Outcome = tuple[int, bytes]

SIZES = st.sampled_from([0, 1, 125, 126, 3000, 20_000, 65536])
TEXTS = st.text(max_size=20).map(str.encode) | st.sampled_from([b"t" * 20_000, "é".encode() * 9000])
MESSAGES = st.tuples(st.just(TEXT), TEXTS) | st.tuples(
    st.just(BINARY), st.binary(max_size=20) | SIZES.map(bytes)
)
CONTROLS = st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=5))
VERBS = st.lists(
    st.sampled_from(
        ["item", "item", "item", "message", "frame", "piece", "put back", "give back", "fill"]
    ),
    min_size=1,
    max_size=12,
)


def wire(opcode: int, payload: bytes = b"", fin: bool = True) -> bytes:
    return encode_frame(opcode, payload, None, fin)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[Outcome]]:
    """Mostly messages of one frame, so that there is something to parse ahead."""
    stream, said = b"", list[Outcome]()
    for opcode, payload in draw(st.lists(MESSAGES, max_size=9)):
        cuts = sorted(draw(st.just([]) | st.lists(st.integers(0, len(payload)), max_size=5)))
        edges = [0, *cuts, len(payload)]
        last = len(edges) - 2
        for at in range(last + 1):
            piece = payload[edges[at] : edges[at + 1]]
            stream += wire(CONT if at else opcode, piece, at == last)
        said.append((opcode, payload))
    return stream, said


class Reader:
    """A receiver between bytes that come in cuts, and verbs that take turns."""

    def __init__(self, stream: bytes, cuts: list[int], **options: Any):
        edges = [0, *sorted({min(cut, len(stream)) for cut in cuts}), len(stream)]
        self.pieces = [stream[edges[at] : edges[at + 1]] for at in range(len(edges) - 1)]
        self.receiver = Receiver(**options)
        self.receiver.decoder.gives_back = True
        self.said: list[Outcome] = []
        self.begun: bytearray | None = None  # of a message that comes in parts
        self.kind = 0

    def pull(self, verb: str) -> Frame | None:
        item = getattr(self.receiver, "next_" + verb)()
        return frame_of(item) if isinstance(item, (str, bytes)) else item

    def fill(self) -> bool:
        """As `Reading` does: into the room of a large frame, or behind what was given back."""
        if not self.pieces:
            return False
        data = self.pieces.pop(0)
        decoder = self.receiver.decoder
        room = decoder.room() if decoder.opened is not None else None
        if room is not None:
            with room:
                count = min(len(room), len(data))
                room[:count] = data[:count]
            decoder.took(count)
            data = data[count:]
        elif decoder.position:
            data = self.receiver.decoder.give_back() + data
        self.receiver.feed(data)
        return True

    def take(self, frame: Frame) -> None:
        """Put together what comes in parts."""
        if frame.opcode == CONT:
            assert self.begun is not None
            self.begun += frame.data
        else:
            assert self.begun is None
            self.kind, self.begun = frame.opcode, bytearray(frame.data)
        if frame.fin:
            self.said.append((self.kind, bytes(self.begun)))
            self.begun = None

    def run(self, verbs: list[str]) -> None:
        """Until there is nothing left; the verbs again and again."""
        idle = 0
        while idle <= len(verbs):
            for verb in verbs:
                if verb == "fill":
                    self.fill()
                elif verb == "give back":
                    self.receiver.feed(self.receiver.give_back())
                elif verb == "put back":
                    frame = None if self.begun is not None else self.pull("item")
                    if frame is not None and frame.opcode < CLOSE:
                        self.receiver.put_back(frame)
                elif self.begun is None or verb in ("frame", "piece"):
                    frame = self.pull(verb)
                    if frame is not None:
                        idle = 0
                        self.take(frame)
                    elif not self.fill():
                        idle += 1
                else:
                    continue
            if self.begun is not None and not {"frame", "piece"} & set(verbs):
                verbs = [*verbs, "frame"]
            if not {"item", "message", "frame", "piece"} & set(verbs):
                verbs = [*verbs, "item"]


@settings(max_examples=300, deadline=None)
@given(streams(), st.lists(st.integers(0, 90_000) | st.integers(0, 300), max_size=12), VERBS)
def test_any_mix_of_verbs_gives_every_message_once_and_in_order(
    stream: tuple[bytes, list[Outcome]], cuts: list[int], verbs: list[str]
) -> None:
    data, expected = stream
    reader = Reader(data, cuts, max_size=100_000)
    reader.run(verbs)
    assert reader.said == expected
    assert not reader.receiver.ready
    assert reader.receiver.at_border


LIMIT = 100


def ahead(*frames: bytes, **options: Any) -> Receiver:
    receiver = Receiver(max_size=LIMIT, **options)
    receiver.feed(b"".join(frames))
    return receiver


FINE = [wire(TEXT, b"one"), wire(BINARY, b"two"), wire(TEXT, b"three")]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (wire(BINARY, bytes(LIMIT + 1)), WebSocketPayloadException),
        (wire(BINARY, bytes(LIMIT + 1))[:2], WebSocketPayloadException),
        (wire(TEXT, b"\xff"), WebSocketPayloadException),
        (wire(TEXT, b"\xed\xa0\x80"), WebSocketPayloadException),
        (wire(TEXT, b"\xc3", False) + wire(CONT, b"x"), WebSocketPayloadException),
        (
            wire(TEXT, b"x" * LIMIT, False) + wire(CONT, b"", False) + wire(CONT, b"x"),
            WebSocketPayloadException,
        ),
        (wire(CONT, b"of nothing"), WebSocketProtocolException),
        (wire(3, b"what"), WebSocketProtocolException),
        (wire(PING, b"", False), WebSocketProtocolException),
        (encode_frame(TEXT, b"", b"abcd"), WebSocketProtocolException),
        (encode_frame(TEXT, b"", None, True, 4), WebSocketProtocolException),
        (b"\x82\x7e\x00\x7d" + bytes(125), WebSocketProtocolException),
    ],
)
def test_an_error_comes_in_its_turn(bad: bytes, error: type[WebSocketException]) -> None:
    """What came before it is delivered first, then it is raised, whatever is behind it."""
    receiver = ahead(*FINE, bad, *FINE)
    assert [receiver.next_item() for _ in range(3)] == ["one", b"two", "three"]
    with pytest.raises(error):
        receiver.next_item()
    assert not receiver.ready


def test_max_size_exactly_is_allowed_on_every_path() -> None:
    whole = bytes(LIMIT)
    fragments = [wire(BINARY, b"x" * 40, False), wire(CONT, b"x" * 60, False), wire(CONT)]
    receiver = ahead(wire(BINARY, whole), wire(TEXT, whole), *fragments, wire(BINARY, whole))
    assert receiver.next_item() == whole
    assert receiver.next_item() == whole.decode()
    joined = receiver.next_item()
    assert isinstance(joined, Frame)
    assert joined.data == b"x" * LIMIT
    assert receiver.next_item() == whole


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("beyond", [0, 1])
def test_max_size_of_a_frame_that_is_received_in_its_place(opcode: int, beyond: int) -> None:
    size = 50_000
    receiver = Receiver(max_size=size)
    stream = wire(opcode, b"x" * (size + beyond))
    receiver.feed(stream[:10])
    if beyond:
        with pytest.raises(WebSocketPayloadException):
            receiver.next_item()
        return
    assert receiver.next_item() is None
    with receiver.decoder.room() as room:  # type: ignore[union-attr]
        room[: len(stream) - 10] = stream[10:]
    receiver.decoder.took(len(stream) - 10)
    item = receiver.next_item()
    data = item.data if isinstance(item, Frame) else item
    assert data == ("x" * size if opcode == TEXT else b"x" * size)


def test_a_wrong_character_in_a_frame_that_is_received_in_its_place_is_found_at_once() -> None:
    receiver = Receiver()
    stream = wire(TEXT, "é".encode() * 30_000)
    receiver.feed(stream[:10])
    assert receiver.next_item() is None
    with receiver.decoder.room() as room:  # type: ignore[union-attr]
        room[:3] = b"\xa9\xc3\xc3"
    receiver.decoder.took(3)
    with pytest.raises(WebSocketPayloadException):
        receiver.next_item()


@pytest.mark.parametrize("beginning", [b"plain", "é".encode()])
@pytest.mark.parametrize("wrong", [b"", b"\xff"])
def test_without_the_look_at_utf_8_bytes_come_as_they_are(beginning: bytes, wrong: bytes) -> None:
    """Parsed ahead, and received in their place."""
    for size in 1, 50_000:
        data = beginning * size + wrong
        stream = wire(TEXT, data)
        receiver = Receiver(check_utf8=False)
        receiver.feed(wire(TEXT, b"before") + stream[:12])
        assert receiver.next_item() == "before"
        receiver.feed(stream[12:] + wire(TEXT, b"behind"))
        item = receiver.next_item()
        if item is None:
            item = receiver.next_item()
        assert item is not None
        assert (frame_of(item) if isinstance(item, (str, bytes)) else item).data == data
        assert receiver.next_item() == "behind"


def test_a_ping_among_messages_comes_in_its_turn() -> None:
    receiver = ahead(FINE[0], FINE[1], wire(PING, b"?"), FINE[2], wire(TEXT, b"four"))
    assert [receiver.next_item() for _ in range(2)] == ["one", b"two"]
    ping = receiver.next_item()
    assert isinstance(ping, Frame)
    assert (ping.opcode, ping.data) == (PING, b"?")
    assert [receiver.next_item() for _ in range(3)] == ["three", "four", None]


def test_a_close_frame_among_messages_is_the_last() -> None:
    receiver = ahead(*FINE, wire(CLOSE, b"\x03\xe8bye"), *FINE)
    for _ in range(3):
        assert receiver.peer_close is None  # or `recv` would refuse what came before it
        receiver.next_item()
    close = receiver.next_item()
    assert isinstance(close, Frame)
    assert close.opcode == CLOSE
    assert receiver.next_item() is None
    receiver.feed(b"".join(FINE))
    assert receiver.next_item() is None


def test_what_was_put_back_twice_comes_back_twice() -> None:
    """Two threads have each taken a message of the wrong kind: neither is lost."""
    receiver = ahead(*FINE)
    one, two = receiver.next_message(), receiver.next_message()
    assert one is not None
    assert two is not None
    receiver.put_back(two)
    receiver.put_back(one)
    assert receiver.next_message() == one
    assert receiver.next_item() == two
    assert receiver.next_item() == "three"


@pytest.mark.parametrize("verb", ["next_message", "next_frame", "next_piece", "next_item"])
def test_another_thread_has_taken_the_last_at_the_last_moment(verb: str) -> None:
    """`ready` said that there was one."""
    receiver = ahead(*FINE)
    assert receiver.next_item() == "one"

    class Stolen(type(receiver.ready)):  # type: ignore[misc]
        def __bool__(self) -> bool:
            found = len(self) > 0
            self.clear()
            return found

    stolen = Stolen()
    stolen.append("for the other thread")
    receiver.ready = stolen
    receiver.feed(wire(TEXT, b"behind"))
    found = getattr(receiver, verb)()
    assert (found if isinstance(found, str) else found.data.decode()) == "behind"


def test_what_was_discarded_stays_so() -> None:
    receiver = ahead(*FINE)
    assert receiver.next_item() == "one"
    receiver.discard_ready()
    assert receiver.ready.late
    assert receiver.next_item() is None
