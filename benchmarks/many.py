"""Hundreds of connections whose messages come in turn, or all at once, to one thread.

`run(count)` is one order to the server: to each of the group's connections `count // connections`
messages. In the row "burst" it is a burst, and `latencies` says how long after its start each
message was in the program's hands.
"""

from __future__ import annotations

import selectors
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from clients import Client
from rows import Part, Row, part_of_path
from small_clients import ask, dial

__all__ = ["Group", "group_for"]


class Group:
    """The connections of a row, and the orders to the server; a family adds how it waits."""

    def __init__(self, client: Any, row: Row, url: str):
        self.client, self.row = client, row
        place = url.partition("://")[2].partition("/")[0]
        self.host, _, port = place.rpartition(":")
        self.address = ("127.0.0.1", int(port))
        self.number = part_of_path(url.partition("://")[2].partition("/")[2]).group
        self.latencies: list[float] = []
        self.left = 0
        self.open()

    def open(self) -> None:
        raise NotImplementedError

    def begin(self) -> None:
        """Be ready for messages."""

    def serve(self) -> None:
        """Take messages until none is left."""
        raise NotImplementedError

    def run(self, count: int) -> int:
        rounds = max(1, count // self.row.count)
        self.left = rounds * self.row.count
        count = self.left
        self.latencies = []
        part = Part(
            "burst" if self.row.kind == "burst" else "spread", 64, group=self.number, count=rounds
        )
        self.begin()
        with dial(self.address) as order:
            ask(order, self.host, part.path)
            self.serve()
        return count

    def took(self, message: Any) -> None:
        """A message is here."""
        self.left -= 1
        if self.row.kind == "burst" and message is not None:
            start = int.from_bytes(message[:8], "big")
            self.latencies.append((time.monotonic_ns() - start) / 1e9)


class Polled(Group):
    """A selector over the descriptors of a blocking client."""

    def open(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.held: list[Any] = []
        for _ in range(self.row.count):
            connection = self.client.connect()
            self.held.append(connection)
            receive = self._receiver(connection)
            self.selector.register(
                self.client.descriptor(connection), selectors.EVENT_READ, receive
            )

    def _receiver(self, connection: Any) -> Callable[[], Any]:
        receive: Callable[[], Any] = self.client.receiver(connection)
        if self.row.kind == "burst" and hasattr(connection, "curl"):
            return lambda: receive()[0]
        if self.row.kind == "burst" and hasattr(connection, "recv_into"):
            return lambda: connection.recv(66)[2:]  # the floor counts bytes otherwise
        return receive

    def serve(self) -> None:
        select, took = self.selector.select, self.took
        while self.left:
            for key, _ in select():
                took(key.data())


class Looped(Group):
    """Ours: apps under `Loop`, which runs in a thread; it waits in a callback between batches."""

    def open(self) -> None:
        import websocket

        self.loop = websocket.Loop()
        self.wanted: SimpleQueue[None] = SimpleQueue()
        self.done: SimpleQueue[None] = SimpleQueue()
        self.has_begun = False
        opened = 0

        def on_open(app: Any) -> None:
            nonlocal opened
            opened += 1

        def on_message(app: Any, message: Any) -> None:
            self.took(message)
            if not self.left:
                self.done.put(None)
                self.wanted.get()

        def on_error(app: Any, error: Exception) -> None:
            raise error

        self.apps = [
            websocket.WebSocketApp(
                self.client.url, on_open=on_open, on_message=on_message, on_error=on_error
            )
            for _ in range(self.row.count)
        ]
        for app in self.apps:
            app.run_forever(dispatcher=self.loop)
        if opened != self.row.count:
            raise AssertionError(f"{opened} of {self.row.count} apps are open")
        threading.Thread(target=self.loop.run, daemon=True).start()

    def begin(self) -> None:
        if self.has_begun:
            self.wanted.put(None)
        self.has_begun = True

    def serve(self) -> None:
        self.done.get()


class Threaded(Group):
    """A thread for each connection, where a library cannot do otherwise."""

    def open(self) -> None:
        self.held = [self.client.connect() for _ in range(self.row.count)]
        self.guard, self.over = threading.Lock(), threading.Event()
        for connection in self.held:
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: Any) -> None:
        receive = self.client.receiver(connection)
        while True:
            message = receive()
            with self.guard:
                self.took(message)
                if not self.left:
                    self.over.set()

    def serve(self) -> None:
        self.over.wait()
        self.over.clear()


class Tasks(Group):
    """A task for each connection, in the thread of an event loop."""

    def open(self) -> None:
        self.loop = self.client.loop
        self.over = self.loop.create_future()
        self.held = [self.client.connect() for _ in range(self.row.count)]
        self.tasks = [self.loop.create_task(self._read(connection)) for connection in self.held]

    async def _read(self, connection: Any) -> None:
        receive, data_of = self.client.receiver(connection), self.client.data_of
        while True:
            self.arrived(data_of(await receive()))

    def arrived(self, message: Any) -> None:
        """A message is here; perhaps the last one."""
        self.took(message)
        if not self.left:
            self.over.set_result(None)

    def serve(self) -> None:
        self.loop.run_until_complete(self.over)
        self.over = self.loop.create_future()


class Listeners(Tasks):
    """picows: a listener for each connection."""

    def open(self) -> None:
        import picows

        group = self
        self.loop = self.client.loop
        self.over = self.loop.create_future()

        class Listener(picows.WSListener):  # type: ignore[misc, name-defined]
            def on_ws_frame(self, transport: Any, frame: Any) -> None:
                group.arrived(frame.get_payload_as_bytes())

        async def connect() -> Any:
            return await picows.ws_connect(Listener, group.client.url)

        self.held = [self.loop.run_until_complete(connect()) for _ in range(self.row.count)]


def group_for(library: str, client: Client, row: Row, url: str) -> Group:
    """The connections of this library, and its best way to serve many."""
    family: type[Group]
    if row.kind == "polled":
        family = Polled
    elif library.startswith("ours"):
        family = Looped
    elif library == "picows":
        family = Listeners
    elif hasattr(client, "loop"):
        family = Tasks
    else:
        family = Polled if hasattr(client, "descriptor") else Threaded
    return family(client, row, url)
