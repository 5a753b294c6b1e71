"""Every public name of the library, listed one by one; nothing else.

What a program needs that only connects, sends and receives is imported here; the rest is when it is
first asked for, so that `import websocket` stays quick.
"""

from __future__ import annotations

from ._abnf import (
    ABNF as ABNF,
    STATUS_ABNORMAL_CLOSED as STATUS_ABNORMAL_CLOSED,
    STATUS_BAD_GATEWAY as STATUS_BAD_GATEWAY,
    STATUS_GOING_AWAY as STATUS_GOING_AWAY,
    STATUS_INVALID_EXTENSION as STATUS_INVALID_EXTENSION,
    STATUS_INVALID_PAYLOAD as STATUS_INVALID_PAYLOAD,
    STATUS_MESSAGE_TOO_BIG as STATUS_MESSAGE_TOO_BIG,
    STATUS_NORMAL as STATUS_NORMAL,
    STATUS_POLICY_VIOLATION as STATUS_POLICY_VIOLATION,
    STATUS_PROTOCOL_ERROR as STATUS_PROTOCOL_ERROR,
    STATUS_SERVICE_RESTART as STATUS_SERVICE_RESTART,
    STATUS_STATUS_NOT_AVAILABLE as STATUS_STATUS_NOT_AVAILABLE,
    STATUS_TLS_HANDSHAKE_ERROR as STATUS_TLS_HANDSHAKE_ERROR,
    STATUS_TRY_AGAIN_LATER as STATUS_TRY_AGAIN_LATER,
    STATUS_UNEXPECTED_CONDITION as STATUS_UNEXPECTED_CONDITION,
    STATUS_UNSUPPORTED_DATA_TYPE as STATUS_UNSUPPORTED_DATA_TYPE,
    continuous_frame as continuous_frame,
    frame_buffer as frame_buffer,
)
from ._classic import sock_opt as sock_opt
from ._core import (
    WebSocket as WebSocket,
    create_connection as create_connection,
    getdefaulttimeout as getdefaulttimeout,
    setdefaulttimeout as setdefaulttimeout,
)
from ._exceptions import (
    InvalidState as InvalidState,
    WebSocketAddressException as WebSocketAddressException,
    WebSocketBadStatusException as WebSocketBadStatusException,
    WebSocketConnectionClosedException as WebSocketConnectionClosedException,
    WebSocketException as WebSocketException,
    WebSocketPayloadException as WebSocketPayloadException,
    WebSocketProtocolException as WebSocketProtocolException,
    WebSocketProxyException as WebSocketProxyException,
    WebSocketTimeoutException as WebSocketTimeoutException,
    WebSocketWouldBlockException as WebSocketWouldBlockException,
)
from ._logging import (
    debug as debug,
    dump as dump,
    enableTrace as enableTrace,
    error as error,
    isEnabledForDebug as isEnabledForDebug,
    isEnabledForError as isEnabledForError,
    isEnabledForTrace as isEnabledForTrace,
    trace as trace,
    warning as warning,
)
from ._raw import recv as recv, recv_line as recv_line, send as send
from ._transport.tcp import DEFAULT_SOCKET_OPTION as DEFAULT_SOCKET_OPTION
from ._wire.frames import Frame as Frame
from ._wire.http1 import Headers as Headers, Request as Request, Response as Response
from ._wire.speedups import backend as backend
from ._wire.urls import WebSocketURI as WebSocketURI, parse_uri as parse_uri

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import (
        _handshake as _handshake,
        _http as _http,
        _socket as _socket,
        _ssl_compat as _ssl_compat,
        _url as _url,
        _utils as _utils,
    )
    from ._app import WebSocketApp as WebSocketApp, set_reconnect as set_reconnect
    from ._callback_types import (
        OnClose as OnClose,
        OnContMessage as OnContMessage,
        OnData as OnData,
        OnError as OnError,
        OnMessage as OnMessage,
        OnOpen as OnOpen,
        OnPing as OnPing,
        OnPong as OnPong,
        OnReconnect as OnReconnect,
    )
    from ._explain import explain as explain
    from ._latest import Latest as Latest
    from ._loop import Loop as Loop
    from ._options import (
        ConnectOptions as ConnectOptions,
        CreateOptions as CreateOptions,
        SSLOptions as SSLOptions,
    )
    from ._protocol.client import (
        SEND_EOF as SEND_EOF,
        ClientProtocol as ClientProtocol,
        State as State,
    )
    from ._protocol.deflate import Deflate as Deflate
    from ._reconnect import Backoff as Backoff, reconnecting as reconnecting
    from ._stats import Stats as Stats

