"""Who waits for the socket: nobody but the reader itself, websocket-client's dispatchers, or an
event loop of the caller's, such as rel or our own `Loop`.

A run of `WebSocketApp` normally just reads, and `Dispatcher` is only the sign for that. It is asked
for more where a program subclasses or replaces it. `WrappedDispatcher` speaks to a caller's loop:
`signal`, `read`, `timeout`, `buffwrite`.
"""

from __future__ import annotations

import selectors
import threading
from collections.abc import Callable
from typing import Any

from ._raw import send
from ._transport.deadline import Attempt, Deadline

__all__ = ["Dispatcher", "DispatcherBase", "SSLDispatcher", "WrappedDispatcher"]

_PATIENCE = 10  # seconds of one wait where the app has no ping_timeout


class DispatcherBase:
    """What all dispatchers share: `timeout`, `reconnect`, `send`; `app` is a WebSocketApp."""

    def __init__(self, app: Any, ping_timeout: float | None):
        self.app = app
        self.ping_timeout = ping_timeout

    def timeout(self, seconds: float | None, callback: Callable[..., object], *args: Any) -> None:
        """Call back with `args` after so many seconds, None or 0: now; waits here."""
        if seconds:
            pause = Attempt(Deadline(seconds))
            while not pause.deadline.expired:
                pause.wait()
        callback(*args)

    def reconnect(self, seconds: float, reconnector: Callable[..., object]) -> None:
        """Call `reconnector(reconnecting=True)` after so many seconds; waits here."""
        self.timeout(seconds, lambda: reconnector(reconnecting=True))

    def send(self, sock: Any, data: bytes | str) -> int:
        """One write; how many bytes went."""
        return send(sock, data)


class Dispatcher(DispatcherBase):
    """Waits for one plain socket with a selector, in the thread of `run_forever`."""

    def read(
        self,
        sock: Any,
        read_callback: Callable[[], object],
        check_callback: Callable[[], object],
    ) -> None:
        """Call `read_callback` whenever the app's socket is readable, until it returns something
        falsy or the app stops; `check_callback` after each wait."""
        selector = selectors.DefaultSelector()
        try:
            selector.register(self.app.sock.sock, selectors.EVENT_READ)
            while self.app.keep_running:
                if self.select(sock, selector) and not read_callback():
                    break
                check_callback()
        finally:
            selector.close()

    def select(self, sock: Any, selector: selectors.BaseSelector) -> Any:
        """Wait for one turn; truthy when there is something to read."""
        return selector.select(self.ping_timeout)


class SSLDispatcher(Dispatcher):
    """The same over TLS, where decrypted bytes may wait although the descriptor is silent."""

    def select(self, sock: Any, selector: selectors.BaseSelector) -> Any:
        sock = self.app.sock.sock
        if sock.pending():
            return [sock]
        ready = selector.select(self.ping_timeout)
        return ready[0][0] if ready else None


class WrappedDispatcher(DispatcherBase):
    """A caller's event loop: it calls back, and `run_forever` returns at once."""

    def __init__(
        self,
        app: Any,
        ping_timeout: float | None,
        dispatcher: Any,
        handleDisconnect: Callable[..., object] | None,
    ):
        super().__init__(app, ping_timeout)
        self.dispatcher = dispatcher
        self.handleDisconnect = handleDisconnect
        if threading.current_thread() is threading.main_thread():
            import signal  # here, since it is slow to import

            dispatcher.signal(int(signal.SIGINT), dispatcher.abort)

    def read(
        self,
        sock: Any,
        read_callback: Callable[[], object],
        check_callback: Callable[[], object],
    ) -> Any:
        """Have the loop call `read_callback` when readable, `check_callback` now and then; returns
        what the loop gave for the first of them."""
        watch = self.dispatcher.read(sock, read_callback)
        if self.ping_timeout:
            self.timeout(self.ping_timeout, check_callback)
        return watch

    def timeout(self, seconds: float | None, callback: Callable[..., object], *args: Any) -> Any:
        """Have the loop call back after so many seconds; returns what it gave for that."""
        return self.dispatcher.timeout(seconds, callback, *args)

    def reconnect(self, seconds: float, reconnector: Callable[..., object]) -> Any:
        """Have the loop call `reconnector(True)` after so many seconds."""
        return self.timeout(seconds, reconnector, True)

    def send(
        self, sock: Any, data: bytes | str, by: Callable[[Any, bytes], int] | None = None
    ) -> int:
        """Have the loop write all of `data`, by `by(sock, part)` where that is given; returns the
        length of `data`, since all of it counts as written."""
        self.dispatcher.buffwrite(sock, data, send if by is None else by, self.handleDisconnect)
        return len(data)

    def release(self, sock: Any) -> None:
        """Have the loop forget what it was to write to a socket that is about to be closed."""
        release = getattr(self.dispatcher, "release_buff", None)
        if release is not None:
            release(sock)

    def is_running(self) -> bool:
        """Whether the loop says that it is running; False for one that does not say."""
        is_running = getattr(self.dispatcher, "is_running", None)
        return is_running is not None and is_running() is True
