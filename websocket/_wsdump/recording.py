"""`wsdump --record`: the conversation as a file that can be replayed."""

from __future__ import annotations

from collections.abc import Callable

from websocket import ABNF
from websocket._records import Direction, Kind, Writer

__all__ = ["Tape"]

_KINDS: dict[int, Kind] = {
    ABNF.OPCODE_TEXT: "text",
    ABNF.OPCODE_BINARY: "binary",
    ABNF.OPCODE_PING: "ping",
    ABNF.OPCODE_PONG: "pong",
    ABNF.OPCODE_CLOSE: "close",
}
_NO_STATUS, _ABNORMAL = 1005, 1006


class Tape:
    """Writes down messages, not fragments; closes, and what pings and pongs come.

    When that fails it says so by `complain` and goes on without; the exit status will be 1. Any
    thread.
    """

    def __init__(self, path: str, url: str, complain: Callable[[str], None]) -> None:
        """Raises OSError when the file cannot be written."""
        self.status = 0
        self._complain = complain
        self._writer = Writer(path, url)
        self._connection = -1
        self._kind: Kind = "text"
        self._fragments: list[bytes] = []
        self._ended = True

    def opened(self) -> None:
        """The next connection stands."""
        self._connection += 1
        self._fragments.clear()
        self._ended = False
        self._write("sent", "open")

    def came(self, frame: ABNF) -> None:
        """A frame has come, which may be a fragment."""
        if frame.opcode in (ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY, ABNF.OPCODE_CONT):
            self._kind = _KINDS.get(frame.opcode, self._kind)
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                data = b"".join(self._fragments)
                self._fragments.clear()
                self._item("received", self._kind, data)
        else:
            self._item("received", _KINDS[frame.opcode], bytes(frame.data))

    def goes(self, opcode: int, data: str | bytes) -> None:
        """Something is about to be sent."""
        raw = data.encode(errors="replace") if isinstance(data, str) else data
        self._item("sent", _KINDS[opcode], raw)

    def lost(self) -> None:
        """The connection has ended without a close frame."""
        if not self._ended:
            self._write("received", "close", code=_ABNORMAL)

    def leave(self) -> None:
        """The recording is complete."""
        self._writer.close()

    def _item(self, direction: Direction, kind: Kind, data: bytes) -> None:
        if kind == "close":
            self._ended = True
            code = int.from_bytes(data[:2], "big") if data else _NO_STATUS
            self._write(direction, kind, code=code, reason=data[2:].decode(errors="replace"))
        else:
            self._write(direction, kind, data.decode(errors="replace") if kind == "text" else data)

    def _write(
        self,
        direction: Direction,
        kind: Kind,
        data: str | bytes = b"",
        code: int | None = None,
        reason: str = "",
    ) -> None:
        if self.status:
            return
        try:
            self._writer.write(direction, kind, data, code, reason, self._connection)
        except (OSError, ValueError) as exc:
            self.status = 1
            self._complain(f"the recording has ended: {exc}")
