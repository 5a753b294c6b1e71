"""Peers on asyncio, all on uvloop; a batch is one `run_until_complete`, long enough to repay it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import repeat
from typing import Any

from clients import kept_context
from rows import Row, payload_of

__all__ = ["Aiohttp", "Asynchronous", "PicowsFacade"]


class Asynchronous:
    """The loop, and a row's batches over the coroutines that a library names."""

    has_own_threads = True  # it needs none: tasks do the same
    connected_kinds: tuple[str, ...] = (
        *("echo", "flood", "send", "peak", "duplex_echo", "duplex_flood"),
        *("app_echo", "app_flood"),
    )

    def __init__(self, row: Row, url: str, authority: str):
        import uvloop

        self.row, self.url, self.authority = row, url, authority
        payload = payload_of(row) if row.kind != "peak" else b""
        self.message: str | bytes = payload.decode() if row.text else payload
        self.loop = uvloop.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.connection: Any = None
        self.connections: list[Any] = []
        if row.kind in self.connected_kinds:
            self.connection = self.connect()
        elif row.kind == "threads":
            self.connections = [self.connect() for _ in range(row.count)]

    def connect(self) -> Any:
        return self.loop.run_until_complete(self.open())

    def run(self, count: int) -> int:
        self.loop.run_until_complete(getattr(self, f"_{self.row.kind}")(count))
        return count

    async def open(self) -> Any:
        raise NotImplementedError

    async def close(self, connection: Any) -> None:
        await connection.close()

    def sender(self, connection: Any) -> Callable[[Any], Any]:
        """The coroutine function that sends a message of this row."""
        return connection.send  # type: ignore[no-any-return]

    def receiver(self, connection: Any) -> Callable[[], Any]:
        """The coroutine function that receives a message of this row."""
        return connection.recv  # type: ignore[no-any-return]

    def data_of(self, message: Any) -> Any:
        """What is in that which was received."""
        return message

    def times(self, count: int) -> list[float]:
        return self.loop.run_until_complete(self._times(count))  # type: ignore[no-any-return]

    async def _times(self, count: int) -> list[float]:
        send, receive = self.sender(self.connection), self.receiver(self.connection)
        message, clock, taken = self.message, time.perf_counter, list[float]()
        for _ in repeat(None, count):
            start = clock()
            await send(message)
            await receive()
            taken.append(clock() - start)
        return taken

    def check(self, message: Any) -> None:
        """The last message of a batch has to be the right one."""
        if self.row.kind != "peak" and self.data_of(message) != self.message:
            raise AssertionError("another message came than was sent")

    async def _echo(self, count: int, connection: Any = None) -> None:
        connection = connection or self.connection
        send, receive, message = self.sender(connection), self.receiver(connection), self.message
        came: Any = None
        for _ in repeat(None, count):
            await send(message)
            came = await receive()
        self.check(came)

    async def _flood(self, count: int) -> None:
        receive, came = self.receiver(self.connection), None
        for _ in repeat(None, count):
            came = await receive()
        self.check(came)

    async def _send(self, count: int) -> None:
        send, message = self.sender(self.connection), self.message
        for _ in repeat(None, count):
            await send(message)

    async def _connect(self, count: int) -> None:
        for _ in repeat(None, count):
            await self.close(await self.open())

    async def _duplex(self, count: int) -> None:
        await asyncio.gather(self._send(count), self._flood(count))

    async def _threads(self, count: int) -> None:
        """A task for each connection, in place of a thread."""
        each = max(1, count // len(self.connections))
        await asyncio.gather(*(self._echo(each, connection) for connection in self.connections))

    _app_echo, _app_flood, _peak = _echo, _flood, _flood
    _duplex_echo = _duplex_flood = _duplex


class Aiohttp(Asynchronous):
    """aiohttp's client."""

    session: Any = None

    async def open(self) -> Any:
        import aiohttp

        if self.session is None:
            self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return await self.session.ws_connect(
            self.url,
            max_msg_size=0,
            compress=15 if self.row.deflate else 0,
            ssl=kept_context(self) or True,
        )

    def sender(self, connection: Any) -> Callable[[Any], Any]:
        return connection.send_str if self.row.text else connection.send_bytes  # type: ignore[no-any-return]

    def receiver(self, connection: Any) -> Callable[[], Any]:
        return connection.receive  # type: ignore[no-any-return]

    def data_of(self, message: Any) -> Any:
        return message.data


class PicowsFacade(Asynchronous):
    """picows.websockets: picows behind the interface of websockets."""

    async def open(self) -> Any:
        from picows import websockets

        return await websockets.connect(
            self.url,
            ssl=kept_context(self),
            compression="deflate" if self.row.deflate else None,
            max_size=None,
            ping_interval=None,
        )
