"""Promise: a dead peer is noticed in time whatever goes on, a slow program is
never taken for one, and all connections share one timer thread."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from recording import PATIENCE, Recorded

from websocket import (
    WebSocketConnectionClosedException,
    WebSocketTimeoutException,
    create_connection,
)
from websocket.testing import (
    accept,
    drip,
    expect_frame,
    frame,
    hang,
    repeat,
    script,
    send,
    serve,
)

INTERVAL, TIMEOUT = 0.4, 0.3
IN_TIME = INTERVAL + TIMEOUT + 0.5 + 1.0  # what is promised, and a second for a loaded machine
DEAD = ("on_error", WebSocketTimeoutException, "ping/pong timed out")


def timer_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "websocket keepalive"]


def until(condition: Callable[[], object]) -> None:
    """Wait for something of which nobody tells."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wrong_pong(peer: Any) -> None:
    peer.expect_frame(9)
    peer.send(frame(0xA, b"not this"))


DEATHS = {
    "silent": (hang(),),
    "in mid-frame": (send(frame(1, "abcdef")[:4]), hang()),
    "dripping a frame": (drip(frame(1, "x" * 120), every=0.1),),
    "with data flowing": (repeat(drip(frame(1, "x"), every=0.01)),),
    "with wrong pongs": (wrong_pong, hang()),
}


@pytest.mark.parametrize("death", DEATHS)
def test_an_app_notices_a_dead_peer(death: str) -> None:
    """Data is no answer, nor is a pong with another payload."""
    with script(accept(), *DEATHS[death]) as server:
        app = Recorded(server.url)
        began = time.monotonic()
        assert app.run_forever(ping_interval=INTERVAL, ping_timeout=TIMEOUT, ping_payload="p")
        took = time.monotonic() - began
    assert INTERVAL + TIMEOUT <= took < IN_TIME
    assert app.calls[-2:] == [DEAD, ("on_close", None, None)]
    assert app.names().count("on_error") == 1


def test_an_app_notices_a_dead_peer_while_a_send_is_stuck() -> None:
    """The stuck send raises, and then the run ends by the missed pong."""

    def on_open(app: Recorded) -> None:
        while True:
            app.send_bytes(bytes(1 << 20))

    with script(accept(), hang(read=False)) as server:
        app = Recorded(server.url, {"on_open": on_open})
        began = time.monotonic()
        assert app.run_forever(ping_interval=INTERVAL, ping_timeout=TIMEOUT)
        assert time.monotonic() - began < IN_TIME
    assert [call[:2] for call in app.calls] == [
        ("on_open",),
        ("on_error", WebSocketConnectionClosedException),
        DEAD[:2],
        ("on_close", None),
    ]


@pytest.mark.parametrize("death", DEATHS)
def test_a_plain_connection_notices_a_dead_peer(death: str) -> None:
    """recv raises 'ping/pong timed out', then the connection is closed."""
    with script(accept(), *DEATHS[death]) as server:
        ws = create_connection(server.url, ping_interval=INTERVAL, ping_timeout=TIMEOUT)
        began = time.monotonic()
        with pytest.raises(WebSocketTimeoutException, match="ping/pong timed out"):
            list(iter(ws.recv, None))
        assert time.monotonic() - began < IN_TIME
        assert not ws.connected
        with pytest.raises(WebSocketConnectionClosedException):
            ws.recv()


def test_a_plain_connection_that_nobody_reads_notices_a_dead_peer() -> None:
    """The pings go from the timer; whoever waits for the end is told, and the next recv raises."""
    with script(accept(), hang()) as server:
        ws = create_connection(server.url, ping_interval=INTERVAL, ping_timeout=TIMEOUT)
        assert ws.wait_closed(PATIENCE)
        assert not ws.connected
        with pytest.raises(WebSocketTimeoutException, match="ping/pong timed out"):
            ws.recv()
        with pytest.raises(WebSocketConnectionClosedException):
            ws.send("x")


def test_a_plain_connection_that_nobody_reads_keeps_a_live_peer() -> None:
    """Its pongs wait in the kernel, and are no less pongs for that."""
    pings = threading.Semaphore(0)

    def handler(peer: Any) -> None:
        while True:
            if peer.recv_frame(PATIENCE).opcode == 9:
                peer.send_frame(0xA, b"late")
                pings.release()

    with serve(handler) as server:
        ws = create_connection(server.url, ping_interval=0.1, ping_timeout=0.05)
        for _ in range(5):
            assert pings.acquire(timeout=PATIENCE)
        assert ws.connected
        ws.close(timeout=0)


@pytest.mark.parametrize("callback", ["on_open", "on_message"])
def test_a_slow_callback_is_no_missed_pong(callback: str) -> None:
    """Pongs wait meanwhile, in the kernel or, behind a message, in what we have read already."""
    slow = 5 * (INTERVAL + TIMEOUT)
    began: list[float] = []

    def sleep(app: Recorded) -> None:
        if not began:
            began.append(time.monotonic())
            time.sleep(slow)  # it is the time that matters here

    def handler(peer: Any) -> None:
        peer.send("x")
        list(peer)

    with serve(handler) as server:
        app = Recorded(server.url, {callback: sleep, "on_pong": lambda app: pong(app)})

        def pong(app: Recorded) -> None:
            if began and time.monotonic() - began[0] > slow and app.names().count("on_pong") > 8:
                app.close()

        assert app.run_forever(ping_interval=INTERVAL, ping_timeout=TIMEOUT) is False
    assert "on_error" not in app.names()


