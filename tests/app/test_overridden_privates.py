"""Promise: subclasses and patches of websocket-client's private methods go on working."""

from __future__ import annotations

import inspect
import selectors
import threading
from typing import Any
from unittest import mock

import pytest
from recording import Recorded

import websocket
from websocket import ABNF, WebSocketApp, WebSocketConnectionClosedException
from websocket._dispatcher import Dispatcher
from websocket.testing import accept, drop, script, serve


def hello(peer: Any) -> None:
    peer.send("hello")
    list(peer)


@pytest.mark.parametrize("way", ["subclass", "object", "patch"])
def test_callback(way: str) -> None:
    """`_callback` is what all callbacks go through, on_close included."""
    seen: list[Any] = []

    def own(app: Any, callback: Any, *arguments: Any) -> None:
        seen.append(arguments)
        if callback:
            callback(app, *arguments)

    class App(Recorded):
        if way == "subclass":
            _callback = own

    with serve(hello) as server:
        app = App(server.url, {"on_message": Recorded.close})
        if way == "object":
            app._callback = lambda *arguments: own(app, *arguments)  # type: ignore[method-assign]
        with mock.patch.object(WebSocketApp, "_callback", own if way == "patch" else App._callback):
            app.run_forever()
    assert seen == [(), ("hello", 1, True), ("hello",), (1000, None)]


@pytest.mark.parametrize("place", ["on_open", "on_message"])
def test_a_callback_method_that_lets_exceptions_through(place: str) -> None:
    """Programs patch `_callback` to stop it swallowing them: then they end the connection, are told
    to on_error like any other failure, and on_close is the last word."""

    class App(Recorded):
        def _callback(self, callback: Any, *arguments: Any) -> None:
            if callback:
                callback(self, *arguments)

    def boom(_: object) -> None:
        raise LookupError("boom")

    with serve(hello) as server:
        app = App(server.url, {place: boom})
        assert app.run_forever() is True
        assert app.calls[-2:] == [("on_error", LookupError, "boom"), ("on_close", None, None)]

        app = App(server.url, {place: boom, "on_error": boom})
        with pytest.raises(LookupError):
            app.run_forever()
        assert app.names()[-1] == "on_close"
        assert app.sock is None


@pytest.mark.parametrize("way", ["subclass", "patch"])
def test_send_ping(way: str) -> None:
    """It runs in a thread of its own with `stop_ping`; our own pings are off then."""
    threads: list[Any] = []

    def own(app: Any) -> None:
        while not app.stop_ping.wait(app.ping_interval):
            threads.append(app.ping_thread)
            app.sock.ping(b"mine")

    class App(Recorded):
        if way == "subclass":
            _send_ping = own

    with serve() as server:
        app = App(server.url)
        app.hooks["on_pong"] = lambda app: app.names().count("on_pong") == 2 and app.close()
        patched = own if way == "patch" else WebSocketApp.__mro__[1].__dict__["_send_ping"]
        with mock.patch.object(WebSocketApp, "_send_ping", patched):
            app.run_forever(ping_interval=0.02)
    assert app.calls[1:3] == [("on_pong", b"mine")] * 2
    assert isinstance(threads[0], threading.Thread)
    assert threads[0].daemon
    assert not threads[0].is_alive()
    assert app.ping_thread is None
    assert app.stop_ping is None


def test_send_ping_of_ours_in_a_thread() -> None:
    """A subclass may call super()._send_ping()."""
    entered: list[bool] = []

    class App(Recorded):
        def _send_ping(self) -> None:
            entered.append(True)
            super()._send_ping()

    with serve() as server:
        app = App(server.url)
        app.hooks["on_pong"] = lambda app: app.close()
        app.run_forever(ping_interval=0.02, ping_payload="p")
    assert entered == [True]
    assert ("on_pong", b"p") in app.calls


def test_get_close_args() -> None:
    """What it returns is what on_close is called with."""

    class App(Recorded):
        def _get_close_args(self, close_frame: Any) -> list[Any]:
            assert close_frame.opcode == ABNF.OPCODE_CLOSE
            return [1, "own"]

    with serve(lambda peer: peer.close(4000, "x")) as server:
        app = App(server.url)
        app.run_forever()
    assert app.calls[-1] == ("on_close", 1, "own")


@pytest.mark.parametrize(
    ("data", "args"),
    [
        (b"", [None, None]),
        (b"\x03", [None, None]),
        (b"\x03\xe8", [1000, None]),
        (b"\x0f\xa0bye", [4000, "bye"]),
        (b"\x03\xe8\xff", [1000, "\ufffd"]),
        ("ABtext", [0x4142, "text"]),
    ],
)
def test_close_frames_are_parsed_with_care(data: Any, args: list[Any]) -> None:
    """An empty reason is None, an undecodable one is decoded with replacement."""
    app = WebSocketApp("ws://x", on_close=lambda *_: None)
    assert app._get_close_args(ABNF(opcode=8, data=data)) == args
    assert app._get_close_args(None) == [None, None]


