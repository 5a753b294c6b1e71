"""Promise: `close()` ends `run_forever` within 0.3 s plus the closing
handshake in each phase from the instant that it was entered, with exactly one on_close.

0.3 s is what the promise says; a loaded machine is given more here. What the tests are about are
runs that would go on for ever, or for the length of a timeout.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from recording import PATIENCE, Recorded, Run

import websocket._transport.tcp as tcp
from websocket import WebSocketConnectionClosedException
from websocket.testing import accept, drip, drop, frame, hang, script, send, serve

SOON = 2.0  # seconds
NOTHING_SAID = [("on_close", None, None)]


@pytest.fixture
def silent() -> Iterator[tuple[str, Callable[[], socket.socket]]]:
    """Address of a server that accepts TCP and says nothing; and what waits for a client."""
    clients: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)

        def client() -> socket.socket:
            clients.append(listener.accept()[0])
            return clients[-1]

        yield f"127.0.0.1:{listener.getsockname()[1]}", client
    for each in clients:
        each.close()


def closes_soon(app: Recorded, run: Run, **how: Any) -> None:
    began = time.monotonic()
    app.close(**how)
    run.join()
    assert run.ended_at - began < SOON


# --- before there is a connection -----------------------------------------------------------------


def test_close_before_a_run_is_no_op() -> None:
    """The next run works, however often it was said."""
    with serve() as server:
        app = Recorded(server.url, {"on_open": Recorded.close})
        app.close()
        app.keep_running = False
        app.close(status=1001)
        assert app.run_forever() is False
        assert app.calls == [("on_open",), ("on_close", 1000, None)]


class CloseAtLine:
    """Traces a run and calls `app.close` before the given one of our own lines, counted from the
    entry of run_forever up to on_open."""

    FILES = ("_app.py", "_session.py", "_dispatched.py", "_dispatcher.py")

    def __init__(self, app: Recorded, line: int):
        self._app = app
        self._left = line
        self._entered = False

    @property
    def reached(self) -> bool:
        return self._left == 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        code = frame.f_code
        if not code.co_filename.endswith(self.FILES) or "websocket" not in code.co_filename:
            return None
        if event == "line" and self._entered:
            self._left -= 1
            if self.reached:
                sys.settrace(None)
                self._app.close(timeout=0.05)
                return None
        # The first line is that on which run_forever begins: from then on it is entered.
        self._entered = self._entered or (event == "line" and code.co_name == "run_forever")
        return self


def test_close_at_every_line_between_entering_and_on_open() -> None:
    """There is no line in the beginning of a run at which a close would be forgotten."""
    line = 0
    with script(accept(), hang()) as server:
        while True:
            line += 1
            app = Recorded(server.url, {"on_open": lambda app: sys.settrace(None) or app.close()})
            tracer = CloseAtLine(app, line)
            before = sys.gettrace()
            sys.settrace(tracer)
            try:
                assert app.run_forever() is False
            finally:
                sys.settrace(before)
            if not tracer.reached:
                break
            assert app.calls[-1] == ("on_close", None, None)
            assert app.names() in (["on_close"], ["on_open", "on_close"]), line
            assert app.sock is None
    assert line > 50


def test_close_in_functions_that_are_asked_before_dialling() -> None:
    """url, header and create_dispatcher are the program's; close in one of them is heard."""

    class Own(Recorded):
        def create_dispatcher(self, *arguments: Any, **named: Any) -> Any:
            if where == "create_dispatcher":
                self.close()
            return super().create_dispatcher(*arguments, **named)

    def asked(what: str, value: Any) -> Any:
        if where == what:
            app.close()
        return value

    where = ""
    with script(accept(), hang()) as server:
        for each in ("url", "header", "create_dispatcher"):
            where = each
            app = Own(
                lambda: asked("url", server.url), header=lambda: asked("header", ["X-Test: 1"])
            )
            assert app.run_forever() is False
            assert app.calls == NOTHING_SAID
        assert server.received == []  # nobody was dialled


