"""Promise: TLS verifies the chain and the name unless told otherwise, can be pinned to one
certificate, takes contexts of other makes, and never asks the terminal for a password."""

from __future__ import annotations

import hashlib
import os
import pty
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from papers import Papers

import websocket
from websocket.testing import Server, serve


def connect(server: Server, **sslopt: Any) -> websocket.WebSocket:
    url = f"wss://localhost:{server.port}"
    return websocket.create_connection(url, sslopt=sslopt, timeout=10)


def fingerprint(papers: Papers) -> str:
    der = ssl.PEM_cert_to_DER_cert(papers.certificate.read_text())
    return hashlib.sha256(der).hexdigest()


def test_pinned(wss_server: Server, papers: Papers) -> None:
    """Beside the chain's verification, or instead of it; colons and case do not matter."""
    pin = fingerprint(papers)
    pairs = ":".join(pin[i : i + 2] for i in range(0, 64, 2)).upper()
    connect(wss_server, ca_certs=str(papers.ca), fingerprint=pin).close()
    connect(wss_server, cert_reqs=ssl.CERT_NONE, fingerprint=pairs).close()


def test_another_certificate_than_the_pinned_one(wss_server: Server, papers: Papers) -> None:
    """No request is sent to it."""
    seen: list[object] = []
    with serve(ssl=papers.context, on_request=seen.append) as server:  # type: ignore[arg-type]
        for more in ({"ca_certs": str(papers.ca)}, {"cert_reqs": ssl.CERT_NONE}):
            with pytest.raises(ssl.SSLCertVerificationError, match="fingerprint") as caught:
                connect(server, fingerprint="00" * 32, **more)
            assert "sslopt fingerprint" in caught.value.hint  # type: ignore[attr-defined]
    assert seen == []


def test_a_pin_does_not_replace_the_chain(wss_server: Server, papers: Papers) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(wss_server, fingerprint=fingerprint(papers))


def test_a_malformed_pin(wss_server: Server) -> None:
    with pytest.raises(ValueError, match="fingerprint"):
        connect(wss_server, fingerprint="abc")


def test_http_1_1_is_offered_by_alpn(wss_server: Server, papers: Papers) -> None:
    ws = connect(wss_server, ca_certs=str(papers.ca))
    assert ws.sock.selected_alpn_protocol() == "http/1.1"
    ws.close()


def test_own_context(wss_server: Server, papers: Papers) -> None:
    context = ssl.create_default_context(cafile=str(papers.ca))
    connect(wss_server, context=context).close()


def test_truststore(wss_server: Server, papers: Papers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its context verifies by the system; here OpenSSL's defaults are pointed at our CA."""
    truststore = pytest.importorskip("truststore")
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(wss_server, context=context)
    context.load_verify_locations(cafile=str(papers.ca))
    ws = connect(wss_server, context=context)
    ws.send("hello")
    assert ws.recv() == "hello"
    ws.close()


@pytest.fixture
def client(tmp_path: Path, papers: Papers) -> tuple[str, str]:
    """A client's certificate, and its key, encrypted."""
    signed = papers.authority.issue_cert("client@example.com")
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    for blob in signed.cert_chain_pems:
        blob.write_to_path(str(certificate), append=True)
    plain = serialization.load_pem_private_key(signed.private_key_pem.bytes(), None)
    key.write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"s3cret-word"),
        )
    )
    return str(certificate), str(key)


