"""Waiting for a socket until an instant, or until an alarm that ends all waits at once."""

from __future__ import annotations

import select
import socket
import time

from .._exceptions import WebSocketTimeoutException

__all__ = ["Alarm", "instant", "left", "wait"]


class Alarm:
    """Rung once, from any thread; wakes everybody who waits with it, and stays rung."""

    def __init__(self) -> None:
        self.rang: bool = False
        self._near, self._far = socket.socketpair()

    def ring(self) -> None:
        """Wake everybody. May be called again."""
        self.rang = True
        self._far.close()  # the near end is readable from now on

    def fileno(self) -> int:
        """What to poll for reading."""
        return self._near.fileno()

    def close(self) -> None:
        """Give the descriptors back. Later waits look at `rang` and never come here."""
        self.ring()
        self._near.close()


def instant(seconds: float | None) -> float | None:
    """The instant `seconds` from now; None is never."""
    return None if seconds is None else time.monotonic() + seconds


def left(until: float | None) -> float | None:
    """The seconds from now to an instant, not below 0; None without one."""
    return None if until is None else max(0.0, until - time.monotonic())


def wait(
    sock: socket.socket | None,
    until: float | None,
    *,
    read: bool = False,
    write: bool = False,
    alarm: Alarm | None = None,
) -> None:
    """Return once the socket may be read or written (with neither: once the peer has gone) or the
    alarm has rung; raises WebSocketTimeoutException at the instant `until`."""
    if alarm is not None and alarm.rang:
        return
    seconds = left(until)
    if hasattr(select, "poll"):
        happened = _poll(sock, seconds, read, write, alarm)
    else:
        happened = _select(sock, seconds, read, write, alarm)
    if not happened:
        raise WebSocketTimeoutException("Connection timed out")


def _poll(
    sock: socket.socket | None,
    seconds: float | None,
    read: bool,
    write: bool,
    alarm: Alarm | None,
) -> bool:
    poll = select.poll()
    if sock is not None:
        events = (select.POLLIN if read else 0) | (select.POLLOUT if write else 0)
        poll.register(sock, events or getattr(select, "POLLRDHUP", 0))
    if alarm is not None:
        poll.register(alarm, select.POLLIN)
    # Rounded up, so that a wait never ends before its time.
    return bool(poll.poll(None if seconds is None else int(seconds * 1000) + 1))


def _select(
    sock: socket.socket | None,
    seconds: float | None,
    read: bool,
    write: bool,
    alarm: Alarm | None,
) -> bool:
    readers: list[socket.socket | Alarm] = [] if alarm is None else [alarm]
    if sock is not None and (read or not write):
        readers.append(sock)
    writers = [sock] if write and sock is not None else []
    if not readers and not writers:
        time.sleep(seconds or 0)
        return False
    return any(select.select(readers, writers, [], seconds))
