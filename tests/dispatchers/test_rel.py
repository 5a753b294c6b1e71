"""Promise: `run_forever(dispatcher=rel)` works with the real rel as programs know it.

The README recipe of websocket-client, one `on_reconnect` per outage, every frame through
`buffwrite`; nothing of ours stays in rel when a connection has ended, and nothing of ours escapes
into its loop but KeyboardInterrupt and SystemExit.
"""

from __future__ import annotations

import signal
import socket
import threading
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import rel
from helpers_loops import Noted, dispatch

from websocket import (
    WebSocketConnectionClosedException,
    WebSocketTimeoutException,
)
from websocket.testing import Connection, Server, accept, hang, script, serve


def left_in(relay: ModuleType) -> dict[str, int]:
    """What rel still holds of ours."""
    registrar = rel.rel.registrar
    return {
        "events": sum(len(events) for events in registrar.events.values()),
        "writings": len(rel.buff.writings),
    }


NOTHING = {"events": 0, "writings": 0}


class Recording:
    """rel, and what is asked of it."""

    def __init__(self, relay: ModuleType):
        self._relay = relay
        self.asked: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._relay, name)
        if name not in ("signal", "read", "timeout", "buffwrite"):
            return verb

        def asked(*args: Any) -> Any:
            self.asked.append((name, *args))
            return verb(*args)

        return asked

    def all_of(self, name: str) -> list[tuple[Any, ...]]:
        return [asked[1:] for asked in self.asked if asked[0] == name]


def test_the_recipe(relay: ModuleType) -> None:
    """N outages give one on_open, N on_reconnect, and one on_close at the end."""
    outages = 3

    def handler(connection: Connection) -> None:
        for message in connection:
            connection.send(message)
            connection.drop()

    def on_message(app: Noted, message: str) -> None:
        if app.count("on_reconnect") == outages:
            app.close()
            relay.abort()

    def hello(app: Noted) -> None:
        app.send("hello")

    with serve(handler) as server:
        app = Noted(server.url, on_open=hello, on_reconnect=hello, on_message=on_message)
        assert app.run_forever(dispatcher=relay, reconnect=0.01) is False
        relay.signal(2, relay.abort)
        dispatch(relay)
    once = ["on_message", "on_error", "on_reconnect"]
    assert app.names() == ["on_open", *once * outages, "on_message", "on_close"]
    assert left_in(relay) == NOTHING


def test_every_frame_goes_through_buffwrite(relay: ModuleType, server: Server) -> None:
    """Also those sent in on_open; each is masked, whole, and there for `send_function` to send."""
    recording = Recording(relay)

    def on_open(app: Noted) -> None:
        app.send("first")
        app.send_bytes(b"second")

    def on_message(app: Noted, message: Any) -> None:
        if message == b"second":
            app.close()
            relay.abort()

    app = Noted(server.url, on_open=on_open, on_message=on_message)
    app.run_forever(dispatcher=recording)
    dispatch(relay)
    assert app.messages() == ["first", b"second"]
    frames = [data for _, data, _, _ in recording.all_of("buffwrite")]
    assert [frame[0] & 0x0F for frame in frames] == [1, 2, 8]
    assert [len(frame) for frame in frames] == [6 + 5, 6 + 6, 6 + 2]
    (sock, callback), *more = recording.all_of("read")
    assert isinstance(sock, socket.socket) and callable(callback) and more == []
    assert recording.all_of("signal") == [(2, relay.abort)]


@pytest.mark.parametrize("size", [100_000, 3_000_000])
def test_large_messages_arrive_whole_and_in_order(
    relay: ModuleType, server: Server, size: int
) -> None:
    """rel writes 4 KiB at a time and ignores what `send_function` returns: nothing may be lost,
    though the socket has a timeout, so that the kernel takes parts."""
    sent = [bytes([number]) * size for number in range(3)]

    def on_open(app: Noted) -> None:
        app.sock.settimeout(20)
        for message in sent:
            app.send_bytes(message)

    def on_message(app: Noted, message: bytes) -> None:
        if app.count("on_message") == len(sent):
            app.close()
            relay.abort()

    app = Noted(server.url, on_open=on_open, on_message=on_message)
    app.run_forever(dispatcher=relay)
    dispatch(relay)
    assert app.messages() == sent


def test_tls(relay: ModuleType, tls_server: Server, sslopt: dict[str, Any]) -> None:
    """Decrypted bytes that the descriptor does not show are delivered, too."""

    def on_open(app: Noted) -> None:
        for number in range(50):
            app.send(f"{number} " * 500)

    def on_message(app: Noted, message: str) -> None:
        if app.count("on_message") == 50:
            app.close()
            relay.abort()

    app = Noted(tls_server.url, on_open=on_open, on_message=on_message)
    app.run_forever(dispatcher=relay, sslopt=sslopt)
    dispatch(relay)
    assert [message.split()[0] for message in app.messages()] == [str(n) for n in range(50)]
    assert left_in(relay) == NOTHING


def test_close_in_a_callback(relay: ModuleType, server: Server) -> None:
    """The goodbye is sent although rel has no turn for it, and the server's answer is told."""
    app = Noted(
        server.url,
        on_open=lambda app: app.close(status=4000, reason="enough"),
        on_close=lambda *_: relay.abort(),
    )
    relay.timeout(0, partial(app.run_forever, dispatcher=relay))
    dispatch(relay)
    assert app.events == [("on_open",), ("on_close", 4000, None)]
    assert app.sock is None and app.keep_running is False
    assert left_in(relay) == NOTHING


