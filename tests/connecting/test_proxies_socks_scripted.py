"""Promise: SOCKS conversations end by our deadline and our exceptions, whatever the proxy does, and
each version says what it should: 4a and 5h leave the name to the proxy, 4 and 5 do not."""

from __future__ import annotations

import socket
import struct
import sys
import time
from typing import Any

import pytest

import websocket
from websocket import WebSocketProxyException
from websocket.testing import Conversation, Step, accept, drip, drop, frame, hang, script, send

TEXT = 0x1
GRANTED_4 = b"\0\x5a" + bytes(6)
GRANTED_5 = b"\x05\0\0\x01" + bytes(6)


def until_nul(peer: Conversation) -> bytes:
    text = b""
    while (byte := peer.receive(1)) != b"\0":
        text += byte
    return text


def socks4(said: dict[str, Any], reply: bytes = GRANTED_4) -> Step:
    """The server's side of SOCKS 4 and 4a; notes what was asked for."""

    def step(peer: Conversation) -> None:
        version, command, port, address = struct.unpack("!BBH4s", peer.receive(8))
        assert (version, command) == (4, 1)
        said["user"] = until_nul(peer)
        said["host"] = socket.inet_ntoa(address)
        if address[:3] == bytes(3):
            said["host"] = until_nul(peer).decode()
        said["port"] = port
        peer.send(reply)

    return step


def socks5(said: dict[str, Any], reply: bytes = GRANTED_5, method: int = 0) -> Step:
    """The server's side of SOCKS 5."""

    def step(peer: Conversation) -> None:
        version, count = peer.receive(2)
        assert version == 5 and method in peer.receive(count)
        peer.send(bytes([5, method]))
        if method == 2:
            said["user"] = peer.receive(peer.receive(2)[1])
            said["password"] = peer.receive(peer.receive(1)[0])
            peer.send(b"\1\0")
        kind = peer.receive(4)[3]
        if kind == 3:
            said["host"] = peer.receive(peer.receive(1)[0]).decode()
        else:
            family, size = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
            said["host"] = socket.inet_ntop(family, peer.receive(size))
        said["port"] = int.from_bytes(peer.receive(2), "big")
        peer.send(reply)

    return step


def connect(port: int, scheme: str, url: str = "ws://localhost:81/", **options: Any) -> Any:
    options.setdefault("timeout", 10)
    return websocket.create_connection(url, proxy=f"{scheme}://127.0.0.1:{port}", **options)


def served(step: Step, scheme: str, **options: Any) -> None:
    """A connection through a scripted proxy behind which a scripted server greets."""
    with script(step, accept(), send(frame(TEXT, "hi"))) as proxy:
        ws = connect(proxy.port, scheme, **options)
        assert ws.recv() == "hi"
        ws.shutdown()


def test_socks4a_leaves_the_name_to_the_proxy() -> None:
    said: dict[str, Any] = {}
    served(socks4(said), "socks4a", url="ws://only.the.proxy.knows.invalid/")
    assert said == {"user": b"", "host": "only.the.proxy.knows.invalid", "port": 80}


def test_socks4_names_the_user_and_an_ipv4_address() -> None:
    said: dict[str, Any] = {}
    served(socks4(said), "socks4", http_proxy_auth=("me", ""))
    assert said == {"user": b"me", "host": "127.0.0.1", "port": 81}


def test_socks5h_leaves_the_name_to_the_proxy() -> None:
    said: dict[str, Any] = {}
    served(socks5(said), "socks5h", url="ws://only.the.proxy.knows.invalid/")
    assert said == {"host": "only.the.proxy.knows.invalid", "port": 80}


def test_socks5_looks_the_name_up() -> None:
    said: dict[str, Any] = {}
    served(socks5(said), "socks5")
    assert said == {"host": "127.0.0.1", "port": 81}


def test_socks5_takes_ipv6_addresses() -> None:
    said: dict[str, Any] = {}
    served(socks5(said), "socks5", url="ws://[::1]:81/")
    assert said["host"] == "::1"


def test_socks5_sends_the_password_to_who_asks() -> None:
    said: dict[str, Any] = {}
    served(socks5(said, method=2), "socks5h", http_proxy_auth=("me", "s3cret"))
    assert (said["user"], said["password"]) == (b"me", b"s3cret")


def test_the_next_address_is_tried_on_a_new_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """SOCKS 5 with our own look-up: the first address is refused, the second one is served."""

    def addresses(host: str, port: int, *rest: Any) -> list[Any]:
        names = ["127.0.0.1"] if host == "127.0.0.1" else ["192.0.2.1", "192.0.2.2"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (name, port)) for name in names]

    asked: list[str] = []

    def step(peer: Conversation) -> None:
        said: dict[str, Any] = {}
        socks5(said, GRANTED_5 if peer.number else b"\x05\x05\0\x01" + bytes(6))(peer)
        asked.append(said["host"])
        if peer.number:
            peer.send(accept()(peer.read_request()) + frame(TEXT, "hi"))

    with script(step) as proxy:
        monkeypatch.setattr(socket, "getaddrinfo", addresses)
        ws = connect(proxy.port, "socks5")
        assert ws.recv() == "hi"
        ws.shutdown()
    assert asked == ["192.0.2.1", "192.0.2.2"]


def test_a_name_without_ipv4_address_is_not_for_socks4(monkeypatch: pytest.MonkeyPatch) -> None:
    def addresses(host: str, port: int, *rest: Any) -> list[Any]:
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", addresses)
    with pytest.raises(WebSocketProxyException, match="socks4a or socks5h"):
        connect(1, "socks4")


