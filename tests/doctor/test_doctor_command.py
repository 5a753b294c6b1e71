"""Promise: `wsdump --doctor URL` prints the report, with --json as JSON.

The exit status is 0 if the server can be talked to, 1 if not, 2 for wrong usage.
"""

from __future__ import annotations

import json
import socket
import ssl

import trustme
from papers import Papers
from wsdump_process import Piped, Terminal

from websocket.testing import Server, serve


def examined(*arguments: str) -> tuple[int, str, str]:
    with Piped("--doctor", *arguments) as wsdump:
        status = wsdump.wait()
    return status, wsdump.out.decode(), wsdump.err.decode()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_server_that_works_is_status_0(clear: Server) -> None:
    status, out, err = examined(clear.url)
    assert (status, err) == (0, "")
    assert out.startswith(f"{clear.url}/ works") and "\033" not in out
    assert "answered in" in out


def test_one_that_cannot_be_reached_is_status_1() -> None:
    status, out, err = examined(f"ws://127.0.0.1:{closed_port()}/")
    assert (status, err) == (1, "")
    assert "fails at tcp" in out and "hint: nothing listens there" in out


def test_json(clear: Server) -> None:
    status, out, _ = examined("--json", clear.url)
    report = json.loads(out)
    assert (status, report["ok"], report["format"]) == (0, True, 1)
    status, out, _ = examined("--json", f"ws://127.0.0.1:{closed_port()}/")
    report = json.loads(out)
    assert (status, report["ok"]) == (1, False)
    assert "failed" in [step["outcome"] for step in report["steps"]]


def test_the_other_options_hold(secure: Server, papers: Papers) -> None:
    """And no password is shown."""
    url = f"wss://localhost:{secure.port}/"
    arguments = ("--ca", str(papers.ca), "--auth", "someone:s3cret-word", "--timeout", "20")
    status, out, err = examined(*arguments, url)
    assert (status, err) == (0, "")
    assert "TLSv1" in out and "certificate for" in out
    assert "s3cret-word" not in out and "someone" not in out
    assert examined(url)[0] == 1


def test_a_narrow_encoding_is_no_obstacle() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", organization_name="Grüße").configure_cert(context)
    with (
        serve(ssl=context) as server,
        Piped("--doctor", server.url, env={"PYTHONIOENCODING": "ascii"}) as wsdump,
    ):
        assert wsdump.wait() == 1
    assert rb"O=Gr\xfc\xdfe" in wsdump.out and not wsdump.err


def test_wrong_usage_is_status_2() -> None:
    for arguments in ([], ["http://example.com/"], ["--header", "A: b\nc", "ws://127.0.0.1/"]):
        status, out, err = examined(*arguments)
        assert (status, out) == (2, "") and "wsdump: " in err


def test_a_terminal_gets_colours_unless_it_wants_none(clear: Server) -> None:
    with Terminal("--doctor", clear.url) as wsdump:
        assert wsdump.wait() == 0
    assert b"\033[32mok\033[0m" in wsdump.out
    with Terminal("--doctor", clear.url, env={"NO_COLOR": "1"}) as wsdump:
        assert wsdump.wait() == 0
    assert b"\033" not in wsdump.out
