"""Promise: reconnecting runs call exactly these callbacks, keep to the
waits that were asked for, and grow nothing."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import tracemalloc
from itertools import pairwise
from typing import Any

import pytest
from recording import Recorded, Run

from websocket import (
    Backoff,
    Response,
    WebSocketBadStatusException,
    set_reconnect,
)
from websocket.testing import accept, drop, frame, hang, script, serve

SOON = Backoff(first=0.01, jitter=0, factor=1)


def refusing(times: int, status: int = 503, headers: Any = ()) -> Any:
    """`on_request` that refuses the first requests."""
    requests: list[float] = []

    def on_request(request: Any) -> Response | None:
        requests.append(time.monotonic())
        return Response(status, headers) if len(requests) <= times else None

    on_request.requests = requests  # type: ignore[attr-defined]
    return on_request


@pytest.mark.parametrize("reconnect", [0.01, SOON, lambda failures, exc: 0.01])
def test_n_drops_give_n_plus_one_connections(reconnect: Any) -> None:
    """One on_open, N on_reconnect, N on_error, one on_close."""
    connections: list[Any] = []

    def handler(peer: Any) -> None:
        connections.append(peer)
        if len(connections) <= 5:
            peer.drop()
        else:
            peer.close(4100, "enough")

    def on_error(app: Recorded) -> None:
        if len(connections) == 6:
            app.close()

    with serve(handler) as server:
        app = Recorded(server.url, {"on_error": on_error})
        assert app.run_forever(reconnect=reconnect) is True
    assert len(connections) == 6
    assert app.names() == ["on_open", *["on_error", "on_reconnect"] * 5, "on_error", "on_close"]
    assert app.calls[-1] == ("on_close", 4100, "enough")


def test_on_open_is_called_again_where_on_reconnect_is_not_set() -> None:
    """As in websocket-client."""
    seen: list[int] = []

    def on_open(app: Recorded) -> None:
        seen.append(1)
        if len(seen) == 3:
            app.close()

    with serve(lambda peer: peer.drop() if len(seen) < 3 else list(peer)) as server:
        app = Recorded(server.url, {"on_open": on_open})
        app.on_reconnect = None
        app.run_forever(reconnect=0.01)
    assert len(seen) == 3


def test_on_open_comes_with_the_first_success() -> None:
    """Attempts that failed before it are errors, each of them."""
    with serve(on_request=refusing(3)) as server:
        app = Recorded(server.url, {"on_open": Recorded.close})
        assert app.run_forever(reconnect=SOON) is True
    assert app.names() == ["on_error"] * 3 + ["on_open", "on_close"]
    assert {call[1] for call in app.calls[:3]} == {WebSocketBadStatusException}


@pytest.mark.parametrize(
    ("code", "errors"), [(1000, 0), (1001, 0), (None, 0), (1011, 1), (4000, 1)]
)
def test_a_close_by_the_server_is_reconnected(code: int | None, errors: int) -> None:
    """Without on_error where the server just goes; with it for other codes, and has_errored stays
    False: it was a close frame."""
    body = b"" if code is None else code.to_bytes(2, "big")
    done: list[int] = []

    def close(peer: Any) -> None:
        peer.send(frame(8, body))

    def on_reconnect(app: Recorded) -> None:
        done.append(1)
        if len(done) == 2:
            app.close(timeout=0)

    with script(accept(), close, hang()) as server:
        app = Recorded(server.url, {"on_reconnect": on_reconnect})
        assert app.run_forever(reconnect=0.01) is False
    error = ["on_error"] * errors
    assert app.names() == ["on_open", *error, "on_reconnect", *error, "on_reconnect", "on_close"]


def test_attempts_end_the_run() -> None:
    """Three failed attempts in a row, then on_close."""
    with serve(on_request=refusing(99)) as server:
        app = Recorded(server.url)
        assert app.run_forever(reconnect=Backoff(0.01, jitter=0, attempts=3)) is True
    assert app.names() == ["on_error"] * 3 + ["on_close"]


def test_a_refusal_with_4xx_ends_a_run_with_backoff() -> None:
    """403 will not get better by asking again; a number of seconds asks again all the same."""
    with serve(on_request=refusing(2, 403)) as server:
        app = Recorded(server.url)
        assert app.run_forever(reconnect=SOON) is True
        assert app.names() == ["on_error", "on_close"]
        app = Recorded(server.url, {"on_open": Recorded.close})
        assert app.run_forever(reconnect=0.01) is True
        assert app.names() == ["on_error", "on_open", "on_close"]


def test_retry_decides_by_exception_or_close_code() -> None:
    """Here: everything but 4001."""
    connections: list[Any] = []

    def handler(peer: Any) -> None:
        connections.append(peer)
        peer.close(4000 if len(connections) < 3 else 4001)

    with serve(handler) as server:
        app = Recorded(server.url)
        app.run_forever(reconnect=SOON, retry=lambda exc: getattr(exc, "status_code", None) != 4001)
    assert len(connections) == 3
    assert app.calls[-1] == ("on_close", 4001, None)
    assert app.names().count("on_error") == 3


def test_waits_are_never_shorter_than_asked() -> None:
    """By the server's clock, from the end of one attempt to the begin of the next."""
    on_request = refusing(3)
    with serve(on_request=on_request) as server:
        app = Recorded(server.url, {"on_open": Recorded.close})
        app.run_forever(reconnect=0.2)
    times = on_request.requests
    assert all(later - sooner >= 0.2 for sooner, later in pairwise(times))


