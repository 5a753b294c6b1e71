"""Promise: we connect through the gateways that servers stand behind: nginx and haproxy, in clear
and with TLS, HTTP/2 on offer."""

from __future__ import annotations

from collections.abc import Iterator

import neighbours
import pytest
from papers import Papers

import websocket
from websocket.testing import Server


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def gateway(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    ws_server: Server,
    papers: Papers,
) -> Iterator[tuple[str, int, int]]:
    """Its name, its port in clear, its port with TLS."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "nginx":
        with neighbours.nginx(folder, ws_server.port, papers.certificate, papers.key) as ports:
            yield "nginx", *ports
    else:
        with neighbours.haproxy(folder, ws_server.port, papers.both) as ports:
            yield "haproxy", *ports


@pytest.mark.parametrize("secure", [False, True])
def test_messages_come_back(gateway: tuple[str, int, int], secure: bool, papers: Papers) -> None:
    port = gateway[2 if secure else 1]
    scheme = "wss" if secure else "ws"
    with websocket.create_connection(
        f"{scheme}://localhost:{port}/", timeout=20, sslopt=papers.sslopt, max_size=None
    ) as ws:
        for message in ("hello", "x" * 100_000):
            ws.send(message)
            assert ws.recv() == message
        if secure:
            assert ws.sock.selected_alpn_protocol() == "http/1.1"


def test_a_refusal_and_a_redirect_by_nginx(
    tmp_path_factory: pytest.TempPathFactory, ws_server: Server, papers: Papers
) -> None:
    folder = tmp_path_factory.mktemp("refusing")
    with neighbours.nginx(folder, ws_server.port, papers.certificate, papers.key) as (port, _):
        with pytest.raises(websocket.WebSocketBadStatusException) as caught:
            websocket.create_connection(f"ws://localhost:{port}/gone", timeout=20)
        assert caught.value.status_code == 404
        assert b"nginx" in (caught.value.resp_body or b"")
        ws = websocket.create_connection(f"ws://localhost:{port}/moved", timeout=20)
        assert ws.path == "/here"
        ws.close()


def test_a_gateway_without_its_server(
    tmp_path_factory: pytest.TempPathFactory, papers: Papers, unused_port: int
) -> None:
    folder = tmp_path_factory.mktemp("alone")
    with (
        neighbours.nginx(folder, unused_port, papers.certificate, papers.key) as (port, _),
        pytest.raises(websocket.WebSocketBadStatusException) as caught,
    ):
        websocket.create_connection(f"ws://localhost:{port}/", timeout=20)
    assert caught.value.status_code == 502
    assert "gateway" in (caught.value.hint or "")
