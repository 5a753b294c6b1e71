"""What the tests of connecting share: certificates, echo servers, real proxies."""

from __future__ import annotations

from collections.abc import Iterator

import neighbours
import pytest
from papers import Papers, issue

from websocket.testing import Server, serve


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return issue(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="session")
def ws_server() -> Iterator[Server]:
    with serve() as server:
        yield server


@pytest.fixture(scope="session")
def wss_server(papers: Papers) -> Iterator[Server]:
    with serve(ssl=papers.context) as server:
        yield server


@pytest.fixture(params=["ws", "wss"])
def server(request: pytest.FixtureRequest, ws_server: Server, wss_server: Server) -> Server:
    """An echo server, in clear and with TLS."""
    return ws_server if request.param == "ws" else wss_server


@pytest.fixture(scope="session")
def squid(papers: Papers) -> Iterator[tuple[int, int]]:
    with neighbours.squid(papers.both) as ports:
        yield ports


@pytest.fixture(scope="session")
def tinyproxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("tinyproxy")
    with neighbours.tinyproxy(folder, ("someone", "s3cret-word")) as port:
        yield port


@pytest.fixture(scope="session")
def dante(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with neighbours.dante(tmp_path_factory.mktemp("dante")) as port:
        yield port


@pytest.fixture(scope="session")
def microsocks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with neighbours.microsocks(tmp_path_factory.mktemp("microsocks")) as port:
        yield port


@pytest.fixture(scope="session")
def guarded_microsocks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("guarded")
    with neighbours.microsocks(folder, ("someone", "s3cret-word")) as port:
        yield port


@pytest.fixture
def unused_port() -> int:
    """Nobody listens there."""
    return neighbours.free_port()
