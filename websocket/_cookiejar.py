"""Cookies by RFC 6265 behind the old name, and the adapter to the jars of `http.cookiejar`."""

from __future__ import annotations

import threading
import time

from websocket._wire import patterns
from websocket._wire.cookies import (
    Cookie,
    admit,
    canonical_host,
    covering_domains,
    covers,
    default_path,
    parse_set_cookie,
    path_matches,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from http.cookiejar import CookieJar
    from http.cookies import SimpleCookie
    from urllib.request import Request

__all__ = ["SimpleCookieJar", "jar_header", "jar_store"]

# RFC 6265, 6.1, names these as what a client should at least bear; we bear no more.
MAX_COOKIES_PER_DOMAIN = 50
MAX_COOKIES = 3000

_control = patterns.search(r"[\x00-\x1f\x7f]")


class SimpleCookieJar:
    """Cookies of any number of hosts, for any number of threads.

    `store` and `header` are what connections use: RFC 6265, section 5. `add`, `set`, `get` and
    `jar` are websocket-client's verbs, for cookies that the program itself puts in or looks at.
    With `domain_only` it keeps no cookie without a Domain attribute. `clock` gives the wall clock
    in seconds since 1970.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.time, domain_only: bool = False
    ) -> None:
        self._clock = clock
        self._domain_only = domain_only
        self._lock = threading.Lock()
        self._serial = 0
        # domain -> (path, name) -> cookie, both in the order of creation
        self._domains: dict[str, dict[tuple[str, str], Cookie]] = {}

    def store(self, set_cookie_values: Iterable[str], host: str, path: str, secure: bool) -> None:
        """Take the Set-Cookie values of a response from `host` to a request for `path`.

        What the RFC tells us to ignore is ignored, whatever a server sends; nothing is raised.
        """
        host = canonical_host(host)
        with self._lock:
            for text in set_cookie_values:
                for cookie in parse_set_cookie(text, default_path(path), self._clock()):
                    kept = admit(cookie, host, secure)
                    if kept is None or (self._domain_only and kept.host_only):
                        continue
                    if secure or not self._shadows_secure(kept):
                        self._put(kept)

    def header(self, host: str, path: str, secure: bool) -> str:
        """The value of Cookie for a request, "" if there is none; longer paths come first."""
        if not self._domains:
            return ""
        path = path.partition("?")[0] or "/"
        with self._lock:
            found = [
                cookie
                for cookie in self._matching(canonical_host(host))
                if (secure or not cookie.secure) and path_matches(path, cookie.path)
            ]
        found.sort(key=lambda cookie: (-len(cookie.path), cookie.serial))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in found)

    def add(self, set_cookie: str | None) -> None:
        """Add the cookies of a text "a=b; c=d; domain=example.com"; without a Domain, nothing.

        The program vouches for them: no response host is checked. All cookies of the text share
        its attributes.
        """
        self._add(set_cookie, replace=False)

    def set(self, set_cookie: str | None) -> None:
        """As `add`, but what the jar held for that Domain goes first."""
        self._add(set_cookie, replace=True)

    def get(self, host: str | None) -> str:
        """All cookies for a host whatever their path and Secure say, as "k=v; k2=v2", sorted."""
        if not host:
            return ""
        with self._lock:
            found = [
                f"{cookie.name}={cookie.value}" for cookie in self._matching(canonical_host(host))
            ]
        return "; ".join(sorted(found))

    def clear(self) -> None:
        """Forget all cookies."""
        with self._lock:
            self._domains.clear()

    @property
    def jar(self) -> dict[str, SimpleCookie]:
        """A copy of the cookies with a Domain, as ".domain" -> `http.cookies.SimpleCookie`."""
        from http.cookies import CookieError, Morsel, SimpleCookie

        jar: dict[str, SimpleCookie] = {}
        with self._lock:
            cookies = [c for held in self._domains.values() for c in held.values()]
        for cookie in cookies:
            if cookie.host_only or self._expired(cookie):
                continue
            morsel: Morsel[str] = Morsel()
            try:
                morsel.set(cookie.name, cookie.value, cookie.value)
            except CookieError:  # a name that browsers take and http.cookies does not
                continue
            morsel.update({"domain": cookie.domain, "path": cookie.path})
            if cookie.secure:
                morsel["secure"] = True
            jar.setdefault("." + cookie.domain, SimpleCookie())[cookie.name] = morsel
        return jar

    def _add(self, set_cookie: str | None, *, replace: bool) -> None:
        with self._lock:
            cookies = parse_set_cookie(set_cookie or "", "/", self._clock(), many=True)
            if replace:
                for cookie in cookies:
                    self._domains.pop(cookie.domain, None)
            for cookie in cookies:
                if cookie.domain:
                    self._put(cookie)

    def _matching(self, host: str) -> Iterator[Cookie]:
        """The living cookies whose domain covers the host; the dead ones on the way are dropped."""
        for domain in covering_domains(host):
            held = self._domains.get(domain)
            if held is None:
                continue
            self._drop_expired(domain)
            for cookie in held.values():
                if domain == host or not cookie.host_only:
                    yield cookie

    def _shadows_secure(self, cookie: Cookie) -> bool:
        """Whether a cookie set in clear would pass for a Secure one (RFC 6265bis, 5.7)."""
        return any(
            old.secure and old.name == cookie.name and path_matches(cookie.path, old.path)
            for domain, held in self._domains.items()
            if covers(domain, cookie.domain) or covers(cookie.domain, domain)
            for old in held.values()
        )

    def _put(self, cookie: Cookie) -> None:
        held = self._domains.get(cookie.domain, {})
        key = (cookie.path, cookie.name)
        old = held.get(key)
        if self._expired(cookie):  # this is how a server deletes
            if old is not None:
                self._discard(cookie.domain, key)
            return
        if old is None:
            self._make_room(cookie.domain)
            self._serial += 1
        serial = self._serial if old is None else old.serial
        self._domains.setdefault(cookie.domain, {})[key] = cookie._replace(serial=serial)

    def _make_room(self, domain: str) -> None:
        """Room for one more: dead cookies go first, then the oldest ones."""
        if len(self._domains.get(domain, ())) >= MAX_COOKIES_PER_DOMAIN:
            self._drop_expired(domain)
            held = self._domains.get(domain, {})
            if len(held) >= MAX_COOKIES_PER_DOMAIN:
                self._discard(domain, next(iter(held)))
        if sum(map(len, self._domains.values())) >= MAX_COOKIES:
            for other in list(self._domains):
                self._drop_expired(other)
            if sum(map(len, self._domains.values())) >= MAX_COOKIES:
                other, held = next(iter(self._domains.items()))
                self._discard(other, next(iter(held)))

    def _drop_expired(self, domain: str) -> None:
        for key, cookie in list(self._domains[domain].items()):
            if self._expired(cookie):
                self._discard(domain, key)

    def _discard(self, domain: str, key: tuple[str, str]) -> None:
        held = self._domains[domain]
        del held[key]
        if not held:
            del self._domains[domain]

    def _expired(self, cookie: Cookie) -> bool:
        return cookie.expires is not None and cookie.expires <= self._clock()


def jar_header(
    jar: SimpleCookieJar | CookieJar, host: str, port: int, path: str, secure: bool
) -> str:
    """The value of Cookie that either kind of jar gives for a request, "" if there is none."""
    if isinstance(jar, SimpleCookieJar):
        return jar.header(host, path, secure)
    request = _http_request(host, port, path, secure)
    jar.add_cookie_header(request)
    return request.get_header("Cookie") or ""


def jar_store(
    jar: SimpleCookieJar | CookieJar,
    set_cookie_values: Iterable[str],
    host: str,
    port: int,
    path: str,
    secure: bool,
) -> None:
    """Give either kind of jar the Set-Cookie values of a response."""
    if isinstance(jar, SimpleCookieJar):
        jar.store(set_cookie_values, host, path, secure)
        return
    answer = _Answer([text for text in set_cookie_values if not _control(text)])
    jar.extract_cookies(answer, _http_request(host, port, path, secure))  # type: ignore[arg-type]


class _Answer:
    """As much of a response as `http.cookiejar` asks for."""

    def __init__(self, set_cookie_values: list[str]) -> None:
        self._set_cookie_values = set_cookie_values

    def info(self) -> _Answer:
        return self

    def get_all(self, name: str, default: list[str] | None = None) -> list[str] | None:
        return self._set_cookie_values if name.lower() == "set-cookie" else default


def _http_request(host: str, port: int, path: str, secure: bool) -> Request:
    from urllib.request import Request

    if ":" in host:
        host = f"[{host.partition('%')[0]}]"
    return Request(f"{'https' if secure else 'http'}://{host}:{port}{path or '/'}")