@pytest.mark.parametrize("code", [0x5B, 0x5C, 0x5D, 0])
def test_socks4_refusals(code: int) -> None:
    """Ours and python-socks' exception, and it says which proxy it was."""
    import python_socks

    said: dict[str, Any] = {}
    with script(socks4(said, bytes([0, code]) + bytes(6))) as proxy:
        with pytest.raises(WebSocketProxyException) as caught:
            connect(proxy.port, "socks4a")
        assert isinstance(caught.value, python_socks.ProxyError)
        assert f"proxy socks4a://127.0.0.1:{proxy.port}" in str(caught.value)


@pytest.mark.parametrize("code", [*range(1, 9), 99])
def test_socks5_refusals(code: int) -> None:
    import python_socks

    with script(socks5({}, bytes([5, code, 0, 1]) + bytes(6))) as proxy:
        with pytest.raises(WebSocketProxyException) as caught:
            connect(proxy.port, "socks5h")
        assert isinstance(caught.value, python_socks.ProxyError)


@pytest.mark.parametrize("scheme", ["socks4a", "socks5h"])
@pytest.mark.parametrize(
    "steps",
    [
        [send(b"HTTP/1.1 400 Bad Request\r\n\r\n")],
        [send(b"\0")],
        [send(b"\x05\xff")],
        [send(b"\xff" * 1000)],
        [send(bytes(100))],
        [drop()],
    ],
)
def test_nonsense_is_a_proxy_exception(scheme: str, steps: list[Step]) -> None:
    with script(lambda peer: peer.receive(1), *steps) as proxy:
        with pytest.raises(WebSocketProxyException) as caught:
            connect(proxy.port, scheme)
        assert f"proxy {scheme}://127.0.0.1:{proxy.port}" in str(caught.value)


@pytest.mark.parametrize("scheme", ["socks4", "socks4a", "socks5", "socks5h"])
@pytest.mark.parametrize("limit", ["timeout", "http_proxy_timeout"])
@pytest.mark.parametrize("step", [hang(), drip(b"\x05\0\0\x03\xff" + b"a" * 255, 0.05)])
def test_a_slow_proxy_ends_at_the_deadline(scheme: str, limit: str, step: Step) -> None:
    """A timeout by each of its names, with our number in its text and not python-socks' 60."""
    import python_socks

    with script(step) as proxy:
        started = time.monotonic()
        with pytest.raises(WebSocketProxyException) as caught:
            connect(proxy.port, scheme, **{"timeout": None, limit: 0.5})
        assert time.monotonic() - started < 5
    if "version" not in str(caught.value) and "eply" not in str(caught.value):  # not yet refused
        assert isinstance(caught.value, websocket.WebSocketTimeoutException)
        assert isinstance(caught.value, python_socks.ProxyTimeoutError)
        assert "0.5 s" in str(caught.value)
        assert "60" not in str(caught.value).replace(str(proxy.port), "")


def test_nobody_listens(unused_port: int) -> None:
    """ConnectionRefusedError, python-socks' exception and ours in one."""
    import python_socks

    with pytest.raises(WebSocketProxyException) as caught:
        connect(unused_port, "socks5h")
    assert isinstance(caught.value, ConnectionRefusedError)
    assert isinstance(caught.value, python_socks.ProxyConnectionError)
    assert caught.value.errno is not None


@pytest.mark.parametrize("wanted", [{"proxy": "socks5://127.0.0.1:1"}, {"env": True}])
def test_without_python_socks_the_error_names_the_way_out(
    wanted: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the environment wants SOCKS: we never go past a proxy in silence."""
    if wanted.pop("env", None):
        monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "python_socks", None)
    with pytest.raises(WebSocketProxyException) as caught:
        websocket.create_connection("ws://127.0.0.1:1/", **wanted)
    text = str(caught.value)
    assert "Python Socks is needed for SOCKS proxying but is not available" in text
    assert "pip install 'websocket-client[socks]'" in text
    assert "proxy=False" in text


def test_python_socks_before_its_third_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those take a socket in `connect` and know no `forward`."""
    from python_socks import sync

    class Old:
        def __init__(
            self, kind: Any, host: str, port: int, user: Any, password: Any, rdns: bool
        ) -> None:
            """Whatever it is told, it says one word."""

        def connect(self, dest_host: str, dest_port: int, timeout: Any, _socket: Any) -> Any:
            _socket.sendall(f"to {dest_host} {dest_port}".encode())
            assert _socket.recv(2) == b"ok"
            return _socket

    def step(peer: Conversation) -> None:
        peer.expect(b"to localhost 81")
        peer.send(b"ok")

    monkeypatch.setattr(sync, "Proxy", Old)
    served(step, "socks5h")


def test_errors_show_no_password() -> None:
    with (
        script(socks5({}, b"\x05\x01\0\x01" + bytes(6), method=2)) as proxy,
        pytest.raises(WebSocketProxyException) as caught,
    ):
        connect(proxy.port, "socks5h", http_proxy_auth=("me", "s3cret-word"))
    exc: BaseException | None = caught.value
    seen: list[BaseException] = []
    while exc is not None:
        assert exc not in seen, "a chain that ends nowhere"
        seen.append(exc)
        assert "s3cret-word" not in repr(exc) + str(exc)
        exc = exc.__cause__ or exc.__context__
