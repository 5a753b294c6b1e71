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
from .._logging import get_logger
from .._wire.frames import ABNORMAL, BINARY, CLOSE, CONT, NO_STATUS, PING, TEXT, Close, Frame
from .._wire.http1 import BodyReader, HeadReader, Request, Response, encode_request
from .._wire.urls import WebSocketURI, parse_uri
from .handshake import Extending, Opening
from .receiving import Receiver
from .sending import Payload, Sender

if TYPE_CHECKING:
    import logging
    from uuid import UUID

__all__ = ["SEND_EOF", "ClientProtocol", "State"]

_MAX_INTERIM, _MAX_BODY = 16, 65536

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
        self._head: HeadReader = HeadReader()
        self._interim = 0
        self._refusal: tuple[Response, BodyReader] | None = None
        self._receiver = Receiver(max_size=max_size)
        self._sender = Sender()
        self._fragmenting = False
        self._discarding = False  # nothing that comes now matters any more
        self._eof = False  # of theirs
        self._eof_sent = False
        self._failure: Exception | None = None  # why we failed the open connection
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
            self._logger = get_logger()
        return self._logger

    @property
    def state(self) -> State:
        """CONNECTING, OPEN, CLOSING or CLOSED."""
        return self._state

    @property
    def close_code(self) -> int | None:
        """The peer's close code once CLOSED (1005 it said none, 1006 no close frame), else None."""
        return self._said.code if self._state is State.CLOSED else None

    @property
    def close_reason(self) -> str | None:
        """The peer's reason once CLOSED, else None."""
        return self._said.reason if self._state is State.CLOSED else None

    @property
    def _said(self) -> Close:
        return self._receiver.peer_close or Close(ABNORMAL, "")

    @property
    def close_exc(self) -> WebSocketConnectionClosedException:
        """The end of the connection as an exception; raises AssertionError before CLOSED."""
        assert self._state is State.CLOSED, "connection isn't closed yet"
        code, reason = self._said
        text = f"Connection closed (code {code})" + (f": {reason}" if reason else "")
        exc = WebSocketConnectionClosedException(text, status_code=code, reason=reason)
        exc.__cause__ = self._failure or self.handshake_exc
        return exc

    # --- opening ---------------------------------------------------------------------------------

    def connect(self) -> Request:
        """The opening request; its `path` and `headers` may be changed before it is sent."""
        return self._opening.request()

    def send_request(self, request: Request) -> None:
        """Put the opening request into `data_to_send`; raises ValueError for injected lines."""
        if self._state is not State.CONNECTING or self._discarding:
            raise InvalidState("the opening handshake is over")
        encoded = encode_request(request)
        self._opening.key = request.headers.get("Sec-WebSocket-Key", self._opening.key)
        self._output.append(encoded)

    def _receive_response(self, data: bytes) -> bytes:
        """Read the answer to our request; returns the bytes behind a 101."""
        while self._refusal is None:
            taken = self._head.feed(data)
            if taken is None:
                return b""
            response = self._head.head()
            data = data[taken:]
            if response.status == 101:
                self._events.append(response)
                self._take_agreement(response)
                return data
            if response.status >= 200:
                self._refusal = (response, BodyReader(response, _MAX_BODY))
                break
            self._interim += 1  # RFC 9110 15.2: interim responses are skipped
            if self._interim > _MAX_INTERIM:
                raise WebSocketException(f"more than {_MAX_INTERIM} interim responses")
            self._head = HeadReader()
        response, body = self._refusal
        body.feed(data)
        if body.done:
            self._take_refusal(response, body)
        return b""

    def _take_refusal(self, response: Response, body: BodyReader) -> None:
        response.body = body.body
        self._events.append(response)
        status, reason = response.status, response.reason
        text = f"Handshake status {status} {reason}".rstrip()
        exc = WebSocketBadStatusException(
            text, status, reason or None, response.headers, response.body
        )
        exc.response = response
        self._fail_opening(exc)

    def _take_agreement(self, response: Response) -> None:
        agreement = self._opening.accept(response)
        self.subprotocol = agreement.subprotocol
        self._receiver.use(agreement.inflater)
        self._sender.use(agreement.deflater)
        self._state = State.OPEN

    # --- receiving -------------------------------------------------------------------------------

    def receive_data(self, data: Payload) -> None:
        """Take what the server sent; raises EOFError behind `receive_eof`, and nothing else."""
        if self._eof:
            raise EOFError("stream ended")
        rest = bytes(data)
        if self._state is State.CONNECTING and not self._discarding:
            try:
                rest = self._receive_response(rest)
            except WebSocketException as exc:
                self._fail_opening(exc)
        if rest and not self._discarding:
            self._receive_frames(rest)

    def receive_eof(self) -> None:
        """Take the end of the server's stream; raises EOFError when it had ended before."""
        if self._eof:
            raise EOFError("stream ended")
        self._eof = True
        if self._refusal is not None and self.handshake_exc is None:
            self._take_refusal(*self._refusal)  # a body without a length ends here
        elif self._state is State.CONNECTING and self.handshake_exc is None:
            text = "the connection was closed before the opening handshake had ended"
            self._fail_opening(WebSocketConnectionClosedException(text))
        self._send_eof()
        self._discarding = True
        self._state = State.CLOSED

    def _fail_opening(self, exc: Exception) -> None:
        self.handshake_exc = exc
        self._discarding = True
        self._send_eof()

    def _send_eof(self) -> None:
        if not self._eof_sent:
            self._eof_sent = True
            self._output.append(SEND_EOF)

    def _receive_frames(self, data: bytes) -> None:
        self._receiver.feed(data)
        try:
            while not self._discarding:
                frame = self._receiver.next_frame()
                if frame is None:
                    return
                self._take_frame(frame)
        except WebSocketException as exc:
            self._failure = exc
            self.fail(exc.close_code or 1002, str(exc).encode("ascii", "replace")[:123].decode())

    def _take_frame(self, frame: Frame) -> None:
        self._events.append(frame)
        if frame.opcode == PING:  # RFC 6455 5.5.2: until their close, so behind ours, too
            self._output.append(self._sender.pong(frame.data))
        elif frame.opcode == CLOSE:
            self._discarding = True
            if self._sender.our_close is None:  # RFC 6455 5.5.1: echo the code
                self._output.append(self._sender.close(*self._said))
            self._state = State.CLOSING

    # --- sending ---------------------------------------------------------------------------------

    def send_continuation(self, data: Payload, fin: bool) -> None:
        """A further fragment; raises WebSocketProtocolException while no message is open."""
        self._send_data(CONT, data, fin)

    def send_text(self, data: Payload, fin: bool = True) -> None:
        """A text message in UTF-8, or its first fragment; raises WebSocketProtocolException while
        another message is open, and InvalidState as all send verbs do."""
        self._send_data(TEXT, data, fin)

    def send_binary(self, data: Payload, fin: bool = True) -> None:
        """A binary message, or its first fragment; raises as `send_text` does."""
        self._send_data(BINARY, data, fin)

    def _send_data(self, opcode: int, data: Payload, fin: bool) -> None:
        self._check(State.OPEN)
        if (opcode == CONT) is not self._fragmenting:
            expected = "continuation" if self._fragmenting else "text or binary"
            raise WebSocketProtocolException(f"expected a {expected} frame")
        self._output.append(self._sender.message(opcode, data, fin))
        self._fragmenting = not fin

    def send_close(self, code: int | None = None, reason: str = "") -> None:
        """Begin the closing handshake; raises WebSocketProtocolException for a code or a reason
        that cannot travel."""
        self._check(State.OPEN)
        if code is None and reason:
            raise WebSocketProtocolException("cannot send a reason without a code")
        self._close(code, reason)

    def _close(self, code: int | None, reason: str) -> None:
        if code == NO_STATUS:  # RFC 6455 7.4.1: stands for no code, and never travels
            raise WebSocketProtocolException("code 1005 cannot be sent, None sends no code")
        try:
            self._output.append(self._sender.close(code, reason))
        except ValueError as exc:
            raise WebSocketProtocolException(str(exc)) from exc
        self._state = State.CLOSING

    def send_ping(self, data: Payload) -> None:
        """A ping; allowed while closing, too (RFC 6455 5.5.1 forbids only data)."""
        self._check_control(data)
        self._output.append(self._sender.ping(data))

    def send_pong(self, data: Payload) -> None:
        """A pong that answers nothing: a heartbeat in one direction (RFC 6455 5.5.3)."""
        self._check_control(data)
        self._output.append(self._sender.pong(data))

    def _check_control(self, data: Payload) -> None:
        self._check(State.OPEN, State.CLOSING)
        length = memoryview(data).nbytes
        if length > 125:
            raise WebSocketProtocolException(f"a control frame carries 125 bytes, got {length}")

    def fail(self, code: int, reason: str = "") -> None:
        """Fail the connection (RFC 6455 7.1.7): say why if that is still possible, then read
        nothing more. 1006 says nothing. Raises WebSocketProtocolException, and does nothing, for
        another code, or a reason, that cannot travel."""
        if self._state is State.CONNECTING and self.handshake_exc is None:
            self._fail_opening(WebSocketException(reason or f"failed with code {code}"))
        elif self._state is State.OPEN and code != ABNORMAL:
            self._close(code, reason)
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
        return self._state is State.CLOSING or (
            self._state is State.CONNECTING and self.handshake_exc is not None
        )

    def _check(self, *allowed: State) -> None:
        if self._state not in allowed:
            raise InvalidState(f"connection is {self._state.name.lower()}")
