"""Promise: every argument of WebSocketApp and run_forever does what it says, by
keyword and by position, and may be None."""

from __future__ import annotations

import inspect
import socket
import ssl
import time
from typing import Any

import pytest
from recording import Recorded

from websocket import (
    Response,
    WebSocketApp,
    WebSocketException,
    WebSocketPayloadException,
    WebSocketTimeoutException,
)
from websocket.testing import accept, frame, hang, script, send, serve

CONSTRUCTOR = [
    *("url", "header", "on_open", "on_reconnect", "on_message", "on_error", "on_close", "on_ping"),
    *("on_pong", "on_cont_message", "keep_running", "get_mask_key", "cookie", "subprotocols"),
    *("on_data", "socket"),
]
RUN = [
    *("sockopt", "sslopt", "ping_interval", "ping_timeout", "ping_payload", "http_proxy_host"),
    *("http_proxy_port", "http_no_proxy", "http_proxy_auth", "http_proxy_timeout"),
    *("skip_utf8_validation", "host", "origin", "dispatcher", "suppress_origin", "suppress_host"),
    *("proxy_type", "reconnect"),
]


def requested(run: Any = None, **made: Any) -> Any:
    """The request of a run that is closed as soon as it is open."""
    requests: list[Any] = []
    with serve(on_request=requests.append, subprotocols=["a", "b"]) as server:
        app = Recorded(server.url + "/path?q=1", {"on_open": Recorded.close}, **made)
        assert app.run_forever(**(run or {})) is False, app.calls
    return requests[0]


def test_positional_orders() -> None:
    """As in websocket-client; what is new is by keyword only."""
    parameters = inspect.signature(WebSocketApp).parameters
    assert list(parameters) == CONSTRUCTOR
    kinds = inspect.signature(WebSocketApp.run_forever).parameters
    positional = [name for name, each in kinds.items() if each.kind is each.POSITIONAL_OR_KEYWORD]
    assert positional == ["self", *RUN]


def test_every_option_may_be_none() -> None:
    """It means the default."""
    further = "timeout retry max_size max_head auth compression cookiejar proxy autoping autoclose"
    requested(dict.fromkeys((*RUN, *further.split())))


def test_options_that_nobody_knows_are_ignored() -> None:
    """As in connect."""
    requested({"frobnicate": True})


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (["X-Test: 1"], "1"),
        ({"X-Test": "2"}, "2"),
        (lambda: ["X-Test: 3"], "3"),
        (lambda: {"X-Test": "4"}, "4"),
        (None, None),
    ],
)
def test_header(header: Any, value: str | None) -> None:
    """List, dict, or a function that returns one."""
    assert requested(header=header).headers.get("X-Test") == value


def test_what_goes_into_the_request() -> None:
    """cookie, subprotocols, host, origin."""
    request = requested(
        {"host": "other.example:81", "origin": "http://here", "user_agent": "me/1"},
        cookie="a=b",
        subprotocols=["b"],
    )
    assert request.path == "/path?q=1"
    assert request.headers["Cookie"] == "a=b"
    assert request.headers["Sec-WebSocket-Protocol"] == "b"
    assert request.headers["Host"] == "other.example:81"
    assert request.headers["Origin"] == "http://here"
    assert request.headers["User-Agent"] == "me/1"


def test_what_is_left_out_of_the_request() -> None:
    """suppress_origin, suppress_host."""
    assert "Origin" not in requested({"suppress_origin": True}).headers
    with script(send(b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n")) as server:
        Recorded(server.url).run_forever(suppress_host=True)
        assert b"\r\nhost:" not in server.received[0].lower()


def test_auth() -> None:
    """Basic, as in connect."""
    assert requested({"auth": ("me", "secret")}).headers["Authorization"] == "Basic bWU6c2VjcmV0"


def test_compression_is_offered() -> None:
    """Only if asked for."""
    assert "Sec-WebSocket-Extensions" not in requested().headers
    offer = requested({"compression": "deflate"}).headers["Sec-WebSocket-Extensions"]
    assert offer.startswith("permessage-deflate")


def test_max_size() -> None:
    """A message that is larger ends the connection, and the server is told 1009."""
    with script(accept(), send(frame(1, "x" * 11)), hang()) as server:
        app = Recorded(server.url)
        assert app.run_forever(max_size=10) is True
        assert app.names() == ["on_open", "on_error", "on_close"]
        assert app.calls[1][1] is WebSocketPayloadException


def test_timeout_bounds_each_attempt_to_connect() -> None:
    """Not the silence of the open connection."""
    with script(hang()) as server:
        app = Recorded(server.url)
        began = time.monotonic()
        assert app.run_forever(timeout=0.3) is True
        assert 0.3 <= time.monotonic() - began < 2.5
    assert [call[:2] for call in app.calls] == [
        ("on_error", WebSocketTimeoutException),
        ("on_close", None),
    ]

    def late(peer: Any) -> None:
        time.sleep(0.6)  # longer than the timeout
        peer.send("late")
        list(peer)

    with serve(late) as server:
        app = Recorded(server.url, {"on_message": Recorded.close})
        assert app.run_forever(timeout=0.3) is False
    assert "on_error" not in app.names()


def test_sockopt_and_mask_key() -> None:
    """They reach the socket and the frames."""
    seen: list[int] = []

    def on_open(app: Any) -> None:
        seen.append(app.sock.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        app.send("abcd")
        app.close(timeout=0)

    with script(accept(), hang()) as server:
        app = Recorded(server.url, {"on_open": on_open}, get_mask_key=lambda n: b"\0" * n)
        app.run_forever(sockopt=((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),))
        assert server.wait_received(b"abcd")
    assert seen == [1]


def test_sslopt() -> None:
    """Trust and verification are settings of the run."""
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serve(ssl=context) as server:
        assert Recorded(server.url).run_forever() is True
        app = Recorded(server.url, {"on_open": Recorded.close})
        assert app.run_forever(sslopt={"cert_reqs": ssl.CERT_NONE}) is False
        ca = authority.cert_pem.bytes().decode()
        trusting = ssl.create_default_context(cadata=ca)
        app = Recorded(server.url, {"on_open": Recorded.close})
        assert app.run_forever(sslopt={"context": trusting}) is False
    assert app.calls == [("on_open",), ("on_close", 1000, None)]


def test_a_prepared_socket() -> None:
    """It is used instead of dialling."""
    with serve() as server:
        mine = socket.create_connection(("127.0.0.1", server.port))
        number = mine.fileno()
        numbers: list[int] = []

        def on_open(app: Any) -> None:
            numbers.append(app.sock.sock.fileno())
            app.close()

        app = Recorded(server.url, {"on_open": on_open}, socket=mine)
        assert app.run_forever() is False
    assert numbers == [number]


@pytest.mark.parametrize(
    "bad",
    [
        {"ping_timeout": 0},
        {"ping_timeout": -1},
        {"ping_interval": -1},
        {"ping_interval": 1, "ping_timeout": 1},
        {"ping_interval": 1, "ping_timeout": 2},
    ],
)
def test_bad_ping_arguments(bad: dict[str, float]) -> None:
    """Raised before anything happens; the next run works."""
    requests: list[Any] = []
    with serve(on_request=requests.append) as server:
        app = Recorded(server.url, {"on_open": Recorded.close})
        with pytest.raises(WebSocketException, match="Ensure ping"):
            app.run_forever(**bad)  # type: ignore[arg-type]
        assert requests == app.calls == []
        assert app.run_forever() is False


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"reconnect": -1}, ValueError),
        ({"reconnect": "5"}, ValueError),
        ({"compression": 7}, TypeError),
    ],
)
def test_other_bad_arguments(options: dict[str, Any], error: type[Exception]) -> None:
    """Misuse is raised."""
    with serve() as server, pytest.raises(error):
        Recorded(server.url).run_forever(**options)


@pytest.mark.parametrize(
    "url", ["", "example.com", "http://x/", "ws://", "ws://h:99999/", "ws://a\nb/"]
)
def test_a_bad_url_is_raised_and_the_app_may_be_run_again(url: str) -> None:
    """Not told to on_error, and without an on_close: there was no run."""
    app = Recorded(url, {"on_open": Recorded.close})
    with pytest.raises(ValueError, match=r"."):
        app.run_forever()
    assert app.calls == []
    with serve() as server:
        app.url = server.url
        assert app.run_forever() is False


def test_a_refusal_carries_what_the_server_said() -> None:
    """Status, headers and body are on the exception of on_error."""
    errors: list[Any] = []
    with serve(
        on_request=lambda _: Response(418, [("X-Why", "tea")], b"short and stout")
    ) as server:
        WebSocketApp(server.url, on_error=lambda _, exc: errors.append(exc)).run_forever()
    assert errors[0].status_code == 418
    assert errors[0].resp_headers["x-why"] == "tea"
    assert errors[0].resp_body == b"short and stout"
