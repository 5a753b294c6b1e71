"""URLs: what they mean, what is refused, and that no password ever shows."""

from __future__ import annotations

import contextlib
import time
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, strategies as st

from websocket._wire.urls import WebSocketURI, parse_uri, parse_url, same_origin


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("ws://example.com", ("example.com", 80, "/", False)),
        ("wss://example.com", ("example.com", 443, "/", True)),
        ("WSS://EXAMPLE.COM/Path", ("example.com", 443, "/Path", True)),
        ("ws://example.com:8080/r/", ("example.com", 8080, "/r/", False)),
        ("ws://example.com?a=b", ("example.com", 80, "/?a=b", False)),
        ("ws://example.com/r?a=b?c/d", ("example.com", 80, "/r?a=b?c/d", False)),
        ("ws://example.com/r;p=1#fragment", ("example.com", 80, "/r;p=1", False)),
        ("ws://example.com#f/?x@y:z", ("example.com", 80, "/", False)),
        ("ws://example.com:/r", ("example.com", 80, "/r", False)),
        ("wss://example.com:", ("example.com", 443, "/", True)),
        ("ws://example.com:00080/", ("example.com", 80, "/", False)),
        ("ws://example.com:65535/", ("example.com", 65535, "/", False)),
        ("ws://example.com./", ("example.com.", 80, "/", False)),
        ("ws://my_host-1~/", ("my_host-1~", 80, "/", False)),
        ("ws://127.0.0.1:9000/", ("127.0.0.1", 9000, "/", False)),
        ("ws://[::1]/", ("::1", 80, "/", False)),
        ("wss://[2A03:4000:123:83::3]:8080/r", ("2a03:4000:123:83::3", 8080, "/r", True)),
        ("ws://[1:2:3:4:5:6:7::]/", ("1:2:3:4:5:6:7::", 80, "/", False)),
        ("ws://[::ffff:1.2.3.4]/", ("::ffff:1.2.3.4", 80, "/", False)),
        ("ws://[fe80::1%25Eth0]:81/", ("fe80::1%Eth0", 81, "/", False)),
        ("ws://[fe80::1%eth0]/", ("fe80::1%eth0", 80, "/", False)),
        ("ws://user:pw@example.com/", ("example.com", 80, "/", False)),
        ("ws://example.com//double", ("example.com", 80, "//double", False)),
    ],
)
def test_a_url_becomes_its_classic_tuple(url: str, parts: tuple[str, int, str, bool]) -> None:
    assert parse_url(url) == parts


@pytest.mark.parametrize(
    ("url", "prefix"),
    [
        ("", "url is invalid"),
        ("example.com", "url is invalid"),
        ("//example.com:80", "url is invalid"),
        ("http://example.com/", "scheme http is invalid"),
        ("localhost:8080/", "scheme localhost is invalid"),
        ("ws:", "hostname is invalid"),
        ("ws:example.com", "hostname is invalid"),
        ("ws:/example.com", "hostname is invalid"),
        ("ws://", "hostname is invalid"),
        ("ws:///path", "hostname is invalid"),
        ("ws://:80/", "hostname is invalid"),
        ("ws://user@/", "hostname is invalid"),
        ("ws://h:0/", "port is invalid"),
        ("ws://h:65536/", "port is invalid"),
        ("ws://h:" + "9" * 5000, "port is invalid"),
        ("ws://h:+80/", "port is invalid"),
        ("ws://h:-1/", "port is invalid"),
        ("ws://h:8_0/", "port is invalid"),
        ("ws://h:٨٠/", "port is invalid"),
        ("ws://h:８０/", "port is invalid"),
        ("ws://h: 80/", "port is invalid"),
        ("ws://h:80:80/", "port is invalid"),
        ("ws://::1/", "hostname is invalid"),
    ],
)
def test_the_parts_of_a_url_are_checked(url: str, prefix: str) -> None:
    """contract.md 6.1: the texts that programs may know."""
    with pytest.raises(ValueError, match="^" + prefix + ": expected .*, got "):
        parse_uri(url)