def test_many_messages_in_line_are_no_missed_pong() -> None:
    """The pong stands behind hundreds of messages, each of which takes its time; a peer that
    answers only the newest ping is alive, too."""
    messages = 150

    def flood(peer: Any) -> None:
        peer.send(b"".join(frame(1, str(n)) for n in range(messages)))

    def answer_newest(peer: Any) -> None:
        peer.delay(1.2)  # three pings have come
        peer.expect_frame(9)
        peer.send(frame(0xA, b""))

    def on_message(app: Recorded) -> None:
        time.sleep(0.01)
        if app.names().count("on_message") == messages + 1:
            app.close(timeout=0.1)

    last = (flood, answer_newest, send(frame(1, "last")), hang())
    with script(accept(), *last) as server:
        app = Recorded(server.url, {"on_message": on_message})
        assert app.run_forever(ping_interval=INTERVAL, ping_timeout=TIMEOUT) is False
    assert "on_error" not in app.names()
    assert app.names().count("on_message") == messages + 1


def test_a_ping_of_the_programs_own_does_not_hide_the_pong() -> None:
    """`ws.ping()` with the payload that the keepalive uses: one pong answers both."""
    with script(accept(), expect_frame(9), expect_frame(9), send(frame(0xA, b"same")), hang()) as s:
        app = Recorded(s.url)
        kept: list[Any] = []
        app.hooks["on_open"] = lambda app: kept.append(app.sock.ping("same"))
        app.hooks["on_pong"] = lambda app: app.close(timeout=0.1)
        assert app.run_forever(ping_interval=0.3, ping_timeout=0.29, ping_payload="same") is False
    assert app.names() == ["on_open", "on_pong", "on_close"]


def test_pings_and_pongs_are_told_to_the_program() -> None:
    """on_pong with the payload; last_ping_tm and last_pong_tm are wall-clock times."""
    times: list[tuple[float, float]] = []

    def on_pong(app: Recorded) -> None:
        times.append((app.last_ping_tm, app.last_pong_tm))
        if len(times) == 2:
            app.close()

    before = time.time()
    with serve() as server:
        app = Recorded(server.url, {"on_pong": on_pong})
        app.run_forever(ping_interval=0.05, ping_payload="hello")
    assert app.calls[1:3] == [("on_pong", b"hello")] * 2
    now = time.time()
    assert all(before - 1 < moment < now + 1 for pair in times for moment in pair)
    assert app.ping_thread is None


def test_latency_is_measured() -> None:
    """0.0 before the first pong, then seconds."""
    with serve() as server:
        ws = create_connection(server.url, ping_interval=0.05, ping_timeout=30)
        assert ws.latency == 0.0
        reader = threading.Thread(target=lambda: list(ws))
        reader.start()
        until(lambda: ws.latency)
        assert 0 < ws.latency < PATIENCE
        ws.close()
        reader.join(PATIENCE)


def test_fifty_connections_have_one_thread_which_goes_away() -> None:
    """And there is none while nobody asks for pings."""
    with serve() as server:
        plain = create_connection(server.url)
        assert timer_threads() == []
        many = [create_connection(server.url, ping_interval=0.05) for _ in range(50)]
        assert len(timer_threads()) == 1
        assert timer_threads()[0].daemon
        for ws in many:
            ws.close()
        until(lambda: timer_threads() == [])
        plain.close()


def test_dropped_connections_let_the_thread_go() -> None:
    """Nobody closed them; the last reference went."""
    with serve() as server:
        for _ in range(3):
            create_connection(server.url, ping_interval=0.05)
        gc.collect()
        until(lambda: timer_threads() == [])


def test_a_thread_that_went_away_comes_again() -> None:
    """For the next connection that asks."""
    for _ in range(3):
        with serve() as server:
            app = Recorded(server.url, {"on_pong": Recorded.close})
            assert app.run_forever(ping_interval=0.05) is False
        until(lambda: timer_threads() == [])


def test_a_forked_child_sends_no_pings_and_may_have_its_own() -> None:
    """The parent's connection is the parent's; the child's own keepalive works."""
    if not hasattr(os, "fork"):
        pytest.skip("os.fork does not exist here")
    with serve() as server:
        ws = create_connection(server.url, ping_interval=0.05, ping_timeout=20)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                assert timer_threads() == []
                own = create_connection(server.url, timeout=PATIENCE, ping_interval=0.05)
                reader = threading.Thread(target=lambda: list(own), daemon=True)
                reader.start()
                until(lambda: own.latency)
                own.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        reader = threading.Thread(target=lambda: list(ws))
        reader.start()
        until(lambda: ws.latency)
        assert ws.connected
        ws.close()
        reader.join(PATIENCE)


@pytest.mark.parametrize(
    "bad", [{"ping_interval": -1}, {"ping_timeout": 0}, {"ping_timeout": -1, "ping_interval": 1}]
)
def test_pings_that_make_no_sense_are_refused_before_dialling(bad: dict[str, float]) -> None:
    """ValueError names the argument; an app says WebSocketException, as websocket-client did."""
    with serve(on_request=pytest.fail) as server, pytest.raises(ValueError, match="ping_"):
        create_connection(server.url, **bad)


def test_a_ping_payload_that_does_not_fit_is_refused() -> None:
    """A control frame carries 125 bytes; the timer could never send more."""
    with serve(on_request=pytest.fail) as server:
        app = Recorded(server.url)
        with pytest.raises(ValueError, match="ping_payload"):
            app.run_forever(ping_interval=1, ping_payload="x" * 126)
