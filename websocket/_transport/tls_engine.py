"""`Engine`: TLS in the client's role between two memory BIOs, under a mutex; knows no stream.

Two threads may never be inside one OpenSSL connection. Nothing here waits, so the mutex is never
held for long.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from .._exceptions import WebSocketException
from .waiting import translated

__all__ = ["PLAINTEXT", "Engine", "Records"]

PLAINTEXT = 1 << 14  # what a record holds at most (RFC 8446 5.1)

Records = bytes | bytearray | memoryview
_Answer = TypeVar("_Answer")


class Engine:
    """Records in, data out, and the reverse; any thread.

    `left` takes, after `decrypt_into`, the data that had no room.
    """

    __slots__ = ("_incoming", "_read", "_write", "ending", "left", "mutex", "outgoing", "tls")

    def __init__(self, context: ssl.SSLContext, server_hostname: str | None):
        self._incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self.outgoing, server_hostname=server_hostname)
        # The methods below those that Python wraps around them once more.
        self._read: Any = self.tls._sslobj.read  # type: ignore[attr-defined]
        self._write: Any = self.tls._sslobj.write  # type: ignore[attr-defined]
        # Re-entrant for the sake of a signal handler that closes; each call of OpenSSL is atomic.
        self.mutex = threading.RLock()
        self.ending: OSError | None = None  # what came behind data that was handed out
        self.left = b""

    def ask(self, question: Callable[[ssl.SSLObject], _Answer]) -> _Answer:
        """What OpenSSL knows: certificate, cipher, version and the like."""
        with self.mutex:
            return question(self.tls)

    def take_output(self) -> bytes:
        """Records to be sent."""
        with self.mutex:
            return self.outgoing.read()

    def feed(self, records: Records) -> None:
        """Take records; b"" for the end of the stream."""
        with self.mutex:
            if records:
                self._incoming.write(records)
            else:
                self._incoming.write_eof()

    def shake_hands(self) -> bool:
        """Go on with the handshake; whether it is done. Raises ssl.SSLError as OpenSSL words it."""
        try:
            with self.mutex:
                self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    @property
    def unread(self) -> int:
        """Bytes of records that OpenSSL has not looked at."""
        return self._incoming.pending

    def decrypt(self, records: Records | None, held: int) -> bytes | None:
        """The data of records, the last `held` bytes of which are one that was cut; b"" at the end,
        None when they carry none. Without records: of those that are here already."""
        if self.ending is not None:
            return self.ended(self.ending)
        pieces: list[bytes] = []
        incoming, read = self._incoming, self._read
        with self.mutex:
            if records:
                incoming.write(records)
            elif records is not None:
                incoming.write_eof()
            try:
                while True:
                    piece = read(PLAINTEXT)
                    if not piece:
                        raise ssl.SSLZeroReturnError
                    pieces.append(piece)
                    if incoming.pending <= held:
                        break
            except ssl.SSLWantReadError:
                if not pieces:
                    return None
            except OSError as exc:
                self.ending = exc
                if not pieces:
                    return self.ended(exc)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def decrypt_into(self, records: Records, held: int, room: memoryview) -> int | None:
        """The same straight into `room`: how many bytes."""
        if self.ending is not None:
            return len(self.ended(self.ending))
        count, size = 0, len(room)
        incoming, read = self._incoming, self._read
        with self.mutex:
            self.feed(records)
            try:
                while count < size:
                    taken = read(size - count, room[count:])
                    if not taken:
                        raise ssl.SSLZeroReturnError
                    count += taken
                    if incoming.pending <= held:
                        break
                if self.tls.pending() or incoming.pending > held:
                    with suppress(WebSocketException):  # it is in `ending`
                        self.left = self.decrypt(None, held) or b""
            except ssl.SSLWantReadError:
                if not count:
                    return None
            except OSError as exc:
                self.ending = exc
                if not count:
                    return len(self.ended(exc))
        return count

    @staticmethod
    def ended(exc: OSError) -> bytes:
        """What an ending means to who reads: b"", or it raises."""
        if isinstance(exc, (ssl.SSLZeroReturnError, ssl.SSLEOFError)):
            return b""
        raise translated(exc) from exc

    def encrypt(self, data: bytes | bytearray | memoryview) -> bytes:
        """Data as records, behind what else there was to be sent."""
        write = self._write
        try:
            with self.mutex:
                taken = write(data)  # one record a call
                if taken < len(data):
                    view = memoryview(data)
                    while taken < len(view):
                        taken += write(view[taken:])
                return self.outgoing.read()
        except OSError as exc:
            raise translated(exc) from exc

    def say_goodbye(self) -> None:
        """Put close_notify (RFC 8446 6.1) into the output; raises ssl.SSLError."""
        with self.mutex:
            self.tls.unwrap()
