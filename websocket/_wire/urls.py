"""WebSocket URLs: text to parts, redirect targets, and what Host and Origin say of them."""

from __future__ import annotations

from binascii import b2a_base64
from collections import namedtuple

from . import patterns

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from typing import NamedTuple, NoReturn

    class _Parts(NamedTuple):
        secure: bool
        host: str
        port: int
        path: str
        query: str
        username: str | None = None
        password: str | None = None
        unix_path: str | None = None

else:
    _FIELDS = "secure host port path query username password unix_path"
    _Parts = namedtuple("_Parts", _FIELDS, defaults=(None,) * 3)

_scheme = patterns.fullmatch(r"[A-Za-z][A-Za-z0-9+.\-]*")
_absolute = patterns.match(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_control = patterns.search(r"[\x00-\x1f\x7f]")
_unescape = patterns.sub(r"%([0-9A-Fa-f]{2})")
# RFC 3986, 3.3 and 3.4: what a path or a query may not hold as it is; %XX stays.
_escape = patterns.sub(r"%(?![0-9A-Fa-f]{2})|[^!$%&'()*+,\-./0-9:;=?@A-Z_a-z~]")
# What most URLs look like, in which nothing has to be changed: a name or an IPv4 address in lower
# case, no user, no fragment, and only characters that may stand where they stand.
_plain = patterns.fullmatch(
    r"ws(s?)://((?:[a-z0-9\-_~]{1,63}\.)*[a-z0-9\-_~]{1,63})(?::([1-9][0-9]{0,4}))?"
    r"(/[!$&'()*+,\-./0-9:;=@A-Z_a-z~]*)?(?:\?([!$&'()*+,\-./0-9:;=?@A-Z_a-z~]*))?"
)
_HOST_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789-._~"
_SAFE_CHARACTERS = _HOST_CHARACTERS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ!$&'()*+,/:;=?@"

_SCHEMES = {"ws": False, "wss": True}
_UNIX_SCHEMES = {"ws+unix": False, "wss+unix": True}
_REDIRECT_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


class WebSocketURI(_Parts):
    """The parts of a WebSocket URL, ready for the wire; a named tuple of

    `secure`, `host`, `port`, `path`, `query`, `username`, `password`, `unix_path`.

    `host` is in lower case, IDNA-encoded, without brackets; `path` (may be "") and `query` are
    percent-encoded; `username` and `password` are decoded. `unix_path` is set for ws+unix URLs.
    """

    __slots__ = ()

    @property
    def resource_name(self) -> str:
        """What stands in the request line: path, or "/", and the query (RFC 6455, 3)."""
        return (self.path or "/") + ("?" + self.query if self.query else "")

    @property
    def user_info(self) -> tuple[str, str] | None:
        """(username, password) if the URL names a user, else None."""
        return None if self.username is None else (self.username, self.password or "")

    @property
    def basic_authorization(self) -> str | None:
        """The value of Authorization that the URL's user stands for (RFC 7617), or None.

        Raises ValueError for a name with a colon, which cannot travel that way.
        """
        if self.username is None:
            return None
        if ":" in self.username:
            raise ValueError("the URL's user name has a colon, expected one without (RFC 7617)")
        pair = f"{self.username}:{self.password or ''}"
        return "Basic " + b2a_base64(pair.encode(), newline=False).decode()

    @property
    def host_header(self) -> str:
        """The value of Host: IPv6 in brackets without its zone, no port if it is 80 or 443."""
        host = self.host
        if ":" in host:  # RFC 6874, 4: a zone means nothing to the server
            host = f"[{host.partition('%')[0]}]"
        return host if self.port in (80, 443) else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """The value of Origin."""
        return ("https://" if self.secure else "http://") + self.host_header

    def __repr__(self) -> str:
        password = "None" if self.password is None else "'***'"
        return (
            f"WebSocketURI(secure={self.secure}, host={self.host!r}, port={self.port}, "
            f"path={self.path!r}, query={self.query!r}, username={self.username!r}, "
            f"password={password}, unix_path={self.unix_path!r})"
        )


def parse_uri(url: str) -> WebSocketURI:
    """Take a ws, wss, ws+unix or wss+unix URL apart.

    Raises ValueError saying what was expected and what came, TypeError if it is no str.
    """
    _check_text(url, "url")
    found = _plain(url)
    if found:
        tls, host, digits, path, query = found.groups("")
        port = int(digits) if digits else 443 if tls else 80
        if port <= 65535 and len(host) <= 254:
            return WebSocketURI(bool(tls), host, port, path, query)
    name, colon, rest = url.partition(":")
    scheme = name.lower()
    secure = _SCHEMES.get(scheme)
    if secure is None or not colon:
        if scheme in _UNIX_SCHEMES and colon:
            return _parse_unix(url, rest, _UNIX_SCHEMES[scheme])
        if not colon or not _scheme(name):
            _refuse("url is invalid", "ws://host or wss://host", url)
        _refuse(f"scheme {name} is invalid", "ws:// or wss://", url)
    if not rest.startswith("//"):
        _refuse("hostname is invalid", "// and a host behind the scheme", url)
    authority, path, query = _split(rest[2:])
    userinfo, _, hostport = authority.rpartition("@")
    username, password = _parse_userinfo(userinfo, url)
    host, port_text = _split_port(hostport, url)
    port = _parse_port(port_text, url) if port_text else (443 if secure else 80)
    return WebSocketURI(
        secure, host, port, _encode(path, url), _encode(query, url), username, password
    )


def parse_url(url: str) -> tuple[str, int, str, bool]:
    """(host, port, resource, is_secure) of a URL; raises as `parse_uri`."""
    uri = parse_uri(url)
    return uri.host, uri.port, uri.resource_name, uri.secure


def resolve_location(base: WebSocketURI, location: str) -> WebSocketURI:
    """The URL that a redirect from `base` names (RFC 3986, 5.2); http means ws, https means wss.

    A relative target stays on the connection's host, user and socket. Whether the step is a safe
    one (another origin, wss to ws) is the caller's to judge. Raises ValueError as `parse_uri`, also
    for other schemes (ws+unix too: no server may point us at a local socket).
    """
    _check_text(location, "redirect target")
    if not location:
        raise ValueError("redirect target is invalid: expected a URL, got an empty one")
    absolute = _absolute(location)
    if absolute:
        scheme = _REDIRECT_SCHEMES.get(absolute[1].lower())
        if scheme is None:
            _refuse(f"scheme {absolute[1]} is invalid", "ws, wss, http or https", location)
        return parse_uri(f"{scheme}:{location[absolute.end() :]}")
    if location.startswith("//"):
        return parse_uri(("wss:" if base.secure else "ws:") + location)
    reference, _, _ = location.partition("#")
    path, mark, query = reference.partition("?")
    if not path:
        return base._replace(query=_encode(query, location) if mark else base.query)
    if not path.startswith("/"):
        path = (base.path or "/").rpartition("/")[0] + "/" + path
    return base._replace(path=_remove_dots(_encode(path, location)), query=_encode(query, location))


def same_origin(a: WebSocketURI, b: WebSocketURI) -> bool:
    """Whether both have the same scheme, host and port (and unix socket, if any)."""
    if a is b:
        return True
    return (a.secure, a.host, a.port, a.unix_path) == (b.secure, b.host, b.port, b.unix_path)


def _parse_unix(url: str, rest: str, secure: bool) -> WebSocketURI:
    """ws+unix:/path/to/socket:/resource?query, the form of node's ws (also with an empty //)."""
    if rest.startswith("///"):
        rest = rest[2:]
    reference, _, query = rest.partition("#")[0].partition("?")
    file, _, path = reference.partition(":")
    file = _decode(file, url)
    if not file.startswith("/") or file.startswith("//") or _control(file):
        _refuse("socket path is invalid", "ws+unix:/path/to/socket:/resource", url)
    if path and not path.startswith("/"):
        _refuse("url is invalid", "a / behind the colon that ends the socket's path", url)
    port = 443 if secure else 80
    return WebSocketURI(
        secure, "localhost", port, _encode(path, url), _encode(query, url), unix_path=file
    )


def _split(rest: str) -> tuple[str, str, str]:
    """Authority, path and query of what follows the //; the fragment is dropped."""
    rest, _, _ = rest.partition("#")
    rest, _, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    return authority, slash + path, query


def _parse_userinfo(userinfo: str, url: str) -> tuple[str | None, str | None]:
    if "\\" in userinfo:  # browsers end the host here, so "good\@evil" is two hosts in one
        _refuse("hostname is invalid", "no backslash before the path", url)
    if not userinfo:
        return None, None
    name, colon, secret = userinfo.partition(":")
    username, password = _decode(name, url), _decode(secret, url) if colon else None
    if _control(username) or _control(password or ""):  # RFC 7617, 2
        _refuse("user info is invalid", "no control characters in it", url)
    return username, password


def _split_port(hostport: str, url: str) -> tuple[str, str]:
    """The checked host, and the text of the port ("" if there is none)."""
    if hostport.startswith("["):
        literal, bracket, tail = hostport[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            _refuse("hostname is invalid", "[IPv6 address] or [IPv6 address]:port", url)
        return _parse_ipv6(literal, url), tail[1:]
    host, _, port = hostport.partition(":")
    return _parse_host(host, url), port


def _parse_port(text: str, url: str) -> int:
    digits = text.lstrip("0")
    # ASCII digits: int() would take other scripts' digits, signs and underscores.
    if (
        not (text.isascii() and text.isdigit())
        or not digits
        or len(digits) > 5
        or int(digits) > 65535
    ):
        _refuse("port is invalid", "a number from 1 to 65535", url)
    return int(digits)


def _parse_host(host: str, url: str) -> str:
    if not host.isascii():
        host = _to_ascii(host, url)
    host = host.lower()
    # Checked behind IDNA, which maps look-alikes of "/", "@" and ":" to the real ones.
    labels = host.split(".")
    if len(labels) > 1 and not labels[-1]:  # the root's dot
        labels.pop()
    fine = not host.strip(_HOST_CHARACTERS) and all(labels) and max(map(len, labels)) < 64
    if not fine or len(host) > 254:
        _refuse(
            "hostname is invalid", "labels of 1 to 63 letters, digits, '-' or '_' and dots", url
        )
    return host


def _to_ascii(host: str, url: str) -> str:
    # Cut first: IDNA needs quadratic time for a long label.
    if len(host) <= 254:
        try:
            return host.encode("idna").decode("ascii")
        except UnicodeError:
            pass
    _refuse("hostname is invalid", "a name that IDNA can encode (RFC 3490)", url)


def _parse_ipv6(literal: str, url: str) -> str:
    from .ipv6 import is_ipv6, is_zone  # here, since few programs need them

    address, percent, zone = literal.partition("%")
    address = address.lower()
    zone = zone.removeprefix("25")  # RFC 6874, 2: the "%" of a zone is written "%25"
    if not is_ipv6(address) or (percent and not is_zone(zone)):
        _refuse("hostname is invalid", "an IPv6 address in the brackets", url)
    return address + percent + zone


def _remove_dots(path: str) -> str:
    """RFC 3986, 5.2.4, for a path that starts with "/"."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _encode(text: str, url: str) -> str:
    """Percent-encode what may not stand in a path or query; existing %XX is kept."""
    if not text.strip(_SAFE_CHARACTERS):
        return text
    try:
        return _escape(_escaped, text)
    except UnicodeEncodeError:
        _refuse("url is invalid", "text that UTF-8 can encode, not a lone surrogate", url)


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _decode(text: str, url: str) -> str:
    """Percent-decode UTF-8."""
    if "%" not in text:
        return text
    try:
        encoded = text.encode("utf-8").decode("latin-1")
        octets = _unescape(_unescaped, encoded)
        return octets.encode("latin-1").decode("utf-8")
    except UnicodeError:
        pass
    _refuse("url is invalid", "UTF-8 behind the % signs of its user info or socket path", url)


def _check_text(text: str, what: str) -> None:
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise TypeError(f"{what} must be a str, got {type(text).__name__}")
    found = None if text.isprintable() else _control(text)
    if found:
        raise ValueError(
            f"{what} is invalid: expected no control characters, "
            f"got {found.group()!r} at position {found.start()}"
        )


def _refuse(prefix: str, expected: str, url: str) -> NoReturn:
    """Raise the ValueError; what may be a password or a token is left out of the quoted URL."""
    # Up to the last "@", for a password may hold "/", "?" and "#" (which is why it came here).
    before, at, shown = url.rpartition("@")
    if at:
        scheme, colon, _ = before.partition(":")
        shown = (scheme + colon if _scheme(scheme) else "") + "//***@" + shown
    shown, mark, _ = shown.partition("?")
    if len(shown) > 100:
        shown = shown[:100] + "..."
    # From None: a UnicodeError on the way would carry the whole text.
    raise ValueError(f"{prefix}: expected {expected}, got {shown + mark!r}") from None