@pytest.fixture
def strict_server(papers: Papers) -> Any:
    """It wants a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(papers.certificate, papers.key)
    context.load_verify_locations(papers.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    with serve(ssl=context) as server:
        yield server


def test_client_certificates(
    strict_server: Server, papers: Papers, client: tuple[str, str]
) -> None:
    ca = str(papers.ca)
    certfile, keyfile = client
    options = {"ca_certs": ca, "certfile": certfile, "keyfile": keyfile}
    connect(strict_server, **options, password="s3cret-word").close()
    connect(strict_server, ca_certs=ca, cert_chain=(certfile, keyfile, "s3cret-word")).close()


def test_a_missing_client_certificate(strict_server: Server, papers: Papers) -> None:
    """TLS 1.3 tells it only after the handshake: it ends the connection all the same, with a
    documented exception and the remedy."""
    with pytest.raises((ssl.SSLError, websocket.WebSocketException)) as caught:
        connect(strict_server, ca_certs=str(papers.ca)).recv()
    text = str(caught.value)
    assert "CERTIFICATE_REQUIRED" in text
    assert "(the server asks for a client certificate: sslopt certfile, keyfile)" in text
    assert "_ssl.c" not in text
    assert "wss://" not in text


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("option", ["sslopt", "proxy_sslopt"])
def test_unknown_keys_are_refused_before_anything_is_dialled(
    scheme: str, option: str, unused_port: int
) -> None:
    """Whether or not TLS will be spoken; those that are known, or None, are no matter for ws."""
    url = f"{scheme}://127.0.0.1:{unused_port}"
    with pytest.raises(ValueError, match="unknown sslopt key 'ca_cert', did you mean 'ca_certs'"):
        websocket.create_connection(url, **{option: {"ca_cert": "x"}})  # type: ignore[arg-type]
    known: Any = {"cert_reqs": ssl.CERT_NONE, "nobody_knows": None}
    with pytest.raises(ConnectionRefusedError):
        websocket.create_connection(url, **{option: known})


@pytest.mark.parametrize("chain", [False, True])
def test_an_encrypted_key_without_password(
    wss_server: Server, papers: Papers, client: tuple[str, str], chain: bool
) -> None:
    certfile, keyfile = client
    own: dict[str, Any] = {"certfile": certfile, "keyfile": keyfile}
    if chain:
        own = {"cert_chain": (certfile, keyfile, None)}
    with pytest.raises(websocket.WebSocketException, match="the key is encrypted") as caught:
        connect(wss_server, ca_certs=str(papers.ca), **own)
    assert caught.value.hint is not None and "password" in caught.value.hint


def test_a_wrong_password_is_not_shown(
    wss_server: Server, papers: Papers, client: tuple[str, str]
) -> None:
    certfile, keyfile = client
    with pytest.raises(websocket.WebSocketException) as caught:
        connect(
            wss_server,
            ca_certs=str(papers.ca),
            certfile=certfile,
            keyfile=keyfile,
            password="wr0ng-word",
        )
    assert "wr0ng-word" not in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_the_terminal_is_not_asked(client: tuple[str, str]) -> None:
    """In a process that has one; OpenSSL would print a prompt there and wait."""
    program = (
        "import websocket\n"
        "from websocket._transport.tls import context_for\n"
        "try:\n"
        f"    context_for({{'certfile': {client[0]!r}, 'keyfile': {client[1]!r}}})\n"
        "except websocket.WebSocketException as exc:\n"
        "    print('refused', exc.hint)\n"
    )
    master, slave = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            timeout=30,
            start_new_session=True,
            check=False,
            cwd=Path(__file__).parent.parent.parent,
        )
        os.set_blocking(master, False)
        try:
            asked = os.read(master, 1000)
        except BlockingIOError:
            asked = b""
    finally:
        os.close(master)
        os.close(slave)
    assert done.stdout.startswith(b"refused")
    assert asked == b""


def test_proxies_get_no_client_certificate(papers: Papers, client: tuple[str, str]) -> None:
    """An https proxy that asks for one gets none, and the server behind it does."""
    from websocket._transport.options import TransportOptions
    from websocket._transport.proxies import sslopt_for
    from websocket._transport.tls import context_for

    certfile, keyfile = client
    sslopt = {"certfile": certfile, "keyfile": keyfile, "password": "s3cret-word"}
    ours = {**sslopt, "ca_certs": str(papers.ca)}
    assert sslopt_for(TransportOptions(sslopt=ours)) == papers.sslopt
    context = context_for(ours)
    derived = context_for(sslopt_for(TransportOptions(sslopt={"context": context})))
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    asking.load_cert_chain(papers.certificate, papers.key)
    asking.load_verify_locations(papers.ca)
    asking.verify_mode = ssl.CERT_OPTIONAL
    assert shown_certificate(asking, context) is not None
    assert shown_certificate(asking, derived) is None


def shown_certificate(server_side: ssl.SSLContext, client_side: ssl.SSLContext) -> bytes | None:
    """What a client shows to a server that asks, by a handshake in memory."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(down, up, server_hostname="localhost")
    server = server_side.wrap_bio(up, down, server_side=True)
    sides = [client, server]
    for _ in range(10):
        for side in list(sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            sides.remove(side)
    return server.getpeercert(True)


def test_the_name_is_verified(papers: Papers) -> None:
    other = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    other.issue_cert("other.test").configure_cert(context)
    with serve(ssl=context) as server:
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        other.configure_trust(trusting)
        with pytest.raises(ssl.SSLCertVerificationError, match="localhost"):
            connect(server, context=trusting)
        connect(server, context=trusting, server_hostname="other.test").close()
