"""websocket-client's own way of connecting and reading, part by part.

Programs call these parts, replace them (`websocket._core.connect = ...`) or override them in
subclasses (`recv_frame`, `_recv`, a `frame_buffer` of their own). A `WebSocket` takes this path only
then; which path is chosen once per connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ._abnf import ABNF
from ._exceptions import WebSocketException, WebSocketProtocolException
from ._opening import handshake_response, open_handshake
from ._transport.connecting import as_stream, open_stream
from ._transport.deadline import Attempt, Deadline
from ._transport.options import ConnectOptions
from ._wire.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT
from ._wire.urls import parse_uri

if TYPE_CHECKING:
    from ._core import WebSocket

__all__ = ["connect", "connect_in_parts", "handshake", "receive_in_parts", "sock_opt"]

_REDIRECTS = (301, 302, 303, 307, 308)

Address = tuple[str, int, str]


class sock_opt:
    """The socket options of one `WebSocket`: `sockopt`, `sslopt` and `timeout` in seconds."""

    def __init__(self, sockopt: Any, sslopt: Mapping[str, Any] | None):
        self.sockopt = [] if sockopt is None else sockopt
        self.sslopt: Mapping[str, Any] = {} if sslopt is None else sslopt
        self.timeout: float | None = None


def connect(url: str, options: Any, proxy: Any, socket: Any) -> tuple[Any, Address]:
    """Open the socket for `url`, by the proxy that `proxy` names and with TLS for wss.

    `options` is anything with `sockopt`, `sslopt` and `timeout`, `proxy` a `proxy_info` or None.
    Returns the socket and (host, port, resource). Raises what `WebSocket.connect` raises.
    """
    uri = parse_uri(url)
    given: dict[str, Any] = {} if proxy is None else proxy.options()
    attempt = Attempt(Deadline(options.timeout))
    transport = ConnectOptions(
        sockopt=tuple(options.sockopt or ()), sslopt=options.sslopt, socket=socket, **given
    )
    stream = open_stream(uri, transport, attempt)
    attempt.unwatch(stream.socket)
    if socket is None:
        stream.socket.settimeout(options.timeout)
    stream.stop_reading_ahead()
    return stream.socket, (uri.host, uri.port, uri.resource_name)


def handshake(
    sock: Any, url: str, hostname: str, port: int, resource: str, **options: Any
) -> handshake_response:
    """The opening handshake on an open socket; raises WebSocketException for a bad answer.

    Returns the response, also a redirect's (`status` 301 and the like).
    """
    uri = parse_uri(url)._replace(host=hostname, port=port)
    path, _, query = resource.partition("?")
    return open_handshake(as_stream(sock), uri._replace(path=path, query=query), options)


def connect_in_parts(
    url: str,
    parts: tuple[Callable[..., Any], Callable[..., Any]],
    options: Any,
    proxy: Any,
    given: dict[str, Any],
) -> tuple[Any, handshake_response]:
    """Connect by `parts`, a `connect` and a `handshake`, and follow redirects, one part a step."""
    dial, shake_hands = parts
    socket = given.pop("socket", None)
    limit = given.pop("redirect_limit", None)
    for hop in range((3 if limit is None else limit) + 1):
        try:
            sock, address = dial(url, options, proxy, socket)
        except ValueError as exc:
            if hop:
                raise WebSocketException(f"Invalid redirect target {url!r}: {exc}") from exc
            raise
        try:
            response = shake_hands(sock, url, *address, **given)
            if response.status not in _REDIRECTS:
                return sock, response
            url = (response.headers or {}).get("location")
            if url is None:
                raise WebSocketException(
                    f"Redirect response without Location header, status {response.status}"
                )
        except BaseException:
            sock.close()
            raise
        sock.close()
        socket = None
    raise WebSocketException("Redirect limit exhausted")


def receive_in_parts(ws: WebSocket, control: bool) -> tuple[int, ABNF]:
    """The next message, or control frame if asked, by `recv_frame` and `cont_frame` of `ws`."""
    while True:
        frame = ws.recv_frame()
        if not frame:
            raise WebSocketProtocolException(f"Not a valid frame {frame}")
        if frame.opcode in (TEXT, BINARY, CONT):
            ws.cont_frame.validate(frame)
            ws.cont_frame.add(frame)
            if ws.cont_frame.is_fire(frame):
                return ws.cont_frame.extract(frame)
        elif frame.opcode == CLOSE:
            ws.send_close()
            return frame.opcode, frame
        elif frame.opcode == PING:
            ws.pong(frame.data)
            if control:
                return frame.opcode, frame
        elif frame.opcode == PONG and control:
            return frame.opcode, frame
