"""Promise: a run in the main thread ends at SIGINT within 0.3 s, and
`close()` and `keep_running = False` work in signal handlers, in every phase."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from recording import PATIENCE, Recorded

from websocket import WebSocketConnectionClosedException, setdefaulttimeout
from websocket.testing import accept, drip, drop, frame, hang, script, send, serve

SOON = 2.0  # seconds: what is promised is 0.3, on a machine that has nothing else to do


@pytest.fixture
def signals() -> Iterator[Callable[[Callable[[], object], Callable[..., object]], None]]:
    """Sends SIGUSR1 to this process when the first function returns; the second one handles it."""
    before = signal.getsignal(signal.SIGUSR1)
    threads: list[threading.Thread] = []

    def arrange(when: Callable[[], object], handler: Callable[..., object]) -> None:
        def wait_and_send() -> None:
            when()
            time.sleep(0.05)  # so that the main thread is in its system call
            os.kill(os.getpid(), signal.SIGUSR1)

        signal.signal(signal.SIGUSR1, lambda *_: handler())
        threads.append(threading.Thread(target=wait_and_send))
        threads[-1].start()

    yield arrange
    for thread in threads:
        thread.join(PATIENCE)
    signal.signal(signal.SIGUSR1, before)


def interrupted() -> None:
    raise KeyboardInterrupt


def test_close_in_a_handler_while_reading(signals: Any) -> None:
    """The closing handshake is done by the run, and on_close has the server's answer."""
    took: list[float] = []
    with serve() as server:
        app = Recorded(server.url)

        def handler() -> None:
            began = time.monotonic()
            app.close(status=4001)
            took.append(time.monotonic() - began)

        signals(lambda: app.wait_for("on_open"), handler)
        assert app.run_forever() is False
        assert app.calls == [("on_open",), ("on_close", 4001, None)]
        assert took[0] < SOON


def test_close_in_a_handler_while_reading_with_a_default_timeout(signals: Any) -> None:
    """Sockets that have a timeout wait in another way."""
    setdefaulttimeout(30)
    try:
        with serve() as server:
            app = Recorded(server.url)
            signals(lambda: app.wait_for("on_open"), app.close)
            assert app.run_forever() is False
    finally:
        setdefaulttimeout(None)
    assert app.calls == [("on_open",), ("on_close", 1000, None)]


def test_keep_running_false_in_a_handler_while_reading(signals: Any) -> None:
    """The handler that most programs have for SIGTERM."""
    with serve() as server:
        app = Recorded(server.url)
        signals(lambda: app.wait_for("on_open"), lambda: setattr(app, "keep_running", False))
        assert app.run_forever() is False
    assert app.calls == [("on_open",), ("on_close", 1000, None)]


def test_close_in_a_handler_with_a_server_that_does_not_answer(signals: Any) -> None:
    """The timeout of close holds, in mid-frame, too."""
    with script(accept(), send(frame(1, "abc")[:3]), hang()) as server:
        app = Recorded(server.url)
        signals(lambda: app.wait_for("on_open"), lambda: app.close(timeout=0.2))
        began = time.monotonic()
        assert app.run_forever() is False
        assert time.monotonic() - began < SOON + 1
    assert app.calls == [("on_open",), ("on_close", None, None)]


def test_close_in_a_handler_while_a_callback_runs(signals: Any) -> None:
    """Here the handler does the closing handshake itself."""
    woken = threading.Event()
    with serve() as server:
        app = Recorded(server.url, {"on_open": lambda _: woken.wait(PATIENCE)})

        def handler() -> None:
            app.close(status=4002)
            woken.set()

        signals(lambda: app.wait_for("on_open"), handler)
        assert app.run_forever() is False
    assert app.calls == [("on_open",), ("on_close", 4002, None)]


