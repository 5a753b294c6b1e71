"""Promise: the opening request is what websocket-client sends, byte for byte and in its order, and
nothing can be smuggled into it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from websocket._protocol.handshake import HeaderOption, Opening
from websocket._protocol.receiving import Inflating
from websocket._protocol.sending import Deflating
from websocket._wire.http1 import encode_request
from websocket._wire.urls import WebSocketURI, parse_uri

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def lines(opening: Opening, uri: WebSocketURI | None = None) -> list[str]:
    """The head as it goes out, its key written as <key>."""
    data = encode_request(opening.request(uri))
    assert data.endswith(b"\r\n\r\n")
    return data.decode().replace(opening.key, "<key>").split("\r\n")[:-2]


def sent(url: str = "ws://example.com/", **options: Any) -> list[str]:
    return lines(Opening(parse_uri(url), **options))


BASE = [
    "GET / HTTP/1.1",
    "Upgrade: websocket",
    "Host: example.com",
    "Origin: http://example.com",
    "Sec-WebSocket-Key: <key>",
    "Sec-WebSocket-Version: 13",
    "Connection: Upgrade",
]


def changed(**lines: str | None) -> list[str]:
    """BASE with some lines replaced or, for None, left out."""
    found: list[str] = []
    for line in BASE:
        name = line.partition(":")[0].lower().replace("-", "_")
        new = lines.pop(name, line)
        if new is not None:
            found.append(new)
    assert not lines
    return found


def test_without_options() -> None:
    assert sent() == BASE


@pytest.mark.parametrize(
    ("url", "target", "host", "origin"),
    [
        ("ws://h", "/", "h", "http://h"),
        ("wss://h/a/b?c=d&e", "/a/b?c=d&e", "h", "https://h"),
        ("ws://h:443/", "/", "h", "http://h"),
        ("wss://h:80/", "/", "h", "https://h"),
        ("ws://h:8080/x", "/x", "h:8080", "http://h:8080"),
        ("wss://[::1]:9/", "/", "[::1]:9", "https://[::1]:9"),
        ("ws://[::1]/", "/", "[::1]", "http://[::1]"),
    ],
)
def test_what_the_url_decides(url: str, target: str, host: str, origin: str) -> None:
    head = sent(url)
    assert head[0] == f"GET {target} HTTP/1.1"
    assert head[1:] == changed(host=f"Host: {host}", origin=f"Origin: {origin}")[1:]


OPTIONS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "host": ({"host": "other:1"}, changed(host="Host: other:1")),
    "no host": ({"suppress_host": True, "host": "x"}, changed(host=None)),
    "origin": ({"origin": "https://o"}, changed(origin="Origin: https://o")),
    "empty origin": ({"origin": ""}, changed(origin="Origin: ")),
    "no origin": ({"suppress_origin": True, "origin": "https://o"}, changed(origin=None)),
    "connection": (
        {"connection": "Connection: keep-alive, Upgrade"},
        changed(connection="Connection: keep-alive, Upgrade"),
    ),
    "subprotocols": ({"subprotocols": ["a", "b.c"]}, [*BASE, "Sec-WebSocket-Protocol: a,b.c"]),
    "one subprotocol": ({"subprotocols": "chat"}, [*BASE, "Sec-WebSocket-Protocol: chat"]),
    "no subprotocols": ({"subprotocols": []}, BASE),
    "user agent": ({"user_agent": "me/1"}, [*BASE, "User-Agent: me/1"]),
    "authorization": ({"authorization": "Basic eA=="}, [*BASE, "Authorization: Basic eA=="]),
    "cookie": ({"cookie": "a=b; c=d"}, [*BASE, "Cookie: a=b; c=d"]),
    "stored cookies": ({"cookies": lambda uri: "s=1"}, [*BASE, "Cookie: s=1"]),
    "both cookies": (
        {"cookies": lambda uri: "s=1", "cookie": "c=2", "header": ["X-A: 1"]},
        [*BASE, "X-A: 1", "Cookie: s=1; c=2"],
    ),
    "no cookies": ({"cookies": lambda uri: "", "cookie": ""}, BASE),
    "everything": (
        {
            "header": {"X-A": "1", "X-N": None, "X-B": ""},
            "cookie": "c=2",
            "subprotocols": ("p",),
            "origin": "o",
            "host": "h",
        },
        [
            *changed(host="Host: h", origin="Origin: o"),
            "Sec-WebSocket-Protocol: p",
            "X-A: 1",
            "X-B: ",
            "Cookie: c=2",
        ],
    ),
    "explicit None": (
        dict.fromkeys(
            ("header", "cookie", "origin", "host", "connection", "subprotocols", "user_agent")
        ),
        BASE,
    ),
}


@pytest.mark.parametrize(("options", "expected"), OPTIONS.values(), ids=OPTIONS.keys())
def test_each_option_has_its_place(options: dict[str, Any], expected: list[str]) -> None:
    assert sent(**options) == expected


@pytest.mark.parametrize(
    "header",
    [
        ["X-One: 1", "X-Two:2"],
        ("X-One: 1", "X-Two:2"),
        {"X-One": "1", "X-None": None, "X-Two": "2"},
        (line for line in ["X-One: 1", "X-Two:  2 "]),
    ],
    ids=["list", "tuple", "dict", "generator"],
)
def test_custom_headers_in_each_form(header: HeaderOption) -> None:
    opening = Opening(parse_uri("ws://example.com/"), header=header)
    expected = [*BASE, "X-One: 1", "X-Two: 2"]
    assert lines(opening) == lines(opening) == expected  # a generator is read once, kept for all


@pytest.mark.parametrize("header", [None, [], {}, ""])
def test_no_custom_headers(header: HeaderOption) -> None:
    assert sent(header=header) == BASE


def test_a_plain_string_is_one_line() -> None:
    assert sent(header="X-One: a: b") == [*BASE, "X-One: a: b"]


def test_custom_headers_keep_order_case_and_number() -> None:
    header = ["x-b: 2", "X-A: 1", "X-B: 3", "User-Agent: me"]
    assert sent(header=header) == [*BASE, *header]


@pytest.mark.parametrize("as_dict", [False, True])
@pytest.mark.parametrize(
    ("name", "value"),
    [("Host", "mine"), ("Origin", "null"), ("Connection", "x, Upgrade"), ("Upgrade", "WebSocket")],
)
@pytest.mark.parametrize("spell", [str, str.lower, str.upper])
def test_custom_headers_replace_ours_in_any_case(
    name: str, value: str, spell: Any, as_dict: bool
) -> None:
    """In our line's place, and once."""
    header = {spell(name): value} if as_dict else [f"{spell(name)}: {value}"]
    assert sent(header=header) == changed(**{name.lower(): f"{name}: {value}"})