@pytest.mark.parametrize(
    "host",
    [
        "good\\@evil",
        "good\\",
        "a b",
        " a",
        "a ",
        "a%2eb",
        "a%00b",
        "a<b",
        'a"b',
        "a|b",
        "a^b",
        "a,b",
        "a..b",
        ".a",
        ".",
        "a" * 64,
        ".".join(["a" * 60] * 5),
        "ä" * 5000,
        "\u00ad",  # IDNA maps it to nothing
        "\uff0f",  # ... these to "/", "@", ":", "?", "#" and "a/c"
        "a\uff20b",
        "a\uff1ab",
        "a\uff1fb",
        "a\uff03b",
        "\u2100",
        "\u3000a",
        "\udc80",
        "a\u200eb",
        "[::1",
        "[",
        "[]",
        "[::1]x",
        "[::1]]",
        "[[::1]]",
        "::1]",
        "[1::2::3]",
        "[1:2:3:4:5:6:7:8:9]",
        "[1:2:3:4::5:6:7:8]",
        "[1:2:3]",
        "[::12345]",
        "[::g]",
        "[:::]",
        "[:1:2:3:4:5:6:7]",
        "[1.2.3.4]",
        "[::1.2.3]",
        "[::1.2.3.256]",
        "[::1.2.3.04]",
        "[1.2.3.4::]",
        "[v1.x]",
        "[example.com]",
        "[::1%]",
        "[::1%25]",
        "[::1%a b]",
        "[::1%25a/b]",
        "[::1%a%b]",
    ],
)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"^hostname is invalid: expected .*, got "):
        parse_uri(f"ws://{host}/")


@pytest.mark.parametrize("control", ["\r", "\n", "\t", "\0", "\x1b", "\x7f", "\r\nX: y"])
@pytest.mark.parametrize(
    "url", ["{}ws://h/", "ws://h{}/", "ws://h/a{}b", "ws://h/?a{}", "ws://u{}@h/"]
)
def test_control_characters_are_refused_everywhere(url: str, control: str) -> None:
    """contract.md 0.8; other parsers silently remove tabs and newlines."""
    with pytest.raises(ValueError, match="control characters"):
        parse_uri(url.format(control))


@pytest.mark.parametrize(
    ("host", "encoded"),
    [
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("日本語.jp", "xn--wgv71a119e.jp"),
        ("a\uff0eb", "a.b"),
        ("a\u3002b", "a.b"),
        ("１２７.0.0.1", "127.0.0.1"),
    ],
)
def test_other_scripts_are_idna_encoded(host: str, encoded: str) -> None:
    assert parse_uri(f"ws://{host}/").host == encoded


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("/a b", "/a%20b"),
        ("/größe", "/gr%C3%B6%C3%9Fe"),
        ("/a%20b%C3%B6", "/a%20b%C3%B6"),
        ("/100%", "/100%25"),
        ("/%zz%4", "/%25zz%254"),
        ("/a\\b", "/a%5Cb"),
        ('/"<>^`{|}', "/%22%3C%3E%5E%60%7B%7C%7D"),
        ("/-._~!$&'()*+,;=:@", "/-._~!$&'()*+,;=:@"),
        ("/?a=[1]&b=ü", "/?a=%5B1%5D&b=%C3%BC"),
    ],
)
def test_path_and_query_are_percent_encoded_once(text: str, encoded: str) -> None:
    """contract.md 0.8; encoding what is encoded already changes nothing."""
    assert parse_uri("ws://h" + text).resource_name == encoded
    assert parse_uri("ws://h" + encoded).resource_name == encoded


def test_a_lone_surrogate_in_the_path_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogate") as caught:
        parse_uri("ws://h/\udc80")
    assert not isinstance(caught.value, UnicodeError)


@pytest.mark.parametrize(
    ("userinfo", "user_info"),
    [
        ("", None),
        ("@", None),
        ("user@", ("user", "")),
        ("user:@", ("user", "")),
        ("user:pw@", ("user", "pw")),
        (":pw@", ("", "pw")),
        ("u%40x:p%3Aq%C3%A4@", ("u@x", "p:qä")),
        ("u:p:q@", ("u", "p:q")),
        ("ü:ä@", ("ü", "ä")),
        ("u:p@q@", ("u", "p@q")),
        ("good.com:80@", ("good.com", "80")),
        ("u:100%@", ("u", "100%")),
    ],
)
def test_user_info_is_split_and_decoded(userinfo: str, user_info: tuple[str, str] | None) -> None:
    uri = parse_uri(f"ws://{userinfo}evil.com/")
    assert uri.user_info == user_info
    assert uri.host == "evil.com"


