"""What the tests of event loops share: rel in a state of its own, servers in clear and with TLS."""

from __future__ import annotations

import signal
import ssl
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import rel
import trustme

from websocket.testing import Server, serve


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def sslopt(authority: trustme.CA, tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return {"ca_certs": str(path)}


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as server:
        yield server


@pytest.fixture
def tls_server(authority: trustme.CA) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    with serve(ssl=context) as server:
        yield server


@pytest.fixture(params=["epoll", "poll", "select"])
def relay(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """The real rel, once for each of its ways to wait; nothing is left of it afterwards."""
    handler = signal.getsignal(signal.SIGINT)
    rel.initialize([request.param], options=["strict"])
    rel.set_sleep(0.002)
    yield rel
    rel.abort()
    registrar = rel.rel.registrar
    close = getattr(getattr(registrar, "poll", None), "close", None)
    if close is not None:
        close()
    rel.buff.writings.clear()
    signal.signal(signal.SIGINT, handler)