def test_custom_headers_replace_user_agent_and_cookie() -> None:
    head = sent(header=["user-agent: mine", "cookie: x=1"], user_agent="u", cookie="c=1")
    assert head == [*BASE, "User-Agent: mine", "cookie: x=1"]
    head = sent(header={"authorization": "mine"}, authorization="url's")
    assert head == [*BASE, "authorization: mine"]


def test_a_custom_header_that_replaces_nothing_stays_in_its_place() -> None:
    head = sent(header=["X-A: 1", "Origin: o"], suppress_origin=True)
    assert head == [*changed(origin=None), "X-A: 1", "Origin: o"]


def test_a_custom_key_and_version_take_the_place_of_ours() -> None:
    opening = Opening(
        parse_uri("ws://example.com/"),
        header={"sec-websocket-key": KEY, "Sec-WebSocket-Version": "8"},
    )
    request = opening.request()
    assert opening.key == KEY
    assert request.headers.get_all("Sec-WebSocket-Key") == [KEY]
    assert request.headers.get_all("Sec-WebSocket-Version") == ["8"]


def test_each_request_has_a_new_key() -> None:
    opening = Opening(parse_uri("ws://example.com/"))
    keys: set[str] = set()
    for _ in range(50):
        assert opening.request().headers["Sec-WebSocket-Key"] == opening.key
        assert len(base64.b64decode(opening.key, validate=True)) == 16
        keys.add(opening.key)
    assert len(keys) == 50


class Extension:
    def offer(self) -> str:
        return "permessage-deflate; client_max_window_bits"

    def agree(self, answer: str) -> tuple[Inflating, Deflating]:
        raise NotImplementedError


def test_an_extension_is_offered() -> None:
    expected = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
    assert sent(extension=Extension()) == [*BASE, expected]


# --- injection ------------------------------------------------------------------------------------

