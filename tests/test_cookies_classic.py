"""The old face of the jar, and the adapter to `http.cookiejar`."""

from __future__ import annotations

import http.cookiejar
import subprocess
import sys

import pytest
from hypothesis import given, strategies as st

from websocket._cookiejar import SimpleCookieJar, jar_header, jar_store


@pytest.mark.parametrize("text", [None, "", "a=b", "a=b; path=/", "a=b\r\n; domain=x.org"])
@pytest.mark.parametrize("verb", ["add", "set"])
def test_without_a_domain_nothing_is_kept(verb: str, text: str | None) -> None:
    jar = SimpleCookieJar()
    getattr(jar, verb)(text)
    assert not jar.jar


@pytest.mark.parametrize("verb", ["add", "set"])
def test_all_cookies_of_a_text_share_its_domain(verb: str) -> None:
    jar = SimpleCookieJar()
    getattr(jar, verb)("z=1; a=2; domain=Example.com; secure; path=/x")
    assert list(jar.jar) == [".example.com"]
    assert jar.get("example.com") == jar.get("www.example.com") == "a=2; z=1"
    assert jar.get("badexample.com") == jar.get("com") == jar.get(None) == jar.get("") == ""


def test_add_adds_and_set_replaces() -> None:
    jar = SimpleCookieJar()
    jar.add("a=1; domain=x.org")
    jar.add("b=2; domain=.x.org")
    jar.add("c=3; domain=y.org")
    assert jar.get("x.org") == "a=1; b=2"
    jar.set("d=4; domain=x.org")
    assert jar.get("x.org") == "d=4"
    assert jar.get("y.org") == "c=3"
    jar.add("d=; domain=x.org; max-age=0")
    assert jar.get("x.org") == ""


def test_jar_holds_cookies_of_the_standard_library() -> None:
    jar = SimpleCookieJar()
    jar.add('a="x y"; domain=x.org; secure; path=/p')
    jar.add("a[0]=1; domain=x.org")  # no name for http.cookies, but one for the wire
    jar.store(["h=1"], "x.org", "/", True)
    assert list(jar.jar[".x.org"]) == ["a"]
    morsel = jar.jar[".x.org"]["a"]
    assert morsel.value == '"x y"'
    assert (morsel["domain"], morsel["path"], morsel["secure"]) == ("x.org", "/p", True)
    assert jar.get("x.org") == 'a="x y"; a[0]=1; h=1'


def test_what_the_program_adds_is_sent_by_connections() -> None:
    jar = SimpleCookieJar()
    jar.add("a=1; domain=example.com")
    assert jar.header("www.example.com", "/x", False) == "a=1"


def test_an_http_cookiejar_serves_as_well() -> None:
    """contract.md 0.9."""
    jar = http.cookiejar.CookieJar()
    values = ["a=1", "b=2; Path=/x", "c=3; Secure", "d=4; Domain=evil.org", "e=5; Max-Age=0"]
    jar_store(jar, values, "www.example.com", 443, "/x/y?z", True)
    assert sorted(cookie.name for cookie in jar) == ["a", "b", "c"]
    header = jar_header(jar, "www.example.com", 443, "/x/y", True)
    assert sorted(header.split("; ")) == ["a=1", "b=2", "c=3"]
    assert "c=3" not in jar_header(jar, "www.example.com", 80, "/x/y", False)
    assert jar_header(jar, "www.example.com", 443, "/", True) == ""
    assert jar_header(jar, "example.org", 443, "/x/y", True) == ""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "fe80::1%eth0"])
@pytest.mark.parametrize("kind", [SimpleCookieJar, http.cookiejar.CookieJar])
def test_both_kinds_of_jar_serve_any_host_and_port(
    kind: type[SimpleCookieJar | http.cookiejar.CookieJar], host: str
) -> None:
    jar = kind()
    jar_store(jar, ["a=1; Path=/", "b=\r\nX: y"], host, 8080, "", False)
    assert jar_header(jar, host, 9090, "", False) == "a=1"
    assert jar_header(jar, "other.example", 8080, "/", False) == ""


@given(
    values=st.lists(st.text()), kind=st.sampled_from([SimpleCookieJar, http.cookiejar.CookieJar])
)
def test_nothing_that_a_server_sends_raises(
    values: list[str], kind: type[SimpleCookieJar | http.cookiejar.CookieJar]
) -> None:
    jar = kind()
    jar_store(jar, values, "example.com", 80, "/", False)
    header = jar_header(jar, "example.com", 80, "/", False)
    assert not any(char in "\r\n\0" for char in header)


def test_importing_the_wire_and_the_jar_is_cheap() -> None:
    """Import time: none of the slow standard modules comes along."""
    # The package's __init__ brings its own imports, so the modules are loaded without it.
    code = (
        "import sys, types, importlib.util as u\n"
        "package = types.ModuleType('websocket')\n"
        "package.__path__ = list(u.find_spec('websocket').submodule_search_locations)\n"
        "sys.modules['websocket'] = package\n"
        "before = set(sys.modules)\n"
        "import websocket._wire.http1, websocket._wire.urls, websocket._cookiejar\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*new & {'urllib', 'http', 'email', 'logging', 'ssl', 'socket', 'dataclasses'})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []
