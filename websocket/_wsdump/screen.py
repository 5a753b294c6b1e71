"""A terminal on which items appear above the line that is being typed, which stays as it is."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from types import ModuleType

from websocket import ABNF, WebSocket

from .items import closing, cut, hex_rows, indented, plain, text_of

__all__ = ["Screen"]

_BLUE, _MAGENTA, _YELLOW, _RED, _FAINT = 34, 35, 33, 31, 2
_COLOURS = {
    ABNF.OPCODE_TEXT: _BLUE,
    ABNF.OPCODE_CONT: _BLUE,
    ABNF.OPCODE_BINARY: _MAGENTA,
    ABNF.OPCODE_PING: _FAINT,
    ABNF.OPCODE_PONG: _FAINT,
}
_PLAIN = 39
_FEWEST_LINES = 4  # of a terminal with a status line
_DATA = (ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY)

# A row is put in above the cursor's, wherever that is: go down a line, which scrolls at the bottom,
# and up again, so that there is room below; save the place; insert a row, which moves the cursor's
# row down; write; and go back to the place, one further down. The cursor ends where it was in the
# line being typed, so readline, which knows nothing of this, goes on as if nothing had been. One
# write is one act for a terminal: what readline echoes meanwhile comes before or behind it.
_ABOVE, _BACK = "\033D\033[A\0337\r\033[L\033[?7l", "\033[0m\033[?7h\0338\033[B"


def _reserve(lines: int) -> str:
    """Let only the rows above the last one scroll, without moving the cursor.

    That it may stand in the last row is mended first; and setting what scrolls moves it home.
    """
    return f"\0337\033[r\0338\033D\033[A\0337\033[1;{lines - 1}r\0338"


class Screen:
    """Shows items on the terminal, and reads what is typed there.

    Needs `readline` for editing within one row; without, stdin is no terminal and has no prompt.
    """

    stays = False

    def __init__(self, args: argparse.Namespace, readline: ModuleType | None):
        self._args = args
        self._start = time.time()
        self._lock = threading.Lock()
        self._left = False
        self._reserved = 0  # so many rows the terminal had when its last one was kept free
        self._colours = not os.environ.get("NO_COLOR")
        self._prompt = "> " if readline is not None else ""
        self.whole_messages = not args.verbose
        if readline is not None:
            # A line longer than the row scrolls inside it; otherwise it would take several rows,
            # and nobody could tell in which of them the cursor is. For the same reason pasted line
            # ends are Enter, and there is no list of completions.
            readline.parse_and_bind("set horizontal-scroll-mode on")
            readline.parse_and_bind("set enable-bracketed-paste off")
            readline.parse_and_bind("tab: tab-insert")

    def opened(self, ws: WebSocket) -> None:
        """The first connection stands."""
        self._start = time.time()
        chosen = ws.getsubprotocol()
        extra = f", subprotocol {chosen}" if chosen else ""
        self.note(f"connected to {self._args.url}{extra}; Ctrl+C to quit", _FAINT)

    def show(self, frame: ABNF) -> None:
        """Show one item; any thread."""
        opcode, verbose = frame.opcode, self._args.verbose
        if opcode == ABNF.OPCODE_CLOSE:
            code = int.from_bytes(frame.data[:2], "big") if len(frame.data) > 1 else None
            said = closing(code, frame.data[2:].decode(errors="replace"))
            self.note(f"closed by the server: {said}", _YELLOW)
            return
        if not verbose and opcode not in _DATA:
            return
        text = text_of(opcode, frame.data)
        if self._args.json and opcode == ABNF.OPCODE_TEXT:
            text = indented(text)
        if verbose:
            kind = ABNF.OPCODE_MAP[opcode] + ("" if frame.fin else " (more follows)")
            if opcode == ABNF.OPCODE_BINARY:
                text = f"{kind}: {len(frame.data)} bytes"
            else:
                text = f"{kind}: {text}"
        hexed = frame.data if verbose and opcode == ABNF.OPCODE_BINARY else b""
        self._put("< " + self._stamp() + text, _COLOURS.get(opcode, _BLUE), hexed)

    def lost(self, ws: WebSocket, exc: Exception) -> None:
        """The connection has ended without a close frame of the server."""
        self.note(f"connection lost: {exc}", _RED)

    def note(self, text: str, colour: int = _RED) -> None:
        """Say something that the server did not; any thread."""
        self._put(f"* {text}", colour)

    def replayed(self, opcode: int, data: str | bytes) -> None:
        """Show what is sent now, as if it had been typed; any thread."""
        raw = data.encode() if isinstance(data, str) else data
        if opcode in _DATA:
            self._put("> " + text_of(opcode, raw), _PLAIN)
        elif self._args.verbose:
            self._put(f"> {ABNF.OPCODE_MAP[opcode]}: {raw!r}", _FAINT)

    def status(self, texts: Sequence[str]) -> None:
        """Show the first of these texts that fits in the last row, which is kept free for it.

        It stays where it is while all else scrolls above it. Any thread.
        """
        size = shutil.get_terminal_size()
        text = next((text for text in texts if len(text) < size.columns), "")
        with self._lock:
            if self._left or size.lines < _FEWEST_LINES:
                return
            before = "" if size.lines == self._reserved else _reserve(size.lines)
            self._reserved = size.lines
            style = f"\033[{_FAINT}m" if self._colours else ""
            self._write(f"{before}\0337\033[{size.lines};1H{style}{text}\033[0m\033[K\0338")

    def read(self) -> str | bytes:
        """One line; raises EOFError at the end."""
        if self._prompt:
            with self._lock:
                self._write("\r\033[K")  # what the system echoed while nobody was reading
        line = input(self._prompt)
        return line.encode(errors="surrogateescape") if self._args.binary else line

    def leave(self) -> None:
        """Clear the line that was being typed; nothing is shown from now on."""
        with self._lock:
            if self._left:
                return
            if self._reserved:
                self._write(f"\0337\033[r\033[{self._reserved};1H\033[K\0338")
            if self._prompt:
                self._write("\r\033[K")
            self._left = True

    def _stamp(self) -> str:
        return f"{time.time() - self._start:.5f}: " if self._args.timings else ""

    def _put(self, text: str, colour: int, data: bytes = b"") -> None:
        columns = max(shutil.get_terminal_size().columns, 8)
        rows: list[str] = list(cut(plain(text), columns))
        self._rows(rows, colour)
        self._rows(hex_rows(data, columns), _FAINT)

    def _rows(self, rows: Iterable[str], colour: int) -> None:
        style = f"\033[{colour}m" if self._colours else ""
        with self._lock:
            for row in rows:
                if not self._left:
                    self._write(f"{_ABOVE}{style}{row}{_BACK}")

    def _write(self, text: str) -> None:
        sys.stdout.flush()
        data = text.encode(sys.stdout.encoding, errors="backslashreplace")
        while data:
            data = data[os.write(sys.stdout.fileno(), data) :]
