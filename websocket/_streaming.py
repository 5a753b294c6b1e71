"""Messages in pieces: `recv_streaming` as they arrive, `send` of an iterable as fragments."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ._connection import Connection
from ._exceptions import WebSocketException
from ._wire.frames import BINARY, CLOSE, CONT, TEXT

__all__ = ["pieces", "send_fragments"]

_INTERNAL_ERROR = 1011


def pieces(connection: Connection) -> Iterator[str | bytes]:
    """The next message as its bytes arrive; text is cut at code points.

    Ends without a piece when the peer's close frame comes instead of a message. Leaving early
    leaves the rest of the message to be discarded by whoever reads next.
    """
    receiver = connection.receiver
    frame = connection.receive(receiver.next_piece)
    decode = _decoder(frame.opcode, receiver.check_utf8)
    while frame.opcode != CLOSE:
        piece = decode(frame.data, frame.fin)
        if piece:
            yield piece
        if frame.fin:
            return
        if not receiver.unfinished:
            raise RuntimeError("the rest of this message was discarded: another read came between")
        frame = connection.receive(receiver.next_piece)


def _decoder(opcode: int, strict: bool) -> Callable[[bytes, bool], str | bytes]:
    if opcode != TEXT:
        return lambda data, final: data
    decoder = codecs.getincrementaldecoder("utf-8")("strict" if strict else "replace")
    return decoder.decode


def send_fragments(
    connection: Connection, items: Iterable[Any], opcode: int | None, compress: bool = True
) -> int:
    """One message, a fragment an item; returns the bytes on the wire.

    The kind of the first item decides unless `opcode` is given. A wrong first item raises TypeError
    before anything is sent; when a later one is wrong, or the iterable raises, half a message is on
    its way: the connection fails with 1011 and the exception goes on.
    """
    if isinstance(items, Mapping):
        raise TypeError("payload is a mapping, expected str, bytes-like, or an iterable of these")
    iterator = iter(items)
    first = next(iterator, b"")
    kind = TEXT if isinstance(first, str) else BINARY
    chunk = _octets(first, kind)
    opcode = kind if opcode is None else opcode
    connection.begin_message()
    try:
        return _send_all(connection, iterator, chunk, kind, opcode, compress)
    finally:
        connection.end_message()


def _send_all(
    connection: Connection,
    iterator: Iterator[Any],
    chunk: Any,
    kind: int,
    opcode: int,
    compress: bool,
) -> int:
    sent = 0
    try:
        # One item is held back: only the last fragment is final, and which one that is shows late.
        for item in iterator:
            following = _octets(item, kind)
            sent += connection.send_fragment(opcode, chunk, False, compress)
            opcode, chunk = CONT, following
        return sent + connection.send_fragment(opcode, chunk, True, compress)
    except WebSocketException:
        raise
    except BaseException:
        if sent:
            connection.fail_sending(_INTERNAL_ERROR)
        raise


def _octets(item: Any, kind: int) -> bytes | bytearray | memoryview:
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
