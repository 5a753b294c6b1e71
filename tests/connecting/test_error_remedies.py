"""Promise: what goes wrong on the way is told in one line with the remedy, in `exc.hint` and in the
message, and no secret is in it."""

from __future__ import annotations

import datetime
import socket
import ssl
import struct
from typing import Any

import pytest
import trustme
from papers import Papers
from raw_peer import two_ends

import websocket
from websocket import Response
from websocket.testing import Server, Step, drop, expect_request, hang, reset, script, send, serve


def failure(url: str, **options: Any) -> Any:
    options.setdefault("timeout", 20)
    with pytest.raises((OSError, websocket.WebSocketException)) as caught:
        websocket.create_connection(url, **options)
    exc: Any = caught.value
    return exc


def check(exc: Any, remedy: str) -> None:
    """The hint holds the remedy, the message the hint, and both are one line."""
    assert exc.hint is not None and remedy in exc.hint
    assert exc.hint in str(exc)
    assert "\n" not in exc.hint


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (200, "check the path"),
        (400, "did not like the request"),
        (401, "auth="),
        (403, "origin="),
        (404, "check the path"),
        (407, "http_proxy_auth"),
        (426, "another protocol or version"),
        (429, "wait"),
        (500, "log"),
        (502, "gateway"),
        (503, "try again later"),
        (504, "gateway"),
    ],
)
def test_refusals(status: int, remedy: str) -> None:
    """Status, headers and body are there for the program; the classic text is, too."""
    answer = Response(status, {"X-Why": "because", "Retry-After": "7"}, b"the body")
    with serve(on_request=lambda request: answer) as server:
        exc = failure(server.url)
    assert isinstance(exc, websocket.WebSocketBadStatusException)
    check(exc, remedy)
    assert "Retry-After: 7 s" in str(exc.hint)
    assert str(exc).startswith(f"Handshake status {status} ")
    assert "-+-+-" in str(exc) and "the body" in str(exc)
    assert (exc.status_code, exc.resp_body) == (status, b"the body")
    assert (exc.resp_headers or {})["x-why"] == "because"
    assert exc.response.status == status


def test_what_steers_a_terminal_is_written_out() -> None:
    """In the message; what the program reads from the exception is as it came."""
    body = b"\x1b]0;title\x07<h1>\r\nno"
    with serve(on_request=lambda request: Response(403, {}, body)) as server:
        exc = failure(server.url)
    assert r"\x1b]0;title\x07<h1>\r\nno" in str(exc)
    assert str(exc).isprintable()
    assert exc.resp_body == exc.response.body == body


def test_chunked_and_unsized_bodies_are_shown() -> None:
    chunked = b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwhy\r\n0\r\n\r\n"
    unsized = b"HTTP/1.1 403 No\r\n\r\nwhy"
    for reply in (chunked, unsized):
        with script(expect_request(), send(reply)) as server:
            assert failure(server.url).resp_body == b"why"


def test_plain_http_on_a_wss_port(ws_server: Server) -> None:
    check(failure(ws_server.url.replace("ws://", "wss://")), "ws://")


@pytest.mark.parametrize(
    "reply", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n", b"x" * 99]
)
def test_no_tls_at_all_on_a_wss_port(reply: bytes) -> None:
    with script(send(reply)) as server:
        exc = failure(f"wss://127.0.0.1:{server.port}/")
    assert isinstance(exc, ssl.SSLError)
    check(exc, "ws://")


def test_a_wss_port_that_is_silent() -> None:
    with script(hang()) as server:
        exc = failure(f"wss://127.0.0.1:{server.port}/", timeout=0.5)
    assert isinstance(exc, websocket.WebSocketTimeoutException)
    check(exc, "ws://")
    assert "0.5 s while shaking hands by TLS with 127.0.0.1" in str(exc)


@pytest.mark.parametrize("end", [drop(), reset()])
def test_a_wss_port_that_hangs_up(end: Step) -> None:
    def step(peer: Any) -> None:
        peer.receive(1)
        end(peer)

    with script(step) as server:
        check(failure(f"wss://127.0.0.1:{server.port}/"), "does it speak TLS on this port?")


def test_tls_on_a_ws_port(wss_server: Server) -> None:
    """OpenSSL answers our request by an alert, and some servers by hanging up."""
    exc = failure(f"ws://localhost:{wss_server.port}/")
    check(exc, "wss://")
    with script(expect_request(), send(b"\x15\x03\x01\x00\x02\x02\x46")) as server:
        check(failure(server.url), "use wss://")


