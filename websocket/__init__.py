"""Every public name of the library, listed one by one; nothing else."""

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
from ._app import WebSocketApp as WebSocketApp, set_reconnect as set_reconnect
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
from ._loop import Loop as Loop
from ._protocol.client import SEND_EOF as SEND_EOF, ClientProtocol as ClientProtocol, State as State
from ._protocol.deflate import Deflate as Deflate
from ._raw import recv as recv, recv_line as recv_line, send as send
from ._reconnect import (
    Backoff as Backoff,
    reconnecting as reconnecting,
)
from ._transport.tcp import DEFAULT_SOCKET_OPTION as DEFAULT_SOCKET_OPTION
from ._wire.frames import Frame as Frame
from ._wire.http1 import Headers as Headers, Request as Request, Response as Response
from ._wire.speedups import backend as backend
from ._wire.urls import WebSocketURI as WebSocketURI, parse_uri as parse_uri

__version__ = "1.10.0"


def __getattr__(name: str) -> object:
    # Doors, which programs reach by `websocket._http` without importing them: loaded at the first.
    if name in ("_handshake", "_http", "_socket", "_ssl_compat", "_url", "_utils"):
        __import__(f"{__name__}.{name}")
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
