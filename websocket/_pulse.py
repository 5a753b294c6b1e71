"""`Pulse`: what the keepalive sees of one connection, and what it may do to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import ref

from ._exceptions import WebSocketTimeoutException
from ._keepalive import Heartbeat, watch
from ._wire.frames import PING

if TYPE_CHECKING:
    from ._connection import Connection

__all__ = ["start_pulse"]


class Pulse:
    """The connection holds it, it holds the connection weakly, and so does the timer."""

    def __init__(
        self, connection: Connection, heartbeat: Heartbeat, on_ping: Callable[[], object] | None
    ):
        self.heartbeat = heartbeat
        self._connection = ref(connection)
        self._on_ping = on_ping

    @property
    def over(self) -> bool:
        """Whether there is nothing left to keep alive."""
        connection = self._connection()
        return connection is None or not connection.connected

    def send_ping(self, payload: bytes) -> None:
        """Write a ping without waiting, or owe it."""
        connection = self._connection()
        if connection is not None:
            if self._on_ping is not None:
                self._on_ping()  # first: the pong may be there before we come to it
            connection.owe(PING, payload)

    def unread(self) -> int:
        """About how many bytes have arrived that nobody has parsed."""
        connection = self._connection()
        return 0 if connection is None else connection.unread()

    def consumed(self) -> int:
        """How many bytes have been parsed since the connection began."""
        connection = self._connection()
        return 0 if connection is None else connection.parsed

    def pong_missed(self) -> None:
        """The peer is dead: whoever reads learns it, whoever writes is woken."""
        connection = self._connection()
        if connection is not None:
            connection.lose(WebSocketTimeoutException("ping/pong timed out"))

    def pong(self, payload: bytes) -> float | None:
        """A pong has been read; the round trip in seconds, None if it answers no ping of ours."""
        return self.heartbeat.pong(payload, time.monotonic())


def start_pulse(
    connection: Connection,
    interval: float,
    timeout: float | None,
    payload: bytes | None,
    on_ping: Callable[[], object] | None,
) -> None:
    """Ping the peer every `interval` seconds from now on, and end the connection when a pong is
    missing for `timeout` seconds; `payload` None draws one for each ping."""
    heartbeat = Heartbeat(interval, timeout, time.monotonic(), payload)
    connection.pulse = Pulse(connection, heartbeat, on_ping)
    watch(connection.pulse)
