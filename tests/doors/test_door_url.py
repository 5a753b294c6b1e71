"""Promise: `websocket._url` tells what a URL says and which proxy leads to a host."""

from __future__ import annotations

import pytest

from websocket._exceptions import WebSocketProxyException
from websocket._url import (
    _is_address_in_network,
    _is_ip_address,
    _is_no_proxy_host,
    _is_subnet_address,
    get_proxy_info,
    parse_url,
)

NONE = (None, 0, None)


def test_parse_url() -> None:
    assert parse_url("ws://Example.com/r?k=v#f") == ("example.com", 80, "/r?k=v", False)
    assert parse_url("wss://[2001:db8::3]:8080") == ("2001:db8::3", 8080, "/", True)
    for url in ("http://example.com", "example.com", "ws:///path", "ws://example.com:99999"):
        with pytest.raises(ValueError, match="invalid"):
            parse_url(url)


def test_no_proxy_is_none_and_port_zero() -> None:
    assert get_proxy_info("example.com", False) == NONE
    assert get_proxy_info("example.com", True) == NONE


def test_the_proxy_that_is_given() -> None:
    found = get_proxy_info("example.com", False, "proxy", "3128", ("user", "secret"))
    assert found == ("proxy", "3128", ("user", "secret"))
    with pytest.raises(
        WebSocketProxyException, match="Cannot use port 0 when proxy_host specified"
    ):
        get_proxy_info("example.com", False, proxy_host="proxy")


def test_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://j%40x:P%40SS@proxy:3128/")
    monkeypatch.setenv("https_proxy", "http://secure")
    assert get_proxy_info("example.com", False) == ("proxy", 3128, ("j@x", "P@SS"))
    assert get_proxy_info("example.com", True) == ("secure", None, None)
    monkeypatch.setenv("http_proxy", "")
    assert get_proxy_info("example.com", False) == NONE
    assert get_proxy_info("example.com", False, "given", 1) == ("given", 1, None)


def test_a_variable_without_a_scheme_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "proxy:3128")
    assert get_proxy_info("example.com", False) == NONE


def test_a_variable_that_cannot_be_understood_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://user:secret@proxy:port")
    with pytest.raises(WebSocketProxyException, match="http_proxy") as caught:
        get_proxy_info("example.com", False)
    assert "secret" not in str(caught.value)


def test_hosts_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_proxy_info("a.example.com", True, "proxy", 1, None, ["example.com"]) == NONE
    assert get_proxy_info("a.example.com", True, "proxy", 1, None, "x.org,example.com") == NONE
    monkeypatch.setenv("no_proxy", "example.com")
    assert get_proxy_info("a.example.com", True, "proxy", 1) == NONE
    assert get_proxy_info("a.example.com", True, "proxy", 1, None, ["x.org"])[0] == "proxy"


def test_is_no_proxy_host(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _is_no_proxy_host("any.example.com", ["*"]) is True
    assert _is_no_proxy_host("badexample.com", ["example.com"]) is False
    assert _is_no_proxy_host("example.com", None) is False
    monkeypatch.setenv("no_proxy", "127.0.0.0/8, .example.com")
    assert _is_no_proxy_host("127.0.0.9", None) is True
    assert _is_no_proxy_host("a.example.com", None) is True


def test_addresses_and_networks() -> None:
    assert _is_address_in_network("127.0.0.1", "127.0.0.0/8") is True
    assert _is_address_in_network("2001:db8:1::1", "2001:db8::/64") is False
    assert _is_ip_address("::1") is True
    assert _is_ip_address("example.com") is False
    assert _is_subnet_address("10.0.0.0/8") is True
    assert _is_subnet_address("10.0.0.1/8") is False
    assert _is_subnet_address("10.0.0.0") is False
