"""Promise: which hosts go without a proxy, and which proxy the environment names."""

from __future__ import annotations

import pytest

from websocket._transport.proxy_choice import (
    bypasses,
    in_network,
    no_proxy_entries,
    split_proxy_url,
)
from websocket._transport.proxy_environment import environment_proxy


@pytest.mark.parametrize(
    ("host", "entry"),
    [
        ("example.com", "*"),
        ("10.1.2.3", "*"),
        ("example.com", "example.com"),
        ("a.b.example.com", "example.com"),
        ("a.example.com", ".example.com"),
        ("example.com", ".example.com"),
        ("a.example.com", "*.example.com"),
        ("EXAMPLE.com", "Example.COM"),
        ("example.com", "example.com."),
        ("example.com.", "example.com"),
        ("xn--mnchen-3ya.de", "münchen.de"),
        ("example.com", "example.com:8080"),
        ("a.example.com", "*.example.com:8080"),
        ("example.com", "*:8080"),
        ("10.1.2.3", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3", "10.1.2.3:8080"),
        ("10.1.2.3", "10.0.0.0/8:8080"),
        ("2001:db8::1", "2001:db8::/32"),
        ("2001:db8::1", "2001:0DB8:0::1"),
        ("2001:db8::1", "[2001:db8::1]"),
        ("2001:db8::1", "[2001:db8::1]:8080"),
        ("fe80::1%eth0", "fe80::/10"),
        ("localhost", "localhost"),
    ],
)
def test_an_entry_that_matches(host: str, entry: str) -> None:
    assert bypasses(host, 8080, ["elsewhere.org", entry]) == entry


@pytest.mark.parametrize(
    ("host", "entry"),
    [
        ("badexample.com", "example.com"),
        ("badexample.com", ".example.com"),
        ("badexample.com", "*.example.com"),
        ("example.com", "*.example.com"),
        ("com", "example.com"),
        ("example.com.evil.org", "example.com"),
        ("example.com", "example.com:80"),
        ("example.com", "example.com:99999999"),
        ("11.1.2.3", "10.0.0.0/8"),
        ("10.1.2.3", "10.0.0.1/8"),  # host bits set: not a network
        ("10.1.2.3", "10.0.0.0/33"),
        ("10.1.2.3", "10.0.0.0/-1"),
        ("10.1.2.3", "10.0.0.0/"),
        ("10.1.2.3", "1.2.3"),
        ("10.1.2.3", ".2.3"),
        ("2001:db9::1", "2001:db8::/32"),
        ("10.1.2.3", "::/0"),
        ("127.0.0.1", "localhost"),
        ("example.com", ""),
        ("example.com", "."),
        ("example.com", "10.0.0.0/8"),
    ],
)
def test_an_entry_that_does_not(host: str, entry: str) -> None:
    assert bypasses(host, 8080, [entry]) is None


def test_the_first_entry_that_matches_is_told() -> None:
    entries = ["other.org", "example.com:1", ".example.com", "*"]
    assert bypasses("a.example.com", 80, entries) == ".example.com"
    assert bypasses("a.example.com", 80, []) is None


@pytest.mark.parametrize(
    ("address", "network", "inside"),
    [
        ("127.0.0.1", "127.0.0.0/8", True),
        ("127.1.0.1", "127.0.0.0/24", False),
        ("127.0.0.1", "0.0.0.0/0", True),
        ("127.0.0.1", "127.0.0.1/32", True),
        ("name", "127.0.0.0/8", False),
        ("127.0.0.1", "name/8", False),
        ("127.0.0.1", "127.0.0.0/٨", False),
    ],
)
def test_networks(address: str, network: str, inside: bool) -> None:
    assert in_network(address, network) is inside


# --- the environment ------------------------------------------------------------------------------

PROXY = "http://proxy:1"
OTHER = "http://other:2"


@pytest.mark.parametrize(
    ("environ", "plain", "secure"),
    [
        ({}, None, None),
        ({"http_proxy": PROXY}, (PROXY, "http_proxy"), None),
        ({"https_proxy": PROXY}, None, (PROXY, "https_proxy")),
        ({"HTTP_PROXY": PROXY}, (PROXY, "HTTP_PROXY"), None),
        ({"ALL_PROXY": PROXY}, (PROXY, "ALL_PROXY"), (PROXY, "ALL_PROXY")),
        ({"http_proxy": PROXY, "HTTP_PROXY": OTHER}, (PROXY, "http_proxy"), None),
        ({"ws_proxy": PROXY, "http_proxy": OTHER}, (PROXY, "ws_proxy"), None),
        ({"WSS_PROXY": PROXY, "https_proxy": OTHER}, None, (PROXY, "WSS_PROXY")),
        (
            {"http_proxy": PROXY, "all_proxy": OTHER},
            (PROXY, "http_proxy"),
            (OTHER, "all_proxy"),
        ),
        # Set and empty means: none.
        ({"http_proxy": "", "HTTP_PROXY": OTHER, "all_proxy": OTHER}, None, (OTHER, "all_proxy")),
        ({"http_proxy": " http://pro xy:1 "}, (PROXY, "http_proxy"), None),
        # Set by a header of a request to a CGI script.
        ({"HTTP_PROXY": OTHER, "REQUEST_METHOD": "GET"}, None, None),
        ({"http_proxy": PROXY, "REQUEST_METHOD": "GET"}, (PROXY, "http_proxy"), None),
    ],
)
def test_the_variable_that_names_the_proxy(
    environ: dict[str, str],
    plain: tuple[str, str] | None,
    secure: tuple[str, str] | None,
) -> None:
    assert environment_proxy(False, environ) == plain
    assert environment_proxy(True, environ) == secure


def test_what_no_proxy_lists() -> None:
    environ = {"no_proxy": "a.org, b.org ,,c.org", "NO_PROXY": "d.org"}
    assert no_proxy_entries(None, environ) == ["a.org", "b.org", "c.org"]
    assert no_proxy_entries([], environ) == ["a.org", "b.org", "c.org"]
    assert no_proxy_entries(None, {"NO_PROXY": "d.org"}) == ["d.org"]
    assert no_proxy_entries(None, {"no_proxy": "", "NO_PROXY": "d.org"}) == []
    assert no_proxy_entries(["x.org"], environ) == ["x.org"]
    assert no_proxy_entries("x.org, y.org", environ) == ["x.org", "y.org"]


# --- the URL of a proxy ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://proxy", ("http", "proxy", None, None)),
        ("http://proxy:3128/", ("http", "proxy", 3128, None)),
        ("HTTP://Proxy:3128/path?x#y", ("http", "proxy", 3128, None)),
        ("socks5h://[::1]:1080", ("socks5h", "::1", 1080, None)),
        ("https://[::1]", ("https", "::1", None, None)),
        ("proxy:3128", ("http", "proxy", 3128, None)),
        ("//proxy:3128", ("http", "proxy", 3128, None)),
        ("http://user@proxy", ("http", "proxy", None, ("user", ""))),
        ("http://j%40x:P%40:%2F@proxy:1", ("http", "proxy", 1, ("j@x", "P@:/"))),
        ("http://proxy:80", ("http", "proxy", 80, None)),
    ],
)
def test_the_parts_of_a_proxy_url(
    url: str, parts: tuple[str, str, int | None, tuple[str, str] | None]
) -> None:
    assert split_proxy_url(url) == parts


@pytest.mark.parametrize(
    "url", ["", "http://", "http://user:secret@", "http://user:secret@h:0", "http://u:secret@h:x"]
)
def test_what_is_no_proxy_url(url: str) -> None:
    """The error never shows credentials."""
    with pytest.raises(ValueError, match="proxy") as caught:
        split_proxy_url(url)
    assert "secret" not in str(caught.value)