@pytest.mark.parametrize("userinfo", ["u%0d%0a:p", "u:p%00", "u%7f", "u:%ff", "u%C3:p"])
def test_user_info_that_no_header_could_carry_is_refused(userinfo: str) -> None:
    with pytest.raises(ValueError, match="user info"):
        parse_uri(f"ws://{userinfo}@h/")


@pytest.mark.parametrize(
    "url",
    [
        "ws://user:topsecret@",
        "ws://user:topsecret@a b/",
        "ws://user:topsecret@h:0/",
        "ws://user:topsecret@[/",
        "ws://user:topsecret@h:0/?token=topsecret",
        "ws://h:0/?token=topsecret",
        "ws://user:p/topsecret@h/",
        "ws://user:p?topsecret@h/",
        "ws://user:p#topsecret@h/",
        "ws://user:p@topsecret\\@h/",
        "ws://user:topsecret%ff@h/",
        "ws://user:topsecret%00@h/",
        "ws://user:topsecret\n@h/",
        "ws://user:topsecret@h/\udc80",
        "http://user:topsecret@h/",
        "//user:topsecret@h/",
        "user:topsecret@h",
        "ws:user:topsecret@h",
        "ws+unix:user:topsecret@h",
    ],
)
def test_no_message_shows_a_password_or_token(url: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        parse_uri(url)
    assert "topsecret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_repr_shows_no_password() -> None:
    uri = parse_uri("ws://user:topsecret@h/")
    assert "topsecret" not in repr(uri)
    assert "topsecret" not in f"{uri}"
    assert uri.password == "topsecret"


def test_a_long_url_is_shown_in_part() -> None:
    with pytest.raises(ValueError, match="port") as caught:
        parse_uri("ws://h:0/" + "x" * 100_000)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("url", "host_header", "origin"),
    [
        ("ws://h/", "h", "http://h"),
        ("wss://h/", "h", "https://h"),
        ("ws://h:8080/", "h:8080", "http://h:8080"),
        ("ws://h:443/", "h", "http://h"),
        ("wss://h:80/", "h", "https://h"),
        ("wss://[::1]:9/", "[::1]:9", "https://[::1]:9"),
        ("ws://[fe80::1%25eth0]/", "[fe80::1]", "http://[fe80::1]"),
        ("ws+unix:/s", "localhost", "http://localhost"),
    ],
)
def test_host_and_origin(url: str, host_header: str, origin: str) -> None:
    """contract.md 6.2: neither 80 nor 443 is ever written."""
    uri = parse_uri(url)
    assert (uri.host_header, uri.origin) == (host_header, origin)


@pytest.mark.parametrize(
    ("url", "unix_path", "resource", "secure"),
    [
        ("ws+unix:/tmp/a.sock:/chat?x=y", "/tmp/a.sock", "/chat?x=y", False),
        ("wss+unix:/tmp/a.sock:/chat", "/tmp/a.sock", "/chat", True),
        ("ws+unix:/tmp/a.sock", "/tmp/a.sock", "/", False),
        ("ws+unix:/tmp/a.sock?x=a:b", "/tmp/a.sock", "/?x=a:b", False),
        ("ws+unix:///tmp/a.sock:/chat#f", "/tmp/a.sock", "/chat", False),
        ("WS+UNIX:/tmp/A%20b%3Ac:/ä", "/tmp/A b:c", "/%C3%A4", False),
    ],
)
def test_unix_sockets(url: str, unix_path: str, resource: str, secure: bool) -> None:
    uri = parse_uri(url)
    assert (uri.unix_path, uri.resource_name, uri.secure) == (unix_path, resource, secure)


@pytest.mark.parametrize(
    "url",
    [
        "ws+unix:",
        "ws+unix:a",
        "ws+unix://h/s",
        "ws+unix:////s",
        "ws+unix:/s%00",
        "ws+unix:/s:x",
        "ws+unix:/%ff",
    ],
)
def test_what_is_no_unix_socket_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_uri(url)


def test_the_origin_is_scheme_host_port_and_socket() -> None:
    base = parse_uri("wss://u:p@h/a?b")
    assert same_origin(base, parse_uri("wss://H:443/c"))
    for other in ("ws://h:443/", "wss://h:444/", "wss://g/", "wss://h./"):
        assert not same_origin(base, parse_uri(other))
    assert not same_origin(parse_uri("ws+unix:/s"), parse_uri("ws://localhost/"))
    assert not same_origin(parse_uri("ws+unix:/s"), parse_uri("ws+unix:/t"))
    assert same_origin(parse_uri("ws+unix:/s"), parse_uri("ws+unix:/s:/x"))


