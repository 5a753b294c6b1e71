"""`TLSSocket`: what users of a wss connection see as `ws.sock`, an `ssl.SSLSocket` to the eye.

Programs ask `isinstance(sock, ssl.SSLSocket)`, poll the descriptor, look at `pending()` and now and
then read or write themselves. The face owns the descriptor; its verbs go to the `TLSStream` behind
it, since OpenSSL allows one thread at a time in a connection and the engine has the mutex.
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

from .._exceptions import WebSocketConnectionClosedException, WebSocketWouldBlockException
from .tls_contexts import forget_context

if TYPE_CHECKING:
    from .tls_stream import TLSStream

__all__ = ["TLSSocket"]


class TLSSocket(ssl.SSLSocket):
    """Made from a connected socket, whose descriptor it takes over; `stream` is set behind it."""

    __slots__ = ("stream",)
    stream: TLSStream | None

    # Of SSLSocket; as the class says, so that no `__dict__` is made for each of many.
    _sslobj = None
    _connected = True

    def __init__(self, raw: socket.socket):  # pyright: ignore[reportMissingSuperCall]
        timeout = raw.gettimeout()
        family, kind, proto = raw.family, raw.type, raw.proto
        # Not SSLSocket.__init__, which refuses and would make an engine of its own.
        socket.socket.__init__(self, family, kind, proto, fileno=raw.detach())
        self.stream = None
        self.settimeout(timeout)

    # --- reading ---------------------------------------------------------------------------------

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """At most `buflen` decrypted bytes, b"" at the end; raises as SSLSocket.recv does."""
        if flags:
            raise ValueError(f"non-zero flags not allowed in calls to recv() on {type(self)}")
        data: bytes = self.read(buflen)
        return data

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        """Like `recv`; into `buffer` if given, and then the number of bytes is returned."""
        try:
            data = self._behind().user_reads(len)
        except WebSocketWouldBlockException as exc:
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "nothing to read now") from exc
        if buffer is None:
            return data
        size = data.__len__()
        memoryview(buffer)[:size] = data
        return size

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Like `recv`, into `buffer`; returns how many bytes came."""
        size = nbytes or memoryview(buffer).nbytes or 1024
        data = self.recv(size, flags)
        memoryview(buffer)[: len(data)] = data
        return len(data)

    def pending(self) -> int:
        """Decrypted bytes that wait in here, where polling the descriptor cannot show them."""
        return 0 if self.stream is None else self.stream.pending()

    # --- writing ---------------------------------------------------------------------------------

    def send(self, data: Any, flags: int = 0) -> int:
        """Encrypt and send all of `data`; returns its length in bytes."""
        if flags:
            raise ValueError(f"non-zero flags not allowed in calls to send() on {type(self)}")
        try:
            self._behind().user_writes(data)
        except WebSocketWouldBlockException as exc:
            raise ssl.SSLWantWriteError(ssl.SSL_ERROR_WANT_WRITE, "no room to write") from exc
        return memoryview(data).nbytes

    def write(self, data: Any) -> int:
        """The same as `send`."""
        return self.send(data)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Encrypt and send all of `data`."""
        self.send(data, flags)

    # --- what the engine knows -------------------------------------------------------------------

    @property
    def context(self) -> ssl.SSLContext:
        context = self._behind().ask(lambda engine: engine.context)
        forget_context(context)
        return context

    @context.setter
    def context(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, context: ssl.SSLContext
    ) -> None:
        self._behind().ask(lambda engine: setattr(engine, "context", context))

    @property
    def session(self) -> ssl.SSLSession | None:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._behind().ask(lambda engine: engine.session)

    @property
    def session_reused(self) -> bool | None:
        return self._behind().ask(lambda engine: engine.session_reused)

    @property
    def server_side(self) -> bool:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
        return False

    @property
    def server_hostname(self) -> str | None:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._behind().ask(lambda engine: engine.server_hostname)

    def version(self) -> str | None:
        return self._behind().ask(lambda engine: engine.version())

    def cipher(self) -> Any:
        return self._behind().ask(lambda engine: engine.cipher())

    def shared_ciphers(self) -> Any:
        return self._behind().ask(lambda engine: engine.shared_ciphers())

    def compression(self) -> str | None:
        return self._behind().ask(lambda engine: engine.compression())

    def selected_alpn_protocol(self) -> str | None:
        return self._behind().ask(lambda engine: engine.selected_alpn_protocol())

    def selected_npn_protocol(self) -> None:
        return None

    def getpeercert(self, binary_form: bool = False) -> Any:
        return self._behind().ask(lambda engine: engine.getpeercert(binary_form))

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        return self._behind().ask(lambda engine: engine.get_channel_binding(cb_type))

    # --- ending ----------------------------------------------------------------------------------

    def unwrap(self) -> socket.socket:
        """Say close_notify, and give the descriptor back as a plain socket."""
        self._behind().finish_tls()
        self.stream = None
        timeout = self.gettimeout()
        plain = socket.socket(self.family, self.type, self.proto, fileno=self.detach())
        plain.settimeout(timeout)
        return plain

    def shutdown(self, how: int) -> None:
        """Shut the socket down; the TLS state stays, so that nobody reads ciphertext as data."""
        if self.stream is not None and how != socket.SHUT_WR:
            self.stream.user_shuts_reading()
        socket.socket.shutdown(self, how)

    def _behind(self) -> TLSStream:
        if self.stream is None:
            raise WebSocketConnectionClosedException("socket is already closed.")
        return self.stream

    def _real_close(self) -> None:
        # SSLSocket's own drops the reference to the engine, too: there is a cycle to break.
        self.stream = None
        socket.socket._real_close(self)  # type: ignore[attr-defined]  # pyright: ignore