def test_close_in_a_handler_while_a_send_is_stuck(signals: Any) -> None:
    """The send is ended by the timeout of close, since it holds the line."""
    raised: list[type[BaseException]] = []

    def on_open(app: Recorded) -> None:
        try:
            while True:
                app.send_bytes(bytes(1 << 20))
        except Exception as exc:
            raised.append(type(exc))

    with script(accept(), hang(read=False)) as server:
        app = Recorded(server.url, {"on_open": on_open})
        signals(lambda: app.wait_for("on_open"), lambda: app.close(timeout=0.3))
        assert app.run_forever() is False
    assert raised == [WebSocketConnectionClosedException]
    assert app.calls == [("on_open",), ("on_close", None, None)]


@pytest.mark.parametrize("how", ["close", "keep_running", "SIGINT"])
@pytest.mark.parametrize("phase", ["silent", "drip", "waiting"])
def test_a_signal_before_there_is_a_connection(signals: Any, phase: str, how: str) -> None:
    """Connecting and waiting to reconnect are ended; KeyboardInterrupt is an error of the run."""
    steps = {"silent": hang(), "drip": drip(accept(), every=0.05), "waiting": drop()}
    with script(steps[phase]) as server:
        app = Recorded(server.url)

        def when() -> None:
            if phase == "waiting":
                app.wait_for("on_error")
            else:
                server.wait_received(b"\r\n\r\n")

        handlers = {
            "close": app.close,
            "keep_running": lambda: setattr(app, "keep_running", False),
            "SIGINT": interrupted,
        }
        signals(when, handlers[how])
        began = time.monotonic()
        result = app.run_forever(reconnect=3600)
        assert time.monotonic() - began < SOON
        assert len(server.received) == 1
    assert result is (phase == "waiting" or how == "SIGINT")
    errors = ["on_error"] * ((phase == "waiting") + (how == "SIGINT"))
    assert app.names() == [*errors, "on_close"]
    assert app.calls[-1] == ("on_close", None, None)


@pytest.mark.parametrize("place", ["reading", "callback", "sending"])
def test_keyboard_interrupt_ends_the_run(signals: Any, place: str) -> None:
    """on_error(KeyboardInterrupt), on_close(None, None), and run_forever returns True; `reconnect`
    does not matter."""

    def on_open(app: Recorded) -> None:
        if place == "callback":
            threading.Event().wait(PATIENCE)
        while place == "sending":
            app.send_bytes(bytes(1 << 20))

    with script(accept(), hang(read=place != "sending")) as server:
        app = Recorded(server.url, {"on_open": on_open})
        signals(lambda: app.wait_for("on_open"), interrupted)
        began = time.monotonic()
        assert app.run_forever(reconnect=1) is True
        assert time.monotonic() - began < SOON
        assert len(server.received) == 1
    assert app.calls == [
        ("on_open",),
        ("on_error", KeyboardInterrupt, ""),
        ("on_close", None, None),
    ]
    assert app.sock is None
    assert app.keep_running is False


def test_the_server_is_told_at_keyboard_interrupt(signals: Any) -> None:
    """A close frame goes out, though nobody waits for the answer."""
    codes: list[int | None] = []

    def handler(peer: Any) -> None:
        list(peer)
        codes.append(peer.close_code)

    with serve(handler) as server:
        app = Recorded(server.url)
        signals(lambda: app.wait_for("on_open"), interrupted)
        assert app.run_forever() is True
    assert codes == [1000]


@pytest.mark.parametrize("place", ["on_open", "on_message"])
def test_system_exit_is_reported_and_goes_on(place: str) -> None:
    """on_error(SystemExit), on_close, and then it is raised; sys.exit() in a callback exits."""

    def leave(_: object) -> None:
        raise SystemExit(7)

    with serve(lambda peer: peer.send("x") or list(peer)) as server:
        app = Recorded(server.url, {place: leave})
        with pytest.raises(SystemExit) as raised:
            app.run_forever(reconnect=1)
    assert raised.value.code == 7
    assert app.calls[-2:] == [("on_error", SystemExit, "7"), ("on_close", None, None)]
    assert app.names().count("on_close") == 1
    assert app.sock is None
