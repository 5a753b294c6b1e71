"""`Delivery`: which callbacks of an app a received message, fragment, ping or pong calls."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from . import _logging
from ._wire.frames import BINARY, CONT, PING, TEXT, Frame

if TYPE_CHECKING:
    from ._app import WebSocketApp

__all__ = ["Delivery"]


class Delivery:
    """The delivering half of a `Session`; in the thread that takes its steps."""

    app: WebSocketApp
    stopped: bool
    _ws: Any
    _ready: list[str | bytes] | tuple[()] = ()  # messages that were parsed ahead, the next one last

    def deliver(self, item: str | bytes | Frame) -> None:
        """Call back for one; what gets out of a `_callback` that was overridden gets out here."""
        if isinstance(item, Frame):
            self._deliver_frame(item)
        elif isinstance(item, bytes):
            self._deliver_message(BINARY, item)
        else:
            self._deliver_message(TEXT, item.encode() if self._ws.skip_utf8_validation else item)

    def deliver_ready(self) -> None:
        """The same for all messages that have come already, with the fewest calls for each."""
        app, ready = self.app, self._ready
        plain = not (app._overrides("_callback") or self._ws.skip_utf8_validation)
        while ready and not self.stopped and not _logging.tracing:
            try:
                message = ready.pop()
            except IndexError:  # another thread has taken it
                return
            on_message = app.on_message
            if on_message is None or app.on_data is not None or not plain:
                self.deliver(message)
                continue
            try:
                on_message(app, message)
            except Exception as exc:
                app._callback_failed(on_message, exc)

    def _deliver_message(self, opcode: int, data: str | bytes) -> None:
        app = self.app
        if app.on_data:
            app._callback(app.on_data, data, opcode, True)
        if app.on_message:
            app._callback(app.on_message, data)

    def _deliver_frame(self, frame: Frame) -> None:
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
