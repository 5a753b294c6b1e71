"""Promise: each `sslopt` key does what its name says, and what cannot be done is said (3.1)."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme

from websocket._exceptions import WebSocketException
from websocket._transport.tls import context_for, server_hostname_for

SECRET = "correct horse battery"


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Paths: ca (file), certfile, keyfile, locked (an encrypted key), nothing (not there)."""
    folder = tmp_path_factory.mktemp("tls")
    leaf = ca.issue_cert("client.test")
    ca.cert_pem.write_to_path(str(folder / "ca"))
    leaf.cert_chain_pems[0].write_to_path(str(folder / "certfile"))
    leaf.private_key_pem.write_to_path(str(folder / "keyfile"))
    (folder / "locked").write_bytes(locked(leaf.private_key_pem.bytes()))
    return {name: str(folder / name) for name in ("ca", "certfile", "keyfile", "locked", "nothing")}


def locked(pem: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization as s

    return s.load_pem_private_key(pem, None).private_bytes(
        s.Encoding.PEM, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(SECRET.encode())
    )


def context(env: Mapping[str, str] | None = None, /, **sslopt: Any) -> ssl.SSLContext:
    return context_for(sslopt, env or {})


def test_nothing_asked_for_is_safe() -> None:
    """Promises, "Security": TLS >= 1.2, chain and name verified."""
    for made in (context(), context_for(None, {}), context_for({}, {})):
        assert made.verify_mode == ssl.CERT_REQUIRED
        assert made.check_hostname
        assert made.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert made.cert_store_stats()["x509_ca"] > 0 or not os.path.exists("/etc/ssl/certs")


def test_the_environment_of_the_process_is_the_default(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBSOCKET_CLIENT_CA_BUNDLE", files["ca"])
    assert context_for(None).cert_store_stats()["x509_ca"] == 1


def test_every_key_may_be_none() -> None:
    keys = ["context", "ssl_version", "cert_reqs", "check_hostname", "ca_certs", "ca_cert_path"]
    keys += ["certfile", "keyfile", "password", "cert_chain", "ciphers", "ecdh_curve"]
    keys += ["server_hostname", "do_handshake_on_connect", "suppress_ragged_eofs", "fingerprint"]
    made = context_for(dict.fromkeys(keys), {})
    assert made.verify_mode == ssl.CERT_REQUIRED
    assert made.check_hostname


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("ca_cert", "ca_certs"),
        ("CA_CERTS", "ca_certs"),
        ("cert_req", "cert_reqs"),
        ("sslversion", "ssl_version"),
        ("ssl_context", "context"),
        ("cipher", "ciphers"),
    ],
)
def test_an_unknown_key_is_refused_and_the_right_one_suggested(key: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f"'{key}', did you mean '{meant}'"):
        context(**{key: "x"})


def test_an_unknown_key_like_no_other_is_refused_with_the_list_of_keys() -> None:
    with pytest.raises(ValueError, match=r"'zzz'.*ca_certs.*fingerprint") as caught:
        context(zzz=1)
    assert "did you mean" not in str(caught.value)


def test_a_ready_made_context_is_returned_untouched() -> None:
    ready = ssl.create_default_context()
    before = (ready.options, ready.verify_flags, ready.minimum_version, ready.keylog_filename)
    harmless = {
        "server_hostname": "other.test",
        "do_handshake_on_connect": True,
        "suppress_ragged_eofs": True,
        "fingerprint": "00" * 32,
        "ca_certs": "/nothing",
    }
    assert context_for({"context": ready, **harmless}, {"SSLKEYLOGFILE": "/nothing/x"}) is ready
    after = (ready.options, ready.verify_flags, ready.minimum_version, ready.keylog_filename)
    assert after == before


@pytest.mark.parametrize(
    ("key", "same", "other"),
    [
        ("cert_reqs", ssl.CERT_REQUIRED, ssl.CERT_NONE),
        ("check_hostname", True, False),
        ("ssl_version", ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS),
    ],
)
def test_beside_a_context_a_key_must_agree_with_it(key: str, same: Any, other: Any) -> None:
    """Contract 0.12."""
    ready = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert context(context=ready, **{key: same}) is ready
    with pytest.raises(ValueError, match=key):
        context(context=ready, **{key: other})


