"""Cookies as connections use them: RFC 6265, section 5, and limits against hostile servers."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, strategies as st

from websocket._cookiejar import SimpleCookieJar

NOW = 1_700_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def jar_with(
    *values: str, host: str = "www.example.com", path: str = "/", secure: bool = True
) -> SimpleCookieJar:
    jar = SimpleCookieJar(clock=Clock())
    jar.store(values, host, path, secure)
    return jar


def sent(
    jar: SimpleCookieJar, host: str = "www.example.com", path: str = "/", secure: bool = True
) -> str:
    return jar.header(host, path, secure)


def test_a_cookie_without_domain_returns_to_its_host_only() -> None:
    jar = jar_with("a=1")
    assert sent(jar) == sent(jar, "WWW.EXAMPLE.COM") == "a=1"
    for other in ("example.com", "x.www.example.com", "wwww.example.com", "com"):
        assert sent(jar, other) == ""


@pytest.mark.parametrize("domain", ["example.com", ".example.com", "EXAMPLE.com", " example.com "])
def test_a_domain_covers_the_names_below_it(domain: str) -> None:
    jar = jar_with(f"a=1; Domain={domain}")
    for host in ("example.com", "www.example.com", "a.b.example.com"):
        assert sent(jar, host) == "a=1"
    for host in ("badexample.com", "example.com.evil.org", "com", "example.org"):
        assert sent(jar, host) == ""


@pytest.mark.parametrize(
    "domain",
    [
        "com",
        ".com",
        "..com",
        "com.",
        "evil.com",
        "ww.example.com",
        "x.www.example.com",
        "xample.com",
        "www.example.com.",
        "1.2.3.4",
        "*.example.com",
        "example.com:80",
        "exämple.com",
    ],
)
def test_no_cookie_can_be_planted_for_other_hosts(domain: str) -> None:
    """promises.md, Security."""
    jar = jar_with(f"a=1; Domain={domain}")
    for host in ("www.example.com", "example.com", "x.www.example.com", domain.strip(".").lower()):
        assert sent(jar, host) == ""
    assert not jar.jar


def test_the_dot_of_the_root_makes_no_label_private() -> None:
    jar = jar_with("a=1; Domain=com.", host="example.com.")
    assert sent(jar, "other.com.") == ""


def test_an_empty_domain_is_none() -> None:
    assert sent(jar_with("a=1; Domain="), "x.www.example.com") == ""
    assert sent(jar_with("a=1; Domain=")) == "a=1"


def test_a_host_of_one_label_may_name_itself_but_covers_nothing() -> None:
    jar = jar_with("a=1; Domain=localhost", host="localhost")
    assert sent(jar, "localhost") == "a=1"
    assert sent(jar, "x.localhost") == ""


@pytest.mark.parametrize(
    ("host", "domain"),
    [("1.2.3.4", "3.4"), ("1.2.3.4", ".2.3.4"), ("1.2.0x3", "2.0x3"), ("::ffff:1.2.3.4", "3.4")],
)
def test_addresses_match_only_themselves(host: str, domain: str) -> None:
    assert not jar_with(f"a=1; Domain={domain}", host=host).jar
    jar = jar_with("b=2", f"c=3; Domain={host}", host=host)
    assert "b=2" in sent(jar, host)
    assert sent(jar, "x." + host) == ""


@pytest.mark.parametrize(
    ("request_path", "attribute", "yes", "no"),
    [
        ("/a/b", "", ["/a", "/a/", "/a/x", "/a?x"], ["/", "/ab", "/b/a"]),
        ("/a", "", ["/", "/b"], []),
        ("", "", ["/", "/b", ""], []),
        ("/a/b?x/y", "", ["/a/c"], ["/"]),
        ("/", "; Path=/x", ["/x", "/x/y", "/x?y"], ["/", "/xy", "/X"]),
        ("/", "; Path=/x/", ["/x/", "/x/y"], ["/x"]),
        ("/a/b", "; Path=", ["/a/x"], ["/"]),
        ("/a/b", "; Path=x", ["/a/x"], ["/x"]),
        ("/", "; Path=/x; Path=/y", ["/y"], ["/x"]),
    ],
)
def test_paths(request_path: str, attribute: str, yes: list[str], no: list[str]) -> None:
    jar = jar_with("a=1" + attribute, path=request_path)
    assert [path for path in yes if not sent(jar, path=path)] == []
    assert [path for path in no if sent(jar, path=path)] == []


def test_longer_paths_come_first_then_older_cookies() -> None:
    jar = jar_with("a=1; Path=/", "b=2; Path=/x", "c=3; Domain=example.com", "d=4", "a=5; Path=/x")
    assert sent(jar, path="/x") == "b=2; a=5; a=1; c=3; d=4"
    jar.store(["a=6; Path=/"], "www.example.com", "/", True)
    assert sent(jar, path="/x") == "b=2; a=5; a=6; c=3; d=4"


def test_secure_cookies_are_set_and_sent_over_wss_only() -> None:
    assert sent(jar_with("a=1; Secure", secure=False)) == ""
    jar = jar_with("a=1; secure", "b=2")
    assert sent(jar, secure=True) == "a=1; b=2"
    assert sent(jar, secure=False) == "b=2"


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("www.example.com", "a=evil"),
        ("www.example.com", "a=evil; Path=/x/y"),
        ("www.example.com", "a=evil; Domain=example.com; Path=/x"),
        ("www.example.com", "a=; Max-Age=0"),
        ("sub.www.example.com", "a=evil; Domain=www.example.com"),
    ],
)
def test_no_cookie_set_in_clear_passes_for_a_secure_one(host: str, text: str) -> None:
    """RFC 6265bis, 5.7: who can write to the clear connection cannot touch the other."""
    jar = jar_with("a=1; Secure; Domain=www.example.com")
    jar.store([text], host, "/x", False)
    assert sent(jar, path="/x/y") == "a=1"
    jar.store(["b=2"], "www.example.com", "/", False)
    assert sent(jar) == "a=1; b=2"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("__Secure-a=1; Secure", True),
        ("__Secure-a=1", False),
        ("__Host-a=1; Secure; Path=/", True),
        ("__host-a=1; Secure; Path=/x", False),
        ("__Host-a=1; Secure; Path=/; Domain=www.example.com", False),
        ("__HOST-a=1; Path=/", False),
    ],
)
def test_prefixes_keep_their_word(text: str, kept: bool) -> None:
    assert bool(sent(jar_with(text), path="/x")) == kept
    assert sent(jar_with(text, secure=False), path="/x") == ""


@pytest.mark.parametrize(
    ("attribute", "seconds"),
    [
        ("Max-Age=60", 60),
        ("max-age=60; Max-Age=30", 30),
        ("Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 60),
        ("Expires=Thu, 01 Jan 2099 00:00:00 GMT; Max-Age=60", 60),
        ("Expires=Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("Expires=Tuesday, 14-Nov-23 22:14:20 GMT", 60),
        ("Expires=Tue Nov 14 22:14:20 2023", 60),
        ("Expires=14-NOVEMBER-2023 22:14:20", 60),
        ("Expires=2023 nov 14 22:14:20", 60),
        ("Max-Age=999999999999999999999999", 400 * 86400),
        ("Expires=Fri, 31 Dec 9999 23:59:59 GMT", 400 * 86400),
        ("Expires=Tue, 31 Dec 69 23:59:59 GMT", 400 * 86400),
    ],
)
def test_a_cookie_dies_at_its_time(attribute: str, seconds: int) -> None:
    clock = Clock()
    jar = SimpleCookieJar(clock=clock)
    jar.store(["a=1; " + attribute], "h.example", "/", True)
    clock.now = NOW + seconds - 1
    assert sent(jar, "h.example") == jar.get("h.example") == "a=1"
    clock.now = NOW + seconds
    assert sent(jar, "h.example") == jar.get("h.example") == ""


@pytest.mark.parametrize(
    "attribute",
    [
        "",
        "Max-Age=",
        "Max-Age",
        "Max-Age=x",
        "Max-Age=+5",
        "Max-Age=1.5",
        "Max-Age=--1",
        "Max-Age=٣",
        "Max-Age=0" + "0" * 2000,
        "Expires=",
        "Expires=never",
        "Expires=Thu, 01 Jan 1970",
        "Expires=Thu, 31 Feb 2000 00:00:00 GMT",
        "Expires=Thu, 29 Feb 1900 00:00:00 GMT",
        "Expires=Thu, 00 Jan 1970 00:00:00 GMT",
        "Expires=Thu, 01 Jan 1600 00:00:00 GMT",
        "Expires=Thu, 01 Jan 1970 24:00:00 GMT",
        "Expires=Thu, 01 Jan 1970 00:60:00 GMT",
        "Expires=Thu, 01 Jan 1970 00:00:60 GMT",
        "Expires=Thu, 01 Jan 1970 000:00:00 GMT",
    ],
)
def test_a_senseless_lifetime_is_none(attribute: str) -> None:
    """The cookie then lives as long as the jar."""
    assert sent(jar_with("a=1; " + attribute)) == "a=1"


@pytest.mark.parametrize(
    "attribute",
    [
        "Max-Age=0",
        "Max-Age=-1",
        "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "Expires=Thu, 29 Feb 2000 00:00:00 GMT",
        "Expires=Mon, 01-Jan-70 00:00:00 GMT",
        "Expires=Sat, 01 Jan 1601 00:00:00 GMT",
        "Expires=Thu, 01 Jan 1970 00:00:00 GMT; Expires=never",
    ],
)
def test_a_lifetime_in_the_past_deletes(attribute: str) -> None:
    jar = jar_with("a=1", "b=2")
    jar.store([f"a=; {attribute}"], "www.example.com", "/", True)
    assert sent(jar) == "b=2"
    jar.store([f"a=; {attribute}; Domain=example.com"], "www.example.com", "/", True)
    assert sent(jar) == "b=2"


def test_setting_again_replaces_name_domain_and_path() -> None:
    jar = jar_with("a=1", "a=2", "a=3; Path=/x", "a=4; Domain=example.com")
    assert sent(jar) == "a=2; a=4"
    assert sent(jar, path="/x") == "a=3; a=2; a=4"


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ('a="x y"', 'a="x y"'),
        ("a=b=c==", "a=b=c=="),
        ("a=", "a="),
        (" a = 1 ", "a=1"),
        ("a=1;;; ;x=y", "a=1"),
        ("a=größe", "a=größe"),
        ("a=1, b=2", "a=1, b=2"),
        ("a", ""),
        ("", ""),
        ("=b", ""),
        (";a=1", ""),
        ("Secure", ""),
    ],
)
def test_names_and_values_are_kept_as_they_are(text: str, header: str) -> None:
    assert sent(jar_with(text)) == header


@pytest.mark.parametrize("control", ["\r", "\n", "\0", "\t", "\x1b", "\x7f"])
@pytest.mark.parametrize("text", ["a=1{}", "a{}=1", "a=1; Path=/{}", "a=1; x{}"])
def test_control_characters_are_refused(text: str, control: str) -> None:
    assert sent(jar_with(text.format(control))) == ""


def test_a_cookie_has_at_most_4096_bytes() -> None:
    assert sent(jar_with("a=" + "x" * 4095)) != ""
    assert sent(jar_with("a=" + "x" * 4096)) == ""
    assert sent(jar_with("a=" + "ä" * 2048)) == ""
    assert sent(jar_with("a=1; Path=/" + "x" * 5000)) == "a=1"  # that attribute is ignored
    assert sent(jar_with("a=1", path="/" + "x" * 5000 + "/"), path="/" + "x" * 5000 + "/") == ""


def test_a_host_has_at_most_50_cookies_and_the_oldest_go() -> None:
    jar = jar_with(*(f"c{n}=x" for n in range(60)))
    assert sent(jar) == "; ".join(f"c{n}=x" for n in range(10, 60))


def test_dead_cookies_make_room_before_living_ones() -> None:
    clock = Clock()
    jar = SimpleCookieJar(clock=clock)
    jar.store(["old=x", "dead=x; Max-Age=5"], "h.example", "/", True)
    jar.store([f"c{n}=x" for n in range(48)], "h.example", "/", True)
    clock.now += 10
    jar.store(["new=x"], "h.example", "/", True)
    assert sent(jar, "h.example").startswith("old=x; c0=x")
    assert sent(jar, "h.example").endswith("; new=x")


def test_the_jar_is_bounded_over_all_hosts() -> None:
    """A hostile server with as many names as it likes cannot grow the jar, nor slow it down."""
    jar = SimpleCookieJar(clock=Clock())
    began = time.perf_counter()
    for n in range(4000):
        jar.store(["a=1"], f"h{n}.example", "/", True)
    assert time.perf_counter() - began < 10
    assert sum(bool(sent(jar, f"h{n}.example")) for n in range(4000)) == 3000
    assert sent(jar, "h3999.example") == "a=1"


def test_the_process_wide_jar_keeps_only_cookies_with_a_domain() -> None:
    """contract.md 0.9: as 1.9.2, and only when that Domain covers the host."""
    jar = SimpleCookieJar(domain_only=True)
    values = ["a=1", "b=2; Domain=example.com", "c=3; Domain=evil.com"]
    jar.store(values, "www.example.com", "/", True)
    assert sent(jar) == "b=2"
    jar.store(["d=4; Domain=localhost"], "localhost", "/", True)
    assert sent(jar, "localhost") == ""


def test_clear_forgets_everything() -> None:
    jar = jar_with("a=1", "b=2; Domain=example.com")
    jar.clear()
    assert sent(jar) == ""


set_cookie = st.one_of(
    st.text(),
    st.lists(
        st.one_of(
            st.text('ab=",; \t\0ä', max_size=8),
            st.tuples(
                st.sampled_from(["Domain", "path", "EXPIRES", "Max-Age", "Secure", "__Host-a"]),
                st.sampled_from(["", "com", ".b.com", "/x", "0", "9" * 30, "1 Jan 99 1:1:1", "-"]),
            ).map("=".join),
        )
    ).map("; ".join),
)


@given(
    values=st.lists(set_cookie),
    host=st.one_of(st.text(), st.sampled_from(["a.b.com", "1.2.3.4", "::1"])),
    path=st.one_of(st.text(), st.just("/x/y")),
    secure=st.booleans(),
)
def test_nothing_that_a_server_sends_raises_or_reaches_another_host(
    values: list[str], host: str, path: str, secure: bool
) -> None:
    """promises.md, Fuzz: cookies."""
    jar = SimpleCookieJar(clock=Clock())
    jar.store(values, host, path, secure)
    header = jar.header(host, path, secure)
    assert not any(char < " " or char == "\x7f" for char in header)
    assert jar.header("other.org", path, secure) == "" or host.lower().endswith("org")
    assert jar.jar is not None


def test_threads_share_a_jar() -> None:
    jar = SimpleCookieJar()
    faults: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for i in range(300):
                jar.store([f"c{n}{i % 60}=x; Max-Age={i % 2}"], "h.example", "/", True)
                jar.add(f"c{n}{i}=x; Domain=h{i % 9}.example")
                assert jar.header("h.example", "/", True) is not None
                assert jar.jar is not None
        except BaseException as fault:  # handed to the main thread
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
