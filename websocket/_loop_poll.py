"""`Poll`: waiting for many sockets at once, by epoll where there is one, else by `selectors`."""

from __future__ import annotations

import select
import selectors
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

__all__ = ["READ", "WRITE", "Poll", "new_poll"]

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Poll(Protocol):
    """Any thread may call `watch`, also while another one waits."""

    readable: int
    """The bits of an event that say so, or that the socket is lost."""
    writable: int
    """The same."""

    def wait(self, seconds: float, /) -> list[tuple[int, int]]:
        """Wait at most so long; the numbers of those that are ready, each with an event."""
        ...

    def watch(self, number: int, kinds: int) -> None:
        """Wait for READ, WRITE, both or, with 0, nothing of this descriptor from now on; raises
        OSError or ValueError if it is none."""
        ...

    def close(self) -> None:
        """Let go of all."""
        ...


class _Epoll:
    """What `selectors` would wait by, without its objects for each event."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.readable, self.writable = ~select.EPOLLOUT, ~select.EPOLLIN
        self.wait: Callable[[float], list[tuple[int, int]]] = self._epoll.poll
        self.close: Callable[[], None] = self._epoll.close

    def watch(self, number: int, kinds: int) -> None:
        with suppress(OSError, ValueError):
            self._epoll.unregister(number)
        if kinds:
            reading = select.EPOLLIN if kinds & READ else 0
            self._epoll.register(number, reading | (select.EPOLLOUT if kinds & WRITE else 0))


class _Selector:
    """Any other system's way."""

    readable, writable = READ, WRITE

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.close: Callable[[], None] = self._selector.close

    def watch(self, number: int, kinds: int) -> None:
        with suppress(KeyError, ValueError, OSError):
            self._selector.unregister(number)
        if kinds:
            self._selector.register(number, kinds)

    def wait(self, seconds: float, /) -> list[tuple[int, int]]:
        return [(key.fd, events) for key, events in self._selector.select(seconds)]


def new_poll() -> Poll:
    """The best that there is here: gevent takes epoll away."""
    return _Epoll() if hasattr(select, "epoll") else _Selector()
