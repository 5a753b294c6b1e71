"""Promise: one thread runs any number of `WebSocketApp`s by `Loop`, and none is another's trouble.

Neither one that reconnects to a dead server, nor one whose peer does not read or does not answer
the goodbye, nor one whose callbacks raise.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from typing import Any

import pytest
from helpers_loops import Noted, run

from websocket import Backoff, Loop, WebSocketConnectionClosedException, WebSocketTimeoutException
from websocket.testing import Connection, Server, accept, expect_frame, hang, script, serve


def ticking(loop: Loop) -> list[float]:
    """The longest pause between two turns of a timer, in seconds: how long the loop was stuck."""
    longest = [0.0]
    last = [time.monotonic()]

    def tick() -> bool:
        now = time.monotonic()
        longest[0] = max(longest[0], now - last[0])
        last[0] = now
        return True

    loop.timeout(0.01, tick)
    return longest


@pytest.mark.parametrize("secure", [False, True])
def test_messages_both_ways(
    server: Server, tls_server: Server, sslopt: dict[str, Any], secure: bool
) -> None:
    """In the loop's thread, in order, small and large; then the goodbye with its answer."""
    loop = Loop()
    sent: list[Any] = ["one", b"\x00" * 2_000_000, "two"]

    def on_open(app: Noted) -> None:
        app.send(sent[0])
        app.send_bytes(sent[1])
        app.send(sent[2])

    def on_message(app: Noted, message: Any) -> None:
        if message == "two":
            app.close(status=4000)

    url = tls_server.url if secure else server.url
    apps = [Noted(url, on_open=on_open, on_message=on_message) for _ in range(5)]
    for app in apps:
        assert app.run_forever(dispatcher=loop, sslopt=sslopt if secure else None) is False
    run(loop)
    for app in apps:
        assert app.names() == ["on_open", *["on_message"] * 3, "on_close"]
        assert app.messages() == sent
        assert app.events[-1] == ("on_close", 4000, None)
        assert app.threads == {threading.get_ident()}


def test_run_ends_when_all_apps_have_ended(server: Server) -> None:
    loop = Loop()
    app = Noted(server.url, on_open=lambda app: app.close())
    app.run_forever(dispatcher=loop)
    run(loop)
    assert app.names() == ["on_open", "on_close"] and app.sock is None


def test_an_app_can_be_started_in_a_callback(server: Server) -> None:
    """It connects in a helper thread, is called back in the loop's, and one can run again."""
    loop = Loop()
    second = Noted(server.url, on_open=lambda app: app.close())

    def on_close(*_: Any) -> None:
        if second.count("on_close") < 2:
            loop.timeout(0, lambda: second.run_forever(dispatcher=loop) and None)

    second._then["on_close"] = on_close
    first = Noted(server.url, on_open=lambda app: app.close(), on_close=on_close)
    first.run_forever(dispatcher=loop)
    run(loop)
    assert second.names() == ["on_open", "on_close"] * 2
    assert second.threads == {threading.get_ident()}


def test_sends_of_other_threads_keep_their_order(server: Server) -> None:
    """While the loop runs; large ones among them, that the kernel does not take at once."""
    loop = Loop()
    writers, each = 4, 30

    def write(app: Noted, name: int) -> None:
        for number in range(each):
            app.send_bytes(bytes([name, number]) + bytes(50_000))

    def on_open(app: Noted) -> None:
        for thread in threads:
            thread.start()

    def on_message(app: Noted, message: bytes) -> None:
        if app.count("on_message") == writers * each:
            app.close()

    app = Noted(server.url, on_open=on_open, on_message=on_message)
    threads = [threading.Thread(target=write, args=(app, name)) for name in range(writers)]
    app.run_forever(dispatcher=loop)
    run(loop)
    for thread in threads:
        thread.join()
    for name in range(writers):
        mine = [message for message in app.messages() if message[0] == name]
        assert [message[1] for message in mine] == list(range(each))
        assert {len(message) for message in mine} == {50_002}


