"""A tunnel through a proxy to which a stream is open: HTTP CONNECT, and SOCKS by python-socks."""

from __future__ import annotations

from binascii import b2a_base64
from typing import Any

from .._exceptions import WebSocketException
from .._logging import debug
from .._wire.http1 import Request, Response
from .deadline import Attempt
from .exchange import exchange, read_body
from .options import TransportOptions
from .proxies import Proxy
from .proxy_errors import proxy_exception, python_socks_class
from .streams import Stream

__all__ = ["connect_by_http", "connect_by_socks", "require_python_socks"]

_STATUS_HINTS = {
    400: "is this an HTTP proxy?",
    403: "the proxy does not allow this host or port: ask who runs it, or add it to no_proxy",
    404: "is this an HTTP proxy?",
    405: "the proxy does not know CONNECT: is this an HTTP proxy?",
    407: "the proxy wants credentials: http_proxy_auth=(user, password), or in the proxy's URL",
    502: "the proxy cannot reach the server: are its host and port right?",
    503: "the proxy cannot reach the server: are its host and port right?",
    504: "the proxy waits in vain for the server: are its host and port right?",
}
_WRONG_CREDENTIALS = "the proxy does not accept these credentials: check http_proxy_auth"
_NO_PYTHON_SOCKS = "Python Socks is needed for SOCKS proxying but is not available"
_GET_PYTHON_SOCKS = (
    "pip install 'websocket-client[socks]', or connect without a proxy by proxy=False"
)


# --- HTTP CONNECT (RFC 9110 section 9.3.6) --------------------------------------------------------


def connect_by_http(
    stream: Stream, proxy: Proxy, host: str, port: int, options: TransportOptions, attempt: Attempt
) -> None:
    """Ask the proxy for a tunnel; bytes behind its answer stay in the stream.

    Raises WebSocketProxyException with status and headers for any answer but 200, and what the
    stream raises.
    """
    debug("Connecting proxy...")
    target = f"{_bracketed(host)}:{port}"
    lines = [("Host", target)]
    hide = proxy.secrets
    if proxy.username is not None:
        token = b2a_base64(f"{proxy.username}:{proxy.password or ''}".encode(), newline=False)
        lines.append(("Proxy-Authorization", f"Basic {token.decode()}"))
        hide = (token.decode(), *hide)
    own = {name.lower() for name, _ in options.proxy_header}
    lines = [line for line in lines if line[0].lower() not in own]
    request = Request(target, [*lines, *options.proxy_header], "CONNECT")
    response = exchange(stream, request, options, attempt, hide=hide)
    if response.status != 200:
        _refuse(stream, response, proxy, options, attempt)


def _bracketed(host: str) -> str:
    return f"[{host.partition('%')[0]}]" if ":" in host else host


def _refuse(
    stream: Stream, response: Response, proxy: Proxy, options: TransportOptions, attempt: Attempt
) -> None:
    response.body = read_body(stream, response, options.max_body, attempt)
    hint = _STATUS_HINTS.get(response.status)
    if response.status == 407 and proxy.username is not None:
        hint = _WRONG_CREDENTIALS
    # Neither reason nor body: they are the proxy's, and may repeat what we sent.
    exc = proxy_exception(f"failed CONNECT via proxy status: {response.status}", hint=hint)
    exc.status_code, exc.response = response.status, response
    raise exc


# --- SOCKS ----------------------------------------------------------------------------------------


def require_python_socks() -> None:
    """Raise WebSocketProxyException unless SOCKS can be spoken."""
    try:
        import python_socks  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError as exc:
        raise proxy_exception(_NO_PYTHON_SOCKS, hint=_GET_PYTHON_SOCKS) from exc


class _Pipe:
    """As much of a socket as python-socks asks for, and the `forward` that hands it out.

    Waits are our stream's, so they end by our deadline and by `Attempt.cancel`; what ended one is
    kept in `failure`, for python-socks makes an exception of its own of it.
    """

    def __init__(self, stream: Stream, attempt: Attempt):
        self.failure: WebSocketException | None = None
        self._stream = stream
        self._deadline = attempt.deadline if attempt.deadline.at is not None else None

    def connect(self, dest_host: str, dest_port: int, timeout: float | None = None) -> Any:
        return self

    def recv(self, size: int) -> bytes:
        try:
            return self._stream.read(size, False, self._deadline)
        except WebSocketException as exc:
            self.failure = exc
            raise

    def sendall(self, data: Any) -> None:
        try:
            self._stream.write(bytes(data), self._deadline)
        except WebSocketException as exc:
            self.failure = exc
            raise

    def close(self) -> None:
        """Whoever opened the stream closes it."""


def connect_by_socks(stream: Stream, proxy: Proxy, host: str, port: int, attempt: Attempt) -> None:
    """Ask the proxy for a tunnel to `host`, an address for schemes without names of their own.

    Raises WebSocketProxyException (python-socks' ProxyError, too) where the proxy says no or
    nonsense, and what the stream raises.
    """
    import python_socks
    from python_socks.sync import Proxy as Conversation

    debug("Connecting proxy...")
    kind = python_socks.ProxyType.SOCKS4 if "4" in proxy.scheme else python_socks.ProxyType.SOCKS5
    # The names of 4a and 5h are looked up by the proxy; an empty user is none.
    described = (kind, proxy.host, proxy.port, proxy.username or None, proxy.password or None, True)
    pipe = _Pipe(stream, attempt)
    extra: dict[str, Any] = {}
    try:
        try:
            talk = Conversation(*described, forward=pipe)  # type: ignore[arg-type]
        except TypeError:  # python-socks before 3.0
            talk = Conversation(*described)
            extra["_socket"] = pipe
        # Its own timeout is per operation, and would only be told in texts; ours is in the pipe.
        talk.connect(dest_host=host, dest_port=port, timeout=None, **extra)
        return
    except Exception as exc:
        told = exc
    if pipe.failure is not None:
        raise pipe.failure
    raise _socks_refusal(told, proxy) from told


def _socks_refusal(exc: Exception, proxy: Proxy) -> Exception:
    """What python-socks made of the proxy's answer, as one of ours."""
    text = str(exc)
    for secret in proxy.secrets:
        text = text.replace(secret, "***")
    hint = None
    if "uthentication" in text:
        wrong = proxy.username is not None
        hint = _WRONG_CREDENTIALS if wrong else _STATUS_HINTS[407]
    elif "version" in text or "Malformed" in text or "eply" in text:
        hint = "does it speak this SOCKS version? proxy_type, or the scheme of its URL, says which"
    return proxy_exception(f"proxy {proxy}: {text}", python_socks_class("ProxyError"), hint=hint)
