"""Promise: which proxy is used follows from the arguments, then the environment, and a log line
says which and why; a description that cannot work raises, and no text shows a password."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from websocket import WebSocketProxyException
from websocket._transport.options import TransportOptions
from websocket._transport.proxies import Proxy, choose_proxy, sslopt_for


def choose(
    host: str = "server.test",
    port: int = 80,
    secure: bool = False,
    env: dict[str, str] | None = None,
    **options: Any,
) -> Proxy | None:
    return choose_proxy(host, port, secure, TransportOptions(**options), env or {})


def test_no_proxy_unless_one_is_named() -> None:
    assert choose() is None


@pytest.mark.parametrize(
    ("variable", "secure"),
    [
        ("http_proxy", False),
        ("HTTP_PROXY", False),
        ("ws_proxy", False),
        ("https_proxy", True),
        ("HTTPS_PROXY", True),
        ("wss_proxy", True),
        ("WSS_PROXY", True),
        ("all_proxy", False),
        ("ALL_PROXY", True),
    ],
)
def test_the_environment_names_a_proxy(variable: str, secure: bool) -> None:
    """In both cases; for the other kind of connection it says nothing, all_proxy aside."""
    env = {variable: "http://proxy.test:3128"}
    assert choose(secure=secure, env=env) == Proxy("http", "proxy.test", 3128)
    assert (choose(secure=not secure, env=env) is None) == ("all" not in variable.lower())


def test_our_own_variables_come_first_and_lower_case_wins() -> None:
    env = {"http_proxy": "http://a:1", "ws_proxy": "http://b:2", "HTTP_PROXY": "http://c:3"}
    assert str(choose(env=env)) == "http://b:2"
    del env["ws_proxy"]
    assert str(choose(env=env)) == "http://a:1"
    env["http_proxy"] = ""
    assert choose(env=env) is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://p", Proxy("http", "p", 80)),
        ("https://p", Proxy("https", "p", 443)),
        ("HTTP://P:8080/path", Proxy("http", "p", 8080)),
        ("socks5://p", Proxy("socks5", "p", 1080)),
        ("socks4a://[::1]:99", Proxy("socks4a", "::1", 99)),
        ("socks://p:1", Proxy("socks5h", "p", 1)),
        ("http://u:p%40%3Aw@p:1", Proxy("http", "p", 1, "u", "p@:w")),
        ("http://u@p:1", Proxy("http", "p", 1, "u", "")),
        ("p:3128", Proxy("http", "p", 3128)),
    ],
)
def test_proxy_urls(url: str, expected: Proxy) -> None:
    assert choose(proxy=url) == expected
    if "://" in url:
        assert choose(env={"all_proxy": url}) == expected


def test_a_variable_without_scheme_is_no_proxy(caplog: pytest.LogCaptureFixture) -> None:
    """As in websocket-client; but a warning says so."""
    with caplog.at_level(logging.WARNING, "websocket"):
        assert choose(env={"http_proxy": "proxy.test:3128"}) is None
    assert "http_proxy is ignored" in caplog.text


def test_false_ignores_everything() -> None:
    env = {"http_proxy": "http://a:1"}
    assert choose(proxy=False, http_proxy_host="b", http_proxy_port=2, env=env) is None


def test_arguments_win_over_the_environment() -> None:
    env = {"http_proxy": "http://a:1", "all_proxy": "http://a:1"}
    assert str(choose(http_proxy_host="b", http_proxy_port=2, env=env)) == "http://b:2"
    assert str(choose(proxy="socks5h://c:3", env=env)) == "socks5h://c:3"


def test_the_classic_arguments() -> None:
    """Port as a number or text, credentials whole or without a password, any of the types; no type
    is http."""
    given: dict[str, Any] = {"http_proxy_host": "b", "http_proxy_port": "2"}
    assert choose(**given, proxy_type=None) == Proxy("http", "b", 2)
    assert choose(**given, http_proxy_auth=("u", "w")) == Proxy("http", "b", 2, "u", "w")
    assert choose(**given, http_proxy_auth=["u", None]) == Proxy("http", "b", 2, "u", None)
    for kind in ("http", "https", "socks4", "socks4a", "socks5", "socks5h"):
        assert choose(**given, proxy_type=kind) == Proxy(kind, "b", 2)
    v6 = choose(http_proxy_host="::1", http_proxy_port=3)
    assert v6 == Proxy("http", "::1", 3)
    assert str(v6) == "http://[::1]:3"


def test_a_callable_is_asked_for_each_connection() -> None:
    asked: list[tuple[str, int, bool]] = []

    def pick(host: str, port: int, secure: bool) -> str | None:
        asked.append((host, port, secure))
        return "http://c:3" if secure else None

    assert choose(proxy=pick, env={"http_proxy": "http://a:1"}) is None
    assert str(choose(secure=True, port=443, proxy=pick)) == "http://c:3"
    assert asked == [("server.test", 80, False), ("server.test", 443, True)]


def test_credentials_beside_a_url_without_them() -> None:
    found = choose(proxy="http://c:3", http_proxy_auth=("u", "w"))
    assert found == Proxy("http", "c", 3, "u", "w")


@pytest.mark.parametrize(
    "options",
    [
        {"proxy": "http://a:1"},
        {"proxy": lambda *_: "http://a:1"},
        {"http_proxy_host": "a", "http_proxy_port": 1},
        {"http_proxy_host": "a", "http_proxy_port": 1, "proxy_type": "socks5"},
        {"env": {"http_proxy": "http://a:1"}},
        {"env": {"http_proxy": "socks5://a:1"}},
    ],
)
@pytest.mark.parametrize("entries", [["server.test"], "other, .test", ("server.test:80",)])
def test_http_no_proxy_excepts_hosts_from_each_rule(options: Any, entries: Any) -> None:
    """Alone or beside the others, as a list or as text with commas; SOCKS too."""
    assert choose(**options, http_no_proxy=entries) is None
    assert choose("elsewhere.example", **options, http_no_proxy=entries) is not None


def test_no_proxy_of_the_environment() -> None:
    """It excepts hosts from the environment's proxy and from the classic arguments, but an explicit
    proxy= is meant, and http_no_proxy takes its place."""
    env = {"http_proxy": "http://a:1", "no_proxy": "server.test"}
    assert choose(env=env) is None
    assert choose(env=env, http_proxy_host="b", http_proxy_port=2) is None
    assert choose(env=env, proxy="http://c:3") is not None
    assert choose(env=env, http_no_proxy=["other.test"]) is not None


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "proxy for server.test:80: none (none is configured)"),
        ({"proxy": False}, "none (proxy=False)"),
        ({"proxy": "http://u:s3cret@a:1"}, "http://a:1 (proxy=)"),
        ({"http_proxy_host": "a", "http_proxy_port": 1}, "http://a:1 (http_proxy_host)"),
        ({"env": {"http_proxy": "http://a:1"}}, "http://a:1 (environment variable http_proxy)"),
        ({"env": {"http_proxy": "http://a", "no_proxy": "*"}}, "none ('*' in no_proxy)"),
    ],
)
def test_a_debug_line_says_which_and_why(
    options: Any, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "websocket"):
        choose(**options)
    assert line in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    "options",
    [
        {"http_proxy_host": "a"},
        {"http_proxy_host": "a", "http_proxy_port": 0},
        {"http_proxy_host": "a", "http_proxy_port": None},
        {"http_proxy_host": "a", "http_proxy_port": 65536},
        {"http_proxy_host": "a", "http_proxy_port": "s3cret"},
        {"http_proxy_host": "http://u:s3cret@a", "http_proxy_port": 1},
        {"http_proxy_host": "a\r\nX: y", "http_proxy_port": 1},
        {"http_proxy_host": "a", "http_proxy_port": 1, "http_proxy_auth": ("s3cret\r\nX: y", "")},
        {"http_proxy_host": "a", "http_proxy_port": 1, "http_proxy_auth": ("a:b", "s3cret")},
        {"proxy": "http://u:s3cret@"},
        {"proxy": "http://u:s3cret@a:port"},
        {"proxy": "http://u:s3cret@a b"},
        {"proxy": "gopher://u:s3cret@a:1"},
        {"proxy": "socks5://u:s3cr%C3%A9t@a:1"},
        {"proxy": f"socks5://u:{'s3cret' * 50}@a:1"},
        {"proxy": "socks4://u%00:s3cret@a:1"},
        {"env": {"http_proxy": "http://u:s3cret@:1"}},
    ],
)
def test_what_cannot_work_raises_without_showing_secrets(options: Any) -> None:
    """Before anything is sent; the error is a ValueError, too."""
    with pytest.raises(WebSocketProxyException) as caught:
        choose(**options)
    assert isinstance(caught.value, ValueError)
    text = repr(caught.value) + str(caught.value)
    if options.get("http_proxy_port") != "s3cret":
        assert "s3cr" not in text
    assert caught.value.__cause__ is None


def test_port_0_is_told_in_the_known_words() -> None:
    with pytest.raises(WebSocketProxyException, match="Cannot use port 0 when proxy_host"):
        choose(http_proxy_host="a", proxy_type="socks5")


def test_an_unknown_type_is_python_socks_proxy_error_too() -> None:
    import python_socks

    with pytest.raises(python_socks.ProxyError, match="proxy_type 'ftp' is unknown") as caught:
        choose(http_proxy_host="a", http_proxy_port=1, proxy_type="ftp")
    assert isinstance(caught.value, WebSocketProxyException)
    assert isinstance(caught.value, ValueError)


def test_no_text_form_shows_credentials() -> None:
    proxy = choose(proxy="http://u:s3cret@a:1")
    assert "s3cret" not in f"{proxy} {proxy!r}"


def test_the_proxy_is_trusted_like_the_server_but_sees_no_client_key() -> None:
    given = {"ca_certs": "ca", "cert_reqs": 0, "certfile": "key", "server_hostname": "x"}
    assert sslopt_for(TransportOptions(sslopt=given)) == {"ca_certs": "ca", "cert_reqs": 0}
    own = {"ca_certs": "other"}
    assert sslopt_for(TransportOptions(sslopt=given, proxy_sslopt=own)) == own


def test_a_pinned_server_does_not_leave_the_proxy_unverified() -> None:
    """cert_reqs=CERT_NONE stands beside the pin of the server, which the proxy does not have."""
    given = {"fingerprint": "00" * 32, "cert_reqs": 0}
    assert sslopt_for(TransportOptions(sslopt=given)) == {}


def test_a_context_gives_its_trust_and_not_itself() -> None:
    import ssl

    import trustme

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trustme.CA().configure_trust(context)
    found = sslopt_for(TransportOptions(sslopt={"context": context}))["context"]
    assert found is not context
    assert found.get_ca_certs() == context.get_ca_certs()
    assert (found.verify_mode, found.check_hostname) == (ssl.CERT_REQUIRED, True)