def test_close_during_the_name_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lookup that hangs: with a timeout it is done aside, and close leaves it alone."""
    asked, answer = threading.Event(), threading.Event()

    def getaddrinfo(*_: Any, **__: Any) -> Any:
        asked.set()
        assert answer.wait(PATIENCE)
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(tcp.socket, "getaddrinfo", getaddrinfo)
    app = Recorded("ws://name.invalid/")
    with Run(app, timeout=30) as run:
        assert asked.wait(PATIENCE)
        closes_soon(app, run)
    answer.set()
    assert app.calls == NOTHING_SAID
    assert run.result is False


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("reconnect", [None, 0.01])
def test_close_while_the_server_is_silent(
    silent: Any, scheme: str, reconnect: float | None
) -> None:
    """Waiting for the 101, and in the TLS handshake; no further attempt is made."""
    address, client = silent
    app = Recorded(f"{scheme}://{address}/")
    with Run(app, reconnect=reconnect) as run:
        client().recv(1)
        closes_soon(app, run)
    assert app.calls == NOTHING_SAID
    assert run.result is False


def test_close_while_a_proxy_is_silent(silent: Any) -> None:
    """In the conversation with the proxy."""
    address, client = silent
    host, port = address.split(":")
    app = Recorded("ws://example.invalid/")
    with Run(app, http_proxy_host=host, http_proxy_port=port, proxy_type="http") as run:
        client().recv(1)
        closes_soon(app, run)
    assert app.calls == NOTHING_SAID


def test_close_while_the_101_drips() -> None:
    """Bytes that come do not prolong anything."""
    with script(drip(accept(), every=0.05)) as server:
        app = Recorded(server.url)
        with Run(app) as run:
            server.wait_received(b"\r\n\r\n")
            closes_soon(app, run)
    assert app.calls == NOTHING_SAID


def test_keep_running_false_ends_connecting_too(silent: Any) -> None:
    """It is another way to say the same."""
    address, client = silent
    app = Recorded(f"ws://{address}/")
    with Run(app) as run:
        client().recv(1)
        began = time.monotonic()
        app.keep_running = False
        run.join()
        assert run.ended_at - began < SOON
    assert app.calls == NOTHING_SAID


# --- with a connection ----------------------------------------------------------------------------


def test_close_while_reading_a_frame_that_never_ends() -> None:
    """In mid-frame, with a server that does not answer: the timeout of close, and no more."""
    with script(accept(), send(frame(1, "abcdef")[:4]), hang()) as server:
        app = Recorded(server.url)
        with Run(app) as run:
            app.wait_for("on_open")
            closes_soon(app, run, timeout=0.2)
    assert app.calls == [("on_open",), ("on_close", None, None)]
    assert run.result is False


@pytest.mark.parametrize("callback", ["on_open", "on_data", "on_message", "on_ping", "on_pong"])
def test_close_by_another_thread_while_a_callback_runs(callback: str) -> None:
    """close() returns when the handshake is over; the run when the callback returns."""
    let_go = threading.Event()

    def handler(peer: Any) -> None:
        peer.send_raw(frame(1, "x") + frame(9, b"p") + frame(0xA, b"q"))
        list(peer)

    with serve(handler) as server:
        app = Recorded(server.url, {callback: lambda _: let_go.wait(PATIENCE)})
        with Run(app) as run:
            app.wait_for(callback)
            app.close(status=3000)
            let_go.set()
            run.join()
    assert app.names()[-2:] in ([callback, "on_close"], ["on_message", "on_close"])
    assert app.calls[-1] == ("on_close", 3000, None)
    assert run.result is False


@pytest.mark.parametrize("callback", ["on_error", "on_reconnect"])
def test_close_by_another_thread_while_the_callbacks_of_an_outage_run(callback: str) -> None:
    """No further attempt is made behind it."""
    let_go = threading.Event()
    with script(accept(), drop()) as server:
        app = Recorded(server.url, {callback: lambda _: let_go.wait(PATIENCE)})
        with Run(app, reconnect=0.01) as run:
            app.wait_for(callback)
            connections = len(server.received)
            app.close()
            let_go.set()
            run.join()
        assert len(server.received) == connections
    assert app.names().count("on_close") == 1
    assert app.names()[-1] == "on_close"


def test_close_while_a_send_in_a_callback_is_stuck() -> None:
    """The send ends with WebSocketConnectionClosedException; the run ends."""
    raised: list[BaseException] = []
    stuck = threading.Event()

    def on_open(app: Recorded) -> None:
        stuck.set()
        try:
            while True:
                app.send_bytes(bytes(1 << 20))
        except BaseException as exc:
            raised.append(exc)
            raise

    with script(accept(), hang(read=False)) as server:
        app = Recorded(server.url, {"on_open": on_open})
        with Run(app) as run:
            assert stuck.wait(PATIENCE)
            closes_soon(app, run, timeout=0.3)
    assert [type(exc) for exc in raised] == [WebSocketConnectionClosedException]
    assert app.names() == ["on_open", "on_error", "on_close"]


@pytest.mark.parametrize("way", ["close", "keep_running"])
def test_close_while_waiting_to_reconnect(way: str) -> None:
    """An hour is left; no further connection is made, and the outage was an error of the run."""
    with script(accept(), drop()) as server:
        app = Recorded(server.url)
        with Run(app, reconnect=3600) as run:
            app.wait_for("on_error")
            began = time.monotonic()
            if way == "close":
                app.close()
            else:
                app.keep_running = False
            run.join()
            assert run.ended_at - began < SOON
        assert len(server.received) == 1
    assert app.names() == ["on_open", "on_error", "on_close"]
    assert run.result is True


def test_many_threads_that_close_at_once() -> None:
    """One closing handshake, one on_close, and nobody hangs."""
    with serve() as server:
        app = Recorded(server.url)
        with Run(app) as run:
            app.wait_for("on_open")
            closers = [threading.Thread(target=app.close) for _ in range(8)]
            for closer in closers:
                closer.start()
            for closer in closers:
                closer.join(PATIENCE)
                assert not closer.is_alive()
            run.join()
    assert app.calls == [("on_open",), ("on_close", 1000, None)]


def test_a_code_that_cannot_travel_is_reported_and_the_run_ends() -> None:
    """close(status=99) raises in the caller, and does not leave a run that nobody can end."""
    with serve() as server:
        app = Recorded(server.url)
        with Run(app) as run:
            app.wait_for("on_open")
            with pytest.raises(ValueError, match="99"):
                app.close(status=99)
            run.join()
    assert app.calls == [("on_open",), ("on_close", None, None)]


# --- more than one run ----------------------------------------------------------------------------


def test_an_app_can_be_run_again() -> None:
    """Each run is as the first one, after whatever ending."""
    with serve() as server, script(accept(), drop()) as dropping:
        app = Recorded(dropping.url)
        assert app.run_forever() is True
        app.url = server.url
        app.hooks["on_open"] = Recorded.close
        for _ in range(3):
            app.calls.clear()
            assert app.run_forever() is False
            assert app.calls == [("on_open",), ("on_close", 1000, None)]
            assert app.has_errored is False


def test_an_app_can_be_run_again_from_on_close() -> None:
    """Programs that reconnect by hand do it there."""
    runs: list[bool] = []

    def on_close(app: Recorded) -> None:
        if len(runs) < 2:
            runs.append(True)
            app.run_forever()

    with serve(lambda peer: peer.close(1000)) as server:
        app = Recorded(server.url, {"on_close": on_close})
        app.run_forever()
    assert app.names() == ["on_open", "on_close"] * 3


def test_a_second_run_at_the_same_time_is_refused_and_harms_nothing() -> None:
    """'socket is already opened', in the phase of connecting, too."""
    with serve() as server:
        app = Recorded(server.url)
        with Run(app) as run:
            app.wait_for("on_open")
            with pytest.raises(Exception, match="already opened"):
                app.run_forever()
            app.close()
            assert run.join() is False
    assert app.calls == [("on_open",), ("on_close", 1000, None)]


def test_two_apps_in_two_threads_do_not_know_of_each_other() -> None:
    """One is closed, the other goes on."""
    with serve() as server:
        first, second = Recorded(server.url), Recorded(server.url)
        with Run(first) as run, Run(second) as other:
            first.wait_for("on_open")
            second.wait_for("on_open")
            first.close()
            run.join()
            second.send("still here")
            second.wait_for("on_message")
            second.close()
            other.join()
    assert second.calls[-2:] == [("on_message", "still here"), ("on_close", 1000, None)]
