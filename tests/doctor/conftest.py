"""What the tests of the doctor share: certificates, a server in clear and one with TLS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from papers import Papers, issue

from websocket.testing import Server, serve


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return issue(tmp_path_factory.mktemp("papers"))


@pytest.fixture
def clear() -> Iterator[Server]:
    with serve(subprotocols=["chat"], compression="deflate") as server:
        yield server


@pytest.fixture
def secure(papers: Papers) -> Iterator[Server]:
    with serve(ssl=papers.context) as server:
        yield server
