"""Promise: each ending of a run calls exactly these callbacks, in this order,
with these arguments, wherever the program is when it happens."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from recording import NAMES, PATIENCE, Recorded, Run

from websocket import (
    WebSocketBadStatusException,
    WebSocketConnectionClosedException,
    WebSocketPayloadException,
    WebSocketProtocolException,
    WebSocketTimeoutException,
)
from websocket.testing import Step, accept, drop, frame, hang, reset, script, send, serve

MESSAGES = [
    ("on_data", "x", 1, True),
    ("on_message", "x"),
    ("on_ping", b"p"),
    ("on_pong", b"q"),
]
OPENED: list[tuple[Any, ...]] = [("on_open",), *MESSAGES]


class Ending(NamedTuple):
    steps: tuple[Step, ...]
    """What the server does to end the connection."""
    error: tuple[type[BaseException], str] | None
    close: tuple[int | None, str | None]
    returns: bool
    opens: bool = True
    options: dict[str, Any] = {}


def closing(body: bytes) -> tuple[Step, ...]:
    return (send(frame(0x8, body)), hang())


LOST = "Connection to remote host was lost"
CLOSED = WebSocketConnectionClosedException
ENDINGS = {
    "1000": Ending(closing(b"\x03\xe8bye"), None, (1000, "bye"), False),
    "1001": Ending(closing(b"\x03\xe9"), None, (1001, None), False),
    "no code": Ending(closing(b""), None, (None, None), False),
    "4000": Ending(
        closing(b"\x0f\xa0why"),
        (CLOSED, "Connection closed (code 4000): why"),
        (4000, "why"),
        False,
    ),
    "4000 without reason": Ending(
        closing(b"\x0f\xa0"), (CLOSED, "Connection closed (code 4000)"), (4000, None), False
    ),
    "EOF": Ending((drop(),), (CLOSED, LOST), (None, None), True),
    "reset": Ending((reset(),), (CLOSED, LOST), (None, None), True),
    "refused": Ending((), (ConnectionRefusedError, "refused"), (None, None), True, False),
    "bad status": Ending(
        (send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),),
        (WebSocketBadStatusException, "403"),
        (None, None),
        True,
        False,
    ),
    "protocol error": Ending(
        (send(frame(0x3, b"")), hang()), (WebSocketProtocolException, ""), (None, None), True
    ),
    "payload error": Ending(
        (send(frame(0x1, b"\xff")), hang()), (WebSocketPayloadException, ""), (None, None), True
    ),
    "missed pong": Ending(
        (hang(),),
        (WebSocketTimeoutException, "ping/pong timed out"),
        (None, None),
        True,
        options={"ping_interval": 0.3, "ping_timeout": 0.2},
    ),
}


@contextmanager
def server(ending: Ending, before: Step | None = None) -> Iterator[str]:
    """A server with that ending; `before` is done in front of it."""
    if ending.error is not None and ending.error[0] is ConnectionRefusedError:
        with socket.socket() as bound:  # bound and not listening: nobody else gets the port
            bound.bind(("127.0.0.1", 0))
            yield f"ws://127.0.0.1:{bound.getsockname()[1]}"
        return
    opening: tuple[Step, ...] = ()
    if ending.opens:
        opening = (accept(), send(frame(1, "x") + frame(9, b"p") + frame(0xA, b"q")))
    if before is not None:
        opening += (before,)
    with script(*opening, *ending.steps) as running:
        yield running.url


def expected(ending: Ending) -> list[tuple[Any, ...]]:
    calls = list(OPENED) if ending.opens else []
    if ending.error is not None:
        calls.append(("on_error", *ending.error))
    return [*calls, ("on_close", *ending.close)]


def same(calls: list[tuple[Any, ...]], wanted: list[tuple[Any, ...]]) -> bool:
    """Texts of exceptions are compared by what has to be in them."""

    def fits(call: tuple[Any, ...], want: tuple[Any, ...]) -> bool:
        if want[0] != "on_error":
            return call == want
        return call[:2] == want[:2] and want[2] in call[2]

    return len(calls) == len(wanted) and all(map(fits, calls, wanted))


def check(app: Recorded, wanted: list[tuple[Any, ...]], result: bool | None, want: bool) -> None:
    assert same(app.calls, wanted), f"expected {wanted}, got {app.calls}"
    assert result is want
    assert app.has_errored is want
    assert app.sock is None
    assert app.keep_running is False


@pytest.mark.parametrize("name", ENDINGS)
def test_an_ending_while_reading(name: str) -> None:
    """The plain column of the matrix."""
    ending = ENDINGS[name]
    with server(ending) as url:
        app = Recorded(url)
        result = app.run_forever(**ending.options)
    check(app, expected(ending), result, ending.returns)


@pytest.mark.parametrize("place", NAMES[:1] + NAMES[2:])
@pytest.mark.parametrize("name", [name for name, ending in ENDINGS.items() if ending.opens])
def test_an_ending_while_a_callback_runs(name: str, place: str) -> None:
    """What came before the ending is delivered, and then the ending is as ever.

    The callback goes on until the server has done all it will do; for a reset it does not, since
    the system drops what was not read by then.
    """
    ending = ENDINGS[name]
    reached, done = threading.Event(), threading.Event()

    def ended(peer: Any) -> None:
        assert reached.wait(PATIENCE)

    def hook(app: Recorded) -> None:
        reached.set()
        if name != "reset":
            assert done.wait(PATIENCE)

    def after(peer: Any) -> None:
        done.set()

    first = () if name == "missed pong" else ending.steps[:1]
    steps = (*first, after, *ending.steps[len(first) :])
    with server(ending._replace(steps=steps), ended) as url:
        app = Recorded(url, {place: hook})
        result = app.run_forever(**ending.options)
    if name == "reset":
        assert app.names()[-2:] == ["on_error", "on_close"]
        app.calls[:-2] = OPENED
    check(app, expected(ending), result, ending.returns)


@pytest.mark.parametrize("place", ["on_error", "on_close"])
@pytest.mark.parametrize("name", ENDINGS)
def test_close_in_the_callbacks_of_an_ending_changes_nothing(name: str, place: str) -> None:
    """`close()` in on_error, as selenium does, and in on_close: the run was over already."""
    ending = ENDINGS[name]
    with server(ending) as url:
        app = Recorded(url, {place: Recorded.close})
        result = app.run_forever(**ending.options)
    check(app, expected(ending), result, ending.returns)


@pytest.mark.parametrize("place", NAMES[:1] + NAMES[2:])
@pytest.mark.parametrize("name", [name for name, ending in ENDINGS.items() if ending.opens])
def test_close_in_a_callback_while_the_server_ends_it_too(name: str, place: str) -> None:
    """No on_error, and on_close tells what the server has said, if it has said a word."""
    ending = ENDINGS[name]
    with server(ending) as url:
        app = Recorded(url, {place: lambda app: app.close(timeout=0.2)})
        result = app.run_forever(**ending.options)
    last = {"on_open": 0, "on_data": 2, "on_message": 2, "on_ping": 3, "on_pong": 4}[place]
    check(app, [*OPENED[: last + 1], ("on_close", *ending.close)], result, False)


@pytest.mark.parametrize("place", NAMES[:1] + NAMES[2:])
@pytest.mark.parametrize("way", ["close", "keep_running"])
def test_our_own_close_in_a_callback(place: str, way: str) -> None:
    """on_close has the code and the reason of the server's answer, also where the run had to do the
    closing handshake itself."""

    def stop(app: Recorded) -> None:
        if way == "close":
            app.close(status=4001, reason="enough")
            assert app.sock is None
        else:
            app.keep_running = False

    code = 4001 if way == "close" else 1000

    def handler(peer: Any) -> None:
        peer.send_raw(frame(1, "x") + frame(9, b"p") + frame(0xA, b"q"))
        list(peer)

    with serve(handler) as running:
        app = Recorded(running.url, {place: stop})
        result = app.run_forever()
    last = {"on_open": 0, "on_data": 2, "on_message": 2, "on_ping": 3, "on_pong": 4}[place]
    check(app, [*OPENED[: last + 1], ("on_close", code, None)], result, False)


@pytest.mark.parametrize("way", ["close", "keep_running"])
def test_our_own_close_in_another_thread(way: str) -> None:
    """The same while the run is reading; on_close comes from the thread of the run."""
    threads: list[str] = []
    with serve() as running:
        app = Recorded(
            running.url, {"on_close": lambda app: threads.append(threading.current_thread().name)}
        )
        with Run(app) as run:
            app.wait_for("on_open")
            if way == "close":
                app.close(status=4001, reason="enough")
            else:
                app.keep_running = False
            result = run.join()
    code = 4001 if way == "close" else 1000
    check(app, [("on_open",), ("on_close", code, None)], result, False)
    assert threads == ["run_forever"]


@pytest.mark.parametrize("code", [1000, 1001, 4000])
def test_the_last_word_when_close_and_reconnect_meet(code: int) -> None:
    """close() in on_reconnect ends a run that would go on; on_close has the answer to it."""
    opened: list[object] = []

    def handler(peer: Any) -> None:
        opened.append(peer)
        if len(opened) == 1:
            peer.close(code, "again")
        else:
            list(peer)

    with serve(handler) as running:
        app = Recorded(running.url, {"on_reconnect": Recorded.close})
        result = app.run_forever(reconnect=0.01)
    errors = [("on_error", CLOSED, "Connection closed (code 4000): again")] if code == 4000 else []
    check(
        app,
        [("on_open",), *errors, ("on_reconnect",), ("on_close", 1000, None)],
        result,
        False,
    )