def test_cert_none_alone_switches_the_name_check_off_too() -> None:
    made = context(cert_reqs=ssl.CERT_NONE)
    assert made.verify_mode == ssl.CERT_NONE
    assert not made.check_hostname
    assert made.cert_store_stats()["x509_ca"] == 0, "no CA is loaded in vain"


def test_cert_none_with_a_name_check_is_a_contradiction() -> None:
    with pytest.raises(WebSocketException, match="check_hostname"):
        context(cert_reqs=ssl.CERT_NONE, check_hostname=True)


def test_without_the_name_check_the_chain_is_still_verified() -> None:
    made = context(check_hostname=False)
    assert made.verify_mode == ssl.CERT_REQUIRED
    assert not made.check_hostname


def test_ca_certs_replaces_the_systems_authorities(files: dict[str, str]) -> None:
    assert context(ca_certs=files["ca"]).cert_store_stats()["x509_ca"] == 1


def test_ca_cert_path_takes_a_directory(tmp_path: Path) -> None:
    assert context(ca_cert_path=str(tmp_path)).cert_store_stats()["x509_ca"] == 0


@pytest.mark.parametrize("key", ["ca_certs", "ca_cert_path"])
def test_authorities_that_cannot_be_loaded_are_named(key: str, files: dict[str, str]) -> None:
    with pytest.raises(WebSocketException, match="SSL CA certificate loading failed") as caught:
        context(**{key: files["nothing"]})
    assert files["nothing"] in str(caught.value)


def test_a_ca_file_without_certificates_is_named(files: dict[str, str]) -> None:
    with pytest.raises(WebSocketException, match="SSL CA certificate loading failed") as caught:
        context(ca_certs=files["keyfile"])
    assert files["keyfile"] in str(caught.value)
    assert isinstance(caught.value.__cause__, ssl.SSLError)


def test_the_bundle_of_the_environment_is_used_unless_the_caller_names_one(
    files: dict[str, str], tmp_path: Path
) -> None:
    """Contract 3.2."""
    variable = "WEBSOCKET_CLIENT_CA_BUNDLE"
    assert context({variable: files["ca"]}).cert_store_stats()["x509_ca"] == 1
    assert context({variable: str(tmp_path)}).cert_store_stats()["x509_ca"] == 0, "a directory"
    system = context().cert_store_stats()["x509_ca"]
    assert context({variable: files["nothing"]}).cert_store_stats()["x509_ca"] == system
    two = tmp_path / "two"
    second = trustme.CA().cert_pem.bytes()
    two.write_bytes(Path(files["ca"]).read_bytes() + second)
    made = context({variable: files["ca"]}, ca_certs=str(two))
    assert made.cert_store_stats()["x509_ca"] == 2


def test_a_client_certificate_with_its_key(files: dict[str, str]) -> None:
    context(certfile=files["certfile"], keyfile=files["keyfile"])
    context(certfile=files["certfile"], keyfile=files["locked"], password=SECRET)
    context(cert_chain=(files["certfile"], files["keyfile"], None))
    context(cert_chain=[files["certfile"], files["locked"], SECRET])


@pytest.mark.parametrize("key", ["certfile", "cert_chain"])
def test_a_client_certificate_that_cannot_be_loaded_is_named(
    key: str, files: dict[str, str]
) -> None:
    missing = files["nothing"]
    value = missing if key == "certfile" else (missing, None, None)
    with pytest.raises(WebSocketException, match="client certificate") as caught:
        context(**{key: value})
    assert missing in str(caught.value)


def test_a_wrong_password_is_never_shown(files: dict[str, str]) -> None:
    for sslopt in (
        {"certfile": files["certfile"], "keyfile": files["locked"], "password": "hunter2"},
        {"cert_chain": (files["certfile"], files["locked"], "hunter2")},
        {"certfile": files["certfile"], "keyfile": files["locked"], "password": "hunter2" * 1000},
    ):
        with pytest.raises(WebSocketException, match="locked") as caught:
            context(**sslopt)
        assert "hunter2" not in repr(caught.value)


