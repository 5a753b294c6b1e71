"""Promise: any cut of any stream gives the same messages, frames, pieces and errors as the whole,
and nothing but documented exceptions comes out."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator

from hypothesis import given, settings, strategies as st

from websocket._exceptions import WebSocketPayloadException, WebSocketProtocolException
from websocket._protocol.receiving import Receiver
from websocket._wire.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT, Frame, encode_frame

Outcome = tuple[int, bytes]

CONTROL = st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=10))
TEXTS = (st.text(max_size=30) | st.integers(60, 300).map("é€".__mul__)).map(str.encode)
MESSAGES = st.tuples(st.just(TEXT), TEXTS) | st.tuples(
    st.just(BINARY), st.binary(max_size=60) | st.sampled_from([125, 126, 400, 3000]).map(bytes)
)
CUTS = st.lists(st.integers(0, 2000), max_size=20)


def wire(opcode: int, payload: bytes = b"", fin: bool = True, rsv: int = 0) -> bytes:
    return encode_frame(opcode, payload, None, fin, rsv)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[bytes, list[Outcome]]:
    """A valid stream of messages, some in fragments, with control frames at every place; and what
    it says."""
    stream, said = b"", list[Outcome]()
    for opcode, payload in draw(st.lists(MESSAGES, max_size=5)):
        cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=4)))
        edges = [0, *cuts, len(payload)]
        for at in range(len(edges) - 1):
            for control in draw(st.lists(CONTROL, max_size=1)):
                stream += wire(*control)
                said.append(control)
            last = at == len(edges) - 2
            piece = payload[edges[at] : edges[at + 1]]
            stream += wire(CONT if at else opcode, piece, last)
        said.append((opcode, payload))
    if draw(st.booleans()):
        stream += wire(CLOSE, b"\x03\xe8bye") + draw(st.binary(max_size=9))
        said.append((CLOSE, b"\x03\xe8bye"))
    return stream, said


def cut(stream: bytes, cuts: list[int]) -> Iterator[bytes]:
    start = 0
    for end in sorted({min(at, len(stream)) for at in cuts} | {len(stream)}):
        yield stream[start:end]
        start = end


def exact(receiver: Receiver, stream: bytes, pull: Callable[[], Frame | None]) -> list[Frame]:
    """Read as one does behind the hatch: only what is missing."""
    found: list[Frame] = []
    at = 0
    while True:
        frame = pull()
        if frame is not None:
            found.append(frame)
            continue
        if at >= len(stream) or receiver.peer_close is not None:
            return found
        receiver.feed(stream[at : at + receiver.missing])
        at += receiver.missing


def outcomes(frames: list[Frame]) -> list[Outcome]:
    return [(frame.opcode, frame.data) for frame in frames]


def run(pieces: Iterator[bytes], verb: str, **options: int) -> tuple[list[Outcome], int | None]:
    """What a verb gives for a stream in pieces, and the close code of the error that ended it."""
    receiver = Receiver(**options)  # type: ignore[arg-type]
    pull: Callable[[], Frame | None] = getattr(receiver, verb)
    found: list[Outcome] = []
    try:
        for piece in pieces:
            receiver.feed(piece)
            while (frame := pull()) is not None:
                found.append((frame.opcode, frame.data))
    except (WebSocketPayloadException, WebSocketProtocolException) as exc:
        return found, exc.close_code
    return found, None


@settings(deadline=None)
@given(conversations(), CUTS)
def test_messages_are_the_same_in_any_cut(
    said: tuple[bytes, list[Outcome]], cuts: list[int]
) -> None:
    stream, expected = said
    assert run(iter([stream]), "next_message") == (expected, None)
    assert run(cut(stream, cuts), "next_message") == (expected, None)
    receiver = Receiver()
    assert outcomes(exact(receiver, stream, receiver.next_message)) == expected


@settings(max_examples=40, deadline=None)
@given(conversations())
def test_messages_are_the_same_byte_by_byte(said: tuple[bytes, list[Outcome]]) -> None:
    stream, expected = said
    pieces = (stream[at : at + 1] for at in range(len(stream)))
    assert run(pieces, "next_message") == (expected, None)


@settings(deadline=None)
@given(conversations(), CUTS)
def test_frames_are_the_same_in_any_cut(said: tuple[bytes, list[Outcome]], cuts: list[int]) -> None:
    stream, expected = said
    whole = run(iter([stream]), "next_frame")
    assert run(cut(stream, cuts), "next_frame") == whole
    receiver = Receiver()
    assert outcomes(exact(receiver, stream, receiver.next_frame)) == whole[0]
    assert put_together(whole[0]) == expected


def put_together(frames: list[Outcome]) -> list[Outcome]:
    """Messages of frames: data frames that are CONT belong to the one before."""
    said: list[Outcome] = []
    controls: list[Outcome] = []
    for opcode, data in frames:
        if opcode >= CLOSE:
            controls.append((opcode, data))
        elif opcode == CONT:
            last = max(at for at, (op, _) in enumerate(said) if op < CLOSE)
            said[last] = (said[last][0], said[last][1] + data)
            # A control frame that came between two fragments came before the whole message.
            said[last:last] = controls
            controls = []
        else:
            said += [*controls, (opcode, data)]
            controls = []
    return said + controls


@settings(deadline=None)
@given(conversations(), CUTS)
def test_pieces_add_up_to_the_messages(said: tuple[bytes, list[Outcome]], cuts: list[int]) -> None:
    """Each text piece is UTF-8 so far, and `unfinished` is true exactly inside of a message."""
    stream, expected = said
    receiver = Receiver()
    found: list[Outcome] = []
    decoder = codecs.getincrementaldecoder("utf-8")()
    kind = None
    for piece in cut(stream, cuts):
        receiver.feed(piece)
        while (frame := receiver.next_piece()) is not None:
            found.append((frame.opcode, frame.data))
            if frame.opcode < CLOSE:
                assert (frame.opcode == CONT) is (kind is not None)
                kind = kind or frame.opcode
                if kind == TEXT:
                    decoder.decode(frame.data, frame.fin)
                kind = None if frame.fin else kind
            assert receiver.unfinished is (kind is not None)
    assert put_together(found) == expected


@settings(deadline=None)
@given(conversations(), CUTS, st.lists(st.booleans(), min_size=1, max_size=12))
def test_bytes_given_back_at_any_moment_change_nothing(
    said: tuple[bytes, list[Outcome]], cuts: list[int], moments: list[bool]
) -> None:
    stream, expected = said
    receiver = Receiver()
    found: list[Frame] = []
    turn = 0
    for piece in cut(stream, cuts):
        receiver.feed(piece)
        while True:
            turn += 1
            if moments[turn % len(moments)]:
                receiver.feed(receiver.give_back())
            frame = receiver.next_message()
            if frame is None:
                break
            found.append(frame)
    assert outcomes(found) == expected


DAMAGED = st.one_of(
    st.binary(max_size=80),
    st.tuples(conversations(), st.integers(0, 4000), st.binary(min_size=1, max_size=3)).map(
        lambda it: it[0][0][: it[1]] + it[2] + it[0][0][it[1] + len(it[2]) :]
    ),
)


@settings(max_examples=300, deadline=None)
@given(
    DAMAGED, CUTS, st.sampled_from(["next_message", "next_frame"]), st.sampled_from([0, 7, 10**6])
)
def test_damaged_streams_fail_alike_in_any_cut(
    stream: bytes, cuts: list[int], verb: str, max_size: int
) -> None:
    """Only documented exceptions; in another cut the same frames come before the same code.

    Where bytes at the end are in doubt, an error may show in one cut and not yet in the other;
    a frame that is whole but bad is never delivered.
    """
    whole = run(iter([stream]), verb, max_size=max_size)
    pieces = run(cut(stream, cuts), verb, max_size=max_size)
    bytewise = run((stream[at : at + 1] for at in range(len(stream))), verb, max_size=max_size)
    assert pieces[0] == whole[0] == bytewise[0]
    assert (pieces[1] is None) == (whole[1] is None) == (bytewise[1] is None)


@settings(max_examples=200, deadline=None)
@given(DAMAGED, st.lists(st.integers(0, 2), min_size=1, max_size=10))
def test_damaged_streams_raise_only_what_is_documented(stream: bytes, verbs: list[int]) -> None:
    """With all three verbs in turn, and messages put back."""
    receiver = Receiver()
    pulls = (receiver.next_message, receiver.next_frame, receiver.next_piece)
    receiver.feed(stream)
    try:
        for turn in range(3 * len(stream) + 3):
            frame = pulls[verbs[turn % len(verbs)]]()
            if frame is not None and frame.fin and frame.opcode in (TEXT, BINARY) and turn % 3 == 0:
                receiver.put_back(frame)
    except (WebSocketPayloadException, WebSocketProtocolException) as exc:
        assert exc.close_code in (1002, 1007, 1009)
