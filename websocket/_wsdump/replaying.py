"""`wsdump --replay`: what a recording says was sent, at its times, in the place of stdin."""

from __future__ import annotations

import time
from collections.abc import Callable

from websocket import ABNF
from websocket._records import RecordedEvent, read_recording

__all__ = ["Replay"]

_OPCODES = {
    "text": ABNF.OPCODE_TEXT,
    "binary": ABNF.OPCODE_BINARY,
    "ping": ABNF.OPCODE_PING,
    "pong": ABNF.OPCODE_PONG,
    "close": ABNF.OPCODE_CLOSE,
}
_NO_STATUS, _ABNORMAL = 1005, 1006
_LONGEST_WAIT = 3600.0  # seconds; some systems cannot wait for weeks at once


class Replay:
    """What was sent, of all connections of a recording, for one that stands now.

    A close is sent only if nothing was sent behind it: earlier ones ended connections, and here
    there is but one. Raises OSError and ValueError as `read_recording` does.
    """

    def __init__(self, path: str) -> None:
        events = read_recording(path).events
        sent = [event for event in events if event.direction == "sent" and event.type in _OPCODES]
        self._sent = [event for event in sent if event.type != "close" or event is sent[-1]]
        self._sent = [event for event in self._sent if event.code != _ABNORMAL]
        self._end = events[-1].time if events else 0.0
        self._start: float | None = None
        self._place = 0

    def next(self, wait: Callable[[float], bool]) -> tuple[int, str | bytes]:
        """Opcode and data of what is to be sent now, when its time has come.

        The first call is the recording's beginning. Raises EOFError when the whole recording is
        over, which may be later than the last thing that was sent, or when `wait` returns True.
        """
        if self._start is None:
            self._start = time.monotonic()
        event = self._sent[self._place] if self._place < len(self._sent) else None
        due = self._start + (self._end if event is None else event.time)
        while (seconds := due - time.monotonic()) > 0:
            if wait(min(seconds, _LONGEST_WAIT)):
                raise EOFError
        if event is None:
            raise EOFError
        self._place += 1
        return _OPCODES[event.type], _data(event)


def _data(event: RecordedEvent) -> str | bytes:
    if event.type != "close":
        return event.data
    code = event.code or _NO_STATUS
    return b"" if code == _NO_STATUS else code.to_bytes(2, "big") + event.reason.encode()