def test_retry_after_is_honoured() -> None:
    """One second instead of a hundredth."""
    on_request = refusing(1, 503, [("Retry-After", "1")])
    with serve(on_request=on_request) as server:
        app = Recorded(server.url, {"on_open": Recorded.close})
        app.run_forever(reconnect=SOON)
    assert on_request.requests[1] - on_request.requests[0] >= 1.0


def test_url_and_header_are_asked_before_every_attempt() -> None:
    """And whatever they raise is a failed attempt, not the end."""
    seen: list[tuple[str, str | None]] = []
    numbers = iter(range(100))

    def on_request(request: Any) -> Response | None:
        seen.append((request.path, request.headers.get("X-Number")))
        return None

    def header() -> dict[str, str]:
        number = next(numbers)
        if number == 1:
            raise ValueError("the token server is down")
        return {"X-Number": str(number)}

    with serve(lambda peer: peer.drop(), on_request=on_request) as server:
        app = Recorded(lambda: f"{server.url}/{len(seen)}", header=header)
        app.hooks["on_error"] = lambda app: len(seen) == 3 and app.close()
        app.run_forever(reconnect=0.01)
    assert [number for _, number in seen] == ["0", "2", "3"]
    assert [path.rpartition("/")[2] for path, _ in seen] == ["0", "1", "2"]
    assert ("on_error", ValueError, "the token server is down") in app.calls


def test_cookies_of_a_run_stay_in_the_run() -> None:
    """Later attempts send them, other runs do not."""
    cookies: list[str | None] = []

    def on_request(request: Any) -> Response | None:
        cookies.append(request.headers.get("Cookie"))
        return Response(101, [("Set-Cookie", f"n={len(cookies)}")])

    with serve(lambda peer: peer.drop(), on_request=on_request) as server:
        for _ in range(2):
            app = Recorded(server.url)
            app.hooks["on_reconnect"] = Recorded.close
            app.run_forever(reconnect=0.01)
    assert cookies == [None, "n=1", None, "n=3"]


def test_misuse_is_raised_and_not_retried() -> None:
    """A bad URL and a header that would inject one; on_error is for what the network does."""
    app = Recorded("http://example.invalid/")
    with pytest.raises(ValueError, match="scheme"):
        app.run_forever(reconnect=0.01)
    assert app.sock is None
    with serve() as server:
        app = Recorded(server.url, header=["X: a\r\nInjected: b"])
        with pytest.raises(ValueError, match="header"):
            app.run_forever(reconnect=0.01)
    assert "on_error" not in app.names()


