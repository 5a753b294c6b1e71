"""Promise: what is wrong with a certificate is told together with what it says of itself; nothing
but the server's name is sent on the connection that looks at it."""

from __future__ import annotations

import random
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import trustme

from websocket import explain
from websocket._explain_certificate import certificate_facts
from websocket.testing import Server, serve

NOW = datetime.now(timezone.utc)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


@contextmanager
def server_with(authority: trustme.CA, *names: str, **validity: Any) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **validity).configure_cert(context)
    with serve(ssl=context) as server:
        yield server


def tls_step(server: Server, **options: Any) -> Any:
    report = explain(f"wss://localhost:{server.port}/", **options)
    return next(step for step in report.steps if step.name == "tls")


def test_an_unknown_authority(authority: trustme.CA) -> None:
    with server_with(authority, "localhost") as server:
        step = tls_step(server)
        assert server.errors == []
    assert step.outcome == "failed"
    assert "trustme" in step.facts["certificate"]["issuer"]
    assert "issued by" in step.detail and "ca_certs" in step.hint


def test_another_name(authority: trustme.CA, ca_file: str) -> None:
    with server_with(authority, "other.example", "*.other.example") as server:
        step = tls_step(server, sslopt={"ca_certs": ca_file})
    assert step.outcome == "failed"
    assert step.facts["certificate"]["names"] == ["other.example", "*.other.example"]
    assert "server_hostname" in step.hint


def test_an_expired_one(authority: trustme.CA, ca_file: str) -> None:
    with server_with(authority, "localhost", not_after=NOW - timedelta(days=3)) as server:
        step = tls_step(server, sslopt={"ca_certs": ca_file})
        lenient = tls_step(server, sslopt={"cert_reqs": ssl.CERT_NONE})
    assert step.outcome == "failed" and step.facts["certificate"]["days_left"] < 0
    assert "expired" in step.detail and "new one" in step.hint
    assert (lenient.outcome, lenient.facts["verified"]) == ("warning", False)


def test_one_that_expires_soon_is_a_warning(authority: trustme.CA, ca_file: str) -> None:
    with server_with(authority, "localhost", not_after=NOW + timedelta(days=5, hours=12)) as server:
        step = tls_step(server, sslopt={"ca_certs": ca_file})
    assert (step.outcome, step.facts["certificate"]["days_left"]) == ("warning", 5)
    assert "expires in 5 days" in step.detail


def test_a_pin_that_does_not_match(authority: trustme.CA, ca_file: str) -> None:
    with server_with(authority, "localhost") as server:
        step = tls_step(server, sslopt={"ca_certs": ca_file, "fingerprint": "0" * 64})
    assert step.outcome == "failed"
    assert step.facts["certificate"]["sha256"] in step.detail


def test_what_a_certificate_says_cannot_steer_a_terminal(authority: trustme.CA) -> None:
    with server_with(authority, "localhost", organization_name="Grüße \x1b[31m") as server:
        step = tls_step(server)
    assert r"O=Grüße \x1b[31m" in step.detail and "\x1b" not in step.detail


def test_a_malformed_certificate_is_no_catastrophe(authority: trustme.CA) -> None:
    """Any server may send anything; each byte is bent once, and the end is cut off."""
    pem = authority.issue_cert("localhost").cert_chain_pems[0].bytes().decode()
    der = ssl.PEM_cert_to_DER_cert(pem)
    assert "error" not in certificate_facts(der)
    source = random.Random(6455)
    for at in range(len(der)):
        bent = bytearray(der)
        bent[at] ^= source.randrange(1, 256)
        assert "sha256" in certificate_facts(bytes(bent))
        assert "error" in certificate_facts(der[:at])