def test_a_peer_that_does_not_read_stops_nobody_else(server: Server) -> None:
    """`send` takes everything at once, and the others are served meanwhile."""
    loop = Loop()
    may_read = threading.Event()

    def handler(connection: Connection) -> None:
        assert may_read.wait(30)
        total = sum(len(connection.recv()) for _ in range(4))
        connection.send(str(total))

    def stuff(app: Noted) -> None:
        for _ in range(4):
            app.send_bytes(bytes(8_000_000))

    def echoed(app: Noted, _message: str) -> None:
        if app.count("on_message") < 50:
            app.send("again")
        else:
            may_read.set()
            app.close()

    with serve(handler) as stuck_server:
        stuck = Noted(stuck_server.url, on_open=stuff, on_message=lambda app, _: app.close())
        lively = Noted(server.url, on_open=lambda app: app.send("first"), on_message=echoed)
        for app in (stuck, lively):
            app.run_forever(dispatcher=loop)
        run(loop)
    assert stuck.messages() == ["32000000"]
    assert lively.count("on_message") == 50


def test_pongs_wait_their_turn_when_a_peer_pings_and_does_not_read() -> None:
    """Of what cannot be sent yet only the newest pong is kept."""
    loop = Loop()
    pinged = threading.Event()

    def handler(connection: Connection) -> None:
        for number in range(2000):
            connection.ping(f"{number}")
        connection.send("that was it")
        assert pinged.wait(30)
        assert len(connection.recv()) == 8_000_000
        while connection.recv_frame().data != b"1999":
            pass
        connection.send("the last pong")

    def on_message(app: Noted, message: str) -> None:
        if message == "that was it":
            stream = app.sock._connection.stream
            waiting.append(stream._queued)
            pinged.set()
        else:
            app.close()

    waiting: list[int] = []
    with serve(handler) as server:
        app = Noted(
            server.url, on_open=lambda app: app.send_bytes(bytes(8_000_000)), on_message=on_message
        )
        app.run_forever(dispatcher=loop)
        run(loop)
    assert app.messages() == ["that was it", "the last pong"]
    assert waiting[0] <= 8_000_014


def test_errors_of_one_app_do_not_end_the_others(server: Server) -> None:
    loop = Loop()

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    faulty = Noted(server.url, on_open=lambda app: app.send("x"), on_message=fail, on_error=fail)
    fine = Noted(
        server.url,
        on_open=lambda app: app.send("x"),
        on_message=lambda app, _: (faulty.close(), app.close()),
    )
    for app in (faulty, fine):
        app.run_forever(dispatcher=loop)
    run(loop)
    assert faulty.names()[:2] == ["on_open", "on_message"]
    assert faulty.count("on_close") == 1
    assert fine.names() == ["on_open", "on_message", "on_close"]


# --- reconnecting ---------------------------------------------------------------------------------


def test_reconnecting(server: Server) -> None:
    """N drops give N + 1 connections, one on_open, N on_reconnect, one on_close."""
    loop = Loop()
    outages = 20

    def handler(connection: Connection) -> None:
        connection.recv()
        connection.drop()

    def again(app: Noted) -> None:
        if app.count("on_reconnect") == outages:
            app.close()
        else:
            app.send("drop me")

    with serve(handler) as dropping:
        app = Noted(dropping.url, on_open=again, on_reconnect=again)
        app.run_forever(dispatcher=loop, reconnect=0.001)
        run(loop)
    rounds = ["on_error", "on_reconnect"] * outages
    assert app.names() == ["on_open", *rounds, "on_close"]
    assert app.threads == {threading.get_ident()}
    errors = [event[1] for event in app.events if event[0] == "on_error"]
    assert all(isinstance(exc, WebSocketConnectionClosedException) for exc in errors)


