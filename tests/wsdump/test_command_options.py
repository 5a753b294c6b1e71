"""Promise: the options reach the connection, and the exit status tells how it ended."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from wsdump_process import Piped

from websocket import create_connection
from websocket.testing import (
    Connection,
    Server,
    accept,
    drop,
    expect_frame,
    expect_request,
    frame,
    hang,
    script,
    send,
    serve,
)

TEXT, BINARY, CLOSE = 1, 2, 8
X = send(frame(TEXT, "x"))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


@pytest.fixture
def tls_server(authority: trustme.CA) -> Iterator[Server]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    with serve(ssl=context) as server:
        yield server


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def finished(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    """Status, stdout and stderr of a run whose stdin ends at once."""
    with Piped(*arguments) as wsdump:
        wsdump.type(stdin)
        wsdump.end()
        status = wsdump.wait()
    return status, wsdump.out.decode(), wsdump.err.decode()


# --- the exit status ------------------------------------------------------------------------------


def test_a_refusal_is_one_line_with_a_hint_and_status_1() -> None:
    status, out, err = finished(f"ws://127.0.0.1:{closed_port()}/")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("wsdump: ") and "is the server running" in err


def test_a_name_without_address_is_one_line_with_a_hint_and_status_1() -> None:
    status, out, err = finished("--timeout", "20", "ws://no-such-host.invalid/")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "no-such-host.invalid" in err


def test_an_http_error_is_one_line_with_a_hint_and_status_1() -> None:
    """Terminal escapes that the server put into its answer do not reach the terminal."""
    refusal = b"HTTP/1.1 404 No \x1b[31m way\r\nContent-Length: 0\r\n\r\n"
    with script(expect_request(), send(refusal)) as server:
        status, out, err = finished(server.url)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "404" in err and "\x1b" not in err


def test_a_certificate_that_is_not_trusted_is_one_line_and_status_1(tls_server: Server) -> None:
    status, out, err = finished(f"wss://localhost:{tls_server.port}/")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "ertificate" in err


def test_a_timeout_of_connecting_is_one_line_and_status_1() -> None:
    with script(expect_request(), hang()) as server:
        status, out, err = finished("--timeout", "0.2", server.url)
    assert (status, out, err.count("\n")) == (1, "", 1)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--no-such-option", "ws://x/"],
        ["http://example.com/"],
        ["--count", "0", "ws://x/"],
        ["--count", "many", "ws://x/"],
        ["--wait", "-1", "ws://x/"],
        ["-v", "loud", "ws://x/"],
        ["--header", "no colon", "ws://x/"],
        ["--header", "A: b\nc", "ws://x/"],
        ["--address", "nowhere", "ws://x/"],
        ["--key", "key.pem", "ws://x/"],
        ["--listen", "70000"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    status, out, err = finished(*arguments)
    assert (status, out) == (2, "")
    assert "Traceback" not in err and "wsdump: " in err


def test_a_password_without_user_is_not_repeated() -> None:
    status, _, err = finished("--auth", "secret", "ws://x/")
    assert status == 2
    assert "secret" not in err


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (send(frame(CLOSE, b"\x03\xe8")), 0),
        (send(frame(CLOSE, b"\x03\xe9")), 0),
        (send(frame(CLOSE)), 0),
        (send(frame(CLOSE, b"\x03\xf3oh")), 3),
        (drop(), 3),
        (send(b"\xff\xff"), 3),
    ],
)
def test_an_abnormal_close_that_ends_the_program_is_status_3(ending: object, status: int) -> None:
    """It ends by itself when --wait or --count was given."""
    with (
        script(accept(), X, ending) as server,
        Piped("-r", "--wait", "60", server.url) as wsdump,
    ):
        assert wsdump.wait() == status
        assert wsdump.out.startswith(b"x\n")
        assert wsdump.err.count(b"\n") == (1 if status else 0)


def test_a_line_for_a_lost_connection_is_status_3() -> None:
    with script(accept(), drop()) as server, Piped("-v", "-r", server.url) as wsdump:
        wsdump.until_out(b"close: \n")
        wsdump.type(b"too late\n")
        assert wsdump.wait() == 3
        assert b"not sent" in wsdump.err and wsdump.err.count(b"\n") == 1


# --- when to stop ---------------------------------------------------------------------------------


def test_count_ends_it_after_so_many_messages_whatever_stdin_does() -> None:
    """Fragments are one message, pings are none, and what comes behind is not shown."""
    many = frame(TEXT, "a") + frame(9, "p") + frame(TEXT, "b", fin=False) + frame(0, "c")
    with script(accept(), send(many + frame(TEXT, "more") * 5), hang()) as server:
        with Piped("-r", "--count", "2", server.url) as wsdump:  # stdin is open
            assert wsdump.wait() == 0
            assert bytes(wsdump.out) == b"a\nb'p'\nb\nb'c'\n"
        assert finished("-r", "--count", "1", server.url) == (0, "a\n", "")


def test_a_count_that_is_not_reached_is_status_1() -> None:
    with script(accept(), X, send(frame(CLOSE, b"\x03\xe8"))) as server:
        status, _, err = finished("-r", "--count", "2", server.url)
    assert (status, err.count("\n")) == (1, 1)
    assert "1 of 2" in err
    with script(accept(), X, hang()) as server:
        status, _, err = finished("-r", "--count", "2", "--wait", "0.3", server.url)
    assert (status, err.count("\n")) == (1, 1)


def test_wait_ends_it_after_the_time() -> None:
    with (
        script(accept(), X, hang()) as server,
        Piped("-r", "--wait", "0.3", server.url) as wsdump,  # stdin is open
    ):
        assert (wsdump.wait(), bytes(wsdump.err)) == (0, b"")


# --- the connection -------------------------------------------------------------------------------


def test_header_auth_and_cookie_are_in_the_request() -> None:
    arguments = ["--header", "X-A: 1, 2", "--header", "X-B: b", "--headers", "X-C: c"]
    arguments += ["--auth", "user:pass:word", "--cookie", "a=1; b=2"]
    with script(accept(), X, hang()) as server:
        assert finished("-r", "--count", "1", *arguments, server.url)[0] == 0
        basic = base64.b64encode(b"user:pass:word")
        lines = [b"X-A: 1, 2", b"X-B: b", b"X-C: c", b"Cookie: a=1; b=2"]
        for line in [*lines, b"Authorization: Basic " + basic]:
            assert b"\r\n" + line + b"\r\n" in server.received[0]


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_the_proxy_is_used_with_its_credentials(scheme: str) -> None:
    tunnel = send(b"HTTP/1.1 200 OK\r\n\r\n")
    with script(expect_request(), tunnel, expect_request(), accept(), X, hang()) as proxy:
        user = "" if not scheme else "me:p%40ss@"
        url = f"{scheme}{user}127.0.0.1:{proxy.port}"
        with Piped("-r", "--proxy", url, "ws://elsewhere.invalid:81/") as wsdump:
            asked = proxy.wait_received(b"\r\n\r\n")
            assert asked.startswith(b"CONNECT elsewhere.invalid:81 HTTP/1.1\r\n")
            basic = b"Proxy-Authorization: Basic " + base64.b64encode(b"me:p@ss")
            assert (basic in asked) == bool(user)
            wsdump.interrupt()
            wsdump.wait()
        proxy.failures.clear()


def test_tls_by_ca_by_pin_and_without_verifying(
    authority: trustme.CA, ca_file: str, tls_server: Server
) -> None:
    url = f"wss://localhost:{tls_server.port}/"
    talk = ["-r", "-t", "hi", "--count", "1"]
    certificate = ssl.get_server_certificate(("127.0.0.1", tls_server.port))
    pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()
    for trust in (["--ca", ca_file], ["-n"], ["-n", "--pin", pin], ["--ca", ca_file, "--pin", pin]):
        assert finished(*talk, *trust, url) == (0, "hi\n", ""), trust
    for distrust in (["--pin", pin], ["-n", "--pin", "00" * 32]):
        status, _, err = finished(*talk, *distrust, url)
        assert (status, err.count("\n")) == (1, 1), distrust


def test_a_client_certificate_is_shown(authority: trustme.CA, ca_file: str, tmp_path: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    ours = authority.issue_cert("me@example.com")
    ours.private_key_pem.write_to_path(tmp_path / "key.pem")
    ours.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    files = ["--cert", str(tmp_path / "cert.pem"), "--key", str(tmp_path / "key.pem")]
    with serve(ssl=context) as server:
        url = f"wss://localhost:{server.port}/"
        talk = ["-r", "-t", "hi", "--count", "1", "--ca", ca_file]
        assert finished(*talk, *files, url) == (0, "hi\n", "")
        assert finished(*talk, url)[0] in (1, 3)  # with TLS 1.3 it is refused after the handshake


def test_unix_and_address_decide_where_to_dial(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    talk = ["-r", "-t", "hi", "--count", "1"]
    with serve(unix_socket=path):
        assert finished(*talk, "--unix", path, "ws://any.invalid/") == (0, "hi\n", "")
    with serve() as server:
        where = f"127.0.0.1:{server.port}"
        assert finished(*talk, "--address", where, "ws://any.invalid/") == (0, "hi\n", "")


def test_compression_is_offered_and_used() -> None:
    offers: list[str] = []
    with serve(
        compression="deflate",
        on_request=lambda request: offers.append(
            request.headers.get("Sec-WebSocket-Extensions", "")
        ),
    ) as server:
        text = "again and again " * 20
        talk = ["-r", "-t", text, "--count", "1"]
        assert finished(*talk, "--compression", server.url) == (0, text + "\n", "")
        assert finished(*talk, server.url) == (0, text + "\n", "")
    assert offers[0].startswith("permessage-deflate") and offers[1] == ""


def test_pings_are_sent_so_often_and_a_missing_pong_is_a_loss() -> None:
    with (
        script(accept(), expect_frame(9), hang()) as server,
        Piped("-r", "--wait", "60", "--ping-interval", "0.2", server.url) as wsdump,
    ):
        assert wsdump.wait() == 3
        assert wsdump.err.count(b"\n") == 1


def test_the_timeout_is_not_for_the_open_connection() -> None:
    """A server may be silent for longer than connecting may take."""
    steps = (accept(), expect_frame(TEXT, b"now"), X, hang())
    with script(*steps) as server, Piped("-r", "-v", "--timeout", "0.5", server.url) as wsdump:
        server.wait_received(b"\r\n\r\n")
        assert not wsdump.ends_within(1.0)
        assert bytes(wsdump.out) == b""
        wsdump.type(b"now\n")
        wsdump.until_out(b"text: x\n")


def test_binary_sends_the_bytes_of_stdin() -> None:
    steps = [expect_frame(BINARY, line) for line in (b"\xff\x00", b"", b"a\r")]
    with script(accept(), *steps, X, hang()) as server:
        got = finished("-r", "--binary", "--count", "1", server.url, stdin=b"\xff\x00\n\na\r\n")
    assert got == (0, "x\n", "")


def test_stdin_that_is_no_text_is_refused_with_a_hint() -> None:
    with script(accept(), hang()) as server:
        status, _, err = finished("-r", server.url, stdin=b"\xff\xfe\n")
    assert (status, err.count("\n")) == (1, 1)
    assert "--binary" in err


def test_json_is_indented_and_other_texts_stay() -> None:
    items = send(frame(TEXT, '{"a":[1,"ü"]}') + frame(TEXT, "{no") + frame(TEXT, "[" * 9999))
    with script(accept(), items, hang()) as server:
        status, out, _ = finished("-r", "--json", "--count", "3", server.url)
    expected = '{\n  "a": [\n    1,\n    "ü"\n  ]\n}\n{no\n' + "[" * 9999 + "\n"
    assert (status, out) == (0, expected)


def test_reconnect_goes_on_with_the_next_connection() -> None:
    """Also after a normal close; a line typed meanwhile goes to the connection that stands."""

    def handler(connection: Connection) -> None:
        connection.send(f"{connection.recv()}!")

    with (
        serve(handler) as server,  # which closes with 1000 after each line
        Piped("-r", "--reconnect", server.url) as wsdump,
    ):
        for line in (b"one", b"two"):
            wsdump.type(line + b"\n")
            wsdump.until_out(line + b"!\n\n")  # and its close, or the next line may be lost
        assert b"connecting again" in wsdump.err
        wsdump.interrupt()
        assert wsdump.wait() == 0


def test_reconnect_gives_up_where_time_heals_nothing() -> None:
    refusal = send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    with script(expect_request(), refusal) as server:
        status, out, err = finished("--reconnect", server.url)
    assert (status, out, err.count("\n")) == (1, "", 1)


# --- the server -----------------------------------------------------------------------------------


def test_listen_is_an_echo_server_that_says_where_it_is() -> None:
    with Piped("--listen", "-v") as wsdump:
        wsdump.until_out(b")\n")
        url = wsdump.out.decode().split()[2]
        ws = create_connection(url, timeout=20)
        for message in ("text \x1b[31m", b"bytes"):
            (ws.send if isinstance(message, str) else ws.send_bytes)(message)
            assert ws.recv() == message
        ws.close()
        wsdump.interrupt()
        assert (wsdump.wait(), bytes(wsdump.err)) == (0, b"")
        assert bytes(wsdump.out).splitlines()[1:] == [rb"text \x1b[31m", b"b'bytes'"]


def test_listen_on_a_port_in_use_is_status_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, out, err = finished("--listen", str(taken.getsockname()[1]))
    assert (status, out, err.count("\n")) == (1, "", 1)


def test_listen_speaks_tls_with_a_certificate(
    authority: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        tmp_path / "both"
    )
    with Piped("--listen", "0", "--cert", str(tmp_path / "both")) as wsdump:
        wsdump.until_out(b")\n")
        url = wsdump.out.decode().split()[2]
        assert url.startswith("wss://")
        talk = ("-r", "-t", "hi", "--count", "1")
        assert finished(*talk, "--ca", ca_file, url) == (0, "hi\n", "")
