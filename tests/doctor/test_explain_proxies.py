"""Promise: the way through real proxies is told: the proxy, its addresses, and the tunnel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import neighbours
import pytest
from papers import Papers

from websocket import explain
from websocket.testing import Server

STEPS = ["url", "proxy", "lookup", "tcp", "tunnel", "tls", "http", "ping", "close"]


def through(report: Any, proxy: str) -> None:
    assert report.ok, str(report)
    assert [step.name for step in report.steps] == STEPS
    steps = {step.name: step for step in report.steps}
    assert steps["proxy"].facts["proxy"] == proxy
    assert proxy in steps["tunnel"].detail


def test_http_and_https_proxies(secure: Server, papers: Papers) -> None:
    url = f"wss://localhost:{secure.port}/"
    with neighbours.squid(papers.both) as (clear, tls):
        for proxy in (f"http://127.0.0.1:{clear}", f"https://localhost:{tls}"):
            through(explain(url, sslopt=papers.sslopt, proxy=proxy), proxy)


def test_a_socks_proxy_of_the_environment(
    secure: Server, papers: Papers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with neighbours.microsocks(tmp_path) as port:
        monkeypatch.setenv("all_proxy", f"socks5h://127.0.0.1:{port}")
        report = explain(f"wss://localhost:{secure.port}/", sslopt=papers.sslopt)
    through(report, f"socks5h://127.0.0.1:{port}")
    assert report.steps[1].facts["rule"] == "environment variable all_proxy"


def test_a_proxy_that_wants_a_password(secure: Server, tmp_path: Path) -> None:
    with neighbours.tinyproxy(tmp_path, ("someone", "s3cret-word")) as port:
        report = explain(secure.url, proxy=f"http://127.0.0.1:{port}")
    step = report.steps[STEPS.index("tunnel")]
    assert (step.name, step.outcome) == ("tunnel", "failed")
    assert "407" in step.detail and "http_proxy_auth" in str(step.hint)


def test_a_refused_certificate_is_looked_at_through_the_proxy(
    secure: Server, papers: Papers
) -> None:
    with neighbours.squid(papers.both) as (clear, _):
        report = explain(f"wss://localhost:{secure.port}/", proxy=f"http://127.0.0.1:{clear}")
    step = report.steps[STEPS.index("tls")]
    assert step.outcome == "failed"
    assert step.facts["certificate"]["names"] == ["localhost", "127.0.0.1"]


def test_a_proxy_whose_certificate_is_refused(secure: Server, papers: Papers) -> None:
    """That is trouble of the tunnel, and not of the TLS with the server."""
    with neighbours.squid(papers.both) as (_, tls):
        report = explain(secure.url, proxy=f"https://localhost:{tls}")
    step = report.steps[STEPS.index("tunnel")]
    assert (step.name, step.outcome) == ("tunnel", "failed")
    assert "proxy_sslopt" in str(step.hint)