class Selecting(Dispatcher):
    """A dispatcher of the program's own, in the manner of websocket-client's."""

    turns = 0

    def read(self, sock: Any, read_callback: Any, check_callback: Any) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.app.sock.sock, selectors.EVENT_READ)
            while self.app.keep_running:
                type(self).turns += 1
                if selector.select(0.1) and not read_callback():
                    break
                check_callback()


class Choosing(Recorded):
    """An app that brings it."""

    def create_dispatcher(self, ping_timeout: Any, *arguments: Any, **named: Any) -> Any:
        assert ping_timeout is None
        return Selecting(self, 10)


@pytest.mark.parametrize("code", [1000, 4000])
def test_a_dispatcher_of_the_programs_own(code: int) -> None:
    """Its `read` waits; the callbacks and the return value are as ever."""
    Selecting.turns = 0
    with serve(lambda peer: (peer.send("a"), peer.send(b"b"), peer.close(code, "c"))) as server:
        app = Choosing(server.url)
        assert app.run_forever() is False
    error = ["on_error"] * (code == 4000)
    messages = ["on_data", "on_message"] * 2
    assert app.names() == ["on_open", *messages, *error, "on_close"]
    assert app.calls[-1] == ("on_close", code, "c")
    assert Selecting.turns > 0


def test_a_dispatcher_of_the_programs_own_is_closed_from_outside() -> None:
    """on_close comes from the thread of the run, in its next turn."""
    from recording import Run

    with serve() as server:
        app = Choosing(server.url)
        with Run(app) as run:
            app.wait_for("on_open")
            app.close(status=3001)
            assert run.join() is False
    assert app.calls == [("on_open",), ("on_close", 3001, None)]


def test_a_dispatcher_of_the_programs_own_reconnects_without_recursion() -> None:
    """The stack is as deep at the twentieth connection as at the second."""
    depths: list[int] = []

    def on_reconnect(app: Recorded) -> None:
        depths.append(len(inspect.stack(0)))
        if len(depths) == 20:
            app.close()

    with script(accept(), drop()) as server:
        app = Choosing(server.url, {"on_reconnect": on_reconnect})
        assert app.run_forever(reconnect=0.001) is True
    assert len(set(depths)) == 1
    assert app.names().count("on_close") == 1


def test_a_patched_websocket_class() -> None:
    """`websocket._app.WebSocket` replaced by a fake with few methods."""

    class Fake:
        def __init__(self, *_: Any, **__: Any):
            self.sock = object()
            self.frames = [ABNF(opcode=1, data=b"hi"), ABNF(opcode=8, data=b"\x0f\xa0no")]
            self.skip_utf8_validation = False

        def settimeout(self, timeout: float | None) -> None: ...

        def connect(self, url: str, **options: Any) -> None: ...

        def recv_data_frame(self, control: bool) -> tuple[int, ABNF]:
            frame = self.frames.pop(0)
            return frame.opcode, frame

        def close(self) -> None: ...

        def shutdown(self) -> None: ...

    with mock.patch("websocket._app.WebSocket", Fake):
        app = Recorded("ws://example.invalid/")
        assert app.run_forever() is False
    assert app.names() == ["on_open", "on_data", "on_message", "on_error", "on_close"]
    assert app.calls[-1] == ("on_close", 4000, "no")


def test_a_patched_recv_data_frame() -> None:
    """Of the class, for all of the process."""
    with (
        mock.patch.object(
            websocket.WebSocket,
            "recv_data_frame",
            side_effect=WebSocketConnectionClosedException("patched"),
        ),
        serve() as server,
    ):
        app = Recorded(server.url)
        assert app.run_forever() is True
    assert app.calls[1][:3] == ("on_error", WebSocketConnectionClosedException, "patched")


def test_attributes_of_a_run() -> None:
    """Those that programs look at, during it and afterwards."""
    app = Recorded("ws://example.invalid/")
    assert app.keep_running is False
    assert app.sock is None
    app.anything = "may be set"  # type: ignore[attr-defined]

    def on_open(app: Any) -> None:
        assert app.keep_running is True
        assert app.sock.connected
        assert app.sock.sock.fileno() > 0
        assert app.ping_interval == 7
        assert app.ping_timeout == 5
        assert app.ping_payload == "p"
        app.close(status=4004)
        assert app.last_close_frame.data == b"\x0f\xa4"

    with serve() as server:
        app.url = server.url
        app.hooks["on_open"] = on_open
        app.run_forever(ping_interval=7, ping_timeout=5, ping_payload="p")
    assert "on_error" not in app.names()
    assert app.has_done_teardown
    assert app.has_errored is False
