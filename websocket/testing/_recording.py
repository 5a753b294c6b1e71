"""`record`: a server between a client and the real server, which writes down what they say."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from websocket import (
    ABNF,
    WebSocket,
    WebSocketBadStatusException,
    WebSocketException,
    create_connection,
)

from .._exceptions import WebSocketConnectionClosedException
from .._records import Kind, Writer
from .._wire.frames import ABNORMAL, BINARY, CLOSE, NO_STATUS, PING, TEXT
from .._wire.http1 import Request, Response
from ._connection import Connection
from ._opening import Rules, refusal
from ._server import Server

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["Recorder", "record"]

_CONNECTING = 10.0  # seconds
_GOING_AWAY, _INTERNAL_ERROR = 1001, 1011
_FAREWELL = 2.0  # seconds for the real server's answer to a close frame

# Lines of a request that each of the two connections has of its own. Ours of Origin names the
# recorder, which the real server would refuse.
_OUR_OWN = ("connection", "content-length", "host", "origin", "transfer-encoding", "upgrade")


def record(
    path: str | os.PathLike[str], url: str, *, ssl: SSLContext | None = None, **options: Any
) -> Recorder:
    """A server that passes everything on to the server at `url`, and back, and writes it to a file
    that `replay` and `wsdump --replay` take; listening when this returns.

        with record("feed.jsonl", "wss://example.com/feed") as server:
            my_program(server.url)

    Behind `server.url` a path may stand, which is then put behind `url`. Subprotocols, cookies and
    other header lines of the client are passed on (not Origin), refusals and closes passed back;
    none of the headers is recorded. Pings of the real server reach the client, those of the client
    end here. `options` are those of `create_connection` for the connection to the real server;
    `ssl` is a context for a recorder that speaks TLS itself. Raises OSError when it cannot listen
    or write the file, and ValueError for what is no URL.
    """
    return Recorder(Writer(path, url), url, options, ssl)


class Recorder(Server):
    """What `record` returns: a `Server`; the recording is complete when it is closed. Leaving its
    block raises what went wrong first."""

    def __init__(
        self, writer: Writer, url: str, options: Mapping[str, Any], context: SSLContext | None
    ) -> None:
        self._writer = writer
        self._target = url
        self._options = {"timeout": _CONNECTING, **options}
        self._waiting: dict[int, tuple[Request, WebSocket]] = {}  # by the id of the request
        try:
            rules = Rules(on_request=self._dial)
            super().__init__(self._pass_on, rules, context, None, "127.0.0.1", 0)
        except BaseException:
            writer.close()
            raise

    def close(self, timeout: float = 5.0) -> None:
        """End the server as `Server.close` does, and the recording."""
        super().close(timeout)
        with self._lock:
            waiting = list(self._waiting.values())
            self._waiting.clear()
        for _, ws in waiting:  # whose clients turned out to be none
            ws.shutdown()
        self._writer.close()

    @property
    def _blamed(self) -> Sequence[BaseException]:
        return self.errors

    # --- connecting -------------------------------------------------------------------------------

    def _dial(self, request: Request) -> Response | None:
        """Connect to the real server: its answer is ours."""
        if "Sec-WebSocket-Key" not in request.headers:
            return None  # that is refused without its help
        offered = ",".join(request.headers.get_all("Sec-WebSocket-Protocol"))
        options: dict[str, Any] = {
            "subprotocols": [name.strip() for name in offered.split(",") if name.strip()] or None,
            **self._options,
            "header": _passed_on(request, self._options.get("header")),
        }
        try:
            ws = create_connection(_joined(self._target, request.path), **options)
        except WebSocketBadStatusException as exc:
            return _passed_back(exc)
        except (WebSocketException, OSError) as exc:
            return refusal(502, f"The recorder could not connect: {exc}")
        ws.settimeout(None)
        with self._lock:
            self._waiting[id(request)] = request, ws
        chosen = ws.getsubprotocol()
        return Response(101, [("Sec-WebSocket-Protocol", chosen)] if chosen else [])

    # --- passing on -------------------------------------------------------------------------------

    def _pass_on(self, connection: Connection) -> None:
        with self._lock:
            _, ws = self._waiting.pop(id(connection.request))
        passage = _Passage(connection, ws, self._writer)
        back = threading.Thread(target=self._pass_back, args=(passage,), daemon=True)
        client_ended = True
        try:
            passage.begin()
            back.start()
            client_ended = passage.forth()
        finally:
            if client_ended:
                passage.leave(self._closing.rang)
            if back.ident is not None:
                back.join()

    def _pass_back(self, passage: _Passage) -> None:
        try:
            passage.back()
        except Exception as exc:
            self._failed("The recording", exc)
            passage.abandon()


class _Passage:
    """A client's connection and ours to the real server; one thread for each direction."""

    def __init__(self, connection: Connection, ws: WebSocket, writer: Writer) -> None:
        self.connection = connection
        self._ws = ws
        self._writer = writer
        self._number = connection.number
        self._client_ended = False
        self._server_ended = False

    def begin(self) -> None:
        self._writer.write("sent", "open", connection=self._number)

    def forth(self) -> bool:
        """From the client to the server until one of them ends it; False if that was the server, as
        `back` will see."""
        for message in self.connection:
            # Written before it is sent, so that no answer comes before it.
            kind: Kind = "text" if isinstance(message, str) else "binary"
            self._writer.write("sent", kind, message, connection=self._number)
            try:
                self._ws.send(message, TEXT if isinstance(message, str) else BINARY)
            except (WebSocketException, OSError):
                return False
        return True

    def leave(self, closing: bool) -> None:
        """Unless it was the server that went: tell it and the file that the client has gone, the
        file not if it went because the recorder is `closing`."""
        if self._server_ended or not self._ws.connected:
            return
        self._client_ended = True
        code, reason = self.connection.close_code, self.connection.close_reason or ""
        code = ABNORMAL if code is None else code
        try:
            if not (closing and code in (_GOING_AWAY, ABNORMAL)):
                self._writer.write("sent", "close", b"", code, reason, self._number)
            if code == NO_STATUS:
                self._ws.send_close(NO_STATUS)
            if code != ABNORMAL:
                self._ws.close(1000 if code == NO_STATUS else code, reason, timeout=_FAREWELL)
        except WebSocketException:
            pass  # the server has gone, too
        finally:
            self._ws.shutdown()

    def abandon(self) -> None:
        """End both connections because of a fault of ours."""
        self._ws.shutdown()
        self.connection.close(_INTERNAL_ERROR)

    def back(self) -> None:
        """From the server to the client until one of them ends it."""
        while (frame := self._next_frame()) is not None and frame.opcode != CLOSE:
            self._pass_back(frame)
        code, reason = _close_of(frame)
        if frame is not None or not self._client_ended:
            self._server_ended = not self._client_ended
            self._writer.write("received", "close", b"", code, reason, self._number)
        if self._client_ended:
            return
        if code == ABNORMAL:
            self.connection.drop()
        elif code == NO_STATUS:
            self.connection.send_frame(CLOSE)
            self.connection.close()
        else:
            self.connection.close(code, reason)

    def _next_frame(self) -> ABNF | None:
        """The server's next message, ping or close; None when the connection has ended."""
        try:
            return self._ws.recv_data_frame(True)[1]
        except (WebSocketException, OSError):
            return None

    def _pass_back(self, frame: ABNF) -> None:
        data = bytes(frame.data)
        with suppress(WebSocketConnectionClosedException):  # `forth` sees it
            if frame.opcode == TEXT:
                text = data.decode()
                self._writer.write("received", "text", text, connection=self._number)
                self.connection.send(text)
            elif frame.opcode == BINARY:
                self._writer.write("received", "binary", data, connection=self._number)
                self.connection.send(data)
            elif frame.opcode == PING:
                self._writer.write("received", "ping", data, connection=self._number)
                self.connection.ping(data)


