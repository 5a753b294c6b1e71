"""`wsdump --stats`: how much comes and goes, live on a terminal and as a summary at the end."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from websocket import ABNF

__all__ = ["Meter", "amount"]

_MESSAGES = (ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY, ABNF.OPCODE_CONT)
_EVERY = 1.0  # seconds between two looks
_WINDOW = 5  # looks back that a rate is made of


class _Count:
    """Messages in one direction; written by one thread."""

    def __init__(self) -> None:
        self.messages = 0
        self.size = 0
        self.smallest: int | None = None
        self.largest = 0
        self._unfinished = 0

    def add(self, size: int, fin: bool = True) -> None:
        self.size += size
        self._unfinished += size
        if fin:
            self.messages += 1
            whole, self._unfinished = self._unfinished, 0
            self.smallest = whole if self.smallest is None else min(self.smallest, whole)
            self.largest = max(self.largest, whole)

    def total(self) -> str:
        return f"{self.messages} message{'' if self.messages == 1 else 's'}, {amount(self.size)}"


class Meter:
    """Counts messages and the bytes in them, as they are without compression and framing.

    `show` gets the live line every second, as texts of which the longest comes first.
    """

    status = 0

    def __init__(self, show: Callable[[Sequence[str]], None]) -> None:
        self._show = show
        self._received = _Count()
        self._sent = _Count()
        self._start: float | None = None
        self._looks: deque[tuple[float, int, int]] = deque(maxlen=_WINDOW + 1)
        self._over = threading.Event()

    def opened(self) -> None:
        """A connection stands; time counts from the first."""
        if self._start is None:
            self._start = time.monotonic()
            threading.Thread(target=self._watch, daemon=True).start()

    def came(self, frame: ABNF) -> None:
        """A frame has come, which may be a fragment."""
        if frame.opcode in _MESSAGES:
            self._received.add(len(frame.data), bool(frame.fin))

    def goes(self, opcode: int, data: str | bytes) -> None:
        """Something is about to be sent."""
        if opcode in _MESSAGES:
            self._sent.add(len(data.encode(errors="replace") if isinstance(data, str) else data))

    def lost(self) -> None:
        """That changes no number."""

    def leave(self) -> None:
        """Stop, and say on stderr what it was in all."""
        self._over.set()
        if self._start is not None:
            summary = self._summary(time.monotonic() - self._start)
            print(f"wsdump: {summary}", file=sys.stderr, flush=True)

    def _watch(self) -> None:
        while True:
            with suppress(OSError):  # a terminal that has gone; whoever reads from it will see
                self._show(self._live(time.monotonic()))
            if self._over.wait(_EVERY):
                return

    def _live(self, now: float) -> list[str]:
        received, sent = self._received, self._sent
        self._looks.append((now, received.messages, received.size))
        then, messages, size = self._looks[0]
        seconds = now - then
        often = (received.messages - messages) / seconds if seconds else 0.0
        fast = (received.size - size) / seconds if seconds else 0.0
        rates = f"{often:.3g}/s, {amount(fast)}/s"
        duration = now - (self._start or now)
        return [
            f"received {received.total()} ({rates}); sent {sent.total()}; {duration:.0f} s",
            f"received {received.messages} ({rates}); sent {sent.messages}",
            f"{received.messages} ({rates})",
            f"{received.messages}",
        ]

    def _summary(self, seconds: float) -> str:
        received = self._received
        parts = f"{seconds:.1f} s; received {received.total()}"
        if received.messages:
            rates = f"{received.messages / seconds:.3g}/s, {amount(received.size / seconds)}/s"
            mean = amount(received.size / received.messages)
            smallest, largest = amount(received.smallest or 0), amount(received.largest)
            parts += f" ({rates}; smallest {smallest}, mean {mean}, largest {largest})"
        return f"{parts}; sent {self._sent.total()}"


def amount(size: float) -> str:
    """So many bytes, for people."""
    units = ["TB", "GB", "MB", "kB", "B"]
    while size >= 999.5 and len(units) > 1:
        size /= 1000
        units.pop()
    return f"{size:.3g} {units[-1]}" if size < 999.5 else f"{size:.0f} {units[-1]}"
