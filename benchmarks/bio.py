"""TLS as an engine over two memory buffers under a lock: what two threads may share safely."""

from __future__ import annotations

import socket
import ssl
import threading

__all__ = ["BioStream"]

_CHUNK = 1 << 16  # larger ones are mapped and unmapped by malloc each time


class BioStream:
    """The verbs of a socket, as far as they are needed; one thread may send while one receives."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str | None = None):
        self.sock = sock
        self.lock = threading.Lock()
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.engine = context.wrap_bio(
            self.incoming, self.outgoing, server_side=host is None, server_hostname=host
        )
        while True:
            try:
                self.engine.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                self.incoming.write(self._arrived())
        self._flush()

    def sendall(self, data: bytes) -> None:
        """Send it in as few records as TLS allows."""
        with self.lock:
            self.engine.write(data)
            sealed = self.outgoing.read()
        self.sock.sendall(sealed)

    def send_records(self, data: bytes, times: int) -> None:
        """Send it so many times, each in a record of its own."""
        with self.lock:
            write = self.engine.write
            for _ in range(times):
                write(data)
            sealed = self.outgoing.read()
        self.sock.sendall(sealed)

    def recv_into(self, scratch: bytearray, size: int = 0) -> int:
        """The bytes of one record at most; 0 when the peer has ended."""
        size = size or len(scratch)
        while True:
            with self.lock:
                try:
                    return self.engine.read(size, scratch)
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLZeroReturnError:
                    return 0
            data = self.sock.recv(_CHUNK)
            if not data:
                return 0
            with self.lock:
                self.incoming.write(data)

    def recv(self, size: int) -> bytes:
        """The same, as bytes."""
        scratch = bytearray(size)
        return bytes(scratch[: self.recv_into(scratch)])

    def close(self) -> None:
        """Close the socket beneath."""
        self.sock.close()

    def _flush(self) -> None:
        self.sock.sendall(self.outgoing.read())

    def _arrived(self) -> bytes:
        data = self.sock.recv(_CHUNK)
        if not data:
            raise ConnectionError("the peer left during the TLS handshake")
        return data