def test_a_server_that_does_not_answer_delays_only_its_own_app(server: Server) -> None:
    """The first connection is dropped; the next attempt gets no answer until it times out."""
    loop = Loop()
    longest = ticking(loop)
    with socket.create_server(("127.0.0.1", 0), backlog=8) as silent:
        dead = f"ws://127.0.0.1:{silent.getsockname()[1]}/"
        urls = iter([server.url, dead])

        def on_error(app: Noted, exc: BaseException) -> None:
            if isinstance(exc, WebSocketTimeoutException):
                app.close()
                lively.close()

        def count_on(app: Noted, message: str) -> None:
            app.send(str(int(message) + 1))

        app = Noted(
            lambda: next(urls),
            on_open=lambda app: app.sock._connection.stream.wake(),
            on_error=on_error,
            on_close=lambda *_: loop.stop(),
        )
        lively = Noted(server.url, on_open=lambda app: app.send("0"), on_message=count_on)
        for each in (app, lively):
            each.run_forever(dispatcher=loop, reconnect=0.01, timeout=1.5)
        run(loop)
        lively.close()
    assert app.names()[:3] == ["on_open", "on_error", "on_error"]
    assert lively.count("on_message") > 20
    assert longest[0] < 1.2, "the loop stood still while one app was connecting"


def test_close_calls_off_an_attempt(server: Server) -> None:
    """From another thread, while a helper thread is connecting."""
    loop = Loop()
    accepted = threading.Event()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        dead = f"ws://127.0.0.1:{silent.getsockname()[1]}/"
        app = Noted(dead, on_close=lambda *_: loop.stop())

        def close_it() -> None:
            peer, _ = silent.accept()
            with peer:
                peer.recv(10)
                accepted.set()
                app.close()
                assert app.closed.wait(30)

        closer = threading.Thread(target=close_it)
        closer.start()
        loop.timeout(0, lambda: app.run_forever(dispatcher=loop) and None)
        loop.timeout(60, lambda: None)
        run(loop)
        closer.join()
    assert accepted.is_set()
    assert app.names() == ["on_close"] and app.sock is None


def test_close_ends_a_wait_for_the_next_attempt() -> None:
    """And keeps `run` no longer than that."""
    loop = Loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
    app = Noted(url)
    app.run_forever(dispatcher=loop, reconnect=1000)
    loop.timeout(0.01, app.close)
    run(loop)
    assert app.names() == ["on_error", "on_close"]


def test_a_policy_that_gives_up(server: Server) -> None:
    loop = Loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
    app = Noted(url)
    app.run_forever(dispatcher=loop, reconnect=Backoff(first=0.001, attempts=3))
    run(loop)
    assert app.names() == ["on_error"] * 3 + ["on_close"]


# --- ending ---------------------------------------------------------------------------------------


def test_close_does_not_stop_the_loop_while_the_peer_is_silent() -> None:
    """In a callback: the others go on, and at its deadline the run ends without an answer."""
    loop = Loop()
    longest = ticking(loop)
    with script(accept(), expect_frame(8), hang()) as server:
        app = Noted(
            server.url,
            on_open=lambda app: app.close(timeout=1.5),
            on_close=lambda *_: loop.stop(),
        )
        begun = time.monotonic()
        loop.timeout(0, lambda: app.run_forever(dispatcher=loop) and None)
        run(loop)
    assert app.events == [("on_open",), ("on_close", None, None)]
    assert time.monotonic() - begun >= 1.4
    assert longest[0] < 1.2, "the loop stood still while one app said goodbye"


def test_close_in_another_thread(server: Server) -> None:
    """It returns when the goodbye is over; on_close comes in the loop's thread, once."""
    loop = Loop()
    app = Noted(server.url, on_close=lambda *_: loop.stop())
    closer = threading.Thread(target=app.close)
    app.run_forever(dispatcher=loop)
    loop.timeout(0, closer.start)
    run(loop)
    closer.join()
    assert app.events == [("on_open",), ("on_close", 1000, None)]
    assert app.threads == {threading.get_ident()}


def test_close_while_the_loop_is_in_a_callback(server: Server) -> None:
    """Another thread waits for that as long as it said, no longer; then the run ends as ever."""
    loop = Loop()
    inside, may_go = threading.Event(), threading.Event()

    def dawdle(*_: Any) -> None:
        inside.set()
        assert may_go.wait(30)

    def close() -> None:
        assert inside.wait(30)
        begun = time.monotonic()
        app.close(timeout=0.2)
        took.append(time.monotonic() - begun)
        may_go.set()

    took: list[float] = []
    app = Noted(server.url, on_open=lambda app: app.send("x"), on_message=dawdle)
    app.run_forever(dispatcher=loop)
    closer = threading.Thread(target=close)
    closer.start()
    run(loop)
    closer.join()
    assert 0.1 < took[0] < 10
    assert app.names() == ["on_open", "on_message", "on_close"]


