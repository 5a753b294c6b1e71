"""One read, one write, one line of any socket, for programs that drive sockets themselves."""

from __future__ import annotations

import errno
import selectors
from collections.abc import Callable
from typing import Any

from ._exceptions import (
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
    WebSocketWouldBlockException,
)

__all__ = ["line_by", "recv", "recv_line", "send"]

_LONGEST_LINE = 65536  # bytes: nothing that comes in lines here is longer than a response head


def recv(sock: Any, bufsize: int) -> bytes:
    """What one `recv` of the socket gives, at most `bufsize` bytes and at least one.

    Waits as long as the socket's timeout says. Raises WebSocketTimeoutException,
    WebSocketConnectionClosedException at the end of the stream or without a socket, other OSErrors
    as they are. For one reading thread at a time.
    """
    data = _once(sock, "recv", bufsize, selectors.EVENT_READ)
    if data is None:
        raise WebSocketTimeoutException("Connection timed out waiting for data")
    if not data:
        raise WebSocketConnectionClosedException("Connection to remote host was lost.")
    return data  # type: ignore[no-any-return]


def send(sock: Any, data: bytes | str) -> int:
    """How many bytes one `send` of the socket took; a str goes as UTF-8.

    Waits as long as the socket's timeout says; 0 if a socket that said "not now" stayed so until
    then. Raises WebSocketTimeoutException, WebSocketConnectionClosedException without a socket or
    behind the end of TLS, other OSErrors as they are. For one writing thread at a time.
    """
    octets = data.encode() if isinstance(data, str) else data
    sent = _once(sock, "send", octets, selectors.EVENT_WRITE)
    return 0 if sent is None else int(sent)


def recv_line(sock: Any) -> bytes:
    """Bytes up to and including the next line feed, read one by one; waits and raises as `recv`."""
    return line_by(lambda: recv(sock, 1))


def line_by(read_byte: Callable[[], bytes]) -> bytes:
    """A line from what gives one byte a call; raises WebSocketException over 64 KiB."""
    line = bytearray()
    while not line.endswith(b"\n"):
        if len(line) >= _LONGEST_LINE:
            raise WebSocketException(f"A line is longer than {_LONGEST_LINE} bytes")
        line += read_byte()
    return bytes(line)


def _once(sock: Any, verb: str, argument: Any, event: int) -> Any:
    """One call of `recv` or `send`, repeated after a wait if it answers "not now"; None if it never
    becomes possible."""
    if sock is None:
        raise WebSocketConnectionClosedException("socket is already closed.")
    call: Callable[[Any], Any] = getattr(sock, verb)
    try:
        return call(argument)
    except OSError as exc:
        wanted = _wanted(exc, event)
        if wanted is None:
            raise
        timeout: float | None = sock.gettimeout()
        if timeout == 0:
            raise WebSocketWouldBlockException(
                f"Nothing can be {'read' if event == selectors.EVENT_READ else 'written'} now "
                "(timeout is 0)"
            ) from exc
    if not _wait(sock, wanted, timeout):
        return None
    try:
        return call(argument)
    except OSError as exc:
        _wanted(exc, event)
        raise


def _wanted(exc: OSError, event: int) -> int | None:
    """What to wait for after this error, None for one that is none of ours; raises what it means
    where that is known."""
    name = type(exc).__name__  # ssl may not be loaded: who raises its errors has done that
    if isinstance(exc, WebSocketException):
        return None
    if name == "SSLWantReadError":
        return selectors.EVENT_READ
    if name == "SSLWantWriteError":
        return selectors.EVENT_WRITE
    if exc.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
        return event
    if isinstance(exc, TimeoutError):
        raise WebSocketTimeoutException("Connection timed out") from exc
    if name.startswith("SSL") and "timed out" in str(exc):
        raise WebSocketTimeoutException(str(exc.args[-1])) from exc
    if name == "SSLEOFError":
        if event == selectors.EVENT_WRITE:
            raise WebSocketConnectionClosedException("socket is already closed.") from exc
        raise WebSocketConnectionClosedException("Connection to remote host was lost.") from exc
    return None


def _wait(sock: Any, event: int, timeout: float | None) -> bool:
    selector = selectors.DefaultSelector()
    try:
        selector.register(sock, event)
        return bool(selector.select(timeout))
    finally:
        selector.close()
