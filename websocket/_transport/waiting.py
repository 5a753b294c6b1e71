"""Waiting for a descriptor, how long, and what its errors mean: who alone knows OSError."""

from __future__ import annotations

import errno
import os
import select
import socket
import sys
from math import ceil

try:
    import fcntl
    import termios
except ImportError:  # Windows
    fcntl = termios = None  # type: ignore[assignment]

from .._exceptions import (
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
    WebSocketWouldBlockException,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .deadline import Deadline

__all__ = ["patience", "queued_in_kernel", "translated", "wait_for"]

_LONGEST = 2_000_000.0  # seconds; poll counts milliseconds in a C int


def translated(exc: OSError) -> WebSocketException:
    """An error of the socket or of TLS as one of ours."""
    if isinstance(exc, WebSocketException):
        return exc
    if isinstance(exc, BlockingIOError):
        return WebSocketWouldBlockException("Nothing can be read or written now (timeout is 0)")
    if isinstance(exc, TimeoutError):
        return WebSocketTimeoutException("Connection timed out")
    why = str(exc).partition(" (_ssl.c:")[0]  # the line in Python's own source helps nobody
    return WebSocketConnectionClosedException(f"Connection to remote host was lost. ({why})")


def wait_for(fileno: int, read: bool, write: bool, seconds: float | None) -> tuple[bool, bool]:
    """Wait until the descriptor is readable or writable, or `seconds` are over; which it is.

    What is broken is both, for the next call to say how. Raises OSError for a closed one.
    """
    if fileno < 0:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    if hasattr(select, "poll"):  # eventlet takes it away
        poll = select.poll()
        wanted = (select.POLLIN if read else 0) | (select.POLLOUT if write else 0)
        poll.register(fileno, wanted)
        if seconds is None:
            ready = poll.poll()
        else:  # rounded up: never a busy loop
            ready = poll.poll(ceil(min(seconds, _LONGEST) * 1000) if seconds > 0 else 0)
        if not ready:
            return False, False
        mask = ready[0][1]
        if mask == wanted:
            return read, write
        broken = bool(mask & ~(select.POLLIN | select.POLLOUT))
        return (
            read and (broken or bool(mask & select.POLLIN)),
            write and (broken or bool(mask & select.POLLOUT)),
        )
    readable, writable, _ = select.select(
        [fileno] if read else [], [fileno] if write else [], [], seconds
    )
    return bool(readable), bool(writable)


def patience(sock: Any, deadline: Deadline | None) -> float | None:
    """How long one wait may last: until the deadline, else as the socket's own timeout says."""
    if deadline is not None:
        return deadline.remaining()
    timeout: float | None = sock.gettimeout()
    return timeout


def queued_in_kernel(sock: socket.socket) -> int:
    """How many bytes wait in the descriptor; where that cannot be told, an upper bound."""
    try:
        if not wait_for(sock.fileno(), True, False, 0)[0]:
            return 0
        if fcntl is None or termios is None:
            return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder)
    except (OSError, ValueError):  # closed meanwhile
        return 0
