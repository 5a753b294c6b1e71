"""picows by its callbacks, each as short as a program could write it for the row."""

from __future__ import annotations

import time
from typing import Any

from async_clients import Asynchronous
from clients import kept_context

__all__ = ["Picows"]


class Picows(Asynchronous):
    """A listener for each row; a batch ends when a future is set."""

    listener: Any = None  # the class of all listeners
    listeners: dict[Any, Any]  # by connection
    kind: Any  # of this row's messages, as picows has it

    async def open(self) -> Any:
        import picows

        if self.listener is None:
            bare = self.row.kind in ("idle", "traced", "connect")
            self.listener = picows.WSListener if bare else _listener_of(self)
        transport, _ = await picows.ws_connect(
            self.listener,
            self.url,
            ssl_context=kept_context(self),
            max_frame_size=1 << 30,
        )
        return transport

    async def close(self, connection: Any) -> None:
        connection.send_close(1000)
        await connection.wait_disconnected()

    async def _times(self, count: int) -> list[float]:
        taken: list[float] = []
        clock = time.perf_counter
        for _ in range(count):
            start = clock()
            await self._echo(1)
            taken.append(clock() - start)
        return taken

    def run(self, count: int) -> int:
        """A flood's batch takes what has arrived with it, too."""
        super().run(count)
        if self.row.kind in ("flood", "app_flood"):
            return count - int(self.connection_listener.left)
        return count

    @property
    def connection_listener(self) -> Any:
        return self.listeners[self.connection]

    def outgoing(self) -> bytes:
        """picows wants bytes, so a program that has text encodes it each time."""
        message = self.message
        return message.encode() if isinstance(message, str) else message

    async def _expect(self, connection: Any, count: int) -> Any:
        listener = self.listeners[connection]
        listener.left, listener.done = count, self.loop.create_future()
        if self.row.kind == "duplex_flood":
            connection.underlying_transport.resume_reading()
        return listener.done

    async def _echo(self, count: int, connection: Any = None) -> None:
        connection = connection or self.connection
        done = await self._expect(connection, count)
        connection.send(self.kind, self.outgoing())
        self.check(await done)

    async def _flood(self, count: int) -> None:
        self.check(await (await self._expect(self.connection, count)))

    async def _send(self, count: int) -> None:
        connection, listener = self.connection, self.connection_listener
        send, kind, message = connection.send, self.kind, self.message
        for _ in range(count):
            send(kind, message.encode() if isinstance(message, str) else message)
            if listener.writable is not None:
                await listener.writable

    _app_echo, _app_flood, _peak = _echo, _flood, _flood


def _listener_of(client: Picows) -> Any:
    """A class of listeners for the client's row."""
    import picows

    text, fragments, message = client.row.text, client.row.fragment, client.message
    kind = client.kind = picows.WSMsgType.TEXT if text else picows.WSMsgType.BINARY
    close_kind = picows.WSMsgType.CLOSE
    client.listeners = {}
    pauses = client.row.kind == "duplex_flood"
    echoes = client.row.kind in ("echo", "app_echo", "threads")

    class Listener(picows.WSListener):  # type: ignore[misc]
        left = 0
        writable: Any = None
        done: Any = None

        def on_ws_connected(self, transport: Any) -> None:
            client.listeners[transport] = self
            self.parts: list[bytes] = []

        def on_ws_disconnected(self, transport: Any) -> None:
            client.listeners.pop(transport, None)

        def pause_writing(self) -> None:
            self.writable = client.loop.create_future()

        def resume_writing(self) -> None:
            writable, self.writable = self.writable, None
            writable.set_result(None)

        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            if frame.msg_type == close_kind:
                return
            if fragments:  # picows hands out frames
                self.parts.append(frame.get_payload_as_bytes())
                if not frame.fin:
                    return
                came: Any = b"".join(self.parts)
                self.parts.clear()
            elif text:
                came = frame.get_payload_as_utf8_text()
            else:
                came = frame.get_payload_as_bytes()
            self.left -= 1
            if self.left == 0:
                self.done.set_result(came)
                if pauses:  # or it would receive for as long as it sends
                    transport.underlying_transport.pause_reading()
            elif echoes and self.left > 0:
                transport.send(kind, message.encode() if isinstance(message, str) else message)

    return Listener
