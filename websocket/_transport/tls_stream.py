"""TLS over a stream: an engine under a mutex that is never held while waiting.

Two threads may never be inside one OpenSSL connection, so TLS is no socket here but an
`ssl.SSLObject` between two memory BIOs: the reader feeds it records, the writer takes out what it
puts out, and whoever holds the write lock sends it. TLS inside TLS (an https proxy) is the same
engine twice. Loaded at the first wss connection, since `ssl` is slow to import.
"""

from __future__ import annotations

import ssl
import threading
from contextlib import suppress
from typing import Any

from .._exceptions import WebSocketException
from .deadline import Deadline
from .streams import Bytes, DuckStream, Stream, patience, translated, wait_for

__all__ = ["GuardedTLSStream", "RecordSplitter", "TLSStream"]

_HEADER = 5  # type, version, length (RFC 8446 5.1)
_PLAINTEXT = 1 << 14  # what a record holds at most


class RecordSplitter:
    """Ciphertext in any cut -> whole TLS records; so that those behind stay the kernel's."""

    __slots__ = ("_buffer", "_cut", "_position", "missing")

    def __init__(self) -> None:
        self._buffer = b""
        self._position = 0
        self._cut = bytearray()  # the beginning of a record that came without its end
        self.missing = _HEADER

    @property
    def at_border(self) -> bool:
        return not self._cut

    @property
    def held(self) -> int:
        """Bytes of whole and cut records in here; those of a cut one wait for their rest."""
        return len(self._buffer) - self._position

    def feed(self, data: bytes) -> None:
        if self._cut:
            self._cut += data
        else:
            self._buffer, self._position = data, 0

    def next(self) -> bytes | bytearray | None:
        """The next record, or None: `missing` more bytes are needed."""
        if self._cut:
            return self._next_cut()
        buffer, start = self._buffer, self._position
        end = start + _HEADER
        if end <= len(buffer):
            end += buffer[start + 3] << 8 | buffer[start + 4]
            if end <= len(buffer):
                self._position = end
                return buffer[start:end]
        self.missing = end - len(buffer)
        self._cut += buffer[start:]
        self._buffer, self._position = b"", 0
        return None

    def _next_cut(self) -> bytearray | None:
        cut = self._cut
        end = _HEADER if len(cut) < _HEADER else _HEADER + (cut[3] << 8 | cut[4])
        self.missing = end - len(cut)
        if self.missing > 0 or end == _HEADER:
            self.missing = max(self.missing, 1)
            return None
        self._cut = bytearray()
        self.missing = _HEADER
        return cut

    def give_back(self) -> bytes:
        """The bytes behind the last record, as if they had never been fed."""
        surplus = self._buffer[self._position :]
        self._buffer, self._position = b"", 0
        return surplus


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
        "_reading_ahead",
        "_records",
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

    @property
    def engine(self) -> ssl.SSLObject:
        """What knows the certificate, the cipher and the version; use it under no wait."""
        return self._engine

    @property
    def socket(self) -> Any:
        return self._lower.socket

    @property
    def unsent(self) -> bool:
        return bool(self._lower.unsent) or self._outgoing.pending > 0

    def handshake(self, deadline: Deadline) -> None:
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
                return
            self._feed_engine(self._next_record(deadline))

    # --- reading -----------------------------------------------------------------------------------

    def read(self, missing: int, ahead: bool, deadline: Deadline | None = None) -> bytes:
        plain, start = self._plain, self._plain_at
        if start == len(plain):
            plain, start = self._decrypt(deadline), 0
        end = len(plain) if ahead and self._reading_ahead else start + missing
        if end >= len(plain):
            self._plain, self._plain_at = b"", 0
            return plain[start:] if start else plain
        self._plain, self._plain_at = plain, end
        return plain[start:end]

    def _decrypt(self, deadline: Deadline | None) -> bytes:
        """What the next record with application data holds; b"" at the end."""
        while True:
            plain = self._take(self._next_record(deadline))
            if plain is not None:
                return plain

    def _next_record(self, deadline: Deadline | None) -> bytes | bytearray:
        while True:
            record = self._records.next()
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
        # Through an https proxy whole records of ours may wait, decrypted, in the outer layer.
        while self._plain_at == len(self._plain) and self._lower.pending():
            self._records.feed(self._lower.read(self._records.missing, False))
            record = self._records.next()
            if record is not None:
                self._plain, self._plain_at = self._take(record) or b"", 0
        return len(self._plain) - self._plain_at

    def queued(self) -> int:
        return self._lower.queued() + self._records.held + len(self._plain) - self._plain_at

    # --- writing -----------------------------------------------------------------------------------

    def write(self, data: Bytes, deadline: Deadline | None = None) -> None:
        # What was encrypted and not sent leaves a hole in the sequence: there is no way back.
        self.half_sent = True
        view = memoryview(data)
        while True:
            self._lower.write(self._encrypt(view[:CHUNK_OUT]), deadline)
            view = view[CHUNK_OUT:]
            if not view:
                break
        self.half_sent = False

    def _encrypt(self, view: memoryview) -> bytes:
        try:
            with self._mutex:
                while view:  # one record a call
                    view = view[self._engine.write(view) :]
                return self._outgoing.read()
        except OSError as exc:
            raise translated(exc) from exc

    def write_now(self, data: Bytes) -> None:
        self._lower.write_now(self._encrypt(memoryview(data)))

    def flush(self) -> None:
        self._lower.write_now(self._outgoing.read())

    # --- waiting, ending ---------------------------------------------------------------------------

    def wait(self, write: bool, deadline: Deadline | None = None) -> tuple[bool, bool]:
        if self.pending():
            return True, False
        if self._records.at_border:
            self._lower.give_back(self._records.give_back())
        return self._lower.wait(write, deadline)

    def finish(self) -> None:
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


CHUNK_OUT = 1 << 18  # what is encrypted at a time: bounds the copy of a large message


class GuardedTLSStream(DuckStream):
    """An `SSLSocket` that the user made: used as it is, one thread at a time under a mutex.

    It is switched to non-blocking for each call and back, and waited for outside of the mutex.
    """

    __slots__ = ("_mutex",)

    def __init__(self, sock: ssl.SSLSocket):
        super().__init__(sock)
        self._mutex = threading.RLock()

    def _timed(self, call: Any, argument: Any, deadline: Deadline | None) -> Any:
        while True:
            with self._mutex:
                timeout = self.socket.gettimeout()
                self.socket.settimeout(0)
                try:
                    return call(argument)
                except ssl.SSLWantReadError:
                    read = True
                except ssl.SSLWantWriteError:
                    read = False
                finally:
                    self.socket.settimeout(timeout)
            limit = patience(self.socket, deadline)
            if limit == 0 and deadline is None:
                raise BlockingIOError
            if not any(wait_for(self.socket.fileno(), read, not read, limit)):
                raise TimeoutError

    def wake(self) -> None:
        # The `shutdown` of SSLSocket drops its TLS state: the next read would return ciphertext.
        with suppress(OSError):
            super(ssl.SSLSocket, self.socket).shutdown(2)
