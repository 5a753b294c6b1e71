"""Promise: what callbacks get, and what becomes of their exceptions."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from recording import NAMES, Recorded

from websocket import WebSocketApp, WebSocketConnectionClosedException
from websocket.testing import accept, drop, frame, hang, script, send, serve

ALL = [name for name in NAMES if name != "on_reconnect"]


def boom(_: object) -> None:
    raise LookupError("boom")


def everything(peer: Any) -> None:
    peer.send_raw(frame(1, "x") + frame(9, b"p") + frame(0xA, b"q") + frame(2, b"last"))
    list(peer)


def close_at_the_end(app: Recorded) -> None:
    if app.calls[-1] == ("on_message", b"last"):
        app.close()


@pytest.mark.parametrize("name", ALL)
def test_an_exception_is_logged_and_told_and_the_loop_lives(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the traceback; what comes afterwards is delivered."""

    def hook(app: Recorded) -> None:
        close_at_the_end(app)
        boom(app)

    with serve(everything) as server:
        app = Recorded(server.url, {"on_message": close_at_the_end, name: hook})
        with caplog.at_level(logging.ERROR, "websocket"):
            result = app.run_forever()
    assert ("on_error", LookupError, "boom") in app.calls
    assert ("on_message", b"last") in app.calls
    assert app.calls[-1] == ("on_close", 1000, None)
    # The connection did not fail: it is the program that did.
    assert result is False
    assert app.has_errored is False
    assert "Traceback" in caplog.text
    assert "in boom" in caplog.text


def test_an_error_in_on_error_is_logged_only(caplog: pytest.LogCaptureFixture) -> None:
    """No recursion, and the loop lives: for another callback's failure and a lost connection."""
    with serve(everything) as server:
        app = Recorded(server.url, {"on_message": close_at_the_end, "on_ping": boom})
        app.hooks["on_error"] = boom
        assert app.run_forever() is False
        assert app.names().count("on_error") == 1
        assert app.calls[-1] == ("on_close", 1000, None)
    with script(accept(), drop()) as lost:
        app = Recorded(lost.url, {"on_error": boom})
        assert app.run_forever() is True
        assert app.names() == ["on_open", "on_error", "on_close"]
    assert caplog.text.count("boom") >= 3


def test_an_error_in_on_close_reaches_on_error() -> None:
    """After on_close."""
    with serve(lambda peer: peer.close(1000)) as server:
        app = Recorded(server.url, {"on_close": boom})
        assert app.run_forever() is False
    assert app.calls[-2:] == [("on_close", 1000, None), ("on_error", LookupError, "boom")]


def test_an_error_without_on_error_is_logged_only(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is lost silently."""
    with serve(everything) as server:
        app = Recorded(server.url, {"on_message": close_at_the_end, "on_ping": boom})
        app.on_error = None
        assert app.run_forever() is False
    assert "boom" in caplog.text


def test_callbacks_may_be_assigned_later() -> None:
    """They are looked up when they are called."""
    seen: list[Any] = []

    def on_message(app: WebSocketApp, message: Any) -> None:
        seen.append(message)
        app.on_message = lambda app, message: (seen.append(("later", message)), app.close())

    def on_open(app: WebSocketApp) -> None:
        app.on_message = on_message

    with serve(lambda peer: (peer.send("1"), peer.send("2"), list(peer))) as server:
        app = WebSocketApp(server.url, on_open=on_open)
        app.run_forever()
    assert seen == ["1", ("later", "2")]


def test_fragments_one_by_one() -> None:
    """With on_cont_message: the first as a message, the later ones by themselves."""
    steps = (
        send(frame(1, "a", fin=False) + frame(0, "b", fin=False) + frame(0, "c")),
        send(frame(8, b"\x03\xe8")),
        hang(),
    )
    with script(accept(), *steps) as server:
        app = Recorded(server.url)
        app.on_cont_message = lambda app, data, fin: app.calls.append(("on_cont", data, fin))
        app.run_forever()
    assert app.calls == [
        ("on_open",),
        ("on_data", "a", 1, True),
        ("on_message", "a"),
        ("on_data", b"b", 0, 0),
        ("on_cont", b"b", 0),
        ("on_data", b"c", 0, 1),
        ("on_cont", b"c", 1),
        ("on_close", 1000, None),
    ]


def test_text_that_is_not_decoded() -> None:
    """skip_utf8_validation: bytes, as they came."""
    with script(accept(), send(frame(1, b"\xff") + frame(8, b"\x03\xe8")), hang()) as server:
        app = Recorded(server.url)
        app.run_forever(skip_utf8_validation=True)
    assert app.calls[1:3] == [("on_data", b"\xff", 1, True), ("on_message", b"\xff")]


def test_sending_without_a_connection() -> None:
    """Before, after and in between."""
    app = Recorded("ws://example.invalid/")
    for send_it in (app.send, app.send_text, app.send_bytes):
        with pytest.raises(
            WebSocketConnectionClosedException, match=r"Connection is already closed\."
        ):
            send_it("x")  # type: ignore[arg-type]
    assert not app.ready()


def test_sending_from_callbacks_and_threads() -> None:
    """send, send_text, send_bytes; ready() tells whether."""

    def on_open(app: Recorded) -> None:
        assert app.ready()
        app.send("a")
        app.send(b"b", 2)
        app.send_text("c")
        app.send_bytes(b"last")

    with serve() as server:
        app = Recorded(server.url, {"on_open": on_open, "on_message": close_at_the_end})
        app.run_forever()
    messages = [call[1] for call in app.calls if call[0] == "on_message"]
    assert messages == ["a", b"b", "c", b"last"]


@pytest.mark.parametrize(("code", "level"), [(1000, "INFO"), (1001, "INFO"), (4000, "ERROR")])
def test_ordinary_closes_are_logged_below_warning(
    code: int, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever looks at warnings is not told of what is normal."""
    with (
        caplog.at_level(logging.DEBUG, "websocket"),
        serve(lambda peer: peer.close(code)) as server,
    ):
        Recorded(server.url).run_forever()
    goodbye = [record for record in caplog.records if "goodbye" in record.getMessage()]
    assert [record.levelname for record in goodbye] == [level]


def test_our_own_close_is_not_logged_as_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """It is what the program wanted."""
    with caplog.at_level(logging.WARNING, "websocket"), serve() as server:
        Recorded(server.url, {"on_open": Recorded.close}).run_forever()
    assert caplog.records == []


def test_a_hanging_peer_after_a_protocol_error_does_not_delay_the_report() -> None:
    """on_error comes at once; nobody waits for a peer that broke the protocol."""
    import time

    with script(accept(), send(frame(3, b"")), hang()) as server:
        app = Recorded(server.url)
        began = time.monotonic()
        app.run_forever()
        assert time.monotonic() - began < 2
        assert b"\x88\x82" in server.wait_received(b"\x88\x82")  # it was told
