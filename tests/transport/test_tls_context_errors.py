"""Promise: a TLS failure names host and remedy, and stays the ssl error that it was (0.12)."""

from __future__ import annotations

import datetime
import hashlib
import socket
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from websocket._transport.tls import (
    check_fingerprint,
    context_for,
    explain_tls_error,
    server_hostname_for,
)

NAME = "server.test"
UTC = datetime.timezone.utc


@contextmanager
def server(behaviour: trustme.LeafCert | bytes, **attributes: Any) -> Generator[int, None, None]:
    """A TLS server of one connection with this certificate, or one that says these bytes."""

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            if isinstance(behaviour, bytes):
                peer.recv(1)
                peer.sendall(behaviour)
                return
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            behaviour.configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
            for name, value in attributes.items():
                setattr(context, name, value)
            try:
                with context.wrap_socket(peer, server_side=True) as tls:
                    tls.recv(1)
            except OSError:
                pass  # the client has refused us

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join()


def failure(port: int, host: str, **sslopt: Any) -> Any:
    """What `explain_tls_error` makes of the error of this handshake."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        try:
            context_for(sslopt, {}).wrap_socket(
                sock, server_hostname=server_hostname_for(sslopt, host)
            ).close()
        except OSError as exc:
            told = explain_tls_error(exc, host)
            assert type(told) is type(exc)
            if told is not exc:
                assert told.args[0] == exc.errno
            return told
    raise AssertionError("the handshake did not fail")


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusted(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path)


def check_verification(told: Any, host: str, code: int, remedy: str) -> None:
    assert isinstance(told, ssl.SSLCertVerificationError)
    assert told.verify_code == code
    assert told.verify_message
    assert told.reason == "CERTIFICATE_VERIFY_FAILED"
    assert "certificate verify failed" in str(told)
    assert host in str(told)
    hint = vars(told)["hint"]
    assert remedy in hint
    assert hint in str(told)


def test_an_expired_certificate(ca: trustme.CA, trusted: str) -> None:
    past = datetime.datetime(2020, 1, 1, tzinfo=UTC)
    with server(ca.issue_cert(NAME, not_after=past)) as port:
        told = failure(port, NAME, ca_certs=trusted)
    check_verification(told, NAME, 10, "expired")


def test_a_certificate_for_another_name(ca: trustme.CA, trusted: str) -> None:
    with server(ca.issue_cert("other.test")) as port:
        told = failure(port, NAME, ca_certs=trusted)
    check_verification(told, NAME, 62, "server_hostname")


def test_a_certificate_for_another_address(ca: trustme.CA, trusted: str) -> None:
    with server(ca.issue_cert("127.0.0.9")) as port:
        told = failure(port, "127.0.0.1", ca_certs=trusted)
    check_verification(told, "127.0.0.1", 64, "server_hostname")


def test_an_unknown_authority(ca: trustme.CA, tmp_path: Path) -> None:
    trustme.CA(organization_name="another").cert_pem.write_to_path(str(tmp_path / "ca"))
    with server(ca.issue_cert(NAME)) as port:
        told = failure(port, NAME, ca_certs=str(tmp_path / "ca"))
    check_verification(told, NAME, 20, "ca_certs")


def self_signed() -> trustme.LeafCert:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(UTC)
    cert = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return trustme.LeafCert(private, cert.public_bytes(pem), [])


def test_a_self_signed_certificate(trusted: str) -> None:
    with server(self_signed()) as port:
        told = failure(port, NAME, ca_certs=trusted)
    check_verification(told, NAME, 18, "self-signed")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n"])
def test_a_server_without_tls(answer: bytes) -> None:
    with server(answer) as port:
        told = failure(port, NAME)
    assert isinstance(told, ssl.SSLError)
    hint = vars(told)["hint"]
    assert "ws://" in hint
    assert NAME in str(told)
    assert hint in str(told)


def test_a_server_that_hangs_up() -> None:
    with server(b"") as port, socket.create_connection(("127.0.0.1", port)) as sock:
        try:
            context_for(None, {}).wrap_socket(sock, server_hostname=NAME)
        except ssl.SSLEOFError as exc:
            told = explain_tls_error(exc, NAME)
            assert isinstance(told, ssl.SSLEOFError)
            assert "hung up" in vars(told)["hint"]
        except ConnectionResetError as exc:  # it left bytes of ours unread
            assert explain_tls_error(exc, NAME) is exc


def test_a_server_of_old_tls_only(ca: trustme.CA, trusted: str) -> None:
    """Against ours of at least 1.3; a server of 1.1 is beyond the OpenSSL of today."""
    context = ssl.create_default_context(cafile=trusted)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with server(ca.issue_cert(NAME), maximum_version=ssl.TLSVersion.TLSv1_2) as port:
        told = failure(port, NAME, context=context)
    assert "no TLS version in common" in told.hint
    assert NAME in str(told)


def test_a_failure_without_a_remedy_still_names_the_host() -> None:
    told: Any = explain_tls_error(ssl.SSLError(1, "[SSL: ODD] odd (_ssl.c:1)"), NAME)
    assert str(told) == f"[SSL: ODD] odd (host {NAME})"
    assert told.hint is None


def test_an_explained_error_is_not_explained_twice() -> None:
    once = explain_tls_error(ssl.SSLError(1, "[SSL: ODD] odd"), NAME)
    assert explain_tls_error(once, NAME) is once


@pytest.mark.parametrize("other", [ConnectionResetError(104, "reset"), ValueError("x")])
def test_other_errors_come_back_as_they_are(other: Exception) -> None:
    assert explain_tls_error(other, NAME) is other


def test_the_pinned_certificate_is_accepted_in_any_spelling() -> None:
    digest = hashlib.sha256(b"certificate").hexdigest()
    pairs = ":".join(digest[i : i + 2] for i in range(0, 64, 2))
    for spelling in (digest, digest.upper(), pairs, pairs.upper()):
        check_fingerprint(b"certificate", spelling)


def test_another_certificate_than_the_pinned_one_is_refused_showing_both() -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="fingerprint") as caught:
        check_fingerprint(b"certificate", "00" * 32)
    assert "00" * 32 in str(caught.value)
    assert hashlib.sha256(b"certificate").hexdigest() in str(caught.value)
    told: Any = explain_tls_error(caught.value, NAME)
    assert NAME in str(told)
    assert "fingerprint" in told.hint
    assert told.verify_message == caught.value.verify_message


def test_a_malformed_pin_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        check_fingerprint(b"certificate", "abc")
