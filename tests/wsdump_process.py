"""wsdump as a process of its own: by pipes, or on a terminal whose screen can be looked at."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyte
from typing_extensions import Self

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 20.0  # seconds, for a loaded machine; no test waits so long when all is well
BANNER = b"Press Ctrl+C to quit\n"

# Makes the terminal the controlling one, so that Ctrl+C typed there is a SIGINT.
_ON_TERMINAL = (
    "import fcntl, runpy, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "runpy.run_module('websocket._wsdump', run_name='__main__', alter_sys=True)"
)


def environment(extra: dict[str, str] | None) -> dict[str, str]:
    given = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1", "TERM": "xterm"}
    for name in ("WSDUMP_CLASSIC", "NO_COLOR", "COLUMNS", "LINES", "INPUTRC"):
        given.pop(name, None)
    return {**given, "INPUTRC": os.devnull, "PYTHONIOENCODING": "utf-8", **(extra or {})}


class Process:
    """What both have: the process, and its output as a thread collects it."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.err = bytearray()
        self._news = threading.Condition()
        self._readers: list[threading.Thread] = []
        self.process: subprocess.Popen[bytes]

    def _collect(self, descriptor: int, into: bytearray) -> None:
        def read() -> None:
            while True:
                try:
                    data = os.read(descriptor, 65536)
                except OSError:  # how the end of a pseudo terminal looks on Linux
                    data = b""
                with self._news:
                    into.extend(data)
                    self._news.notify_all()
                if not data:
                    return

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        self._readers.append(thread)

    def until(self, true: Callable[[], object]) -> None:
        """Wait until the output makes this true."""
        deadline = time.monotonic() + PATIENCE
        with self._news:
            while not true():
                left = deadline - time.monotonic()
                assert left > 0, f"not within {PATIENCE} s; {self.shown()}"
                self._news.wait(left)

    def shown(self) -> str:
        return f"stdout {bytes(self.out)!r}, stderr {bytes(self.err)!r}"

    def until_out(self, part: bytes) -> None:
        self.until(lambda: part in self.out)

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def ends_within(self, seconds: float) -> bool:
        """Whether the process ends in this time, for those that must not."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def wait(self) -> int:
        """The exit status, when all output has been read."""
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running; {self.shown()}") from None
        self._ended()
        for thread in self._readers:
            thread.join(PATIENCE)
        return status

    def _ended(self) -> None: ...

    def _close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._ended()
        for thread in self._readers:
            thread.join(PATIENCE)
        self._close()


class Piped(Process):
    """wsdump with pipes; stdin stays open until `end()`."""

    def __init__(self, *arguments: str, env: dict[str, str] | None = None, cwd: str | None = None):
        super().__init__()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "websocket._wsdump", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(env),
            cwd=cwd,
        )
        assert self.process.stdout and self.process.stderr
        self._collect(self.process.stdout.fileno(), self.out)
        self._collect(self.process.stderr.fileno(), self.err)

    def type(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def end(self) -> None:
        """The end of stdin."""
        assert self.process.stdin
        self.process.stdin.close()

    def _close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe
            pipe.close()


class Terminal(Process):
    """wsdump on a terminal; `rows()` is what is to be seen there."""

    def __init__(
        self,
        *arguments: str,
        columns: int = 80,
        lines: int = 24,
        env: dict[str, str] | None = None,
    ):
        super().__init__()
        self._size = (columns, lines)
        self._own, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.modes_at_start = termios.tcgetattr(theirs)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _ON_TERMINAL, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.PIPE,
            env=environment(env),
            start_new_session=True,
        )
        self._theirs = theirs  # stays open, to see the modes at the end
        assert self.process.stderr
        self._collect(self._own, self.out)
        self._collect(self.process.stderr.fileno(), self.err)

    def type(self, data: bytes) -> None:
        os.write(self._own, data)

    def resize(self, columns: int, lines: int) -> None:
        """As when somebody pulls at the window; `screen` goes on showing the old size."""
        fcntl.ioctl(self._own, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def screen(self) -> pyte.Screen:
        """The terminal as it looks now."""
        screen = pyte.Screen(*self._size)
        pyte.ByteStream(screen).feed(bytes(self.out))
        return screen

    def rows(self) -> list[str]:
        """The rows that are not empty, from the top."""
        return [row.rstrip() for row in self.screen().display if row.strip()]

    def until_row(self, pattern: str) -> None:
        """Wait for a row that is this regular expression."""
        self.until(lambda: any(re.fullmatch(pattern, row) for row in self.rows()))

    def shown(self) -> str:
        return "screen:\n" + "\n".join(self.screen().display) + "\n" + super().shown()

    def _ended(self) -> None:
        if self._theirs >= 0:
            self.modes_at_end = termios.tcgetattr(self._theirs)
            os.close(self._theirs)
            self._theirs = -1

    def _close(self) -> None:
        os.close(self._own)
        assert self.process.stderr
        self.process.stderr.close()
