"""The blocking clients, and what each measurement does with them: `run(count)` for a row.

A client is made for one row and is asked for batches. It imports its library when it connects: the
libraries live in different environments.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from itertools import repeat
from queue import SimpleQueue
from typing import Any, Protocol

from rows import Row, payload_of

__all__ = ["Blocking", "Client", "CurlCffi", "WebSocketClient", "Websockets", "kept_context"]


class Client(Protocol):
    """What the measurements ask for."""

    def connect(self) -> Any:
        """Open one connection more and return it."""
        ...

    def run(self, count: int) -> int:
        """Do what the row says `count` times, or a little more; returns how many times."""
        ...

    def times(self, count: int) -> list[float]:
        """Seconds by the clock of each of `count` exchanges."""
        ...


class Blocking:
    """One that sends and receives by calls; a library adds `connect` and says which calls."""

    has_own_threads = False  # whether two of its calls may run at the same time
    connected_kinds: tuple[str, ...] = (
        *("echo", "flood", "send", "peak", "duplex_echo", "duplex_flood"),
        *("app_echo", "app_flood"),
    )

    def __init__(self, row: Row, url: str, authority: str):
        self.row, self.url, self.authority = row, url, authority
        payload = payload_of(row) if row.kind != "peak" else b""
        self.message: str | bytes = payload.decode() if row.text else payload
        self.connection: Any = None
        self.connections: list[Any] = []
        if row.kind in self.connected_kinds:
            self.connection = self.connect()
        elif row.kind == "threads":
            self.connections = [self.connect() for _ in range(row.count)]

    def connect(self) -> Any:
        raise NotImplementedError

    def close(self, connection: Any) -> None:
        connection.close()

    def sender(self, connection: Any) -> Callable[[Any], object]:
        """The call that sends a message of this row."""
        return connection.send  # type: ignore[no-any-return]

    def receiver(self, connection: Any) -> Callable[[], Any]:
        """The call that receives a message of this row."""
        return connection.recv  # type: ignore[no-any-return]

    def run(self, count: int) -> int:
        getattr(self, f"_{self.row.kind}")(count)
        return count

    def times(self, count: int) -> list[float]:
        send, receive = self.sender(self.connection), self.receiver(self.connection)
        message, clock, taken = self.message, time.perf_counter, list[float]()
        for _ in repeat(None, count):
            start = clock()
            send(message)
            receive()
            taken.append(clock() - start)
        return taken

    def check(self, message: Any) -> None:
        """The last message of a batch has to be the right one."""
        if message != self.message and self.row.kind != "peak":
            raise AssertionError("another message came than was sent")

    def _echo(self, count: int, connection: Any = None) -> None:
        connection = connection or self.connection
        send, receive, message = self.sender(connection), self.receiver(connection), self.message
        came: Any = None
        for _ in repeat(None, count):
            send(message)
            came = receive()
        self.check(came)

    def _flood(self, count: int) -> None:
        receive, came = self.receiver(self.connection), None
        for _ in repeat(None, count):
            came = receive()
        self.check(came)

    def _send(self, count: int) -> None:
        send, message = self.sender(self.connection), self.message
        for _ in repeat(None, count):
            send(message)

    def _connect(self, count: int) -> None:
        for _ in repeat(None, count):
            self.close(self.connect())

    def _duplex(self, count: int) -> None:
        """One thread sends so many messages while another receives as many."""
        errors: list[BaseException] = []

        def sending() -> None:
            try:
                self._send(count)
            except BaseException as exc:
                errors.append(exc)

        writer = threading.Thread(target=sending, daemon=True)
        writer.start()
        self._flood(count)
        writer.join()
        if errors:
            raise errors[0]

    def _threads(self, count: int) -> None:
        """A thread for each connection, all at the same time."""
        each = max(1, count // len(self.connections))
        threads = [
            threading.Thread(target=self._echo, args=(each, connection), daemon=True)
            for connection in self.connections
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    _duplex_echo = _duplex_flood = _duplex
    _app_echo, _app_flood, _peak = _echo, _flood, _flood  # without callbacks: by its calls


def kept_context(client: Any) -> ssl.SSLContext | None:
    """One context for all connections, as a program that keeps one would have it."""
    if not client.row.tls:
        return None
    if getattr(client, "context", None) is None:
        client.context = ssl.create_default_context(cafile=client.authority)
    return client.context  # type: ignore[no-any-return]


class WebSocketClient(Blocking):
    """`websocket`: ours, or websocket-client, which has the same interface."""

    has_own_threads = True

    def connect(self) -> Any:
        import websocket

        if self.row.kind.startswith("app_"):
            return self._start_app()
        options: dict[str, Any] = {"sslopt": {"ca_certs": self.authority}} if self.row.tls else {}
        if self.row.deflate:
            options["compression"] = "deflate"  # ours has it, websocket-client is not asked
        return websocket.create_connection(self.url, **options)  # type: ignore[no-any-return]

    def sender(self, connection: Any) -> Callable[[Any], object]:
        return connection.send if self.row.text else connection.send_binary  # type: ignore[no-any-return]

    def descriptor(self, connection: Any) -> int:
        """What a selector watches."""
        return connection.fileno()  # type: ignore[no-any-return]

    def _start_app(self) -> Any:
        """`run_forever` in a thread; its callback waits where a batch ends for the next one."""
        import websocket

        self.wanted: SimpleQueue[int] = SimpleQueue()
        self.done: SimpleQueue[Any] = SimpleQueue()
        echoes, message, left = self.row.kind == "app_echo", self.message, 0
        sends_text = self.row.text

        def begin(app: Any) -> None:
            nonlocal left
            left = self.wanted.get()
            if echoes:
                send(app)

        def send(app: Any) -> None:
            app.send(message) if sends_text else app.send_bytes(message)

        def on_message(app: Any, came: Any) -> None:
            nonlocal left
            left -= 1
            if not left:
                self.done.put(came)
                begin(app)
            elif echoes:
                send(app)

        def on_error(app: Any, error: Exception) -> None:
            self.done.put(error)

        app = websocket.WebSocketApp(
            self.url, on_open=begin, on_message=on_message, on_error=on_error
        )
        threading.Thread(target=app.run_forever, daemon=True).start()
        return app

    def _app(self, count: int) -> None:
        self.wanted.put(count)
        came = self.done.get()
        if isinstance(came, Exception):
            raise came
        self.check(came)

    _app_echo = _app_flood = _app


class Websockets(Blocking):
    """websockets' threading client."""

    has_own_threads = True

    def connect(self) -> Any:
        from websockets.sync.client import connect

        return connect(
            self.url,
            ssl=kept_context(self),
            compression="deflate" if self.row.deflate else None,
            max_size=None,
            proxy=None,
            ping_interval=None,
        )


class CurlCffi(Blocking):
    """curl_cffi's blocking WebSocket: libcurl with BoringSSL."""

    def connect(self) -> Any:
        from curl_cffi import CurlOpt, WebSocket

        trusted = {CurlOpt.CAINFO: self.authority} if self.row.tls else {}
        return WebSocket().connect(self.url, curl_options=trusted)  # type: ignore[dict-item]

    def sender(self, connection: Any) -> Callable[[Any], object]:
        return connection.send_str if self.row.text else connection.send_binary  # type: ignore[no-any-return]

    def receiver(self, connection: Any) -> Callable[[], Any]:
        return connection.recv_str if self.row.text else connection.recv  # type: ignore[no-any-return]

    def check(self, message: Any) -> None:
        super().check(message if self.row.text else message[0])

    def descriptor(self, connection: Any) -> int:
        """What a selector watches."""
        from curl_cffi import CurlInfo

        return connection.curl.getinfo(CurlInfo.ACTIVESOCKET)  # type: ignore[no-any-return]
