"""Apps that note what happens to them, and event loops that do not run for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import websocket

_PATIENCE = 30.0  # seconds for a loop to get where the test wants it


class Noted(websocket.WebSocketApp):
    """An app that notes its callbacks in `events`; `then[name]` is called in callback `name`."""

    def __init__(self, url: Any, **then: Callable[..., object]):
        self.events: list[tuple[Any, ...]] = []
        self.threads: set[int] = set()
        self._then = then
        self.closed = threading.Event()
        names = ("on_open", "on_reconnect", "on_message", "on_error", "on_close", "on_pong")
        super().__init__(url)
        for name in names:
            setattr(self, name, self._noting(name))

    def _noting(self, name: str) -> Callable[..., object]:
        def callback(_app: Any, *args: Any) -> None:
            self.events.append((name, *args))
            self.threads.add(threading.get_ident())
            try:
                if name in self._then:
                    self._then[name](self, *args)
            finally:
                if name == "on_close":
                    self.closed.set()

        return callback

    def names(self) -> list[str]:
        return [event[0] for event in self.events]

    def count(self, name: str) -> int:
        return self.names().count(name)

    def messages(self) -> list[Any]:
        return [event[1] for event in self.events if event[0] == "on_message"]


def dispatch(relay: ModuleType) -> None:
    """Run rel until something aborts it; fails if nothing does."""
    late: list[bool] = []

    def give_up() -> None:
        late.append(True)
        relay.abort()

    timer = relay.timeout(_PATIENCE, give_up)
    relay.dispatch()
    timer.delete()
    assert not late, "nothing has ended the loop"


def run(loop: websocket.Loop) -> None:
    """Run our loop until something stops it, or nothing is left; fails if it takes for ever."""
    late: list[bool] = []

    def give_up() -> None:
        late.append(True)
        loop.stop()

    watchdog = threading.Timer(_PATIENCE, give_up)
    watchdog.start()
    try:
        loop.run()
    finally:
        watchdog.cancel()
        watchdog.join()
    assert not late, "nothing has ended the loop"
