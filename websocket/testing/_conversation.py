"""`Conversation`: what the steps of a script act on; one connection of a scripted server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from .._exceptions import (
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
)
from .._wire.decoding import FrameDecoder
from .._wire.frames import OPCODE_NAMES, Frame
from .._wire.http1 import HeadReader, Request
from ._line import Line
from ._waiting import Alarm, instant, wait

__all__ = ["Conversation", "Over", "shown"]

_LAST_CHANCE = 0.5  # seconds for what is expected when the server closes
_PATIENCE = 5.0  # seconds for the client to go when the script has ended


class Over(Exception):
    """The client has gone, or the server closes: the script ends here, and that is no failure."""


class Conversation:
    """One connection of a scripted server, in the thread of its script.

    `number` counts the server's connections from 0; `request` is the client's request once it has
    been read. Every method that waits ends when the server closes.
    """

    def __init__(
        self, line: Line, alarm: Alarm, number: int, record: bytearray, arrived: threading.Condition
    ) -> None:
        self.number = number
        self.request: Request | None = None
        self._line = line
        self._alarm = alarm
        self._record = record
        self._arrived = arrived
        self._unread = bytearray()  # received, and not asked for by any step
        self._at_end = False
        self._last_chance: float | None = None

    # --- sending ----------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send bytes as they are; waits until the kernel has taken them."""
        if not self._line.write(data, alarm=self._alarm):
            raise Over

    def drip(self, data: bytes, every: float, size: int = 1) -> None:
        """Send `size` bytes each `every` seconds."""
        for start in range(0, len(data), size):
            if start:
                self.delay(every)
            self.send(data[start : start + size])

    # --- receiving --------------------------------------------------------------------------------

    def receive(self, size: int, timeout: float = 5.0) -> bytes:
        """The next `size` bytes; raises AssertionError if they do not come in time."""
        return self._await(
            lambda data: size if len(data) >= size else None, f"{size} bytes", timeout
        )

    def expect(self, what: bytes | Callable[[bytes], object], timeout: float = 5.0) -> bytes:
        """The next bytes, which have to be `what`; raises AssertionError otherwise.

        A function is called with all bytes that no step has taken, again whenever more have come,
        until it returns something true: it takes them all.
        """
        if callable(what):
            check = what
            return self._await(
                lambda data: len(data) if data and check(data) else None,
                f"bytes that satisfy {getattr(what, '__name__', what)!r}",
                timeout,
            )
        expected = what

        def measure(data: bytes) -> int | None:
            if not expected.startswith(data[: len(expected)]):
                raise AssertionError(f"expected {shown(expected)}, got {shown(data)}")
            return len(expected) if len(data) >= len(expected) else None

        return self._await(measure, shown(expected), timeout)

    def read_request(self, timeout: float = 5.0) -> Request:
        """The client's request, read now or before; raises AssertionError if there is none."""
        if self.request is not None:
            return self.request
        heads: list[Request] = []

        def measure(data: bytes) -> int | None:
            reader = HeadReader("request")
            try:
                used = reader.feed(data)
            except WebSocketException as exc:
                raise AssertionError(f"expected a request: {exc}") from exc
            if used is not None:
                heads.append(reader.head())
            return used

        self._await(measure, "a request", timeout)
        self.request = heads[0]
        return self.request

    def read_frame(self, timeout: float = 5.0) -> Frame:
        """The client's next frame, unmasked; raises AssertionError if none comes in time."""
        found: list[Frame] = []

        def measure(data: bytes) -> int | None:
            decoder = FrameDecoder()
            decoder.feed(data)
            frame = decoder.next()
            if frame is None:
                return None
            found.append(frame)
            return len(data) - len(decoder.give_back())

        self._await(measure, "a frame", timeout)
        return found[0]

    def expect_frame(
        self,
        opcode: int,
        payload: bytes | Callable[[bytes], object] | None = None,
        timeout: float = 5.0,
    ) -> Frame:
        """The client's next frame, which has to have this opcode and payload (or one for which the
        function returns something true); raises AssertionError otherwise."""
        frame = self.read_frame(timeout)
        if frame.opcode != opcode:
            expected = OPCODE_NAMES.get(opcode, hex(opcode))
            raise AssertionError(f"expected a {expected} frame, got {frame!r}")
        fits = payload is None or (
            payload(frame.data) if callable(payload) else payload == frame.data
        )
        if not fits:
            expected = repr(payload) if callable(payload) else shown(payload or b"")
            raise AssertionError(f"expected the payload {expected}, got {frame!r}")
        return frame

    def _await(
        self, measure: Callable[[bytes], int | None], expected: str, timeout: float
    ) -> bytes:
        """Take as many bytes as `measure` says of those that have come, None being "not yet"."""
        until = instant(timeout)
        while True:
            came = bytes(self._unread)
            size = measure(came)
            if size is not None:
                del self._unread[:size]
                return came[:size]
            try:
                data = b"" if self._at_end else self._read(until)
            except WebSocketTimeoutException as exc:
                why = "the server was closed" if self._alarm.rang else f"{timeout} seconds"
                raise AssertionError(f"expected {expected}, got {shown(came)} until {why}") from exc
            if not data:
                raise AssertionError(f"expected {expected}, got {shown(came)} and then the end")

    def _read(self, until: float | None) -> bytes:
        """More bytes; a moment longer, too, when the server closes: they may be on their way."""
        if not self._alarm.rang:
            data = self._take(until, self._alarm)
            if data is not None:
                return data
        if self._last_chance is None:
            self._last_chance = instant(_LAST_CHANCE)
        return self._take(self._last_chance, None) or b""

    def _take(self, until: float | None, alarm: Alarm | None) -> bytes | None:
        """Read and record; b"" at the end, None when the alarm has rung."""
        try:
            data = self._line.read(until, alarm)
        except WebSocketTimeoutException:
            raise
        except WebSocketConnectionClosedException:
            data = b""  # a reset is an end, too
        if data == b"":
            self._at_end = True
        if data:
            self._unread += data
            with self._arrived:
                self._record += data
                self._arrived.notify_all()
        return data

    # --- waiting ----------------------------------------------------------------------------------

    def delay(self, seconds: float) -> None:
        """Do nothing for a while; what the client sends meanwhile is recorded."""
        until = instant(seconds)
        try:
            while not self._at_end:
                if self._take(until, self._alarm) is None:
                    raise Over
            wait(None, until, alarm=self._alarm)
        except WebSocketTimeoutException:
            return
        raise Over

    def hang(self, read: bool = True) -> None:
        """Do nothing until the client has gone; what it sends is recorded, or, with `read` False,
        not even received."""
        if not read:
            self._line.wait_gone(self._alarm)
        while read and not self._at_end:
            self._take(None, self._alarm)
            if self._alarm.rang:
                break
        if self._alarm.rang:
            raise Over

    # --- ending -----------------------------------------------------------------------------------

    def half_close(self) -> None:
        """Send the end of the stream, and go on receiving."""
        self._line.half_close(farewell=True)

    def drop(self) -> None:
        """End the connection as a program does that is killed: TCP's end, on TLS without its own.
        What the client sends afterwards is answered by a reset."""
        try:
            while not self._at_end and self._take(instant(0), self._alarm):
                pass  # with bytes unread it would be a reset
        except WebSocketTimeoutException:
            pass
        self._line.close()

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        self._line.reset()

    def finish(self) -> None:
        """The end of every script: `half_close`, then receive until the client has gone, at most
        five seconds."""
        until = instant(_PATIENCE)
        try:
            self._line.flush(until, self._alarm)
            self.half_close()
            while not self._at_end and self._take(until, self._alarm) is not None:
                pass
        except WebSocketException:
            pass  # it is the end in any case

    @property
    def transport(self) -> socket.socket:
        """The socket (an SSLSocket over TLS), which does not block."""
        return self._line.sock


def shown(data: bytes) -> str:
    """Bytes for a message, not too many."""
    if len(data) <= 80:
        return repr(data)
    return f"{data[:60]!r}... ({len(data)} bytes)"
