"""Cookies as values: Set-Cookie to a cookie, and whom it belongs to (RFC 6265, section 5)."""

from __future__ import annotations

from collections import namedtuple

from . import patterns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NamedTuple

MAX_COOKIE_BYTES = 4096  # name and value; RFC 6265, 6.1, wants no less, and we take no more
MAX_ATTRIBUTE_BYTES = 1024
MAX_AGE = 400 * 86400  # what browsers allow; also keeps the arithmetic small

_ATTRIBUTES = frozenset(
    {"comment", "domain", "expires", "httponly", "max-age", "partitioned", "path", "priority"}
    | {"samesite", "secure", "version"}
)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_control = patterns.search(r"[\x00-\x1f\x7f]")
_number = patterns.fullmatch(r"-?[0-9]+")
# RFC 6265, 5.1.1: the tokens of a date, and what each of them may be.
_date_tokens = patterns.findall(r"[^\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_clock_time = patterns.match(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_day = patterns.match(r"([0-9]{1,2})(?![0-9])")
_year = patterns.match(r"([0-9]{2,4})(?![0-9])")


if TYPE_CHECKING:

    class Cookie(NamedTuple):
        """One cookie as a jar holds it."""

        name: str
        value: str
        domain: str
        path: str
        host_only: bool
        secure: bool
        expires: float | None  # seconds since 1970
        serial: int  # order of creation

else:
    Cookie = namedtuple("Cookie", "name value domain path host_only secure expires serial")


def parse_set_cookie(text: str, directory: str, now: float, *, many: bool = False) -> list[Cookie]:
    """The cookie of a Set-Cookie value (RFC 6265, 5.2), its domain "" if it names none.

    `directory` is its path if it names none, `now` the time in seconds since 1970.
    With `many`, every part that is no attribute is a cookie, and all share the attributes.
    """
    if _control(text):
        return []
    first, *rest = (_pair(part) for part in text.split(";"))
    pairs = [first]
    domain, path, secure = "", directory, False
    until: float | None = None
    max_age: float | None = None
    for name, value in rest:
        key = name.lower()
        if many and key not in _ATTRIBUTES:
            pairs.append((name, value))
        elif value is not None and len(value) > MAX_ATTRIBUTE_BYTES:
            continue
        elif key == "secure":
            secure = True
        elif key == "domain" and value:
            domain = canonical_host(value.removeprefix("."))
        elif key == "path":
            path = value if value and value.startswith("/") else directory
        elif key == "max-age" and value and _number(value):
            max_age = now + min(int(value), MAX_AGE) if int(value) > 0 else float("-inf")
        elif key == "expires" and value:
            found = _parse_date(value)
            until = until if found is None else found
    expires = until if max_age is None else max_age
    if expires is not None:
        expires = min(expires, now + MAX_AGE)
    if len(path) > MAX_ATTRIBUTE_BYTES:
        return []
    return [
        Cookie(name, value, domain, path, not domain, secure, expires, 0)
        for name, value in pairs
        if name and value is not None and _size(name) + _size(value) <= MAX_COOKIE_BYTES
    ]


def _pair(part: str) -> tuple[str, str | None]:
    name, equals, value = part.partition("=")
    return name.strip(" "), value.strip(" ") if equals else None


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def admit(cookie: Cookie, host: str, secure: bool) -> Cookie | None:
    """The cookie as it is to be stored, None if `host` had no right to set it (RFC 6265, 5.3)."""
    if cookie.secure and not secure:
        return None
    prefix = cookie.name.lower()
    if prefix.startswith(("__secure-", "__host-")) and not cookie.secure:
        return None
    if prefix.startswith("__host-") and (cookie.domain or cookie.path != "/"):
        return None
    if not cookie.domain:
        return cookie._replace(domain=host)
    if "." not in cookie.domain.strip("."):  # a public label such as "com"
        return cookie._replace(host_only=True) if cookie.domain == host else None
    return cookie if covers(cookie.domain, host) else None


def canonical_host(host: str) -> str:
    return host.strip("[]").partition("%")[0].lower()


def _is_address(host: str) -> bool:
    """Whether a host is an IP address; no name ends in a label that begins like a number."""
    last = host.rstrip(".").rpartition(".")[2]
    return ":" in host or last.isdigit() or last.startswith("0x")


def covers(domain: str, host: str) -> bool:
    """RFC 6265, 5.1.3: the host is the domain, or a name below it."""
    return host == domain or (host.endswith("." + domain) and not _is_address(host))


def covering_domains(host: str) -> Iterator[str]:
    """All domains that cover the host, itself first."""
    yield host
    if not _is_address(host):
        while "." in host:
            host = host.partition(".")[2]
            yield host


def default_path(path: str) -> str:
    """RFC 6265, 5.1.4: the directory of the request's path."""
    path = path.partition("?")[0]
    return (path.rpartition("/")[0] if path.startswith("/") else "") or "/"


def path_matches(path: str, prefix: str) -> bool:
    """RFC 6265, 5.1.4."""
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else prefix + "/")


def _parse_date(text: str) -> float | None:
    """Seconds since 1970 of a date in any of the shapes that servers write (RFC 6265, 5.1.1)."""
    time_of_day = day = month = year = None
    for token in _date_tokens(text):
        if time_of_day is None and (found := _clock_time(token)):
            time_of_day = [int(number) for number in found.groups()]
        elif day is None and (found := _day(token)):
            day = int(found[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower())
        elif year is None and (found := _year(token)):
            year = int(found[1])
    if time_of_day is None or day is None or month is None or year is None:
        return None
    if year < 100:
        year += 2000 if year < 70 else 1900
    hour, minute, second = time_of_day
    lengths = [31, 29 if _is_leap(year) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    if not (1 <= day <= lengths[month] and year > 1600 and hour < 24 and minute < 60 > second):
        return None
    days = _days_before(year) - _days_before(1970) + sum(lengths[:month]) + day - 1
    return float(days * 86400 + hour * 3600 + minute * 60 + second)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _days_before(year: int) -> int:
    year -= 1
    return year * 365 + year // 4 - year // 100 + year // 400
