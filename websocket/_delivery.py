"""`Delivery`: which callbacks of an app a received message, fragment, ping or pong calls."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from . import _tracing
from ._wire.frames import BINARY, CONT, PING, TEXT, Frame

if TYPE_CHECKING:
    from ._app import WebSocketApp

__all__ = ["Delivery"]


class Delivery:
    """The delivering half of a `Session`; in the thread that takes its steps."""

    app: WebSocketApp
    stopped: bool
    _ws: Any
    _ready: list[str | bytes] | None = None  # messages that were parsed ahead, the next one last

    def deliver(self, message: str | bytes) -> None:
        """Call back for a message, then for those that have come behind it, with the fewest calls
        for each; what gets out of a `_callback` that was overridden gets out here."""
        app, ready = self.app, self._ready
        plain = not (self._ws.skip_utf8_validation or app._overrides("_callback"))
        while True:
            on_message = app.on_message
            if on_message is None or app.on_data is not None or not plain:
                self._deliver_in_full(message)
            else:
                try:
                    on_message(app, message)
                except Exception as exc:
                    app._callback_failed(on_message, exc)
            if not ready or self.stopped or _tracing.on:
                return
            try:
                message = ready.pop()
            except IndexError:  # another thread has taken it
                return

    def _deliver_in_full(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self._deliver_message(BINARY, message)
        else:
            as_bytes = self._ws.skip_utf8_validation
            self._deliver_message(TEXT, message.encode() if as_bytes else message)

    def _deliver_message(self, opcode: int, data: str | bytes) -> None:
        app = self.app
        if app.on_data:
            app._callback(app.on_data, data, opcode, True)
        if app.on_message:
            app._callback(app.on_message, data)

    def deliver_frame(self, frame: Frame) -> None:
        """Call back for a fragment, a ping, a pong, or a message that comes as a frame."""
        app, opcode = self.app, frame.opcode
        if opcode == PING:
            app._callback(app.on_ping, frame.data)
        elif opcode > PING:
            app.last_pong_tm = time.time()
            app._callback(app.on_pong, frame.data)
        elif opcode == CONT:
            if app.on_data:
                app._callback(app.on_data, frame.data, opcode, int(frame.fin))
            app._callback(app.on_cont_message, frame.data, int(frame.fin))
        elif opcode == TEXT and not self._ws.skip_utf8_validation:
            text = frame.text if frame.text is not None else frame.data.decode(errors="replace")
            self._deliver_message(opcode, text)
        else:
            self._deliver_message(opcode, frame.data)
