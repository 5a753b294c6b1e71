"""`serve` and `Server`: a WebSocket server for tests, a thread for each connection's handler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from .._exceptions import WebSocketConnectionClosedException, WebSocketException
from .._logging import error
from .._protocol.deflate import Deflate, as_deflate
from .._protocol.sending import Payload
from .._wire.frames import BINARY, TEXT, encode_frame
from .._wire.http1 import Request, Response, encode_response
from ._connection import Connection
from ._line import Line
from ._listening import Listening
from ._opening import Rules, Subprotocols, answer, completed, refusal
from ._waiting import instant

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["Handler", "Server", "echo", "serve"]

Handler = Callable[[Connection], object]

_OPENING_TIMEOUT = 10.0  # seconds for a client to send its request
_BROADCAST_LIMIT = 1 << 20  # bytes that may wait for a slow client before broadcasts skip it
_GOING_AWAY, _INTERNAL_ERROR, _NORMAL = 1001, 1011, 1000


def echo(connection: Connection) -> None:
    """A handler that sends back what it gets."""
    for message in connection:
        connection.send(message)


def serve(
    handler: Handler = echo,
    *,
    ssl: SSLContext | None = None,
    subprotocols: Subprotocols | None = None,
    origins: Sequence[str | None] | None = None,
    on_request: Callable[[Request], Response | None] | None = None,
    unix_socket: str | None = None,
    compression: Literal["deflate"] | Deflate | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Server:
    """A WebSocket server for tests, listening when this returns; `with` closes it.

        with serve(handler) as server:
            ws = websocket.create_connection(server.url)

    `handler(connection)` runs in a thread of its own for each connection; when it returns the
    connection is closed with 1000, when it raises with 1011. `ssl` is a context with a
    certificate. `subprotocols` are those that the server knows, the client's order decides; or a
    function that is given the offered ones and returns one or None. `origins` are the values of
    Origin that are allowed, None among them allows a request without; others get a 403.
    `on_request(request)` runs first, also for requests that are no WebSocket handshakes: it returns
    None to go on, or a `Response`, which is sent instead, Content-Length and `Connection: close`
    filled in (with status 101 all goes on, and its headers are added to those of the 101).
    `unix_socket` is a path to listen on instead of `host` and `port` (0: any free one).

    `compression` is "deflate" or a `Deflate`, of which `server_...` bounds the server itself and
    `client_...` the clients; permessage-deflate is agreed on with those that offer it.

    Raises OSError when it cannot listen, ValueError and TypeError for a `compression` that is none.
    This is a test aid: it has no limits and no protection against a flood of clients.
    """
    rules = Rules(subprotocols, origins, on_request, as_deflate(compression))
    return Server(handler, rules, ssl, unix_socket, host, port)


class Server(Listening):
    """What `serve` returns. `url` and `port` say where it is; a path may be appended to `url`.

    `errors` are the exceptions that handlers and `on_request` have raised, in order; they are
    logged, too.
    """

    def __init__(
        self,
        handler: Handler,
        rules: Rules,
        context: SSLContext | None,
        unix_socket: str | None,
        host: str,
        port: int,
    ) -> None:
        self._handler = handler
        self._rules = rules
        self._open: dict[Line, Connection] = {}
        self._opened = 0
        self.errors: list[BaseException] = []
        super().__init__(context, unix_socket, host, port)

    @property
    def connections(self) -> list[Connection]:
        """The open connections; those that are being closed are not among them."""
        with self._lock:
            connections = list(self._open.values())
        return [connection for connection in connections if connection.open]

    def broadcast(self, message: str | Payload) -> int:
        """Send a message to every open connection; any thread, and it never waits.

        Returns how many it was sent to. Connections that are closing are skipped, and so are those
        for which more than 1 MiB of earlier messages is waiting because nobody reads them.
        """
        if isinstance(message, str):
            frame = encode_frame(TEXT, message.encode(), None)
        else:
            frame = encode_frame(BINARY, message, None)
        with self._lock:
            connections = list(self._open.items())
        count = 0
        for line, connection in connections:
            if connection.offer(frame, _BROADCAST_LIMIT):
                count += 1
                if line.needs_help():
                    self._help(line)
        return count

    def close(self, timeout: float = 5.0) -> None:
        """End the server: 503 for handshakes under way and for new ones, 1001 for open connections.

        Waits for the handlers, at most `timeout` seconds in all; clients that do not answer the
        close frame within one second are cut off, which wakes handlers that wait for them. Any
        thread, a handler's too; may be called again, and then waits for the first call.
        """
        super().close(timeout)

    # --- one connection ---------------------------------------------------------------------------

    def _converse(self, line: Line, number: int) -> None:
        try:
            response, opened = self._open_connection(line)
        except WebSocketConnectionClosedException:
            return
        except WebSocketException as exc:
            response, opened = refusal(400, str(exc)), None
        if opened is None:
            if response is not None:
                line.write(encode_response(response))
            line.finish(alarm=self._stopped)
            return
        try:
            self._handle(opened)
        finally:
            with self._lock:
                self._open.pop(line, None)

    def _open_connection(self, line: Line) -> tuple[Response | None, Connection | None]:
        """The connection, or the refusal to send (None: there is nobody to refuse)."""
        came = line.read_request(instant(_OPENING_TIMEOUT), self._closing)
        method = "GET"
        if came is not None:
            request, surplus = came
            method = request.method
            try:
                response, agreed = answer(request, self._rules)
                if response.status != 101:
                    return completed(response, method), None
                head = encode_response(response)
            except BaseException as exc:
                self._failed("on_request", exc)
                return completed(refusal(500, "on_request failed"), method), None
            connection = Connection(line, request, agreed, self._closing)
            connection.feed(surplus)
            with self._lock:
                # Under the lock, so that no close frame and no broadcast overtakes the 101.
                if not self._closing.rang:
                    connection.number = self._opened
                    self._opened += 1
                    line.write_soon(head)
                    self._open[line] = connection
                    return None, connection
        if not self._closing.rang:
            return None, None
        gone = refusal(503, "The server is closing")
        return completed(gone, method), None

    def _handle(self, connection: Connection) -> None:
        code = _NORMAL
        try:
            self._handler(connection)
        except WebSocketConnectionClosedException:
            pass  # the usual end of a handler that waits for its client
        except BaseException as exc:  # a test's failure need not be an Exception
            self._failed("The handler", exc)
            code = _INTERNAL_ERROR
        connection.close(code)

    def _failed(self, who: str, exc: BaseException) -> None:
        self.errors.append(exc)
        error(f"{who} of {self!r} failed: {exc!r}", exc)

    def _say_goodbye(self) -> None:
        with self._lock:
            self._closing.ring()
            connections = list(self._open.values())
        for connection in connections:
            connection.say_close(_GOING_AWAY)