@pytest.mark.parametrize("wrong", [None, 5, b"ws://h/"])
def test_what_is_no_text_is_a_type_error(wrong: Any) -> None:
    with pytest.raises(TypeError, match="url must be a str"):
        parse_uri(wrong)


def check(uri: WebSocketURI) -> None:
    """What every parsed URL promises to the floors above."""
    for text in (uri.resource_name, uri.host_header, uri.origin):
        assert text.isascii()
        assert not any(char <= " " or char == "\x7f" for char in text)
    assert uri.resource_name.startswith("/")
    assert "#" not in uri.resource_name
    assert 1 <= uri.port <= 65535
    assert uri.host
    assert not set("/?#@\\[]<>") & set(uri.host)


url_text = st.one_of(
    st.text(),
    st.text("ws:/[]@%?#\\.25ae\uff0e\uff0f é\t0", max_size=30).map("ws://".__add__),
    st.text("0123456789abcdef:.%[]", max_size=45).map(lambda text: f"wss://[{text}]:1/"),
    st.text(max_size=30).map("ws+unix:/".__add__),
)


@given(url=url_text)
def test_any_text_gives_a_clean_url_or_a_value_error(url: str) -> None:
    try:
        uri = parse_uri(url)
    except ValueError as error:
        assert type(error) is ValueError  # not a UnicodeError, which would carry the whole text
        return
    check(uri)


groups = st.integers(0, 0xFFFF).map("{:x}".format)


@given(data=st.data())
def test_ipv6_addresses_are_those_of_the_standard_library(data: st.DataObject) -> None:
    import ipaddress

    text = data.draw(
        st.one_of(
            st.text("01f:.", max_size=20),
            st.lists(st.one_of(groups, st.just("")), max_size=10).map(":".join),
            st.ip_addresses(v=6).map(str),
            st.tuples(st.ip_addresses(v=6), st.ip_addresses(v=4)).map(
                lambda pair: f"{str(pair[0]).rpartition(':')[0]}:{pair[1]}"
            ),
        )
    )
    try:
        ipaddress.IPv6Address(text)
        valid = True
    except ValueError:
        valid = False
    try:
        assert parse_uri(f"ws://[{text}]/").host == text
        assert valid
    except ValueError:
        assert not valid


@pytest.mark.parametrize(
    "url",
    [
        "ws://h/" + "%" * 1_000_000,
        "ws://h/" + "ä" * 300_000,
        "ws://" + "@" * 1_000_000,
        "ws://" + "%" * 1_000_000 + "@h",
        "ws://" + "a." * 500_000,
        "ws://" + "ä" * 300_000,
        "ws://[" + ":" * 1_000_000 + "]",
        "ws://h:" + "0" * 1_000_000,
    ],
)
def test_long_urls_take_linear_time(url: str) -> None:
    began = time.perf_counter()
    with contextlib.suppress(ValueError):
        parse_uri(url)
    assert time.perf_counter() - began < 5


_PARTS = (
    ["ws://", "wss://", "WS://", "ws:", "http://"],
    ["", "u@", "u:p@", "\\@"],
    [
        *("example.com", "EXAMPLE.com", "127.0.0.1", "[::1]", "a..b", "a.", ".a", "x" * 64, "~_-"),
        *(".".join(["x" * 63] * 4), ("x" * 63 + ".") * 3 + "y" * 62, "ex ample", "exämple", ""),
    ],
    ["", ":", ":80", ":0", ":080", ":65535", ":65536", ":99999", ":100000", ":8a", ":-1", ":٣"],
    ["", "/", "/a%20b", "/a b", "/?", "/a/../b", "//", "/@:;=", "/é", "/[]", "/\n"],
    ["", "?", "?a=b", "?a?b/c", "?ä", "?a#b", "#f", "?%zz"],
)


@given(url=st.tuples(*map(st.sampled_from, _PARTS)).map("".join))
def test_the_quick_way_for_plain_urls_gives_what_the_careful_one_gives(url: str) -> None:
    def outcome() -> tuple[object, ...]:
        try:
            return tuple(parse_uri(url))
        except ValueError as exc:
            return (str(exc),)

    quick = outcome()
    with mock.patch("websocket._wire.urls._plain", return_value=None):
        assert outcome() == quick
