"""`ClientProtocol`: opening, receiving and sending behind one sans-I/O face.

It knows no socket: bytes go in with `receive_data`, come out of `data_to_send`, and what happened
in between is in `events_received`. The names are those that users of sans-I/O WebSocket libraries
know; one thread at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from .._exceptions import (
    InvalidState,
    WebSocketBadStatusException,
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketProtocolException,
)
from .._wire.frames import ABNORMAL, BINARY, CLOSE, CONT, NO_STATUS, PING, PONG, TEXT, Frame
from .._wire.http1 import HeadReader, Request, Response, encode_request
from .._wire.urls import WebSocketURI, parse_uri
from .handshake import Extending, Opening
from .receiving import Receiver
from .sending import Payload, Sender

if TYPE_CHECKING:
    import logging
    from uuid import UUID

__all__ = ["SEND_EOF", "ClientProtocol", "State"]

SEND_EOF = b""
"""In the list of `data_to_send`: half-close the stream now."""


class State(IntEnum):
    """Where a connection is in its life (RFC 6455 4.1, 7.1)."""

    CONNECTING, OPEN, CLOSING, CLOSED = range(4)


class ClientProtocol:
    """A WebSocket connection in the client's role, without I/O.

    `wsuri` is a URL or what `parse_uri` made of it. `max_size` bounds a message in bytes, None for
    no bound. A `state` of OPEN skips the opening handshake.
    """

    def __init__(
        self,
        wsuri: str | WebSocketURI,
        origin: str | None = None,
        extensions: Iterable[Extending] | None = None,
        subprotocols: Iterable[str] | None = None,
        state: State = State.CONNECTING,
        max_size: int | None = 2**20,
        logger: logging.Logger | logging.LoggerAdapter[Any] | None = None,
    ):
        uri = parse_uri(wsuri) if isinstance(wsuri, str) else wsuri
        offers = list(extensions or ())
        if len(offers) > 1:
            raise ValueError(f"{len(offers)} extensions were given, expected at most one")
        self._opening = Opening(
            uri,
            origin=origin,
            suppress_origin=origin is None,
            subprotocols=subprotocols,
            require_subprotocol=False,
            authorization=uri.basic_authorization,
            extension=offers[0] if offers else None,
        )
        self._state = State(state)
        self._head: HeadReader[Response] | None = HeadReader()
        self._interim = 0
        self._receiver = Receiver(max_size=max_size)
        self._sender = Sender()
        self._fragmenting = False
        self._discarding = False  # nothing that comes now matters any more
        self._eof = False
        self._events: list[Frame | Response] = []
        self._output: list[bytes] = []
        self._logger = logger
        self._id: UUID | None = None
        self.subprotocol: str | None = None
        self.handshake_exc: Exception | None = None

    # --- what it is ------------------------------------------------------------------------------

    @property
    def id(self) -> UUID:
        """A number of this connection's own, for logs."""
        if self._id is None:
            import uuid

            self._id = uuid.uuid4()
        return self._id

    @property
    def logger(self) -> logging.Logger | logging.LoggerAdapter[Any]:
        """The logger that was given, or the library's."""
        if self._logger is None:
            from .._logging import get_logger

            self._logger = get_logger()
        return self._logger

    @property
    def state(self) -> State:
        """CONNECTING, OPEN, CLOSING or CLOSED."""
        return self._state

    @property
    def close_code(self) -> int | None:
        """The peer's close code once CLOSED (1005 it said none, 1006 no close frame), else None."""
        if self._state is not State.CLOSED:
            return None
        received = self._receiver.peer_close
        return ABNORMAL if received is None else received.code

    @property
    def close_reason(self) -> str | None:
        """The peer's reason once CLOSED, else None."""
        if self._state is not State.CLOSED:
            return None
        received = self._receiver.peer_close
        return "" if received is None else received.reason

    @property
    def close_exc(self) -> WebSocketConnectionClosedException:
        """The end of the connection as an exception; raises AssertionError before CLOSED."""
        assert self._state is State.CLOSED, "connection isn't closed yet"
        received = self._receiver.peer_close
        if received is None:
            return WebSocketConnectionClosedException(
                "Connection to remote host was lost.", status_code=ABNORMAL, reason=""
            )
        return WebSocketConnectionClosedException(
            f"Connection closed (code {received.code}): {received.reason}",
            status_code=received.code,
            reason=received.reason,
        )

    # --- opening ---------------------------------------------------------------------------------

    def connect(self) -> Request:
        """The opening request; its `path` and `headers` may be changed before it is sent."""
        return self._opening.request()

    def send_request(self, request: Request) -> None:
        """Put the opening request into `data_to_send`; raises ValueError for injected lines."""
        key = request.headers.get("Sec-WebSocket-Key")
        if key:
            self._opening.key = key
        self._output.append(encode_request(request))

    def _receive_head(self, data: bytes) -> bytes | None:
        """Read response heads; returns the bytes behind a 101, or None."""
        while data and self._head is not None:
            taken = self._head.feed(data)
            if taken is None:
                return None
            response = self._head.head()
            data = data[taken:]
            if 100 <= response.status < 200 and response.status != 101:
                self._interim += 1  # RFC 9110 15.2: interim responses are skipped
                if self._interim > 16:
                    raise WebSocketException("more than 16 interim responses before the answer")
                self._head = HeadReader()
                continue
            self._head = None
            self._events.append(response)
            self._take_response(response)
            return data
        return None

    def _take_response(self, response: Response) -> None:
        if response.status != 101:
            raise WebSocketBadStatusException(
                f"Handshake status {response.status} {response.reason}",
                response.status,
                response.reason,
                response.headers,
            )
        agreement = self._opening.accept(response)
        self.subprotocol = agreement.subprotocol
        self._receiver.use(agreement.inflater)
        self._sender.use(agreement.deflater)
        self._state = State.OPEN

    # --- receiving -------------------------------------------------------------------------------

    def receive_data(self, data: bytes) -> None:
        """Take what the server sent; raises EOFError behind `receive_eof`."""
        if self._eof:
            raise EOFError("stream ended")
        rest: bytes | None = bytes(data)
        if self._discarding:
            return
        if self._state is State.CONNECTING:
            try:
                rest = self._receive_head(data)
            except WebSocketException as exc:
                self._fail_opening(exc)
                return
        if rest:
            self._receive_frames(rest)

    def receive_eof(self) -> None:
        """Take the end of the server's stream; raises EOFError when it had ended before."""
        if self._eof:
            raise EOFError("stream ended")
        self._eof = True
        if self._state is State.CONNECTING and self.handshake_exc is None:
            self.handshake_exc = WebSocketException(
                "the connection was closed before the opening handshake had ended"
            )
        if self._state is not State.CLOSED:
            self._output.append(SEND_EOF)
        self._state = State.CLOSED

    def _fail_opening(self, exc: Exception) -> None:
        self.handshake_exc = exc
        self._discarding = True

    def _receive_frames(self, data: bytes) -> None:
        self._receiver.feed(data)
        try:
            while not self._discarding:
                frame = self._receiver.next_frame()
                if frame is None:
                    return
                self._take_frame(frame)
        except WebSocketException as exc:
            self.fail(exc.close_code or 1002, str(exc)[:100])

    def _take_frame(self, frame: Frame) -> None:
        self._events.append(frame)
        if frame.opcode == PING:
            if self._sender.our_close is None:
                self._output.append(self._sender.pong(frame.data))
        elif frame.opcode == CLOSE:
            self._discarding = True
            received = self._receiver.peer_close
            assert received is not None
            if self._sender.our_close is None:  # RFC 6455 5.5.1: echo the code
                self._output.append(self._sender.close(received.code, received.reason))
            self._state = State.CLOSING

    # --- sending ---------------------------------------------------------------------------------

    def send_continuation(self, data: Payload, fin: bool) -> None:
        """A further fragment; raises WebSocketProtocolException when no message is open."""
        self._check_open()
        if not self._fragmenting:
            raise WebSocketProtocolException("unexpected continuation frame")
        self._send_data(CONT, data, fin)

    def send_text(self, data: Payload, fin: bool = True) -> None:
        """A text message in UTF-8, or its first fragment; raises WebSocketProtocolException while
        another message is open."""
        self._send_first(TEXT, data, fin)

    def send_binary(self, data: Payload, fin: bool = True) -> None:
        """A binary message, or its first fragment; raises as `send_text` does."""
        self._send_first(BINARY, data, fin)

    def _send_first(self, opcode: int, data: Payload, fin: bool) -> None:
        self._check_open()
        if self._fragmenting:
            raise WebSocketProtocolException("expected a continuation frame")
        self._send_data(opcode, data, fin)

    def _send_data(self, opcode: int, data: Payload, fin: bool) -> None:
        self._output.append(self._sender.message(opcode, data, fin))
        self._fragmenting = not fin

    def send_close(self, code: int | None = None, reason: str = "") -> None:
        """Begin the closing handshake; raises WebSocketProtocolException for a code or a reason
        that cannot travel."""
        self._check_open()
        if code is None and reason:
            raise WebSocketProtocolException("cannot send a reason without a code")
        self._close(code, reason)

    def _close(self, code: int | None, reason: str) -> None:
        try:
            self._output.append(self._sender.close(code, reason))
        except ValueError as exc:
            raise WebSocketProtocolException(str(exc)) from exc
        self._state = State.CLOSING

    def send_ping(self, data: Payload) -> None:
        """A ping; allowed while closing, too (RFC 6455 5.5.1 forbids only data)."""
        self._send_control(PING, data)

    def send_pong(self, data: Payload) -> None:
        """A pong that answers nothing: a heartbeat in one direction (RFC 6455 5.5.3)."""
        self._send_control(PONG, data)

    def _send_control(self, opcode: int, data: Payload) -> None:
        if self._state not in (State.OPEN, State.CLOSING):
            raise InvalidState(f"connection is {self._state.name.lower()}")
        if len(data) > 125:
            raise WebSocketProtocolException(
                f"a control frame carries at most 125 bytes, got {len(data)}"
            )
        make = self._sender.ping if opcode == PING else self._sender.pong
        self._output.append(make(data))

    def fail(self, code: int, reason: str = "") -> None:
        """Fail the connection (RFC 6455 7.1.7): say why if that is still possible, then read
        nothing more. 1006 says nothing."""
        if self._state is State.OPEN and code != ABNORMAL:
            self._close(None if code == NO_STATUS else code, reason)
        elif self._state is State.OPEN:
            self._sender.abandon()
            self._state = State.CLOSING
        self._discarding = True

    # --- what the owner of the socket asks --------------------------------------------------------

    def events_received(self) -> list[Frame | Response]:
        """What has come since the last call: one Response, then frames."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> list[bytes]:
        """What to write to the stream now, in this order; `SEND_EOF` is a half-close."""
        output, self._output = self._output, []
        return output

    def close_expected(self) -> bool:
        """Whether the server should close TCP soon: start a short timeout, then close anyway."""
        if self._state is State.CONNECTING:
            return self.handshake_exc is not None
        return self._state is State.CLOSING and self._discarding

    def _check_open(self) -> None:
        if self._state is not State.OPEN:
            raise InvalidState(f"connection is {self._state.name.lower()}")
