"""A door: socket options, default timeout, and reading and writing a socket by hand."""

from __future__ import annotations

from typing import Any

from ._classic import sock_opt
from ._core import getdefaulttimeout, setdefaulttimeout
from ._raw import line_by, recv, send
from ._transport.tcp import DEFAULT_SOCKET_OPTION

__all__ = [
    "DEFAULT_SOCKET_OPTION",
    "getdefaulttimeout",
    "recv",
    "recv_line",
    "send",
    "setdefaulttimeout",
    "sock_opt",
]


def recv_line(sock: Any) -> bytes:
    """Bytes up to and including the next line feed, one by one; waits and raises as `recv`."""
    return line_by(lambda: recv(sock, 1))  # this module's own: programs replace it
