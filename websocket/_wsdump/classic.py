"""The output that programs and habits rely on: a prompt drawn again behind each item, or raw."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Sequence

from websocket import ABNF, WebSocket

from .items import indented, plain, text_of

__all__ = ["Classic"]


class Classic:
    """Shows items on stdout, complaints on stderr; reads lines from stdin.

    `safe` writes what could steer a terminal as escapes.
    """

    whole_messages = False
    stays = True  # when the connection has ended the lines of stdin are still waited for

    def __init__(self, args: argparse.Namespace, safe: bool):
        self._args = args
        self._safe = safe
        self._start = time.time()
        self._lock = threading.Lock()

    def opened(self, ws: WebSocket) -> None:
        """The first connection stands."""
        self._start = time.time()
        if not self._args.raw:
            print("Press Ctrl+C to quit", flush=True)

    def show(self, frame: ABNF) -> None:
        """Show one frame; any thread."""
        text = text_of(frame.opcode, frame.data)
        if self._args.json and frame.opcode == ABNF.OPCODE_TEXT:
            text = indented(text)
        if self._safe:
            text = plain(text)
        if self._args.verbose:
            text = f"{ABNF.OPCODE_MAP[frame.opcode]}: {text}"
        if self._args.timings:
            text = f"{time.time() - self._start:.5f}: {text}"
        with self._lock:
            if self._args.raw:
                sys.stdout.write(text + "\n")
            else:
                # clear the line, go to the next, blue, default colour, and the prompt again
                sys.stdout.write(f"\033[2K\033[E\033[34m< {text}\033[39m\n> ")
            sys.stdout.flush()

    def lost(self, ws: WebSocket, exc: Exception) -> None:
        """A lost connection looks like a close."""
        self.show(ABNF.create_frame(b"", ABNF.OPCODE_CLOSE))

    def note(self, text: str) -> None:
        """Say something that the server did not; any thread."""
        print(f"wsdump: {plain(text, '')}", file=sys.stderr, flush=True)

    def replayed(self, opcode: int, data: str | bytes) -> None:
        """Nothing, as with what is read from stdin."""

    def status(self, texts: Sequence[str]) -> None:
        """There is no place for it."""

    def read(self) -> str | bytes:
        """One line of stdin; raises EOFError at its end."""
        prompt = "" if self._args.raw else "> "
        if not self._args.binary:
            return input(prompt)
        sys.stdout.write(prompt)
        sys.stdout.flush()
        line = sys.stdin.buffer.readline()
        if not line:
            raise EOFError
        return line.removesuffix(b"\n")

    def leave(self) -> None:
        """Nothing is to be put back in order."""
