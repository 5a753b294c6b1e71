"""Promise: `for ws in websocket.reconnecting(url): ...` yields open connections until the
caller leaves, `close()` is called, or the policy gives up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from recording import PATIENCE

from websocket import (
    Backoff,
    Response,
    WebSocket,
    WebSocketBadStatusException,
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
    reconnecting,
)
from websocket.testing import accept, drip, drop, frame, hang, reset, script, send, serve

QUICK = Backoff(first=0.01, factor=1, jitter=0)
SLOW = Backoff(first=3600, maximum=3600)
SOON = 2.0


class Closer:
    """Closes the iterator in another thread as soon as `go` is called."""

    def __init__(self, connections: Any):
        self._go = threading.Event()
        self._connections = connections
        self.at = 0.0
        self._thread = threading.Thread(target=self._close)
        self._thread.start()

    def go(self) -> None:
        self._go.set()

    def _close(self) -> None:
        self._go.wait(PATIENCE)
        self.at = time.monotonic()
        self._connections.close()

    def check(self) -> None:
        """The iteration has ended soon after."""
        assert time.monotonic() - self.at < SOON
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


ENDINGS = {
    "1000": (send(frame(8, b"\x03\xe8")), hang()),
    "4000": (send(frame(8, b"\x0f\xa0")), hang()),
    "no code": (send(frame(8, b"")), hang()),
    "EOF": (drop(),),
    "reset": (reset(),),
    "protocol error": (send(frame(3, b"")), hang()),
    "payload error": (send(frame(1, b"\xff")), hang()),
    "missed pong": (hang(),),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_each_ending_gives_another_connection(ending: str) -> None:
    """Whatever the body does with the exception; pings are options like any other."""
    count = 0
    with script(accept(), *ENDINGS[ending]) as server:
        for ws in reconnecting(server.url, QUICK, ping_interval=0.2, ping_timeout=0.1):
            assert ws.connected
            count += 1
            if count == 3:
                break
            if ending in ("1000", "4000", "no code"):
                assert ws.recv() == ""
            else:
                with pytest.raises(WebSocketException):
                    ws.recv()
        ws.close(timeout=0)
        assert len(server.received) == 3


def test_leaving_by_break_leaves_the_connection_to_the_caller() -> None:
    """It is open, and theirs to close."""
    with serve() as server:
        ws = next(reconnecting(server.url))
        ws.send("x")
        assert ws.recv() == "x"
        ws.close()
        assert len(server.connections) == 0


def test_going_on_with_an_open_connection_closes_it() -> None:
    """`continue` is a way to ask for a fresh one."""
    codes: list[int | None] = []

    def handler(peer: Any) -> None:
        list(peer)
        codes.append(peer.close_code)

    with serve(handler) as server:
        for count, ws in enumerate(reconnecting(server.url, QUICK)):
            if count == 2:
                ws.close()
                break
    assert codes == [1000] * 3


def test_with_closes_the_last_connection() -> None:
    """`with reconnecting(...) as connections` needs no further care."""
    with serve() as server:
        with reconnecting(server.url) as connections:
            ws = next(connections)
            assert ws.connected
        assert not ws.connected
        assert list(connections) == []


def test_failed_attempts_are_waited_out() -> None:
    """The caller sees only connections."""
    refusals = iter([Response(503)] * 3)
    with serve(on_request=lambda _: next(refusals, None)) as server:
        for ws in reconnecting(server.url, QUICK):
            ws.send("at last")
            assert ws.recv() == "at last"
            ws.close()
            break


def test_giving_up_raises_the_last_exception() -> None:
    """attempts is the number of failed attempts in a row; afterwards the iterator is at its end."""
    statuses = iter([503, 502, 500, 599])
    with serve(on_request=lambda _: Response(next(statuses))) as server:
        connections = reconnecting(server.url, Backoff(0.01, attempts=3))
        with pytest.raises(WebSocketBadStatusException) as raised:
            next(connections)
        assert raised.value.status_code == 500
        assert list(connections) == []


def test_max_elapsed_raises_what_had_ended_the_connection() -> None:
    """The outage would last longer than it may."""
    with script(accept(), drop()) as server:
        connections = reconnecting(server.url, Backoff(first=5, max_elapsed=1))
        ws = next(connections)
        with pytest.raises(WebSocketConnectionClosedException):
            ws.recv()
        with pytest.raises(WebSocketConnectionClosedException, match="lost"):
            next(connections)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_refusals_that_time_does_not_heal_are_raised_at_once(status: int) -> None:
    """One request, no wait."""
    asked: list[Any] = []

    def on_request(request: Any) -> Response:
        asked.append(request)
        return Response(status)

    with (
        serve(on_request=on_request) as server,
        pytest.raises(WebSocketBadStatusException) as raised,
    ):
        next(reconnecting(server.url, SLOW))
    assert raised.value.status_code == status
    assert len(asked) == 1


def test_misuse_is_raised_at_once() -> None:
    """It would fail for ever."""
    with pytest.raises(ValueError, match="scheme"):
        next(reconnecting("http://example.invalid/", SLOW))


def test_retry_decides_about_refusals_and_about_close_codes() -> None:
    """True for what is refused by default; False for a code that means 'stay away'."""
    asked: list[BaseException] = []

    def retry(exc: BaseException) -> bool:
        asked.append(exc)
        return getattr(exc, "status_code", None) != 4001

    codes = iter([4000, 4001])
    refusals = iter([Response(403)])
    with (
        serve(lambda peer: peer.close(next(codes)), on_request=lambda _: next(refusals, None)) as s,
        pytest.raises(WebSocketConnectionClosedException) as raised,
    ):
        [ws.recv() for ws in reconnecting(s.url, QUICK, retry)]
    assert raised.value.status_code == 4001
    assert [getattr(exc, "status_code", None) for exc in asked] == [403, 4000, 4001]


def test_retry_that_declines_a_normal_close_ends_quietly() -> None:
    """There is nothing to raise."""
    with serve(lambda peer: peer.close(1000)) as server:
        seen = [ws.recv() for ws in reconnecting(server.url, QUICK, lambda exc: False)]
    assert seen == [""]


def test_waits_are_never_shorter_than_asked() -> None:
    """And the first connection is not waited for."""
    times: list[float] = []
    with serve(
        lambda peer: peer.close(1000), on_request=lambda _: times.append(time.monotonic())
    ) as s:
        began = time.monotonic()
        for ws in reconnecting(s.url, Backoff(0.2, factor=1)):
            if len(times) == 3:
                break
            ws.recv()
        ws.close()
    assert times[0] - began < 1
    assert all(later - sooner >= 0.2 for sooner, later in pairwise(times))


def test_url_and_header_are_asked_each_time_and_cookies_stay() -> None:
    """One session's cookies, on its later attempts only."""
    seen: list[tuple[str, str | None, str | None]] = []

    def on_request(request: Any) -> Response:
        headers = request.headers
        seen.append((request.path, headers.get("X-N"), headers.get("Cookie")))
        return Response(101, [("Set-Cookie", f"n={len(seen)}")])

    with serve(lambda peer: peer.close(), on_request=on_request) as server:
        for _ in range(2):
            for ws in reconnecting(
                lambda: f"{server.url}/{len(seen)}", QUICK, header=lambda: {"X-N": str(len(seen))}
            ):
                ws.recv()
                if len(seen) % 2 == 0:
                    break
            ws.close()
    assert seen == [("/0", "0", None), ("/1", "1", "n=1"), ("/2", "2", None), ("/3", "3", "n=3")]