ARGUMENTS: dict[str, Any] = {
    "header value": lambda evil: {"header": {"X-A": evil}},
    "header name": lambda evil: {"header": {evil: "1"}},
    "header line": lambda evil: {"header": [f"X-A: {evil}"]},
    "header line's name": lambda evil: {"header": [f"{evil}: 1"]},
    "header string": lambda evil: {"header": f"X-A: {evil}"},
    "cookie": lambda evil: {"cookie": evil},
    "origin": lambda evil: {"origin": evil},
    "host": lambda evil: {"host": evil},
    "connection": lambda evil: {"connection": f"Connection: {evil}"},
    "connection's name": lambda evil: {"connection": f"{evil}: Upgrade"},
    "subprotocols": lambda evil: {"subprotocols": [evil]},
    "user_agent": lambda evil: {"user_agent": evil},
    "authorization": lambda evil: {"authorization": evil},
}


@pytest.mark.parametrize("make", ARGUMENTS.values(), ids=ARGUMENTS.keys())
@pytest.mark.parametrize("evil", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "\n", "b\n"])
def test_line_breaks_are_refused_before_anything_is_dialled(make: Any, evil: str) -> None:
    with pytest.raises(ValueError, match=r"line|token|name|CR") as caught:
        Opening(parse_uri("ws://example.com/"), **make(evil))
    assert "Evil: 1" not in str(caught.value) or "name" in str(caught.value)


def test_line_breaks_of_a_cookie_jar_are_refused_at_the_last_door() -> None:
    with pytest.raises(ValueError, match="Cookie"):
        sent(cookies=lambda uri: "a=b\r\nX-Evil: 1")


@pytest.mark.parametrize("name", ["", "a b", "a,b", "a;b", "ü", "a\tb", '"a"'])
def test_subprotocols_are_tokens(name: str) -> None:
    with pytest.raises(ValueError, match="not a token"):
        sent(subprotocols=["ok", name])


@pytest.mark.parametrize(
    "options",
    [
        {"header": {"X-A": 1}},
        {"header": [b"X-A: 1"]},
        {"header": [("X-A", "1")]},
        {"cookie": b"a"},
        {"origin": 1},
        {"host": 1},
        {"subprotocols": [b"a"]},
        {"user_agent": b"a"},
    ],
)
def test_other_types_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="str"):
        sent(**options)


@pytest.mark.parametrize("line", ["no colon", ": no name", "a b: c", " a: b"])
def test_what_is_no_header_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="header"):
        sent(header=[line])


# --- other origins --------------------------------------------------------------------------------

SECRETS = {
    "header": ["Authorization: a", "cookie: b", "Proxy-Authorization: c", "Host: d", "X-A: e"],
    "host": "option",
}


@pytest.mark.parametrize(
    "target",
    ["ws://other/", "wss://example.com/", "ws://example.com:81/", "ws://sub.example.com/"],
)
def test_secrets_stay_at_the_first_origin(target: str) -> None:
    uri = parse_uri(target)
    head = lines(Opening(parse_uri("ws://example.com/"), **SECRETS), uri)
    expected = [f"Host: {uri.host_header}", f"Origin: {uri.origin}"]
    assert head == [*BASE[:2], *expected, *BASE[4:], "X-A: e"]
    opening = Opening(
        parse_uri("ws://example.com/"),
        host="option",
        cookie="own=1",
        authorization="Basic x",
        cookies=lambda uri: f"jar={uri.host}",
    )
    assert lines(opening)[-2:] == ["Authorization: Basic x", "Cookie: jar=example.com; own=1"]
    assert lines(opening, uri) == [*BASE[:2], *expected, *BASE[4:], f"Cookie: jar={uri.host}"]


def test_secrets_go_along_within_the_origin() -> None:
    opening = Opening(parse_uri("ws://example.com/"), **SECRETS)
    head = lines(opening, parse_uri("ws://EXAMPLE.com:80/elsewhere?x"))
    assert head[0] == "GET /elsewhere?x HTTP/1.1"
    assert {"Host: d", "Authorization: a", "cookie: b", "Proxy-Authorization: c"} < set(head)


def test_secrets_do_not_come_back_by_way_of_a_stranger() -> None:
    """The hop from there crosses origins, too."""
    opening = Opening(parse_uri("ws://example.com/"), authorization="Basic x", **SECRETS)
    lines(opening, parse_uri("ws://other/"))
    head = lines(opening, parse_uri("ws://example.com/chosen-by-other"))
    assert head == ["GET /chosen-by-other HTTP/1.1", *BASE[1:], "X-A: e"]