@pytest.mark.parametrize("chain", ["abc", ("a", "hunter2"), ("a", "b", "c", "hunter2"), 5])
def test_a_cert_chain_of_another_shape_is_refused_without_showing_it(chain: Any) -> None:
    with pytest.raises(ValueError, match="cert_chain") as caught:
        context(cert_chain=chain)
    assert "hunter2" not in str(caught.value)


def test_ciphers_are_set() -> None:
    made = context(ciphers="ECDHE-RSA-AES256-GCM-SHA384")
    tls12 = [each["name"] for each in made.get_ciphers() if each["protocol"] == "TLSv1.2"]
    assert tls12 == ["ECDHE-RSA-AES256-GCM-SHA384"]


@pytest.mark.parametrize("key", ["ciphers", "ecdh_curve"])
def test_ciphers_and_curves_that_are_unknown_are_named(key: str) -> None:
    with pytest.raises(WebSocketException, match=f"{key} 'NO-SUCH'"):
        context(**{key: "NO-SUCH"})


def test_a_curve_is_set() -> None:
    context(ecdh_curve="prime256v1")


def test_http_1_1_is_offered_by_alpn() -> None:
    """So that a server with HTTP/2 on the same port does not choose that."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.set_alpn_protocols(["h2", "http/1.1"])
    leaf = trustme.CA().issue_cert("server.test")
    leaf.configure_cert(server)  # pyright: ignore[reportUnknownMemberType]
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = context(cert_reqs=ssl.CERT_NONE).wrap_bio(to_client, to_server)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for end in (ours, theirs):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
    assert ours.selected_alpn_protocol() == "http/1.1"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_ssl_version_is_the_one_asked_for() -> None:
    assert context(ssl_version=ssl.PROTOCOL_TLSv1_2).protocol == ssl.PROTOCOL_TLSv1_2
    old = context(ssl_version=ssl.PROTOCOL_TLSv1)
    assert old.protocol == ssl.PROTOCOL_TLSv1
    any_version = context(ssl_version=ssl.PROTOCOL_TLS)
    assert any_version.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert any_version.verify_mode == ssl.CERT_REQUIRED
    assert any_version.check_hostname


def test_the_key_log_of_the_environment_is_written(tmp_path: Path) -> None:
    log = str(tmp_path / "keys")
    assert context({"SSLKEYLOGFILE": log}).keylog_filename == log
    assert context({"SSLKEYLOGFILE": ""}).keylog_filename is None


def test_a_key_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(WebSocketException, match="SSLKEYLOGFILE"):
        context({"SSLKEYLOGFILE": str(tmp_path / "no" / "keys")})


@pytest.mark.parametrize("value", ["AB:" * 31 + "AB", "ab" * 32, "AB" * 32])
def test_a_fingerprint_leaves_the_chain_verified(value: str) -> None:
    """A pin adds a check; it takes none away."""
    made = context(fingerprint=value)
    assert made.verify_mode == ssl.CERT_REQUIRED
    assert made.check_hostname
    assert context(fingerprint=value, cert_reqs=ssl.CERT_NONE).verify_mode == ssl.CERT_NONE


@pytest.mark.parametrize("value", ["", "ab" * 20, "zz" * 32, 5])
def test_a_malformed_fingerprint_is_refused_before_anything_is_sent(value: Any) -> None:
    with pytest.raises(ValueError, match="fingerprint"):
        context(fingerprint=value)


@pytest.mark.parametrize(
    ("sslopt", "host", "name"),
    [
        (None, "server.test", "server.test"),
        ({"server_hostname": "other.test"}, "server.test", "other.test"),
        ({"server_hostname": None}, "server.test", "server.test"),
        (None, "server.test.", "server.test"),
        (None, "127.0.0.1", "127.0.0.1"),
        (None, "fe80::1%eth0", "fe80::1"),
        (None, "", None),
    ],
)
def test_the_name_to_verify_is_sslopts_else_the_urls(
    sslopt: Mapping[str, Any] | None, host: str, name: str | None
) -> None:
    assert server_hostname_for(sslopt, host) == name
