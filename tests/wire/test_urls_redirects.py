"""Redirect targets (RFC 3986, section 5), and that a hostile Location leads nowhere odd."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given, strategies as st

from websocket._wire.urls import parse_uri, resolve_location, same_origin

BASE = parse_uri("wss://user:pw@host:99/a/b/c;d?q")


@pytest.mark.parametrize(
    ("location", "resource"),
    [
        ("/x", "/x"),
        ("/x?y#z", "/x?y"),
        ("x", "/a/b/x"),
        ("x/", "/a/b/x/"),
        ("./x", "/a/b/x"),
        (".", "/a/b/"),
        ("./", "/a/b/"),
        ("..", "/a/"),
        ("../", "/a/"),
        ("../x", "/a/x"),
        ("../../x", "/x"),
        ("../../../../x", "/x"),
        ("/./a/../b/..", "/"),
        ("/..", "/"),
        ("x/./y/../z", "/a/b/x/z"),
        ("?y", "/a/b/c;d?y"),
        ("?", "/a/b/c;d"),
        ("#s", "/a/b/c;d?q"),
        ("x?../y", "/a/b/x?../y"),
        ("größe x", "/a/b/gr%C3%B6%C3%9Fe%20x"),
        ("/..//evil.com/x", "//evil.com/x"),
        ("/\\evil.com", "/%5Cevil.com"),
        ("\\\\evil.com", "/a/b/%5C%5Cevil.com"),
        ("./x:y", "/a/b/x:y"),
    ],
)
def test_relative_targets_stay_on_the_server(location: str, resource: str) -> None:
    """contract.md 0.7."""
    target = resolve_location(BASE, location)
    assert target.resource_name == resource
    assert same_origin(BASE, target)
    assert target.user_info == ("user", "pw")


@pytest.mark.parametrize(
    ("location", "classic"),
    [
        ("ws://e/x", ("e", 80, "/x", False)),
        ("wss://e", ("e", 443, "/", True)),
        ("http://e", ("e", 80, "/", False)),
        ("HTTPS://E:444/x", ("e", 444, "/x", True)),
        ("//e/x", ("e", 443, "/x", True)),
        ("//[::1]:5", ("::1", 5, "/", True)),
        ("https://host:99@e/", ("e", 443, "/", True)),
    ],
)
def test_absolute_targets_take_nothing_along(
    location: str, classic: tuple[str, int, str, bool]
) -> None:
    target = resolve_location(BASE, location)
    assert (target.host, target.port, target.resource_name, target.secure) == classic
    assert target.password != "pw"
    assert not same_origin(BASE, target)


def test_a_scheme_relative_target_keeps_the_scheme() -> None:
    assert not resolve_location(parse_uri("ws://h/"), "//e").secure


@pytest.mark.parametrize(
    "location",
    [
        "",
        "ftp://e/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:,x",
        "ws+unix:/var/run/docker.sock:/x",
        "wss+unix:/var/run/docker.sock",
        "x:y",
        "http:e",
        "https:/e",
        "http://",
        "///e",
        "//",
        "//good\\@evil",
        "http://a b/",
        "http://e:0/",
        "http://e:99999/",
        "/x\r\nX: y",
        "/x\0",
        "/\tx",
        "//e\n",
        "/\udc80",
    ],
)
def test_other_targets_are_refused(location: str) -> None:
    with pytest.raises(ValueError, match="invalid"):
        resolve_location(BASE, location)


def test_a_unix_socket_is_kept_for_relative_targets_only() -> None:
    base = parse_uri("ws+unix:/s:/a/b")
    target = resolve_location(base, "c?d")
    assert (target.unix_path, target.resource_name) == ("/s", "/a/c?d")
    assert resolve_location(base, "//e/x").unix_path is None
    assert resolve_location(base, "http://localhost/").unix_path is None


def test_an_empty_base_path_is_the_root() -> None:
    assert resolve_location(parse_uri("ws://h"), "x").resource_name == "/x"


@given(
    location=st.one_of(st.text(), st.text("/.:?#@\\wshtp%[] é", max_size=30)),
    base=st.sampled_from([BASE, parse_uri("ws://h"), parse_uri("ws+unix:/s")]),
)
def test_any_location_gives_a_clean_url_or_a_value_error(location: str, base: object) -> None:
    """promises.md, Fuzz: redirect target."""
    assert isinstance(base, type(BASE))
    try:
        target = resolve_location(base, location)
    except ValueError as error:
        assert type(error) is ValueError
        return
    for text in (target.resource_name, target.host_header):
        assert text.isascii()
        assert not any(char <= " " or char == "\x7f" for char in text)
    assert target.resource_name.startswith("/")
    if target.unix_path is None and base.unix_path is not None:
        assert "//" in location


@given(location=st.text("./ab", max_size=30))
def test_dot_segments_are_those_of_the_standard_library(location: str) -> None:
    from urllib.parse import urljoin

    if not location or "//" in location:
        return  # urljoin folds empty segments, RFC 3986 keeps them
    base = parse_uri("ws://h/a/b/c")
    expected = urljoin("http://h/a/b/c", location).removeprefix("http://h") or "/"
    assert resolve_location(base, location).path == expected


def test_hostile_lengths_take_linear_time() -> None:
    began = time.perf_counter()
    for location in (
        "../" * 300_000,
        "./" * 300_000,
        "/" * 2 + "\\" * 10**6,
        "a/" * 300_000 + "../" * 300_000,
    ):
        with contextlib.suppress(ValueError):
            resolve_location(BASE, location)
    assert time.perf_counter() - began < 5
