"""TLS over a stream: an engine under a mutex that is never held while waiting.

Two threads may never be inside one OpenSSL connection, so TLS is no socket here but an
`ssl.SSLObject` between two memory BIOs: the reader feeds it records, the writer takes out what it
puts out, and whoever holds the write lock sends it. TLS inside TLS (an https proxy) is the same
engine twice. Loaded at the first wss connection, since `ssl` is slow to import.

Reading takes all that has come and decrypts it at once: what is not handed out then shows in
`pending()`, where programs look that watch a TLS socket. Behind the hatch it takes one record at a
time, so that those behind stay the kernel's; during the opening handshake, too, since there are
programs that never look into `pending()`, and servers that speak first.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from .._exceptions import (
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
    WebSocketWouldBlockException,
)
from .deadline import Deadline
from .records import RecordBorders
from .streams import Bytes, Stream
from .tls_engine import PLAINTEXT, Engine

__all__ = ["TLSStream"]

CHUNK_IN = (1 << 16) + 256  # what is read at a time: 64 KiB, with what frames and TLS add to them
CHUNK_OUT = 5 * PLAINTEXT  # what is encrypted at a time: 64 KiB with their header are one piece

_Answer = TypeVar("_Answer")


class TLSStream:
    """TLS in the client's role over `lower`; call `handshake` first."""

    __slots__ = (
        "_borders",
        "_engine",
        "_lower",
        "_plain",
        "_plain_at",
        "_read_lock",
        "_reading_ahead",
        "_shut",
        "_taking_all",
        "_took_all",
        "_write_lock",
        "half_sent",
    )

    def __init__(self, lower: Stream, context: ssl.SSLContext, server_hostname: str | None):
        self._lower = lower
        self._engine = Engine(context, server_hostname)
        self._borders = RecordBorders()
        self._reading_ahead = True  # until the hatch opens
        self._taking_all = False  # not record by record
        self._took_all = False  # whether the last read left nothing in the kernel
        self._plain = b""  # decrypted and not handed out, from _plain_at on
        self._plain_at = 0
        self.half_sent = False
        self._shut = False  # a latch: the user has shut reading down
        self._read_lock: Any = self._engine.mutex  # until there is a connection
        self._write_lock: Any = self._engine.mutex

    def ask(self, question: Callable[[ssl.SSLObject], _Answer]) -> _Answer:
        """What the engine knows: certificate, cipher, version and the like; any thread."""
        return self._engine.ask(question)

    @property
    def socket(self) -> Any:
        return self._lower.socket

    @property
    def unsent(self) -> bool:
        return self._engine.outgoing.pending > 0 or bool(self._lower.unsent)

    def handshake(self, deadline: Deadline | None) -> None:
        """The TLS handshake; raises ssl.SSLError as OpenSSL words it, and the stream's errors."""
        engine = self._engine
        while True:
            try:
                done = engine.shake_hands()
            except ssl.SSLError:
                with suppress(WebSocketException):  # the alert that says why
                    self._lower.write_now(engine.take_output())
                raise
            output = engine.take_output()
            if output:
                self._lower.write(output, deadline)
            if done:
                if engine.unread > self._borders.held:
                    self._plain = engine.decrypt(None, self._borders.held) or b""
                return
            engine.feed(self._arrived(deadline, CHUNK_IN))  # no data comes before our request

    # --- reading ---------------------------------------------------------------------------------

    def read(self, missing: int, ahead: bool, deadline: Deadline | None = None) -> bytes:
        plain, start = self._plain, self._plain_at
        if start == len(plain):
            engine, borders, start = self._engine, self._borders, 0
            while True:
                came = engine.decrypt(self._arrived(deadline), borders.held)
                if came is not None:
                    break
                self._see_to_tls(deadline)
            plain = came
        if self._shut:
            return b""
        end = len(plain) if ahead and self._reading_ahead else start + missing
        if end >= len(plain):
            self._plain, self._plain_at = b"", 0
            return plain[start:] if start else plain
        self._plain, self._plain_at = plain, end
        return plain[start:end]

    def read_into(self, room: memoryview, deadline: Deadline | None = None) -> int:
        if self._plain_at < len(self._plain) or not self._taking_all:
            data = self.read(len(room), False, deadline)
            room[: len(data)] = data
            return len(data)
        engine, borders = self._engine, self._borders
        while True:
            count = engine.decrypt_into(self._arrived(deadline), borders.held, room)
            if count is not None:
                break
            self._see_to_tls(deadline)
        self._plain, self._plain_at, engine.left = engine.left, 0, b""
        return 0 if self._shut else count

    def _see_to_tls(self, deadline: Deadline | None) -> None:
        """Only records for TLS itself have come; a peer that sends nothing else shall not keep us
        for ever, and may wait for the engine's answer."""
        if deadline is not None and deadline.expired:
            raise WebSocketTimeoutException("Connection timed out")
        if self._engine.outgoing.pending and self._write_lock.acquire(blocking=False):
            try:
                self.flush()
            finally:
                self._write_lock.release()

    def _arrived(self, deadline: Deadline | None, most: int = 0) -> bytes:
        """The ciphertext that has come, at least to the end of a record of which the engine has the
        beginning; no more than one record unless all is taken. b"" at the end."""
        engine, borders = self._engine, self._borders
        while engine.ending is None:
            count = most or (CHUNK_IN if self._taking_all else borders.next_read)
            data = self._lower.read(count, False, deadline)
            if not data or borders.follow(data):
                self._took_all = len(data) < count
                return data
            engine.feed(data)
        return b""

    def give_back(self, data: bytes) -> bytes:
        self._plain, self._plain_at = data + self._plain[self._plain_at :], 0
        return b""

    def caught_up(self) -> bool:
        here = self._plain_at < len(self._plain) or self._engine.ending or self._lower.pending()
        return self._taking_all and self._took_all and not here

    def stop_reading_ahead(self) -> None:
        self._reading_ahead = self._taking_all = False
        self._lower.stop_reading_ahead()

    def pending(self) -> int:
        if self._shut:
            return 0
        if self._plain_at == len(self._plain) and self._lower.pending():
            self._pull_from_below()
        return len(self._plain) - self._plain_at

    def _pull_from_below(self) -> None:
        """Through an https proxy whole records of ours may wait, decrypted, in the outer layer."""
        if not self._read_lock.acquire(blocking=False):
            return  # somebody is reading them just now
        engine, borders = self._engine, self._borders
        try:
            while self._plain_at == len(self._plain) and self._lower.pending():
                data = self._lower.read(borders.next_read, False)
                if borders.follow(data):
                    self._plain = engine.decrypt(data, borders.held) or b""
                    self._plain_at = 0
                else:
                    engine.feed(data)
        finally:
            self._read_lock.release()

    def queued(self) -> int:
        return self._lower.queued() + self._borders.held + len(self._plain) - self._plain_at

    # --- writing ---------------------------------------------------------------------------------

    def write(self, data: Bytes, deadline: Deadline | None = None) -> None:
        if self.half_sent:
            self._check_sequence()
        # What was encrypted and not sent leaves a hole in the sequence: there is no way back.
        self.half_sent = True
        if len(data) <= PLAINTEXT:
            self._lower.write(self._engine.encrypt(data), deadline)
        else:
            view = memoryview(data)
            for start in range(0, len(view), CHUNK_OUT):
                self._lower.write(self._engine.encrypt(view[start : start + CHUNK_OUT]), deadline)
        self.half_sent = False

    def _check_sequence(self) -> None:
        if self.half_sent:
            raise WebSocketConnectionClosedException("A TLS record was lost on its way out")

    def write_now(self, data: Bytes) -> None:
        self._check_sequence()
        self._lower.write_now(self._engine.encrypt(data))

    def flush(self, deadline: Deadline | None = None) -> None:
        self._lower.write_now(self._engine.take_output())
        if deadline is not None:
            self._lower.flush(deadline)

    # --- waiting ---------------------------------------------------------------------------------

    def wait(self, write: bool, seconds: float | None) -> bool:
        if self.pending() or self._shut:
            return True
        return self._lower.wait(write, seconds)

    def patience(self, deadline: Deadline | None) -> float | None:
        return self._lower.patience(deadline)

    def settimeout(self, timeout: float | None) -> None:
        self._lower.settimeout(timeout)

    def share_locks(self, read_lock: Any, write_lock: Any) -> None:
        self._read_lock, self._write_lock = read_lock, write_lock
        self._lower.share_locks(read_lock, write_lock)  # whose records must not mix, either
        # Sockets of another make have no face with a `pending()`.
        self._taking_all = self._reading_ahead and isinstance(self.socket, socket.socket)

    # --- for who holds the socket: under the locks of the connection -----------------------------

    def user_reads(self, size: int) -> bytes:
        """As `read`; any thread."""
        with self._read_lock:
            return self.read(size, False)

    def user_writes(self, data: Bytes) -> None:
        """As `write`, any thread; with a timeout of 0 what the kernel does not take is kept."""
        with self._write_lock:
            if self.patience(None) != 0:
                self.write(data)
                return
            self.flush()
            if self.unsent:
                raise WebSocketWouldBlockException("There is no room to write now (timeout is 0)")
            self.write_now(data)

    def user_shuts_reading(self) -> None:
        """What still waits in the socket is not read any more."""
        self._shut = True

    # --- ending ----------------------------------------------------------------------------------

    def finish(self) -> None:
        if not self.half_sent:
            self.finish_tls()
        self._lower.finish()

    def finish_tls(self) -> None:
        """Send close_notify (RFC 8446 6.1) without waiting for the answer, if there is room."""
        with suppress(OSError, WebSocketException):
            with suppress(ssl.SSLError):
                self._engine.say_goodbye()
            self.flush()

    def wake(self) -> None:
        self._lower.wake()

    def close(self) -> None:
        self._lower.close()

    def release(self) -> None:
        self._lower.release()
