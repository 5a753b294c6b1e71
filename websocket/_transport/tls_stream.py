"""TLS over a stream: an engine under a mutex that is never held while waiting.

Two threads may never be inside one OpenSSL connection, so TLS is no socket here but an
`ssl.SSLObject` between two memory BIOs: the reader feeds it records, the writer takes out what it
puts out, and whoever holds the write lock sends it. TLS inside TLS (an https proxy) is the same
engine twice. Loaded at the first wss connection, since `ssl` is slow to import.
"""

from __future__ import annotations

import ssl
import threading
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
from .records import RecordSplitter
from .streams import Bytes, Stream
from .waiting import translated

__all__ = ["TLSStream"]

CHUNK_OUT = 1 << 18  # what is encrypted at a time: bounds the copy of a large message

_PLAINTEXT = 1 << 14  # what a record holds at most

_Answer = TypeVar("_Answer")


class TLSStream:
    """TLS in the client's role over `lower`; call `handshake` first."""

    __slots__ = (
        "_engine",
        "_incoming",
        "_lower",
        "_mutex",
        "_outgoing",
        "_plain",
        "_plain_at",
        "_read_lock",
        "_reading_ahead",
        "_records",
        "_shut",
        "_write_lock",
        "half_sent",
    )

    def __init__(self, lower: Stream, context: ssl.SSLContext, server_hostname: str | None):
        self._lower = lower
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._engine = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_hostname
        )
        # Re-entrant for the sake of a signal handler that closes; each call of OpenSSL is atomic.
        self._mutex = threading.RLock()
        self._records = RecordSplitter()
        self._reading_ahead = True
        self._plain = b""  # decrypted and not handed out, from _plain_at on
        self._plain_at = 0
        self.half_sent = False
        self._shut = False  # a latch: the user has shut reading down
        self._read_lock: Any = self._mutex  # until there is a connection
        self._write_lock: Any = self._mutex

    def ask(self, question: Callable[[ssl.SSLObject], _Answer]) -> _Answer:
        """What the engine knows: certificate, cipher, version and the like; any thread."""
        with self._mutex:
            return question(self._engine)

    @property
    def socket(self) -> Any:
        return self._lower.socket

    @property
    def unsent(self) -> bool:
        return bool(self._lower.unsent) or self._outgoing.pending > 0

    def handshake(self, deadline: Deadline | None) -> None:
        """The TLS handshake; raises ssl.SSLError as OpenSSL words it, and the stream's errors."""
        while True:
            try:
                with self._mutex:
                    self._engine.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                done = False
            except ssl.SSLError:
                with suppress(WebSocketException):  # the alert that says why
                    self._lower.write_now(self._outgoing.read())
                raise
            output = self._outgoing.read()
            if output:
                self._lower.write(output, deadline)
            if done:
                # The engine takes no byte more than it needs; whatever follows is still ciphertext.
                self._records.put_back(self._incoming.read())
                return
            self._feed_engine(self._next_record(deadline, self._records.next_ones))

    # --- reading ---------------------------------------------------------------------------------

    def read(self, missing: int, ahead: bool, deadline: Deadline | None = None) -> bytes:
        plain, start = self._plain, self._plain_at
        if start == len(plain):
            plain, start = self._decrypt(deadline), 0
        if self._shut:
            return b""
        end = len(plain) if ahead and self._reading_ahead else start + missing
        if end >= len(plain):
            self._plain, self._plain_at = b"", 0
            return plain[start:] if start else plain
        self._plain, self._plain_at = plain, end
        return plain[start:end]

    def read_into(self, room: memoryview, deadline: Deadline | None = None) -> int:
        data = self.read(len(room), False, deadline)
        room[: len(data)] = data
        return len(data)

    def _decrypt(self, deadline: Deadline | None) -> bytes:
        """What the next record with application data holds; b"" at the end."""
        while True:
            plain = self._take(self._next_record(deadline))
            if plain is not None:
                return plain
            # A record for TLS itself; a peer that sends nothing else shall not keep us for ever,
            # and may wait for the engine's answer.
            if deadline is not None and deadline.expired:
                raise WebSocketTimeoutException("Connection timed out")
            if self._outgoing.pending and self._write_lock.acquire(blocking=False):
                try:
                    self.flush()
                finally:
                    self._write_lock.release()

    def _next_record(
        self,
        deadline: Deadline | None,
        take: Callable[[], bytes | bytearray | None] | None = None,
    ) -> bytes | bytearray:
        take = take or self._records.next
        while True:
            record = take()
            if record is not None:
                return record
            ahead = self._reading_ahead and self._records.at_border
            data = self._lower.read(self._records.missing, ahead, deadline)
            if not data:
                return b""
            self._records.feed(data)

    def _feed_engine(self, record: bytes | bytearray) -> None:
        with self._mutex:
            if record:
                self._incoming.write(record)
            else:
                self._incoming.write_eof()

    def _take(self, record: bytes | bytearray) -> bytes | None:
        """Decrypt one record: its data, b"" at the end, None for one that carries none."""
        try:
            with self._mutex:
                if record:
                    self._incoming.write(record)
                else:
                    self._incoming.write_eof()
                return self._engine.read(_PLAINTEXT)
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        except OSError as exc:
            raise translated(exc) from exc

    def give_back(self, data: bytes) -> bytes:
        self._plain, self._plain_at = data + self._plain[self._plain_at :], 0
        return b""

    def stop_reading_ahead(self) -> None:
        self._reading_ahead = False
        self._lower.give_back(self._records.give_back())
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
        try:
            while self._plain_at == len(self._plain) and self._lower.pending():
                self._records.feed(self._lower.read(self._records.missing, False))
                record = self._records.next()
                if record is not None:
                    self._plain, self._plain_at = self._take(record) or b"", 0
        finally:
            self._read_lock.release()

    def queued(self) -> int:
        return self._lower.queued() + self._records.held + len(self._plain) - self._plain_at

    # --- writing ---------------------------------------------------------------------------------

    def write(self, data: Bytes, deadline: Deadline | None = None) -> None:
        self._check_sequence()
        # What was encrypted and not sent leaves a hole in the sequence: there is no way back.
        self.half_sent = True
        view = memoryview(data)
        while True:
            self._lower.write(self._encrypt(view[:CHUNK_OUT]), deadline)
            view = view[CHUNK_OUT:]
            if not view:
                break
        self.half_sent = False

    def _check_sequence(self) -> None:
        if self.half_sent:
            raise WebSocketConnectionClosedException("A TLS record was lost on its way out")

    def _encrypt(self, view: memoryview) -> bytes:
        try:
            with self._mutex:
                while view:  # one record a call
                    view = view[self._engine.write(view) :]
                return self._outgoing.read()
        except OSError as exc:
            raise translated(exc) from exc

    def write_now(self, data: Bytes) -> None:
        self._check_sequence()
        self._lower.write_now(self._encrypt(memoryview(data)))

    def flush(self, deadline: Deadline | None = None) -> None:
        with self._mutex:  # the reader's engine may be putting something out just now
            output = self._outgoing.read()
        self._lower.write_now(output)
        if deadline is not None:
            self._lower.flush(deadline)

    # --- waiting ---------------------------------------------------------------------------------

    def wait(self, write: bool, seconds: float | None) -> bool:
        if self.pending() or self._shut:
            return True
        if self._records.at_border:
            self._lower.give_back(self._records.give_back())
        return self._lower.wait(write, seconds)

    def patience(self, deadline: Deadline | None) -> float | None:
        return self._lower.patience(deadline)

    def settimeout(self, timeout: float | None) -> None:
        self._lower.settimeout(timeout)

    def share_locks(self, read_lock: Any, write_lock: Any) -> None:
        self._read_lock, self._write_lock = read_lock, write_lock

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
            with suppress(ssl.SSLError), self._mutex:
                self._engine.unwrap()
            self.flush()

    def wake(self) -> None:
        self._lower.wake()

    def close(self) -> None:
        self._lower.close()

    def release(self) -> None:
        self._lower.release()