def test_options_are_those_of_create_connection() -> None:
    """timeout is for connecting and for silence, constructor options are known."""
    with script(accept(), send(frame(1, b"\xff")), hang()) as server:
        for ws in reconnecting(server.url, QUICK, timeout=0.2, skip_utf8_validation=True):
            assert ws.recv_data() == (1, b"\xff")
            with pytest.raises(WebSocketTimeoutException):
                ws.recv()
            ws.close(timeout=0)
            break


# --- close() from another thread ------------------------------------------------------------------


def run_until_closed(connections: Iterator[WebSocket]) -> int:
    count = 0
    for ws in connections:
        count += 1
        try:
            while True:
                if ws.recv() == "":
                    break
        except WebSocketConnectionClosedException:
            pass
    return count


def test_close_before_the_first_connection() -> None:
    """There is none."""
    with serve() as server:
        connections = reconnecting(server.url)
        connections.close()
        assert list(connections) == []


@pytest.mark.parametrize("phase", ["silent", "dripping"])
def test_close_while_connecting(phase: str) -> None:
    """It is called off."""
    step = hang() if phase == "silent" else drip(accept(), every=0.05)
    with script(step) as server:
        connections = reconnecting(server.url, QUICK)
        closer = Closer(connections)
        waiter = threading.Thread(target=lambda: (server.wait_received(b"\r\n\r\n"), closer.go()))
        waiter.start()
        assert run_until_closed(connections) == 0
        closer.check()
        waiter.join(PATIENCE)


def test_close_while_the_body_reads() -> None:
    """Its recv ends, and so does the loop."""
    with serve() as server:
        connections = reconnecting(server.url, QUICK)
        closer = Closer(connections)
        count = 0
        for ws in connections:
            count += 1
            closer.go()
            with pytest.raises(WebSocketConnectionClosedException):
                list(iter(ws.recv, None))
        closer.check()
    assert count == 1


@pytest.mark.parametrize("outage", ["refused", "lost"])
def test_close_while_waiting(outage: str) -> None:
    """An hour is left."""
    asked = threading.Event()

    def on_request(_: Any) -> Response | None:
        asked.set()
        return Response(503) if outage == "refused" else None

    with serve(lambda peer: peer.close(), on_request=on_request) as server:
        connections = reconnecting(server.url, SLOW)
        closer = Closer(connections)
        waiter = threading.Thread(
            target=lambda: (asked.wait(PATIENCE), time.sleep(0.1), closer.go())
        )
        waiter.start()
        assert run_until_closed(connections) == (outage == "lost")
        closer.check()
        waiter.join(PATIENCE)