__version__ = "1.10.0"

__all__ = [
    "ABNF",
    "Backoff",
    "ClientProtocol",
    "ConnectOptions",
    "CreateOptions",
    "DEFAULT_SOCKET_OPTION",
    "Deflate",
    "Frame",
    "Headers",
    "InvalidState",
    "Latest",
    "Loop",
    "OnClose",
    "OnContMessage",
    "OnData",
    "OnError",
    "OnMessage",
    "OnOpen",
    "OnPing",
    "OnPong",
    "OnReconnect",
    "Request",
    "Response",
    "SEND_EOF",
    "SSLOptions",
    "STATUS_ABNORMAL_CLOSED",
    "STATUS_BAD_GATEWAY",
    "STATUS_GOING_AWAY",
    "STATUS_INVALID_EXTENSION",
    "STATUS_INVALID_PAYLOAD",
    "STATUS_MESSAGE_TOO_BIG",
    "STATUS_NORMAL",
    "STATUS_POLICY_VIOLATION",
    "STATUS_PROTOCOL_ERROR",
    "STATUS_SERVICE_RESTART",
    "STATUS_STATUS_NOT_AVAILABLE",
    "STATUS_TLS_HANDSHAKE_ERROR",
    "STATUS_TRY_AGAIN_LATER",
    "STATUS_UNEXPECTED_CONDITION",
    "STATUS_UNSUPPORTED_DATA_TYPE",
    "State",
    "Stats",
    "WebSocket",
    "WebSocketAddressException",
    "WebSocketApp",
    "WebSocketBadStatusException",
    "WebSocketConnectionClosedException",
    "WebSocketException",
    "WebSocketPayloadException",
    "WebSocketProtocolException",
    "WebSocketProxyException",
    "WebSocketTimeoutException",
    "WebSocketURI",
    "WebSocketWouldBlockException",
    "backend",
    "continuous_frame",
    "create_connection",
    "debug",
    "dump",
    "enableTrace",
    "error",
    "explain",
    "frame_buffer",
    "getdefaulttimeout",
    "isEnabledForDebug",
    "isEnabledForError",
    "isEnabledForTrace",
    "parse_uri",
    "reconnecting",
    "recv",
    "recv_line",
    "send",
    "set_reconnect",
    "setdefaulttimeout",
    "sock_opt",
    "trace",
    "warning",
]

_LATE = {
    "WebSocketApp": "_app",
    "set_reconnect": "_app",
    "OnClose": "_callback_types",
    "OnContMessage": "_callback_types",
    "OnData": "_callback_types",
    "OnError": "_callback_types",
    "OnMessage": "_callback_types",
    "OnOpen": "_callback_types",
    "OnPing": "_callback_types",
    "OnPong": "_callback_types",
    "OnReconnect": "_callback_types",
    "explain": "_explain",
    "Latest": "_latest",
    "Loop": "_loop",
    "ConnectOptions": "_options",
    "CreateOptions": "_options",
    "SSLOptions": "_options",
    "SEND_EOF": "_protocol.client",
    "ClientProtocol": "_protocol.client",
    "State": "_protocol.client",
    "Deflate": "_protocol.deflate",
    "Backoff": "_reconnect",
    "reconnecting": "_reconnect",
    "Stats": "_stats",
}
"""Names that are imported when they are first asked for, and the modules that have them."""

# Those that programs reach by `websocket._http` without importing them.
_LATE_MODULES = frozenset(
    {
        "_app",
        "_cookiejar",
        "_dispatcher",
        "_handshake",
        "_http",
        "_reconnect",
        "_session",
        "_socket",
        "_ssl_compat",
        "_url",
        "_utils",
    }
)

if not TYPE_CHECKING:  # a checker finds all names above, and reports the others

    def __getattr__(name: str) -> object:
        if name in _LATE:
            module = __import__(f"{__name__}.{_LATE[name]}", fromlist=[name])
            # From here on it is found without us, and may be patched like any other.
            value = globals()[name] = getattr(module, name)
            return value
        if name in _LATE_MODULES:
            return __import__(f"{__name__}.{name}", fromlist=[name])
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_LATE_MODULES})
