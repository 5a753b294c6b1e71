"""`Sending`: what users may send, in each form in which they give it, and as which frame."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from ._abnf import ABNF
from ._connection import Connection
from ._exceptions import WebSocketConnectionClosedException, WebSocketProtocolException
from ._facts import Facts
from ._pings import Waiter
from ._protocol.sending import Payload
from ._streaming import send_fragments
from ._wire.frames import BINARY, CLOSE, PING, TEXT, encode_close, parse_close

__all__ = ["Sending"]


class _NotGiven(int):
    """The default of `opcode`: TEXT, but told from one that was given by its identity."""


_NOT_GIVEN = _NotGiven(TEXT)


class Sending(Facts):
    """The send verbs of `WebSocket`; any thread may call them, messages never mix.

    Each waits until the kernel has taken the whole frame; the link may be silent for as long as
    `settimeout` allows. They raise WebSocketConnectionClosedException (not connected, or lost) and
    WebSocketTimeoutException; when half a frame had gone by then, the connection is over.
    """

    def send(self, payload: Any, opcode: int = _NOT_GIVEN, compress: bool = True) -> int:
        """Send one message; returns the bytes on the wire.

        `payload` is str, bytes-like, a list or tuple of ints, or None for an empty one. Any other
        iterable of str, or of bytes-like, is one message in fragments: its items decide whether it
        is text or binary, unless `opcode` is given; other threads' data wait for its end. Raises
        TypeError and ValueError for what cannot be sent, before anything is. `compress=False` sends
        this message uncompressed.
        """
        if opcode is _NOT_GIVEN and isinstance(payload, str):  # what most do, with the fewest calls
            connection = self._connection
            if connection is not None and not connection.over:
                return connection.send(TEXT, payload, compress)
        data: Payload | str
        if isinstance(payload, str):
            text = opcode is _NOT_GIVEN or opcode == TEXT
            data = payload if text else payload.encode("latin-1")
        elif isinstance(payload, (bytes, bytearray)):
            data = payload
        else:
            octets = _octets(payload)
            if octets is None:
                connection = self._open_connection()
                given = None if opcode is _NOT_GIVEN else opcode
                return send_fragments(connection, payload, given, compress)
            data = octets
        if opcode < 0 or opcode > BINARY:
            return self._send_control(opcode, data.encode() if isinstance(data, str) else data)
        return self._open_connection().send(opcode, data, compress)

    def _send_control(self, opcode: int, data: Payload) -> int:
        if opcode not in ABNF.OPCODES:
            raise ValueError(f"Invalid OPCODE {opcode}, expected one of {ABNF.OPCODES}")
        if len(data) > 125:  # RFC 6455 5.5
            raise ValueError(f"a control frame carries at most 125 bytes, got {len(data)}")
        connection = self._open_connection()
        if opcode != CLOSE:
            return connection.send_control(opcode, data)
        try:
            said = parse_close(bytes(data))
        except WebSocketProtocolException as exc:
            raise ValueError(f"this close frame cannot be sent: {exc}") from exc
        return connection.send_close(said)

    def _open_connection(self) -> Connection:
        connection = self._connection
        if connection is None:
            raise WebSocketConnectionClosedException("Connection is already closed.")
        if connection.over:
            raise connection.closed_error()
        return connection

    def send_text(self, text_data: str) -> int:
        """Send a text message."""
        return self.send(text_data, TEXT)

    def send_bytes(self, data: Any) -> int:
        """Send a binary message."""
        return self.send(data, BINARY)

    def send_binary(self, payload: Any) -> int:
        """Send a binary message."""
        return self.send(payload, BINARY)

    def send_json(self, obj: Any, dumps: Callable[[Any], str] | None = None) -> int:
        """Send an object as text, through `dumps` (default: `json.dumps`)."""
        if dumps is None:
            import json

            dumps = json.dumps
        return self.send(dumps(obj), TEXT)

    def ping(self, payload: str | bytes | None = "") -> Waiter:
        """Send a ping; None draws a random payload.

        Returns a waiter: its `wait(timeout)` gives the round trip in seconds once some thread has
        read the pong. Raises RuntimeError while a waiter with this payload is still held.
        """
        data = os.urandom(4) if payload is None else _encoded(payload)
        connection = self._connection
        if connection is None:
            self.send(data, PING)
            return Waiter()
        waiter = connection.pings.sent(data)
        try:
            self.send(data, PING)
        except BaseException:
            connection.pings.forget(data)
            raise
        return waiter

    def pong(self, payload: str | bytes = "") -> None:
        """Send a pong that nobody asked for (RFC 6455 5.5.3)."""
        self.send(_encoded(payload), ABNF.OPCODE_PONG)

    def send_close(self, status: int = 1000, reason: str | bytes | None = b"") -> None:
        """Send a close frame and go on receiving; raises ValueError for what cannot travel."""
        body = encode_close(status, reason)
        self.send(body, CLOSE)


def _encoded(payload: str | bytes) -> bytes:
    return payload.encode() if isinstance(payload, str) else bytes(payload)


def _octets(payload: Any) -> Payload | None:
    """A payload that is one frame, as bytes; None for an iterable of fragments."""
    if payload is None:
        return b""
    try:
        view = memoryview(payload)
    except TypeError:
        pass
    else:
        return view.cast("B") if view.c_contiguous else view.tobytes()
    if isinstance(payload, (list, tuple)):
        items = cast("Sequence[Any]", payload)
        if all(isinstance(item, int) for item in items):
            return bytes(items)
    if isinstance(payload, Iterable):
        return None
    raise TypeError(
        f"payload is a {type(payload).__name__}, expected str, bytes-like, or an iterable of these"
    )
