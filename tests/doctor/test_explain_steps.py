"""Promise: `explain(url)` walks the way to a server that works, and says what each step found."""

from __future__ import annotations

import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from papers import Papers

from websocket import Request, Response, explain
from websocket.testing import Connection, Server, accept, expect_frame, frame, script, send, serve

CLOSE, PING = 8, 9
PLAIN = ["url", "proxy", "lookup", "tcp", "http", "ping", "close"]
TLS = ["url", "proxy", "lookup", "tcp", "tls", "http", "ping", "close"]


def facts(report: Any, name: str) -> dict[str, Any]:
    """What the last step of this name found."""
    return [step for step in report.steps if step.name == name][-1].facts


def outcomes(report: Any) -> dict[str, str]:
    return {step.name: step.outcome for step in report.steps}


def test_a_plain_server_passes_every_step(clear: Server) -> None:
    report = explain(clear.url)
    assert report.ok
    assert [step.name for step in report.steps] == PLAIN
    assert set(outcomes(report).values()) == {"ok"}
    assert all(step.detail and step.hint is None for step in report.steps)
    assert all(0 <= step.seconds < 10 for step in report.steps)
    assert report.seconds == pytest.approx(sum(step.seconds for step in report.steps))


def test_what_the_handshake_agreed_on_is_told(clear: Server) -> None:
    report = explain(clear.url, subprotocols=["chat"], compression="deflate")
    found = facts(report, "http")
    assert (found["status"], found["reason"]) == (101, "Switching Protocols")
    assert found["subprotocol"] == "chat"
    assert found["extensions"].startswith("permessage-deflate")
    assert 0 < facts(report, "ping")["round_trip"] < 10
    assert facts(report, "close")["code"] == 1000