def test_a_failed_certificate_verification_is_an_error_of_the_run() -> None:
    """Not an exception of run_forever, although the class is a ValueError, too."""
    trustme = pytest.importorskip("trustme")
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with serve(ssl=context) as server:
        app = Recorded(server.url)
        assert app.run_forever(reconnect=SOON) is True
    assert app.names() == ["on_error", "on_close"]
    assert issubclass(app.calls[0][1], ssl.SSLError)


def test_set_reconnect_is_for_runs_that_are_not_told() -> None:
    """The module's default, in seconds."""
    set_reconnect(0.01)
    try:
        with script(accept(), drop()) as server:
            app = Recorded(server.url, {"on_reconnect": Recorded.close})
            app.run_forever()
            assert app.names() == ["on_open", "on_error", "on_reconnect", "on_close"]
            app = Recorded(server.url)
            app.run_forever(reconnect=0)
            assert "on_reconnect" not in app.names()
    finally:
        set_reconnect(0)


def test_a_server_that_restarts() -> None:
    """Gone, refused for a while, back on the same port."""
    first = serve()
    port = first.port
    app = Recorded(first.url)
    with Run(app, reconnect=0.05) as run:
        app.wait_for("on_open")
        first.close()
        app.wait_for("on_error", 3)  # nobody is there
        with serve(port=port) as second:
            app.wait_for("on_reconnect")
            app.send("hello again")
            app.wait_for("on_message")
            assert second.connections
            app.close()
            run.join()
    assert app.names().count("on_open") == 1
    assert app.names().count("on_reconnect") == 1
    assert app.calls[-1] == ("on_close", 1000, None)


def test_a_socket_of_the_programs_own_serves_for_one_attempt() -> None:
    """Whether that failed or not; afterwards we dial."""
    import socket

    with serve() as server:
        dead = socket.socket()
        dead.close()
        app = Recorded(server.url, {"on_open": Recorded.close}, socket=dead)
        assert app.run_forever(reconnect=0.01) is True
        assert app.names() == ["on_error", "on_open", "on_close"]
        app.calls.clear()
        assert app.run_forever() is False
        assert app.names() == ["on_open", "on_close"]


# --- nothing grows --------------------------------------------------------------------------------


def stack_depth() -> int:
    depth, frame = 0, sys._getframe()
    while frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    return depth


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def reconnect_often(times: int, settle: int) -> None:
    """So many drops; after `settle` of them nothing may grow any more."""
    depths: set[int] = set()
    figures: list[tuple[int, int, int]] = []
    count = 0

    def measure(app: Any) -> None:
        nonlocal count
        count += 1
        depths.add(stack_depth())
        if count in (settle, times):
            gc.collect()
            memory = tracemalloc.get_traced_memory()[0]
            figures.append((threading.active_count(), descriptors(), memory))
        if count == times:
            app.close(timeout=0)

    def on_error(app: Any) -> None:
        del app.calls[:]

    with script(accept(), drop()) as server:
        app = Recorded(server.url, {"on_reconnect": measure, "on_error": on_error})
        tracemalloc.start()
        try:
            app.run_forever(reconnect=1e-6, ping_interval=3600, ping_timeout=10)
        finally:
            tracemalloc.stop()
        # What the server keeps of each connection is the server's.
        kept = sum(len(record) for record in server.received) * 2
    (threads, numbers, memory), (more_threads, more_numbers, more_memory) = figures
    assert len(depths) == 1
    # The server's threads and sockets come and go; growth would be hundreds.
    assert more_threads <= threads + 10
    assert more_numbers <= numbers + 20
    assert more_memory - memory - kept < 300 * (times - settle)


def test_three_hundred_reconnects_grow_nothing() -> None:
    """The short form."""
    reconnect_often(300, 100)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_thousand_reconnects_grow_nothing() -> None:
    """Threads, descriptors, stack and memory."""
    reconnect_often(10_000, 1_000)
