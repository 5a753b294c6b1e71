"""Peers on asyncio: a batch is one `run_until_complete`, whose own cost a batch makes small."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from rows import Row, payload_of

__all__ = ["Aiohttp", "Picows"]


class _Async:
    """The loop, and the row's batches over two coroutines: `_send_one`, `_receive_one`."""

    def __init__(self, row: Row, url: str, authority: str):
        self.row, self.url = row, url
        self.payload = payload_of(row)
        self.loop = asyncio.new_event_loop()
        self.context: ssl.SSLContext | None = None
        if row.tls:
            self.context = ssl.create_default_context(cafile=authority)
        self.connection: Any = None
        if row.kind not in ("connect", "idle"):
            self.connection = self.connect()

    def connect(self) -> Any:
        return self.loop.run_until_complete(self._open())

    def run(self, count: int) -> int:
        self.loop.run_until_complete(getattr(self, f"_{self.row.kind}")(count))
        return count

    async def _open(self) -> Any:
        raise NotImplementedError

    async def _close(self, connection: Any) -> None:
        raise NotImplementedError

    async def _connect(self, count: int) -> None:
        for _ in range(count):
            await self._close(await self._open())


class Aiohttp(_Async):
    """aiohttp's client, on the loop of the standard library."""

    session: Any = None

    async def _open(self) -> Any:
        import aiohttp

        if self.session is None:
            self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return await self.session.ws_connect(
            self.url,
            max_msg_size=0,
            compress=15 if self.row.deflate else 0,
            ssl=self.context or False,
        )

    async def _close(self, connection: Any) -> None:
        await connection.close()

    async def _echo(self, count: int) -> None:
        connection = self.connection
        message: Any = self.payload.decode() if self.row.text else self.payload
        send = connection.send_str if self.row.text else connection.send_bytes
        for _ in range(count):
            await send(message)
            if len((await connection.receive()).data) != len(message):
                raise AssertionError("what came back has another length")

    async def _flood(self, count: int) -> None:
        receive, size = self.connection.receive, len(self.payload)
        for _ in range(count):
            if len((await receive()).data) != size:
                raise AssertionError("what came has another length")

    async def _send(self, count: int) -> None:
        message: Any = self.payload.decode() if self.row.text else self.payload
        send = self.connection.send_str if self.row.text else self.connection.send_bytes
        for _ in range(count):
            await send(message)


class Picows(_Async):
    """picows by its callbacks, on the loop of the standard library."""

    async def _open(self) -> Any:
        import picows

        outer = self

        class Listener(picows.WSListener):  # type: ignore[misc, name-defined]
            writable: Any = None

            def on_ws_frame(self, transport: Any, frame: Any) -> None:
                outer.arrived(transport, frame)

            def pause_writing(self) -> None:
                self.writable = outer.loop.create_future()

            def resume_writing(self) -> None:
                self.writable.set_result(None)
                self.writable = None

        self.kind = picows.WSMsgType.TEXT if self.row.text else picows.WSMsgType.BINARY
        self.close_kind = picows.WSMsgType.CLOSE
        self.parts: list[bytes] = []
        self.left, self.sending = 0, self.row.kind == "echo"
        self.done: Any = self.loop.create_future()
        transport, self.listener = await picows.ws_connect(
            Listener, self.url, ssl_context=self.context, max_frame_size=1 << 30
        )
        return transport

    def run(self, count: int) -> int:
        super().run(count)
        if self.row.kind == "flood":  # it takes what has arrived, however much that is
            return count - self.left
        return count

    async def _close(self, connection: Any) -> None:
        connection.send_close(1000)
        await connection.wait_disconnected()

    def arrived(self, transport: Any, frame: Any) -> None:
        """A frame came: take its message as a program would, and go on or be done."""
        if frame.msg_type == self.close_kind:
            return
        if self.row.fragment:  # picows hands out frames
            self.parts.append(frame.get_payload_as_bytes())
            if not frame.fin:
                return
            message: Any = b"".join(self.parts)
            self.parts.clear()
        elif self.row.text:
            message = frame.get_payload_as_utf8_text()
        else:
            message = frame.get_payload_as_bytes()
        if len(message) != len(self.payload) and not self.done.done():
            self.done.set_exception(AssertionError("what came has another length"))
        self.left -= 1
        if self.left == 0 and not self.done.done():
            self.done.set_result(None)
        elif self.sending and self.left > 0:
            transport.send(self.kind, self._outgoing())

    def _outgoing(self) -> bytes:
        return self.text.encode() if self.row.text else self.payload

    async def _echo(self, count: int) -> None:
        self.text = self.payload.decode() if self.row.text else ""
        self.left, self.done = count, self.loop.create_future()
        self.connection.send(self.kind, self._outgoing())
        await self.done

    async def _flood(self, count: int) -> None:
        self.left, self.done = count, self.loop.create_future()
        await self.done

    async def _send(self, count: int) -> None:
        self.text = self.payload.decode() if self.row.text else ""
        for _ in range(count):
            self.connection.send(self.kind, self._outgoing())
            if self.listener.writable is not None:
                await self.listener.writable
