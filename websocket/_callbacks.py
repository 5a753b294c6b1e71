"""`Callbacks`, the base of `WebSocketApp`: how it calls back, and pings that a subclass sends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import _logging

if TYPE_CHECKING:
    from ._callback_types import OnClose, OnError

__all__ = ["Callbacks"]

_STOPPING = 3.0  # seconds for the thread of `_send_ping` to end


class Callbacks:
    """The private methods that programs override or patch."""

    on_error: OnError | None
    on_close: OnClose | None
    sock: Any
    ping_interval: float
    ping_payload: str | bytes
    ping_thread: threading.Thread | None = None
    stop_ping: threading.Event | None = None
    last_ping_tm: float = 0.0
    last_pong_tm: float = 0.0

    @property
    def keep_running(self) -> bool:
        """Whether a run goes on."""
        return False

    # --- callbacks --------------------------------------------------------------------------------

    def _callback(self, callback: Callable[..., object] | None, *args: Any) -> None:
        if not callback:
            return
        try:
            callback(self, *args)
        except Exception as exc:
            self._callback_failed(callback, exc)

    def _callback_failed(self, callback: Callable[..., object], exc: Exception) -> None:
        """Tell of what got out of a callback."""
        _logging.error(f"error from callback {callback}: {exc}", exc)
        # Not "is": a method is another object each time it is looked up.
        if self.on_error and callback != self.on_error:
            self._report(self.on_error, exc)

    def _report(self, on_error: OnError, exc: Exception) -> None:
        """Tell `on_error` of another callback's failure; its own is only logged."""
        try:
            on_error(self, exc)
        except Exception as own:
            _logging.error(f"error from callback {on_error}: {own}", own)

    def _get_close_args(self, close_frame: Any) -> list[Any]:
        """What `on_close` is told: [code, reason], None for what was not said."""
        if not self.on_close or close_frame is None:
            return [None, None]
        return list(self._parse_close_frame(close_frame))

    def _parse_close_frame(self, close_frame: Any) -> tuple[int | None, str | None]:
        data = close_frame.data if close_frame is not None else b""
        body = data.encode() if isinstance(data, str) else bytes(data or b"")
        if len(body) < 2:
            return None, None
        return int.from_bytes(body[:2], "big"), body[2:].decode(errors="replace") or None

    # --- pings of a subclass ----------------------------------------------------------------------

    def _overrides(self, *names: str) -> bool:
        """Whether a subclass, a patch or the object itself brings a method of its own."""
        for name in names:
            if name in self.__dict__ or getattr(type(self), name) is not ORIGINALS[name]:
                return True
        return False

    def _own_pings(self) -> bool:
        return self._overrides("_send_ping", "_start_ping_thread")

    def _start_ping_thread_if_overridden(self) -> None:
        if self.ping_interval and self._own_pings():
            self._start_ping_thread()

    def _start_ping_thread(self) -> None:
        """Run `_send_ping` in a thread of its own; the library's own pings need none."""
        self.last_ping_tm = self.last_pong_tm = 0.0
        self.stop_ping = threading.Event()
        self.ping_thread = threading.Thread(target=self._send_ping, daemon=True)
        self.ping_thread.start()

    def _stop_ping_thread(self) -> None:
        if self.stop_ping is not None:
            self.stop_ping.set()
        self.last_ping_tm = self.last_pong_tm = 0.0
        thread = self.ping_thread
        if thread is None or thread is threading.current_thread():
            return  # it finds `stop_ping` set
        if thread.is_alive():
            thread.join(_STOPPING)
        if thread.is_alive():
            _logging.warning(f"the ping thread has not stopped within {_STOPPING:g} s")
        else:
            self.stop_ping = self.ping_thread = None

    def _send_ping(self) -> None:
        """Send a ping every interval until `stop_ping` is set."""
        stop = self.stop_ping
        while stop is not None and not stop.wait(self.ping_interval) and self.keep_running:
            self.last_ping_tm = time.time()
            with suppress(Exception):
                self.sock.ping(self.ping_payload)


ORIGINALS: dict[str, Any] = dict(vars(Callbacks))
"""The methods as they are without overrides; `WebSocketApp` adds its own."""
