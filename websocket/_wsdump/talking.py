"""A conversation: a thread shows what comes, the main thread sends what is typed."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Protocol

from websocket import (
    ABNF,
    WebSocket,
    WebSocketBadStatusException,
    WebSocketException,
    create_connection,
    reconnecting,
)

from .arguments import options_of
from .items import NORMAL
from .knocking import Door, Ended
from .replaying import Replay

__all__ = ["Display", "Talk", "Watcher", "one_line"]

_MESSAGES = (ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY, ABNF.OPCODE_CONT)
_FAREWELL = 1.0  # seconds that the server gets for the closing handshake
_FAILED, _ABNORMAL = 1, 3
_NORMAL_CLOSE = (1000).to_bytes(2, "big")

# RFC 9110 15.5: refusals that mean "too early" or "too often"
_TRY_AGAIN = (408, 425, 429)


class Display(Protocol):
    """Where a conversation is shown, and where its lines come from."""

    stays: bool
    whole_messages: bool

    def opened(self, ws: WebSocket) -> None: ...
    def show(self, frame: ABNF) -> None: ...
    def lost(self, ws: WebSocket, exc: Exception) -> None: ...
    def note(self, text: str) -> None: ...
    def replayed(self, opcode: int, data: str | bytes) -> None: ...
    def status(self, texts: Sequence[str]) -> None: ...
    def read(self) -> str | bytes: ...
    def leave(self) -> None: ...


class Watcher(Protocol):
    """Who is told of all that happens, besides the display; `status` is not 0 if it has failed."""

    status: int

    def opened(self) -> None: ...
    def came(self, frame: ABNF) -> None: ...
    def lost(self) -> None: ...
    def goes(self, opcode: int, data: str | bytes) -> None: ...
    def leave(self) -> None: ...


def one_line(exc: BaseException) -> str:
    """An error for people: its text, which ends with the hint, on one line."""
    return " ".join(str(exc).split()) or type(exc).__name__


class Talk:
    """One run of the command; `run()` gives its exit status.

    `replay` takes the place of stdin.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        display: Display,
        watchers: Sequence[Watcher] = (),
        replay: Replay | None = None,
    ):
        self._args = args
        self._display = display
        self._watchers = watchers
        self._replay = replay
        self._door = Door()
        self._came = 0
        self._ws: WebSocket | None = None
        self._changed = threading.Condition()
        self._source = self._connections()
        self._follower: threading.Thread | None = None

    def run(self) -> int:
        """Connect, and talk until the end. The caller's thread reads and sends the lines.

        Raises what `create_connection` raises, and KeyboardInterrupt.
        """
        try:
            self._converse(next(self._source))
        finally:
            for watcher in self._watchers:
                watcher.leave()
        return self._door.status or max((each.status for each in self._watchers), default=0)

    def _converse(self, first: WebSocket) -> None:
        try:
            with self._door:
                self._display.opened(first)
                self._begin(first)
                self._send_lines()
                self._stay()
                self._door.say(0)
        except Ended:
            pass
        finally:
            self._display.leave()
            if not self._display.stays and self._ws is not None:
                self._say_farewell(self._ws)

    def _say_farewell(self, ws: WebSocket) -> None:
        self._door.say(0)  # so that nobody connects again
        with suppress(WebSocketException, OSError):
            if ws.connected:
                self._goes(ABNF.OPCODE_CLOSE, _NORMAL_CLOSE)
            ws.close(timeout=_FAREWELL)
        if self._watchers and self._follower is not None:
            self._follower.join(_FAREWELL)  # they are to see the server's close, too

    def _connections(self) -> Iterator[WebSocket]:
        """The connection; with --reconnect one after the other."""
        options = options_of(self._args)
        options["fire_cont_frame"] = not self._display.whole_messages
        if not self._args.reconnect:
            yield create_connection(self._args.url, **options)
            return
        with reconnecting(self._args.url, retry=self._worth_retrying, **options) as connections:
            yield from connections

    def _worth_retrying(self, exc: BaseException) -> bool:
        """Whether time can heal it; says so. Not a wrong argument, not most refusals with 4xx."""
        if isinstance(exc, WebSocketBadStatusException):
            worth = not 400 <= exc.status_code < 500 or exc.status_code in _TRY_AGAIN
        else:
            worth = not isinstance(exc, (ValueError, TypeError))
        if worth:
            self._display.note(f"{one_line(exc)}; connecting again")
        return worth

    # --- what comes -------------------------------------------------------------------------------

    def _begin(self, first: WebSocket) -> None:
        self._use(first)
        if self._args.text:
            self._goes(ABNF.OPCODE_TEXT, self._args.text)
            first.send(self._args.text)
        self._follower = threading.Thread(target=self._follow, args=(first,), daemon=True)
        self._follower.start()
        if self._args.wait is not None:
            timer = threading.Timer(self._args.wait, self._time_is_up)
            timer.daemon = True
            timer.start()

    def _use(self, ws: WebSocket) -> None:
        ws.settimeout(None)  # --timeout is for connecting; a server may be silent for long
        for watcher in self._watchers:
            watcher.opened()
        with self._changed:
            self._ws = ws
            self._changed.notify_all()

    def _follow(self, first: WebSocket) -> None:
        """Show what comes, of one connection or of all; in a thread of its own."""
        try:
            self._show(first)
            while self._args.reconnect and not self._door.over.is_set():
                ws = next(self._source)
                self._use(ws)
                self._display.note("connected again")
                self._show(ws)
        except BrokenPipeError:
            self._nobody_reads()
            self._door.end(0)
        except (WebSocketException, OSError, ValueError, StopIteration) as exc:
            self._end(_FAILED, one_line(exc))

    def _show(self, ws: WebSocket) -> None:
        opcode = None
        lost: Exception | None = None
        while opcode != ABNF.OPCODE_CLOSE:
            try:
                opcode, frame = ws.recv_data_frame(True)
            except (WebSocketException, OSError) as exc:
                lost = exc
                break
            for watcher in self._watchers:
                watcher.came(frame)
            self._display.show(frame)
            if opcode in _MESSAGES and frame.fin:
                self._came += 1
                if self._came == self._args.count:
                    self._door.end(0)
                    return
        if lost is not None:
            for watcher in self._watchers:
                watcher.lost()
            self._display.lost(ws, lost)
        if not self._args.reconnect:
            self._ended(ws, lost)

    def _ended(self, ws: WebSocket, lost: Exception | None) -> None:
        """The connection is over; the program too, unless it goes on reading stdin as ever."""
        abnormal = lost is not None or ws.close_code not in NORMAL
        if self._args.count is None and self._args.wait is None and self._display.stays:
            return
        status = _ABNORMAL if abnormal else _FAILED if self._args.count else 0
        how = one_line(lost) if lost is not None else f"closed by the server ({ws.close_code})"
        self._end(status, how + self._missing() if self._display.stays else "")

    def _time_is_up(self) -> None:
        status = _FAILED if self._args.count else 0
        self._end(status, f"{self._args.wait:g} seconds are over{self._missing()}")

    def _missing(self) -> str:
        wanted = self._args.count
        return f"; {self._came} of {wanted} messages have come" if wanted else ""

    def _end(self, status: int, text: str) -> None:
        if status and text and not self._door.over.is_set():
            self._display.note(text)
        self._door.end(status)

    # --- what is sent -----------------------------------------------------------------------------

    def _send_lines(self) -> None:
        """Send the lines of stdin, or what is replayed, until its end."""
        while True:
            try:
                opcode, data = self._next()
            except EOFError:
                return
            except BrokenPipeError:
                self._nobody_reads()
                return
            except UnicodeDecodeError:
                self._display.note("stdin is not text in UTF-8 (--binary sends any bytes)")
                self._door.say(_FAILED)
                return
            if not self._send(opcode, data):
                self._door.say(_ABNORMAL)
                return

    def _next(self) -> tuple[int, str | bytes]:
        """What is to be sent next; raises EOFError at the end."""
        if self._replay is None:
            line = self._display.read()
            return (ABNF.OPCODE_BINARY if self._args.binary else ABNF.OPCODE_TEXT), line
        opcode, data = self._replay.next(self._door.over.wait)
        self._display.replayed(opcode, data)
        return opcode, data

    def _send(self, opcode: int, data: str | bytes) -> bool:
        """Send it; with --reconnect, if necessary by the next connection."""
        while (ws := self._ws) is not None:
            try:
                self._goes(opcode, data)
                ws.send(data, opcode)
                return True
            except (WebSocketException, OSError) as exc:
                if not self._args.reconnect:
                    self._display.note(f"the line was not sent: {one_line(exc)}")
                    return False
            with self._changed:
                while self._ws is ws and not self._door.over.is_set():
                    self._changed.wait(1.0)
        return False

    def _goes(self, opcode: int, data: str | bytes) -> None:
        # Before it is sent: the answer may be here sooner than we are back.
        for watcher in self._watchers:
            watcher.goes(opcode, data)

    def _stay(self) -> None:
        """After the end of stdin: go when what was asked for is done."""
        if self._door.over.is_set():
            return
        if self._args.count is not None or self._args.wait is not None:
            self._door.over.wait()
        elif self._args.eof_wait > 0:
            self._door.over.wait(self._args.eof_wait)

    def _nobody_reads(self) -> None:
        """What we print is no longer wanted, as with `| head`: that is no error."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