@pytest.mark.parametrize("end", [drop(), reset()])
def test_a_ws_port_that_hangs_up(end: Step) -> None:
    with script(expect_request(), end) as server:
        exc = failure(server.url)
    assert isinstance(exc, websocket.WebSocketConnectionClosedException)
    check(exc, "wss://")


def test_half_an_answer() -> None:
    with script(expect_request(), send(b"HTTP/1.1 101 Sw"), drop()) as server:
        check(failure(server.url), "hung up in the middle of its answer")


def test_http_2() -> None:
    with script(send(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00")) as server:
        check(failure(server.url), "HTTP/2")


def test_something_else_listens() -> None:
    with script(send(b"220 mail.test ESMTP\r\n")) as server:
        check(failure(server.url), "check host and port")


def test_nobody_listens(unused_port: int) -> None:
    exc = failure(f"ws://127.0.0.1:{unused_port}/")
    assert isinstance(exc, ConnectionRefusedError)
    check(exc, "nothing listens there")


def test_an_unknown_host() -> None:
    exc = failure("ws://unknown.invalid/")
    assert isinstance(exc, websocket.WebSocketAddressException)
    assert "unknown.invalid" in str(exc)
    assert exc.hint is not None and exc.hint in str(exc)


def secure_server(authority: trustme.CA, *names: str, **how: Any) -> Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **how).configure_cert(context)
    return serve(ssl=context)


def test_an_unknown_authority(wss_server: Server) -> None:
    exc = failure(f"wss://localhost:{wss_server.port}/")
    assert isinstance(exc, ssl.SSLCertVerificationError)
    check(exc, "ca_certs")
    assert "localhost" in str(exc)


def test_an_expired_certificate(papers: Papers) -> None:
    yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    with secure_server(papers.authority, "localhost", not_after=yesterday) as server:
        exc = failure(f"wss://localhost:{server.port}/", sslopt=papers.sslopt)
    assert isinstance(exc, ssl.SSLCertVerificationError)
    assert exc.verify_code == 10
    check(exc, "expired")


def test_a_certificate_for_another_name(papers: Papers) -> None:
    with secure_server(papers.authority, "other.test") as server:
        exc = failure(f"wss://localhost:{server.port}/", sslopt=papers.sslopt)
    assert isinstance(exc, ssl.SSLCertVerificationError)
    check(exc, "server_hostname")


def test_a_self_signed_certificate(papers: Papers, tmp_path: Any) -> None:
    """trustme's CA certificate, shown as a server's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    path = tmp_path / "self.pem"
    path.write_bytes(papers.authority.private_key_pem.bytes() + papers.authority.cert_pem.bytes())
    context.load_cert_chain(path)
    with serve(ssl=context) as server:
        exc = failure(f"wss://localhost:{server.port}/")
    assert isinstance(exc, ssl.SSLCertVerificationError)
    assert exc.verify_code in (18, 19)
    check(exc, "ca_certs")


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 403 No\r\nSet-Cookie: a=s3cret\r\n\r\n",
        b"HTTP/1.1 101 Sw\r\nSet-Cookie: a=s3cret\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: ftp://u:s3cret@host/?s3cret\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: //u:s3cret@host:port/?s3cret\r\n\r\n",
        b"\x15\x03\x01",
        b"",
    ],
)
def test_no_secret_is_shown(reply: bytes) -> None:
    """Neither what we send nor what the server wants us to keep."""
    with script(expect_request(), send(reply)) as server:
        url = server.url.replace("://", "://me:s3cret@") + "/?token=s3cret"
        exc = failure(url, header={"X-Token": "s3cret"}, cookie="a=s3cret")
    chain: BaseException | None = exc
    while chain is not None:
        assert "s3cret" not in str(chain)
        chain = chain.__cause__


def test_a_refused_connection_shows_no_secret(unused_port: int) -> None:
    exc = failure(f"ws://me:s3cret@127.0.0.1:{unused_port}/?token=s3cret")
    assert "s3cret" not in str(exc)


def test_an_error_of_the_socket_keeps_its_remote_ip() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        exc = failure(f"ws://127.0.0.1:{sock.getsockname()[1]}/")
    assert exc.remote_ip == "127.0.0.1"


def test_an_answer_of_who_does_not_read_our_request() -> None:
    """It counts more than that the request could not be written."""
    ours, theirs = two_ends("tcp")
    theirs.sendall(b"HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n")
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    with ours:
        exc = failure("ws://127.0.0.1/", socket=ours)
    assert isinstance(exc, websocket.WebSocketBadStatusException)
    check(exc, "try again later")