def test_close_in_on_open_of_a_run_begun_in_another_thread(server: Server) -> None:
    """The loop runs, and does not know the app yet: the thread says goodbye itself."""
    loop = Loop()
    app = Noted(server.url, on_open=lambda app: app.close(timeout=30))
    beginner = threading.Thread(
        target=lambda: (app.run_forever(dispatcher=loop), loop.stop()), daemon=True
    )
    loop.timeout(0, beginner.start)
    loop.timeout(60, lambda: None)
    begun = time.monotonic()
    run(loop)
    beginner.join()
    assert time.monotonic() - begun < 10
    assert app.events == [("on_open",), ("on_close", 1000, None)]


def test_close_when_the_loop_does_not_run(server: Server) -> None:
    """Before it and after it: the caller's thread does all of it."""
    loop = Loop()
    apps = [Noted(server.url) for _ in range(3)]
    for app in apps:
        app.run_forever(dispatcher=loop)
    apps[0].close()
    loop.timeout(0.01, loop.stop)
    run(loop)
    for app in apps[1:]:
        app.close()
    run(loop)
    assert all(app.events == [("on_open",), ("on_close", 1000, None)] for app in apps)


def test_keep_running_false_ends_a_run(server: Server) -> None:
    """In a callback, and in another thread, which does not wait."""
    loop = Loop()
    here = Noted(server.url, on_open=lambda app: setattr(app, "keep_running", False))
    there = Noted(server.url)
    setter = threading.Thread(target=setattr, args=(there, "keep_running", False))
    for app in (here, there):
        app.run_forever(dispatcher=loop)
    loop.timeout(0, setter.start)
    run(loop)
    setter.join()
    for app in (here, there):
        assert app.names() == ["on_open", "on_close"]


def test_close_in_a_signal_handler(server: Server) -> None:
    """While the loop waits, and in the middle of a callback."""
    loop = Loop()
    apps = [Noted(server.url) for _ in range(5)]
    for app in apps:
        app.run_forever(dispatcher=loop)
    loop.signal(signal.SIGTERM, lambda: [app.close() for app in apps] and None)
    loop.timeout(0.05, signal.raise_signal, signal.SIGTERM)
    run(loop)
    assert all(app.events == [("on_open",), ("on_close", 1000, None)] for app in apps)


def test_what_the_peer_sends_behind_our_goodbye_is_not_delivered() -> None:
    def handler(connection: Connection) -> None:
        connection.recv()
        for _ in range(10):
            connection.send("news")

    loop = Loop()
    with serve(handler) as server:
        app = Noted(
            server.url,
            on_open=lambda app: app.send("x"),
            on_message=lambda app, _: app.close(),
        )
        app.run_forever(dispatcher=loop)
        run(loop)
    assert app.names() == ["on_open", "on_message", "on_close"]


def test_missed_pongs() -> None:
    """Each app notices its own; those whose peer answers live on."""
    loop = Loop()
    with script(accept(), hang()) as dead, serve() as live:
        lost = Noted(dead.url, on_close=lambda *_: kept.close())
        kept = Noted(live.url)
        for app in (lost, kept):
            app.run_forever(dispatcher=loop, ping_interval=0.5, ping_timeout=0.4)
        run(loop)
    assert lost.names() == ["on_open", "on_error", "on_close"]
    assert isinstance(lost.events[1][1], WebSocketTimeoutException)
    assert kept.count("on_error") == 0


def test_interrupts_go_on_to_the_caller(server: Server) -> None:
    """That app ends; the others stay registered and can be run on."""
    loop = Loop()

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    struck = Noted(server.url, on_open=lambda app: app.send("x"), on_message=interrupt)
    other = Noted(server.url)
    for app in (struck, other):
        app.run_forever(dispatcher=loop)
    with pytest.raises(KeyboardInterrupt):
        run(loop)
    assert struck.names() == ["on_open", "on_message", "on_error", "on_close"]
    loop.timeout(0, other.close)
    run(loop)
    assert other.names() == ["on_open", "on_close"]
