"""Any socket as a stream, and TLS over any stream."""

from __future__ import annotations

import socket
import sys

from .._exceptions import WebSocketConnectionClosedException, WebSocketTimeoutException
from .streams import PlainStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .deadline import Deadline
    from .streams import Stream
    from .tls_stream import TLSStream

__all__ = ["as_stream", "speaks_tls", "start_tls"]


def start_tls(
    lower: Stream,
    sslopt: Mapping[str, Any] | None,
    host: str,
    deadline: Deadline,
    plain: str = "ws",
) -> TLSStream:
    """TLS over an open stream, verified; raises ssl.SSLError with host and remedy in its text.

    `plain` is the scheme that the remedy names where the other side does not speak TLS.
    """
    # Here, since they import ssl: a program that never speaks TLS does not wait for it.
    from websocket._transport.tls import (
        HUNG_UP,
        SILENT,
        check_fingerprint,
        explain_tls_error,
        server_hostname_for,
    )
    from websocket._transport.tls_contexts import kept_context_for

    context = kept_context_for(sslopt)
    from websocket._transport.tls_socket import TLSSocket
    from websocket._transport.tls_stream import TLSStream

    stream = TLSStream(lower, context, server_hostname_for(sslopt, host))
    try:
        # Without a deadline the socket's own timeout says how long the other side may be silent.
        stream.handshake(None if deadline.at is None else deadline)
        fingerprint = (sslopt or {}).get("fingerprint")
        if fingerprint is not None:
            certificate = stream.ask(lambda engine: engine.getpeercert(True))
            check_fingerprint(certificate or b"", fingerprint)
    except (WebSocketConnectionClosedException, WebSocketTimeoutException) as exc:
        hint = HUNG_UP if isinstance(exc, WebSocketConnectionClosedException) else SILENT
        raise type(exc)(*exc.args, hint=hint.format(plain=plain)) from exc
    except OSError as exc:
        told = explain_tls_error(exc, host, plain)
        if told is exc:
            raise
        raise told from exc
    # Under eventlet an SSLSocket has none of the verbs of its sockets: there is no face then.
    face: type[Any] = TLSSocket
    if isinstance(lower, PlainStream) and issubclass(face, socket.socket):
        lower.move_to(TLSSocket(lower.socket))
    if isinstance(stream.socket, TLSSocket):
        stream.socket.stream = stream
    return stream


def as_stream(sock: Any) -> Stream:
    """Any socket, real or not, as a stream; a real one that is no TLS socket is read ahead."""
    if not isinstance(sock, socket.socket):
        from .duck_stream import DuckStream

        return DuckStream(sock)
    if not _is_tls(sock):
        return PlainStream(sock)
    from .guarded_stream import GuardedTLSStream
    from .tls_socket import TLSSocket

    if isinstance(sock, TLSSocket) and sock.stream is not None:
        return sock.stream
    return GuardedTLSStream(sock)  # type: ignore[arg-type]


def speaks_tls(sock: Any) -> bool:
    """Whether a socket of any make is one of TLS; gevent's and pyOpenSSL's are no SSLSocket."""
    return _is_tls(sock) or hasattr(sock, "getpeercert") or hasattr(sock, "get_peer_certificate")


def _is_tls(sock: Any) -> bool:
    ssl = sys.modules.get("ssl")  # who has made a TLS socket has imported it
    return ssl is not None and isinstance(sock, ssl.SSLSocket)
