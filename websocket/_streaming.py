"""Messages in pieces: `recv_streaming` as they arrive, `send` of an iterable as fragments."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ._connection import Connection
from ._wire.frames import BINARY, CLOSE, CONT, TEXT, Frame

__all__ = ["Pieces", "send_fragments"]

_INTERNAL_ERROR = 1011

Chunk = bytes | bytearray | memoryview


class Pieces(Iterator[str | bytes]):
    """The next message as its bytes arrive; text is cut at code points.

    Ends without a piece when the peer's close frame comes instead of a message. Leaving early
    leaves the rest of the message to be discarded by whoever reads next. Not a generator: one that
    has raised is at its end, while here a timeout loses nothing, and the next step goes on.
    """

    def __init__(self, connection: Connection):
        self._connection = connection
        self._token = object()  # shows whether the message under way is still ours
        self._decode: Callable[[bytes, bool], str | bytes] | None = None  # None: not begun
        self._done = False

    def __next__(self) -> str | bytes:
        while not self._done:
            frame = self._connection.receive(self._pull)
            if frame.opcode == CLOSE:
                self._done = True
                if self._decode is not None:
                    raise self._connection.closed_error()  # never an end that is none
                break
            if self._decode is None:
                self._connection.in_pieces = self._token
                self._decode = _decoder(frame.opcode, self._connection.receiver.check_utf8)
            self._done = frame.fin
            piece = self._decode(frame.data, frame.fin)
            if piece:
                return piece
        raise StopIteration

    def _pull(self) -> Frame | None:
        receiver = self._connection.receiver
        if self._decode is None:
            while receiver.unfinished:  # another message was left early
                frame = receiver.next_piece()
                if frame is None or frame.opcode >= CLOSE:
                    return frame
        elif not receiver.unfinished or self._connection.in_pieces is not self._token:
            raise RuntimeError("the rest of this message was discarded: another read came between")
        return receiver.next_piece()


def _decoder(opcode: int, strict: bool) -> Callable[[bytes, bool], str | bytes]:
    if opcode != TEXT:
        return lambda data, final: data
    decoder = codecs.getincrementaldecoder("utf-8")("strict" if strict else "replace")
    return decoder.decode


def send_fragments(
    connection: Connection, items: Iterable[Any], opcode: int | None, compress: bool = True
) -> int:
    """One message, a fragment an item, each sent as soon as it is there; returns the bytes on the
    wire.

    The kind of the first item decides unless `opcode` is given. Wrong items of a sequence, and a
    wrong first item of anything else, raise TypeError before anything is sent; when a later one is
    wrong, or the iterable raises, half a message is on its way: the connection fails with 1011 and
    the exception goes on.
    """
    if isinstance(items, Mapping):
        raise TypeError("payload is a mapping, expected str, bytes-like, or an iterable of these")
    known = list(items) if isinstance(items, Sequence) else None
    iterator = iter(items if known is None else known)
    first = next(iterator, None)
    kind = TEXT if isinstance(first, str) else BINARY
    if known is not None:
        fragments = _all_known([_octets(item, kind) for item in known])
    elif first is None:
        fragments = _all_known([b""])
    else:
        fragments = _as_they_come(_octets(first, kind), iterator, kind)
    connection.begin_message()
    try:
        return _send_all(connection, fragments, kind if opcode is None else opcode, compress)
    finally:
        connection.end_message()


def _all_known(chunks: list[Chunk]) -> Iterator[tuple[Chunk, bool]]:
    for position, chunk in enumerate(chunks, 1):
        yield chunk, position == len(chunks)


def _as_they_come(first: Chunk, others: Iterator[Any], kind: int) -> Iterator[tuple[Chunk, bool]]:
    """Which item is the last shows too late, so an empty fragment ends the message."""
    yield first, False
    for item in others:
        yield _octets(item, kind), False
    yield b"", True


def _send_all(
    connection: Connection, fragments: Iterator[tuple[Chunk, bool]], opcode: int, compress: bool
) -> int:
    sent = 0
    try:
        for chunk, final in fragments:
            sent += connection.send_fragment(opcode, chunk, final, compress)
            opcode = CONT
    except BaseException:
        if sent and connection.sender.our_close is None:
            connection.fail_sending(_INTERNAL_ERROR)
        raise
    return sent


def _octets(item: Any, kind: int) -> Chunk:
    if isinstance(item, str):
        if kind == TEXT:
            return item.encode()
    elif kind == BINARY:
        try:
            return memoryview(item).cast("B")
        except TypeError:
            pass
    expected = "str" if kind == TEXT else "bytes-like"
    raise TypeError(f"an item of the payload is a {type(item).__name__}, expected {expected}")
