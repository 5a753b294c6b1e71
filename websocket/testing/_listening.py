"""`Listening`: a socket that accepts, a thread for each connection, and the end of them all."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING

from .._exceptions import WebSocketTimeoutException
from .._logging import info, warning
from ._line import Line
from ._waiting import Alarm, instant, left, wait

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ssl import SSLContext
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["Listening", "blame"]

_BACKLOG = 128
_GRACE = 1.0  # seconds for peers to say goodbye before they are cut off
_TLS_TIMEOUT = 10.0  # seconds for a TLS handshake
_ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


class Listening:
    """What every test server is: an address, its connections and their threads; already listening.

    Subclasses say in `_converse` what a connection's thread does, in `_say_goodbye` what open
    connections are told when the server closes.
    """

    def __init__(
        self, context: SSLContext | None, unix_socket: str | None, host: str, port: int
    ) -> None:
        self._context = context
        self._unix_socket = unix_socket
        made = _listen(context is not None, unix_socket, host, port)
        self.url: str
        self.port: int
        self._listener, self.url, self.port = made
        self._closing = Alarm()
        self._stopped = Alarm()
        self._lock = threading.Lock()
        self._lines: dict[Line, threading.Thread] = {}
        self._others: list[threading.Thread] = []  # those of ended lines, and helpers
        self._close_begun = False
        self._closed = threading.Event()
        self._acceptor = threading.Thread(
            target=self._accept, name=f"websocket.testing {self.url}", daemon=True
        )
        self._acceptor.start()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}{' closed' if self._close_begun else ''}>"

    @property
    def _blamed(self) -> Sequence[BaseException]:
        """What went wrong and is raised when the block is left."""
        return ()

    # --- connections ------------------------------------------------------------------------------

    def _accept(self) -> None:
        number = 0
        while True:
            stopped = self._stopped.rang  # looked at first: those in the queue get their answer
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                if stopped:
                    return
                wait(self._listener, None, read=True, alarm=self._stopped)
            except OSError as exc:  # the peer has gone already, or there are no descriptors left
                warning(f"{self!r} could not accept a connection: {exc}")
                if stopped:
                    return
                self._pause(0.05)
            else:
                self._begin(sock, number)
                number += 1

    def _pause(self, seconds: float) -> None:
        try:
            wait(None, instant(seconds), alarm=self._stopped)
        except WebSocketTimeoutException:
            pass

    def _begin(self, sock: socket.socket, number: int) -> None:
        try:
            line = Line(sock, self._context)
        except OSError as exc:
            info(f"{self!r} lost a connection before it began: {exc}")
            sock.close()
            return
        self._arrived()
        name = f"websocket.testing {self.url} connection {number}"
        thread = threading.Thread(target=self._run, args=(line, number), name=name, daemon=True)
        with self._lock:  # or `close` would find a thread that cannot be joined yet
            thread.start()
            self._lines[line] = thread

    def _help(self, line: Line) -> None:
        """Have what is queued on the line sent by a thread of its own."""
        name = f"websocket.testing {self.url} helper"
        thread = threading.Thread(target=line.help, name=name, daemon=True)
        with self._lock:
            thread.start()
            self._others.append(thread)

    def _run(self, line: Line, number: int) -> None:
        try:
            line.handshake(instant(_TLS_TIMEOUT))
            self._converse(line, number)
        except Exception as exc:
            info(f"{self!r} has ended a connection: {exc}")
        finally:
            line.close()
            with self._lock:
                # Joined by `close`, so that no thread is left when it returns.
                self._others = [thread for thread in self._others if thread.is_alive()]
                self._others.append(self._lines.pop(line))

    def _arrived(self) -> None:
        """A connection has been accepted, its thread not yet begun."""

    def _converse(self, line: Line, number: int) -> None:
        """The work of one connection's thread; the line is closed behind it."""
        raise NotImplementedError

    # --- the end ----------------------------------------------------------------------------------

    def close(self, timeout: float = 5.0) -> None:
        """End everything, and wait for the threads at most `timeout` seconds (plus a moment).

        Peers have one second to say goodbye before they are cut off. Any thread, a handler's own
        too; may be called again, and then waits for the first call to end.
        """
        with self._lock:
            first, self._close_begun = not self._close_begun, True
            inside = threading.current_thread() in {*self._lines.values(), *self._others}
        until = instant(timeout)
        if not first:
            if not inside:
                self._closed.wait(timeout)
                self._join(until)
            return
        self._say_goodbye()
        self._join(instant(min(_GRACE, timeout / 2)))
        self._cut_off()
        self._join(until)
        # Until now newcomers were answered; those that wait in the queue still will be.
        self._stopped.ring()
        self._acceptor.join()
        self._listener.close()
        self._join(until)
        self._cut_off()
        self._join(instant(_GRACE / 10))
        if self._unix_socket is not None:
            try:
                os.unlink(self._unix_socket)
            except OSError:
                pass  # somebody has removed it before us
        with self._lock:
            left_behind = len(self._lines) - inside
        if left_behind:
            warning(f"{self!r} is closed while {left_behind} handlers go on")
        self._closing.close()
        self._stopped.close()
        self._closed.set()

    def _say_goodbye(self) -> None:
        """Ring `_closing`, and tell open connections."""
        self._closing.ring()

    def _cut_off(self) -> None:
        mine = threading.current_thread()
        with self._lock:
            lines = [line for line, thread in self._lines.items() if thread is not mine]
        for line in lines:
            line.abort()

    def _join(self, until: float | None) -> None:
        with self._lock:
            threads = [*self._lines.values(), *self._others]
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(left(until))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        blame(self._blamed, error)


def blame(failures: Sequence[BaseException], error: BaseException | None) -> None:
    """At the end of a server's block: raise what went wrong first, or, if the block has failed by
    itself, show it there."""
    if failures and error is None:
        raise failures[0]
    if failures and error is not None and error.__context__ is None:
        error.__context__ = failures[0]  # it is the likely cause


def _listen(
    secure: bool, unix_socket: str | None, host: str, port: int
) -> tuple[socket.socket, str, int]:
    """A listening socket, its URL (a path may be appended) and its port."""
    scheme = "wss" if secure else "ws"
    if unix_socket is not None:
        from urllib.parse import quote

        sock = _bind(socket.AF_UNIX, unix_socket)
        return sock, f"{scheme}+unix:{quote(os.path.abspath(unix_socket))}:", 0
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    sock = _bind(family, address)
    port = int(sock.getsockname()[1])
    shown = _ANYWHERE.get(host, host)
    return sock, f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{port}", port


def _bind(family: int, address: object) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if os.name == "posix":  # elsewhere it would let two servers share a port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)  # type: ignore[arg-type]
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock
