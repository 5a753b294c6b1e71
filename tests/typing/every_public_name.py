"""A program that uses every public name of `websocket`.

It is read, not run: test_types_of_programs.py looks that no name is missing, and that mypy and
pyright at their strictest find nothing to say. Who adds a public name uses it here, in the way in
which a program would.
"""

# pyright: strict

from __future__ import annotations

import logging
import socket
import ssl
import sys
import zlib
from collections.abc import Iterator
from http.cookiejar import CookieJar
from typing import Any

import websocket

# --- connecting -----------------------------------------------------------------------------------


def connect(url: str) -> websocket.WebSocket:
    websocket.setdefaulttimeout(10)
    print(websocket.__version__, websocket.backend(), websocket.getdefaulttimeout())
    trust: websocket.SSLOptions = {
        "context": ssl.create_default_context(),
        "cert_reqs": ssl.CERT_REQUIRED,
        "check_hostname": True,
        "ca_certs": "ca.pem",
        "ca_cert_path": None,
        "certfile": "client.pem",
        "keyfile": "client.key",
        "password": "secret",
        "cert_chain": ("client.pem", "client.key", None),
        "ssl_version": ssl.PROTOCOL_TLS_CLIENT,
        "ciphers": "ECDHE+AESGCM",
        "ecdh_curve": "prime256v1",
        "server_hostname": "example.com",
        "do_handshake_on_connect": True,
        "suppress_ragged_eofs": True,
        "fingerprint": "00:" * 31 + "00",
    }
    # Each option once, in the form that a program is likely to have.
    options: websocket.ConnectOptions = {
        "header": {"X-Token": "1"},
        "cookie": "a=b",
        "cookiejar": CookieJar(),
        "origin": "https://example.com",
        "suppress_origin": False,
        "host": "example.com",
        "suppress_host": False,
        "connection": "Upgrade",
        "subprotocols": ["chat", "superchat"],
        "require_subprotocol": True,
        "user_agent": "program/1.0",
        "auth": ("user", "password"),
        "timeout": 5,
        "address": ("127.0.0.1", 8080),
        "source_address": ("127.0.0.1", 0),
        "unix_socket": None,
        "socket": None,
        "sockopt": [*websocket.DEFAULT_SOCKET_OPTION, (socket.SOL_SOCKET, socket.SO_RCVBUF, 1)],
        "sslopt": trust,
        "redirect_limit": 3,
        "proxy": "http://proxy.example.com:3128",
        "proxy_type": "http",
        "proxy_sslopt": {"cert_reqs": ssl.CERT_NONE},
        "proxy_header": ["X-Proxy: 1"],
        "http_proxy_host": "proxy.example.com",
        "http_proxy_port": 3128,
        "http_proxy_auth": ("user", "password"),
        "http_proxy_timeout": 5,
        "http_no_proxy": ["localhost"],
        "max_size": 1 << 20,
        "max_head": 65536,
        "max_head_lines": 256,
        "max_body": 65536,
        "max_interim": 16,
        "compression": websocket.Deflate(zlib=zlib),
        "autoping": True,
        "autoclose": True,
        "ping_interval": 30,
        "ping_timeout": 10.5,
    }
    further: websocket.CreateOptions = {
        "get_mask_key": lambda count: bytes(count),
        "fire_cont_frame": False,
        "enable_multithread": True,
        "skip_utf8_validation": False,
        "dispatcher": None,
    }
    try:
        ws = websocket.WebSocket(sslopt=trust)
        ws.connect(url, **options)
        ws = websocket.create_connection(url, **options)
        return websocket.create_connection(url, 5, **further)
    except websocket.WebSocketBadStatusException as exc:
        print(exc.status_code, exc.status_message, exc.resp_headers, exc.resp_body, exc.response)
        raise
    except websocket.WebSocketProxyException as exc:
        print(exc.status_code, exc.hint)
        raise
    except websocket.WebSocketAddressException:
        raise


def reconnect(url: str) -> None:
    policy = websocket.Backoff(
        first=0.5, maximum=30, factor=2, jitter=0.1, attempts=5, max_elapsed=600, stable_after=10
    )
    print(policy.wait(3))
    ever = websocket.reconnecting(lambda: url, policy, lambda exc: True, timeout=5, max_size=1024)
    for ws in ever:
        ws.send("again")
        ever.close()


def examine(url: str) -> None:
    found = websocket.explain(url, timeout=5)
    print(found.ok, found.as_dict(), str(found), [step.name for step in found.steps])


# --- a connection ---------------------------------------------------------------------------------


def receive(ws: websocket.WebSocket) -> Iterator[str | bytes]:
    yield ws.recv(timeout=1.5)
    yield ws.next()
    yield ws.recv_text()
    yield ws.recv_bytes(1)
    anything: Any = ws.recv_json(timeout=1)
    print(anything)
    opcode, data = ws.recv_data(control_frame=True)
    opcode, frame = ws.recv_data_frame(True)
    print(opcode, data, frame.data, ws.recv_frame().opcode)
    yield from ws.recv_streaming()
    ticks: websocket.Latest
    with ws.latest(10) as ticks:
        yield from ticks
        print(ticks.dropped)
        ticks.close()
    stats: websocket.Stats = ws.stats()
    print(stats.messages_received, stats.compression_ratio_sent, stats.as_dict())
    yield from ws
    yield next(ws)


def send(ws: websocket.WebSocket) -> int:
    seconds = ws.ping("are you there").wait(timeout=5)
    print(seconds, ws.latency)
    ws.pong()
    ws.set_mask_key(lambda count: bytes(count))
    sent = ws.send("text") + ws.send(b"bytes", websocket.ABNF.OPCODE_BINARY)
    sent += ws.send_text("text") + ws.send_bytes(b"bytes") + ws.send_binary(bytearray(3))
    sent += ws.send(part for part in ("in ", "fragments"))
    sent += ws.send_json({"a": 1}) + ws.send("plain", compress=False)
    return sent + ws.send_frame(websocket.ABNF.create_frame("x", websocket.ABNF.OPCODE_TEXT))


def look(ws: websocket.WebSocket) -> None:
    ws.settimeout(10)
    ws.timeout = ws.gettimeout()
    print(ws.timeout, ws.connected, ws.closed, ws.close_code, ws.close_reason, ws.close_frame)
    print(
        ws.sock, ws.fileno(), ws.is_ssl(), ws.local_address, ws.remote_address, ws.path, ws.id.hex
    )
    print(ws.getstatus(), ws.status, ws.getheaders(), ws.headers, ws.getsubprotocol())
    print(ws.subprotocol, ws.handshake_response, ws.sock_opt.timeout)
    if ws.request is not None and ws.response is not None:
        print(ws.request.path, ws.response.status, ws.response.headers.get_all("set-cookie"))
    print(ws.get_mask_key, ws.fire_cont_frame, ws.skip_utf8_validation, ws.enable_multithread)
    print(ws.dispatcher, ws.frame_buffer, ws.cont_frame)
    with ws.lock, ws.readlock:
        pass


def end(ws: websocket.WebSocket) -> None:
    ws.send_close(websocket.STATUS_GOING_AWAY, "bye")
    ws.close(status=websocket.STATUS_NORMAL, reason=b"bye", timeout=1)
    ws.abort()
    ws.shutdown()
    if ws.wait_closed(timeout=1):
        print(ws.exception())
    with websocket.create_connection("ws://localhost") as another:
        look(another)


# --- callbacks ------------------------------------------------------------------------------------


class Callbacks:
    """Each callback, with the annotations that say most."""

    def on_open(self, app: websocket.WebSocketApp) -> None: ...
    def on_reconnect(self, app: websocket.WebSocketApp) -> None: ...
    def on_message(self, app: websocket.WebSocketApp, message: str | bytes) -> None: ...
    def on_data(
        self, app: websocket.WebSocketApp, data: str | bytes, opcode: int, fin: bool
    ) -> None: ...
    def on_cont_message(self, app: websocket.WebSocketApp, data: bytes, fin: int) -> None: ...
    def on_ping(self, app: websocket.WebSocketApp, payload: bytes) -> None: ...
    def on_pong(self, app: websocket.WebSocketApp, payload: bytes) -> None: ...
    def on_error(self, app: websocket.WebSocketApp, exception: BaseException) -> None: ...
    def on_close(
        self, app: websocket.WebSocketApp, code: int | None, reason: str | None
    ) -> None: ...


def call_back(url: str) -> bool:
    mine = Callbacks()
    on_open: websocket.OnOpen = mine.on_open
    on_reconnect: websocket.OnReconnect = mine.on_reconnect
    on_message: websocket.OnMessage = mine.on_message
    on_data: websocket.OnData = mine.on_data
    on_cont_message: websocket.OnContMessage = mine.on_cont_message
    on_ping: websocket.OnPing = mine.on_ping
    on_pong: websocket.OnPong = mine.on_pong
    on_error: websocket.OnError = mine.on_error
    on_close: websocket.OnClose = mine.on_close
    app = websocket.WebSocketApp(
        url,
        header=lambda: {"X-Token": "1"},
        on_open=on_open,
        on_reconnect=on_reconnect,
        on_message=on_message,
        on_error=on_error,
        on_close=on_close,
        on_ping=on_ping,
        on_pong=on_pong,
        on_cont_message=on_cont_message,
        on_data=on_data,
        cookie="a=b",
        subprotocols=["chat"],
        get_mask_key=lambda count: bytes(count),
    )
    websocket.set_reconnect(5)
    loop = websocket.Loop()
    app.run_forever(dispatcher=loop, reconnect=websocket.Backoff(), timeout=5)
    loop.run()
    app.run_forever(reconnect=lambda failures, exc: None if failures > 3 else 1.5, max_size=1024)
    return app.run_forever(
        sockopt=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        sslopt={"cert_reqs": ssl.CERT_NONE},
        ping_interval=30,
        ping_timeout=10,
        ping_payload=b"there?",
        reconnect=5,
        retry=lambda exc: not isinstance(exc, websocket.WebSocketBadStatusException),
    )


def drive(app: websocket.WebSocketApp) -> None:
    app.send("text", opcode=websocket.ABNF.OPCODE_TEXT)
    app.send_text("text")
    app.send_bytes(b"bytes")
    print(app.ready(), app.url, app.header, app.cookie, app.subprotocols, app.get_mask_key)
    print(app.sock, app.prepared_socket, app.last_ping_tm, app.last_pong_tm, app.last_close_frame)
    print(app.ping_interval, app.ping_timeout, app.ping_payload, app.ping_thread, app.stop_ping)
    print(app.has_errored, app.has_done_teardown, app.has_done_teardown_lock.locked())
    print(app.on_open, app.on_reconnect, app.on_message, app.on_data, app.on_cont_message)
    print(app.on_ping, app.on_pong, app.on_close, app.create_dispatcher(10))
    app.on_error = lambda app, exception: print(exception)
    app.keep_running = False
    app.close(status=1001, reason=b"bye", timeout=1)


def turn(loop: websocket.Loop, sock: socket.socket) -> None:
    loop.signal(2, loop.abort)
    loop.read(sock, lambda: True)
    loop.write(sock, lambda: False)
    loop.timeout(1.5, print, "a line")
    loop.buffwrite(sock, b"bytes", lambda sock, data: len(data), lambda exc: None)
    loop.call_in_thread(lambda: None, lambda: None)
    print(loop.running, loop.here)
    loop.stop()


# --- the protocol without a socket ----------------------------------------------------------------


def open_without_a_socket(uri: str, receive: Iterator[bytes]) -> Iterator[bytes]:
    parsed: websocket.WebSocketURI = websocket.parse_uri(uri)
    protocol = websocket.ClientProtocol(
        parsed,
        origin="https://example.com",
        subprotocols=["chat"],
        state=websocket.State.CONNECTING,
        max_size=None,
        logger=logging.getLogger("program"),
    )
    request: websocket.Request = protocol.connect()
    request.headers["X-Token"] = "1"
    protocol.send_request(request)
    yield from protocol.data_to_send()
    for data in receive:
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, websocket.Response):
                print(event.status, event.headers["Sec-WebSocket-Accept"], event.body)
            elif event.opcode == websocket.ABNF.OPCODE_TEXT:
                print(websocket.Frame(event.opcode, event.data, event.fin))
    protocol.receive_eof()


def speak(protocol: websocket.ClientProtocol) -> Iterator[bytes]:
    try:
        protocol.send_text(b"begin", fin=False)
        protocol.send_continuation(b"end", fin=True)
        protocol.send_binary(b"bytes")
        protocol.send_ping(b"there?")
        protocol.send_pong(b"here")
        protocol.send_close(1000, "bye")
        protocol.fail(websocket.STATUS_POLICY_VIOLATION, "no")
    except websocket.InvalidState as exc:
        print(exc)
    yield from (data for data in protocol.data_to_send() if data != websocket.SEND_EOF)
    print(protocol.id, protocol.logger, protocol.state, protocol.subprotocol)
    print(protocol.handshake_exc, protocol.close_expected(), protocol.close_code)
    print(protocol.close_reason, protocol.close_exc.status_code)


# --- errors, frames and the rest ------------------------------------------------------------------


def explain(exc: Exception) -> str | None:
    if isinstance(exc, websocket.WebSocketConnectionClosedException):
        return f"{exc.status_code} {exc.reason}"
    if isinstance(exc, websocket.WebSocketWouldBlockException):
        return str(exc.errno)
    if isinstance(exc, websocket.WebSocketTimeoutException):
        return "too late"
    if isinstance(exc, (websocket.WebSocketProtocolException, websocket.WebSocketPayloadException)):
        return f"we have told the server {exc.close_code}"
    return exc.hint if isinstance(exc, websocket.WebSocketException) else None


def name(code: int) -> str:
    return {
        websocket.STATUS_NORMAL: "normal",
        websocket.STATUS_GOING_AWAY: "going away",
        websocket.STATUS_PROTOCOL_ERROR: "protocol error",
        websocket.STATUS_UNSUPPORTED_DATA_TYPE: "unsupported data",
        websocket.STATUS_STATUS_NOT_AVAILABLE: "no code",
        websocket.STATUS_ABNORMAL_CLOSED: "lost",
        websocket.STATUS_INVALID_PAYLOAD: "invalid payload",
        websocket.STATUS_POLICY_VIOLATION: "policy violation",
        websocket.STATUS_MESSAGE_TOO_BIG: "message too big",
        websocket.STATUS_INVALID_EXTENSION: "extension missing",
        websocket.STATUS_UNEXPECTED_CONDITION: "internal error",
        websocket.STATUS_SERVICE_RESTART: "service restart",
        websocket.STATUS_TRY_AGAIN_LATER: "try again later",
        websocket.STATUS_BAD_GATEWAY: "bad gateway",
        websocket.STATUS_TLS_HANDSHAKE_ERROR: "TLS failed",
    }[code]


def take_apart(sock: socket.socket) -> None:
    options = websocket.sock_opt([], {})
    options.timeout = 5
    print(websocket.recv_line(sock), websocket.send(sock, b"bytes"), websocket.recv(sock, 1024))
    buffer = websocket.frame_buffer(sock.recv, False)
    whole = websocket.continuous_frame(False, False)
    frame: websocket.ABNF = buffer.recv_frame()
    whole.validate(frame)
    whole.add(frame)
    if whole.is_fire(frame):
        print(whole.extract(frame))
    headers = websocket.Headers([("Set-Cookie", "a=b"), ("Set-Cookie", "c=d")])
    print(headers.get_all("set-cookie"), headers.get("Server", "unknown"), dict(headers))


def log() -> None:
    websocket.enableTrace(True, handler=logging.StreamHandler(sys.stdout), level="DEBUG")
    if websocket.isEnabledForTrace() and websocket.isEnabledForDebug():
        websocket.dump("a title", "a message")
        websocket.trace("sent")
        websocket.debug("connected")
    if websocket.isEnabledForError():
        websocket.warning("careful")
        websocket.error("failed")