def test_close_in_another_thread(relay: ModuleType, server: Server) -> None:
    """on_close comes once, with the server's code; rel keeps nothing; the app can run again."""
    for _ in range(3):
        app = Noted(server.url)
        app.run_forever(dispatcher=relay)

        def close(app: Noted = app) -> None:
            app.close()
            relay.timeout(0, relay.abort)

        closer = threading.Thread(target=close)
        relay.timeout(0, closer.start)
        dispatch(relay)
        closer.join()
        assert app.events == [("on_open",), ("on_close", 1000, None)]
    relay.timeout(0.05, relay.abort)
    dispatch(relay)  # a turn in which what the other thread has left is put away
    assert left_in(relay) == NOTHING


def test_a_peer_that_closes(relay: ModuleType) -> None:
    with serve(lambda connection: connection.close(4001, "bye")) as server:
        app = Noted(server.url, on_close=lambda *_: relay.abort())
        app.run_forever(dispatcher=relay)
        dispatch(relay)
    assert app.names() == ["on_open", "on_error", "on_close"]
    assert app.events[-1] == ("on_close", 4001, "bye")
    assert left_in(relay) == NOTHING


def test_a_missed_pong(relay: ModuleType) -> None:
    """It is an ending like any other; rel gets no exception, and a watchdog timer only as long as
    the connection lives."""
    with script(accept(), hang()) as server:
        app = Noted(server.url, on_close=lambda *_: relay.abort())
        app.run_forever(dispatcher=relay, ping_interval=0.2, ping_timeout=0.1)
        dispatch(relay)
    assert app.names() == ["on_open", "on_error", "on_close"]
    error = app.events[1][1]
    assert isinstance(error, WebSocketTimeoutException) and "ping/pong timed out" in str(error)
    assert left_in(relay) == NOTHING


def test_refused_connects(relay: ModuleType) -> None:
    """Each failed attempt is told, and the next one comes by rel's timer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"

    def on_error(app: Noted, _exc: BaseException) -> None:
        if app.count("on_error") == 4:
            app.close()
            relay.abort()

    app = Noted(url, on_error=on_error)
    app.run_forever(dispatcher=relay, reconnect=0.01)
    dispatch(relay)
    assert app.names() == ["on_error"] * 4 + ["on_close"]
    assert all(isinstance(event[1], ConnectionRefusedError) for event in app.events[:4])


def test_a_hundred_reconnects_leave_nothing_in_rel(relay: ModuleType) -> None:
    """No events, no writers, no timers pile up, though each connection has had some of each."""

    def handler(connection: Connection) -> None:
        connection.recv()
        connection.reset()

    held: list[int] = []

    def again(app: Noted) -> None:
        app.send("hello")
        held.append(sum(left_in(relay).values()) + len(rel.rel.registrar.timers))
        if app.count("on_reconnect") == 100:
            app.close()
            relay.abort()

    with serve(handler) as server:
        app = Noted(server.url, on_open=again, on_reconnect=again)
        app.run_forever(dispatcher=relay, reconnect=0.001, ping_interval=30, ping_timeout=20)
        dispatch(relay)
    assert app.count("on_open") == 1 and app.count("on_close") == 1
    assert app.count("on_error") == 100
    # A watchdog lives as long as ping_timeout at most: that is one timer for each connection.
    assert max(held) <= 110
    assert left_in(relay) == NOTHING


def test_no_signal_off_the_main_thread(relay: ModuleType, server: Server) -> None:
    recording = Recording(relay)
    app = Noted(server.url, on_open=lambda app: app.close())
    thread = threading.Thread(target=app.run_forever, kwargs={"dispatcher": recording})
    thread.start()
    thread.join()
    assert app.names() == ["on_open", "on_close"]
    assert recording.all_of("signal") == []


def test_errors_of_callbacks_do_not_reach_rel(relay: ModuleType, server: Server) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    app = Noted(server.url, on_open=lambda app: app.send("x"), on_message=fail, on_error=fail)
    app.run_forever(dispatcher=relay)
    relay.timeout(0.2, relay.abort)
    dispatch(relay)
    app.close()
    assert app.names() == ["on_open", "on_message", "on_error", "on_close"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_interrupts_end_the_run_and_go_on(
    relay: ModuleType, server: Server, kind: type[BaseException]
) -> None:
    def interrupt(*_: Any) -> None:
        raise kind

    app = Noted(server.url, on_open=lambda app: app.send("x"), on_message=interrupt)
    app.run_forever(dispatcher=relay)
    with pytest.raises(kind):
        dispatch(relay)
    assert app.names() == ["on_open", "on_message", "on_error", "on_close"]
    assert left_in(relay) == NOTHING


def test_misuse_that_a_later_attempt_meets_is_told(relay: ModuleType) -> None:
    """A header function that gives rubbish the second time: on_error, on_close, no crash."""
    headers = iter([["X-Fine: 1"], ["no colon"]])

    with serve(lambda connection: connection.drop()) as server:
        app = Noted(server.url, on_close=lambda *_: relay.abort())
        app.header = lambda: next(headers)
        app.run_forever(dispatcher=relay, reconnect=0.01)
        dispatch(relay)
    assert app.names() == ["on_open", "on_error", "on_error", "on_close"]
    assert isinstance(app.events[1][1], WebSocketConnectionClosedException)
    assert isinstance(app.events[2][1], ValueError)


def test_sigint_aborts_rel(relay: ModuleType, server: Server) -> None:
    """The library's own `signal(2, abort)`: dispatch returns, and the app can be closed then."""
    app = Noted(server.url)
    app.run_forever(dispatcher=relay)
    relay.timeout(0, signal.raise_signal, signal.SIGINT)
    dispatch(relay)
    app.close()
    assert app.names() == ["on_open", "on_close"]