def _close_of(frame: ABNF | None) -> tuple[int, str]:
    if frame is None:
        return ABNORMAL, ""
    if len(frame.data) < 2:
        return NO_STATUS, ""
    return int.from_bytes(frame.data[:2], "big"), bytes(frame.data[2:]).decode()


def _joined(url: str, path: str) -> str:
    """The URL with the client's path and query behind it; a URL with a query is left as it is."""
    return url if path == "/" or "?" in url else url.rstrip("/") + path


def _passed_on(request: Request, given: Any) -> list[str]:
    """The client's header lines for the real server; those that `record` was given come first."""
    if isinstance(given, Mapping):
        pairs = cast("Mapping[str, str]", given)
        lines = [f"{name}: {value}" for name, value in pairs.items()]
    else:
        lines = list(cast("Iterable[str]", given or ()))
    ours = {line.partition(":")[0].strip().lower() for line in lines}
    for name, value in request.headers.raw_items():
        low = name.lower()
        if not (low in ours or low in _OUR_OWN or low.startswith("sec-websocket-")):
            lines.append(f"{name}: {value}")
    return lines


def _passed_back(exc: WebSocketBadStatusException) -> Response:
    """The real server's refusal for the client."""
    headers: Iterable[tuple[str, str]] = ()
    if exc.response is not None:
        headers = [
            line for line in exc.response.headers.raw_items() if line[0].lower() not in _OUR_OWN
        ]
    return Response(exc.status_code, headers, exc.resp_body or b"")
