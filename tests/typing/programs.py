"""What programs write, and type checkers have to accept at their strictest; and what they report.

It is read, not run. A `type: ignore` below says that the line is reported: where it is not, the
checkers report the comment.
"""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import websocket

if TYPE_CHECKING:
    from typing_extensions import Unpack, assert_type


# --- callbacks ------------------------------------------------------------------------------------


class MyApp(websocket.WebSocketApp):
    """An app with something of its own."""

    count = 0


class Bot:
    """Methods as callbacks."""

    def on_message(self, app: websocket.WebSocketApp, message: str) -> None:
        print(self, app, message)

    @staticmethod
    def on_error(app: websocket.WebSocketApp, error: Exception) -> None:
        print(app, error)

    def __call__(self, *args: object) -> None:
        print(self, args)


def on_open(ws: websocket.WebSocketApp) -> None:
    ws.send("hello")


def on_open_of_mine(app: MyApp) -> int:
    app.count += 1
    return app.count


def on_text(ws: websocket.WebSocketApp, message: str) -> None:
    print(ws, message.upper())


def on_bytes(ws: websocket.WebSocketApp, message: bytes, further: int = 0) -> bool:
    ws.send_bytes(message)
    return further > 0


def on_anything(*args: Any, **options: Any) -> None:
    print(args, options)


def on_close(ws: websocket.WebSocketApp, close_status_code: int, close_msg: str) -> None:
    print(ws, close_status_code, close_msg)


def on_close_as_it_may_be(ws: object, code: int | None, reason: str | None) -> None:
    print(ws, code, reason)


def named(name: str, app: websocket.WebSocketApp, message: str | bytes) -> None:
    print(name, app, message)


def callbacks(url: str, bot: Bot) -> None:
    app = websocket.WebSocketApp(url, on_open=on_open, on_message=on_text, on_close=on_close)
    app.on_message = on_bytes
    app.on_message = bot.on_message
    app.on_message = partial(named, "a bot")
    app.on_message = lambda app, message: app.send(message)
    app.on_message = None
    app.on_error = bot.on_error
    app.on_error = lambda app, error: app.close()
    app.on_close = on_close_as_it_may_be
    app.on_open = app.on_reconnect = bot
    app.on_ping = app.on_pong = app.on_data = app.on_cont_message = on_anything
    app.on_ping = lambda app, payload: print(payload.hex())
    MyApp(url, on_open=on_open_of_mine, on_data=lambda app, data, opcode, fin: app.send(data))
    websocket.WebSocketApp(url, {"X-Token": "1"}, on_open, None, on_text, bot.on_error, on_close)


def callbacks_that_cannot_be_called(app: websocket.WebSocketApp) -> None:
    app.on_message = on_open  # type: ignore[assignment]
    app.on_open = on_text  # type: ignore[assignment]
    app.on_error = on_close  # type: ignore[assignment]
    app.on_ping = lambda app, payload, further: None  # type: ignore[assignment]


# --- options --------------------------------------------------------------------------------------


class MySocket(websocket.WebSocket):
    """A connection with something of its own."""

    def __init__(self, *, name: str = "", **options: Any):
        super().__init__(**options)
        self.name = name


def options(url: str, unknown: dict[str, Any]) -> None:
    insecure = {"cert_reqs": ssl.CERT_NONE}
    assert_type(websocket.create_connection(url), websocket.WebSocket)
    websocket.create_connection(url, 5, sslopt=insecure, header=["X-Token: 1"])
    websocket.create_connection(url, sslopt=unknown, header=(line for line in ("A: b", "C: d")))
    websocket.create_connection(url, timeout=None, cookie=None, sslopt=None, sockopt=((1, 2, 3),))
    websocket.create_connection(url, **unknown)
    websocket.create_connection(
        url, auth=lambda challenge: None, proxy=False, compression="deflate"
    )
    websocket.WebSocket(sslopt=insecure, sockopt=[], name="keywords that nobody knows")
    websocket.WebSocket().connect(url, subprotocols=("a", "b"), **unknown)
    websocket.WebSocketApp(url).run_forever(sslopt=insecure, max_size=1, **unknown)
    for ws in websocket.reconnecting(url, fire_cont_frame=True, timeout=2.5, sslopt=insecure):
        assert_type(ws, websocket.WebSocket)


def classes_of_ones_own(url: str) -> None:
    assert_type(websocket.create_connection(url, class_=MySocket, name="mine"), MySocket)
    assert_type(websocket.create_connection(url, 5, MySocket, timeout_of_mine=1), MySocket)
    make: Callable[..., MySocket] = partial(MySocket, name="mine")
    assert_type(websocket.create_connection(url, class_=make, max_size=1), MySocket)


def connect(url: str, **options: Unpack[websocket.ConnectOptions]) -> websocket.WebSocket:
    """A function of the program's that passes options on."""
    options.setdefault("timeout", 10)
    websocket.WebSocket().connect(url, **options)
    websocket.reconnecting(url, **options).close()
    return websocket.create_connection(url, **options)


def options_that_are_misspelt_or_of_the_wrong_type(url: str) -> None:
    websocket.create_connection(url, headers=[])  # type: ignore[call-overload]
    websocket.create_connection(url, max_size="1 MB")  # type: ignore[call-overload]
    websocket.create_connection(url, auth="user:password")  # type: ignore[call-overload]
    websocket.WebSocket().connect(url, compression=True)  # type: ignore[arg-type]
    websocket.WebSocket().connect(url, fire_cont_frame=True)  # type: ignore[call-arg]
    websocket.WebSocketApp(url).run_forever(ping_intervall=5)  # type: ignore[call-arg]
    websocket.WebSocketApp(url).run_forever(reconnect="soon")  # type: ignore[arg-type]
    websocket.reconnecting(url, backof=websocket.Backoff())  # type: ignore[call-arg]
    trust: websocket.SSLOptions = {"ca_cert": "ca.pem"}  # type: ignore[typeddict-unknown-key]
    print(trust)


# --- what they get --------------------------------------------------------------------------------


def messages(ws: websocket.WebSocket) -> None:
    for message in ws:
        assert_type(message, "str | bytes")
    for tick in ws.latest(3):
        assert_type(tick, "str | bytes")
    assert_type(ws.latest(3).dropped, int)
    assert_type(ws.recv_text(), str)
    assert_type(ws.recv_bytes(), bytes)
    assert_type(ws.recv_data(), "tuple[int, bytes]")
    assert_type(ws.ping().wait(), float)
    ws.latest("3")  # type: ignore[arg-type]