def test_the_proxy_and_the_rule_that_chose_it_are_told(
    clear: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert facts(explain(clear.url), "proxy") == {"proxy": None, "rule": "none is configured"}
    assert facts(explain(clear.url, proxy=False), "proxy")["rule"] == "proxy=False"
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.0/8")
    assert facts(explain(clear.url), "proxy")["rule"] == "'127.0.0.0/8' in no_proxy"


def test_all_addresses_of_the_name_are_tried(
    clear: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal costs no time: the connection takes the next address, and all is well."""
    kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
    found = [(*kind, (host, clear.port)) for host in ("127.0.0.9", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
    report = explain(f"ws://two.example:{clear.port}/")
    assert report.ok and set(outcomes(report).values()) == {"ok"}
    assert facts(report, "lookup") == {
        "host": "two.example",
        "addresses": ["127.0.0.9", "127.0.0.1"],
    }
    first, second = facts(report, "tcp")["addresses"]
    assert (first["address"], first["error"]) == ("127.0.0.9", "Connection refused")
    assert (second["address"], second["error"]) == ("127.0.0.1", None)
    assert facts(report, "tcp")["used"] == "127.0.0.1"
    assert f"127.0.0.9:{clear.port} Connection refused" in str(report)


def test_of_many_addresses_the_first_ones_are_tried(
    clear: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
    found = [(*kind, (f"127.0.0.{last}", clear.port)) for last in range(1, 201)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
    report = explain("ws://many.example/")
    assert report.ok
    assert len(facts(report, "lookup")["addresses"]) == 200
    assert len(facts(report, "tcp")["addresses"]) == 16
    assert "184 more addresses were not tried" in str(report)


def test_an_address_of_ones_own_is_dialled_instead(clear: Server) -> None:
    report = explain("ws://no-such-host.invalid/", address=("127.0.0.1", clear.port))
    assert report.ok and facts(report, "lookup")["host"] == "127.0.0.1"


def test_tls_and_the_certificate_are_told(secure: Server, papers: Papers) -> None:
    report = explain(f"wss://localhost:{secure.port}/", sslopt=papers.sslopt)
    assert [step.name for step in report.steps] == TLS
    assert report.ok and set(outcomes(report).values()) == {"ok"}
    found = facts(report, "tls")
    assert found["version"] in ("TLSv1.2", "TLSv1.3")
    assert "AES" in found["cipher"] or "CHACHA20" in found["cipher"]
    assert (found["alpn"], found["verified"]) == ("http/1.1", True)
    certificate = found["certificate"]
    assert certificate["names"] == ["localhost", "127.0.0.1"]
    assert "trustme" in certificate["subject"] and "trustme" in certificate["issuer"]
    assert certificate["days_left"] > 300
    der = ssl.PEM_cert_to_DER_cert(papers.certificate.read_text())
    pin = {"cert_reqs": ssl.CERT_NONE, "fingerprint": certificate["sha256"]}
    assert explain(secure.url, sslopt=pin).ok, der


def test_redirects_are_followed_and_each_hop_is_told(clear: Server) -> None:
    def elsewhere(_: Request) -> Response:
        return Response(302, headers={"Location": clear.url + "/there?token=abc"})

    with serve(on_request=elsewhere) as server:
        report = explain(server.url + "/here")
    assert report.ok
    assert [step.name for step in report.steps] == [*PLAIN[:5], *PLAIN]
    first = next(step for step in report.steps if step.name == "http")
    assert (first.facts["status"], first.outcome) == (302, "ok")
    assert first.facts["location"] == clear.url + "/there?***"
    assert report.url == server.url + "/here"


def test_credentials_are_given_when_they_are_asked_for() -> None:
    def locked(request: Request) -> Response | None:
        if "Authorization" in request.headers:
            return None
        return Response(401, headers={"WWW-Authenticate": "Bearer"})

    with serve(on_request=locked) as server:
        report = explain(server.url, auth=lambda challenge: "Bearer abc" if challenge else None)
    assert report.ok
    assert [s.facts["status"] for s in report.steps if s.name == "http"] == [401, 101]


def test_unix_sockets_and_sockets_that_are_given(tmp_path: Path, clear: Server) -> None:
    path = str(tmp_path / "s")
    with serve(unix_socket=path) as server:
        report = explain(server.url)
    assert report.ok
    assert [step.name for step in report.steps] == ["url", "unix", "http", "ping", "close"]
    sock = socket.create_connection(("127.0.0.1", clear.port))
    report = explain(clear.url, socket=sock)
    assert report.ok and [step.name for step in report.steps] == ["url", "http", "ping", "close"]


def test_messages_before_the_pong_are_passed_over() -> None:
    def talkative(connection: Connection) -> None:
        connection.send("x" * 300_000)
        for message in connection:
            connection.send(message)

    with serve(talkative) as server:
        assert explain(server.url).ok


def test_a_server_that_closes_at_once_by_the_book_is_a_warning() -> None:
    with script(accept(), send(frame(CLOSE, b"\x03\xe9"))) as server:
        report = explain(server.url)
    assert report.ok
    assert (outcomes(report)["ping"], outcomes(report)["close"]) == ("warning", "ok")


def test_a_server_that_hangs_up_without_closing_is_a_warning() -> None:
    pong = send(frame(10, b"explain"))
    with script(accept(), expect_frame(PING), pong, expect_frame(CLOSE)) as server:
        report = explain(server.url)
    assert report.ok and outcomes(report)["close"] == "warning"
    assert "warning at close" in str(report)


def test_the_report_is_data_and_text(clear: Server) -> None:
    report = explain(clear.url)
    read = json.loads(json.dumps(report.as_dict()))
    assert (read["format"], read["ok"], read["url"]) == (1, True, clear.url + "/")
    assert [step["name"] for step in read["steps"]] == PLAIN
    assert set(read["steps"][0]) == {"name", "outcome", "detail", "seconds", "hint", "facts"}
    lines = str(report).splitlines()
    assert lines[0].startswith(f"{clear.url}/ works (")
    assert [line.split()[0] for line in lines if line[:3] != "   "][1:] == PLAIN
    assert repr(report) == f"<Explanation {clear.url}/ ok>"
