"""A `WebSocketApp` whose callbacks are recorded, and runs of it in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from websocket import WebSocketApp

NAMES = ("on_open", "on_reconnect", "on_data", "on_message", "on_ping", "on_pong")
PATIENCE = 20.0  # seconds for what happens at once, on a machine that has other things to do

Hook = Callable[[Any], object]


class Recorded(WebSocketApp):
    """Each callback notes itself in `calls`, (name, *arguments), and then calls its hook, if any.

    An exception is noted as its class and its text. `hooks` maps names of callbacks to functions
    of the app.
    """

    def __init__(self, url: Any, hooks: dict[str, Hook] | None = None, **arguments: Any):
        super().__init__(url, **arguments)
        self.calls: list[tuple[Any, ...]] = []
        self.hooks = dict(hooks or {})
        self.news = threading.Condition()
        for name in (*NAMES, "on_error", "on_close"):
            setattr(self, name, self._recorder(name))

    def _recorder(self, name: str) -> Callable[..., None]:
        def record(app: Any, *arguments: Any) -> None:
            assert app is self
            if name == "on_error":
                arguments = (type(arguments[0]), str(arguments[0]))
            if name == "on_close":
                assert self.sock is None and not self.keep_running
            with self.news:
                self.calls.append((name, *arguments))
                self.news.notify_all()
            hook = self.hooks.get(name)
            if hook is not None:
                hook(app)

        return record

    def names(self) -> list[str]:
        return [call[0] for call in self.calls]

    def wait_for(self, name: str, count: int = 1) -> None:
        """Wait until a callback has been called so often."""
        with self.news:
            assert self.news.wait_for(lambda: self.names().count(name) >= count, PATIENCE), (
                f"no {name} within {PATIENCE} s, but {self.calls}"
            )


class Run:
    """`run_forever` in a thread; `with` joins it."""

    def __init__(self, app: WebSocketApp, **options: Any):
        self.app = app
        self.result: bool | None = None
        self.failure: BaseException | None = None
        self.ended_at = 0.0
        self._options = options
        self._thread = threading.Thread(target=self._run, name="run_forever", daemon=True)

    def _run(self) -> None:
        try:
            self.result = self.app.run_forever(**self._options)
        except BaseException as exc:
            self.failure = exc
        self.ended_at = time.monotonic()

    def __enter__(self) -> Run:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.app.close(timeout=1)
        self.join()

    def join(self) -> bool | None:
        """Wait for the end; what `run_forever` returned."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), f"run_forever goes on: {getattr(self.app, 'calls', '')}"
        if self.failure is not None:
            raise self.failure
        return self.result
