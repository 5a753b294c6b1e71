"""HTTP header fields and heads as values, and the checks that keep line breaks out of them."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

TYPE_CHECKING = False  # as in all files that `import websocket` needs: `typing` is slow to import
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, ClassVar

# RFC 9110, 5.6.2: what a header name, a method and the like are made of.
TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TOKEN_BYTES = TOKEN_CHARACTERS.encode()
CREDENTIAL_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})


class Headers(MutableMapping[str, str]):
    """Header fields in their order: a mapping without regard to case that keeps every line.

    ``headers[name]`` is the text of all lines of that name joined with ", "; ``get_all`` gives
    them one by one (the only right way for Set-Cookie). Iterating yields every name once, in lower
    case. Nothing is checked here: `encode_request` and `encode_response` are the door to the wire.
    """

    __slots__ = ("_lines", "_named")

    def __init__(self, items: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        self._lines: list[tuple[str, str]] = []
        if items:
            self._lines += _pairs(items)
        # The values by name in lower case; made for whoever asks first: few requests are read.
        self._named: dict[str, list[str]] | None = None

    @property
    def by_name(self) -> dict[str, list[str]]:
        """The values of all lines by name in lower case; to be read, not to be changed."""
        named = self._named
        if named is None:
            named = self._named = {}
            for name, value in self._lines:
                named.setdefault(name.lower(), []).append(value)
        return named

    def add(self, name: str, value: str) -> None:
        """Append one line; lines of the same name stay."""
        self._lines.append((name, value))
        if self._named is not None:
            self._named.setdefault(name.lower(), []).append(value)

    @classmethod
    def of(cls, lines: list[tuple[str, str]]) -> Headers:
        """These lines and no copy of them: the list is the mapping's from now on."""
        headers = cls()
        headers._lines = lines
        return headers

    def get_all(self, name: str) -> list[str]:
        """The values of all lines of that name, in order; empty if there is none."""
        return list((self._named or self.by_name).get(name.lower(), ()))

    def raw_items(self) -> Iterator[tuple[str, str]]:
        """Every line in order, names in their original case."""
        return iter(self._lines)

    def as_dict(self) -> dict[str, str]:
        """The classic plain form: names in lower case, the last value of each; the values of
        Set-Cookie, which cannot be told from one another then, joined with "; "."""
        return {
            name: "; ".join(values) if name == "set-cookie" else values[-1]
            for name, values in self.by_name.items()
        }

    def copy(self) -> Headers:
        """An independent copy of all lines."""
        return Headers.of(self._lines.copy())

    def __getitem__(self, name: str) -> str:
        return ", ".join(self.by_name[name.lower()])

    def __setitem__(self, name: str, value: str) -> None:
        key = name.lower()
        if key not in self.by_name:
            self.add(name, value)
            return
        first = next(i for i, (old, _) in enumerate(self._lines) if old.lower() == key)
        rest = [line for line in self._lines[first:] if line[0].lower() != key]
        self._lines[first:] = [(name, value), *rest]
        self.by_name[key] = [value]

    def __delitem__(self, name: str) -> None:
        key = name.lower()
        del self.by_name[key]
        self._lines = [line for line in self._lines if line[0].lower() != key]

    if not TYPE_CHECKING:  # the same as that of Mapping, which raises and catches a KeyError

        def get(self, name, default=None):
            values = (self._named or self.by_name).get(name.lower())
            return default if values is None else ", ".join(values)

    def __contains__(self, name: object) -> bool:
        return bool(self._lines) and isinstance(name, str) and name.lower() in self.by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name) if self._lines else 0

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Headers):
            return self.by_name == other.by_name
        if isinstance(other, Mapping):
            return self.by_name == Headers(_pairs(other)).by_name
        return NotImplemented

    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = [
            (name, "***" if name.lower() in CREDENTIAL_HEADERS else value)
            for name, value in self._lines
        ]
        return f"Headers({shown!r})"


def _pairs(items: Any) -> list[tuple[str, str]]:
    if isinstance(items, Headers):
        return list(items.raw_items())
    return [(name, value) for name, value in (items.items() if _is_mapping(items) else items)]


def _is_mapping(items: object) -> bool:
    return isinstance(items, Mapping)


class Request:
    """A request without a body: `path` (with its query), `headers`, method and version."""

    __slots__ = ("headers", "method", "path", "version")

    def __init__(
        self,
        path: str,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        method: str = "GET",
        version: str = "HTTP/1.1",
    ) -> None:
        self.path: str = path
        self.headers: Headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.method: str = method
        self.version: str = version

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Request) and self._key() == other._key()

    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __repr__(self) -> str:
        # A query often carries a token, so it stays out of logs and tracebacks.
        path, mark, _ = self.path.partition("?")
        return f"Request({path + ('?...' if mark else '')!r}, {self.headers!r}, {self.method!r})"

    def _key(self) -> tuple[object, ...]:
        return self.method, self.path, self.version, self.headers


class Response:
    """A response: `status` (an int), `headers`, `body` (None while nobody has read one), `reason`
    ("" if none came) and version.

    `heads` are the bytes of the request's head and this one's, if they came over a wire."""

    __slots__ = ("body", "headers", "heads", "reason", "status", "version")

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
        reason: str = "",
        version: str = "HTTP/1.1",
    ) -> None:
        self.status: int = status
        self.headers: Headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.body: bytes | None = body
        self.heads: bytes = b""
        self.reason: str = reason
        self.version: str = version

    @property
    def status_code(self) -> int:
        """The same as `status`."""
        return self.status

    @property
    def reason_phrase(self) -> str:
        """The same as `reason`."""
        return self.reason

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Response) and self._key() == other._key()

    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __repr__(self) -> str:
        body = "" if self.body is None else f", body of {len(self.body)} bytes"
        return f"Response({self.status}, {self.headers!r}, {self.reason!r}{body})"

    def _key(self) -> tuple[object, ...]:
        return self.status, self.reason, self.version, self.headers, self.body


def is_token(text: str) -> bool:
    """Whether the text is a token of RFC 9110, 5.6.2 (never empty)."""
    return bool(text) and not text.strip(TOKEN_CHARACTERS)


def is_line(text: str) -> bool:
    """Whether the text is free of what ends or breaks a line of a head."""
    return not ("\r" in text or "\n" in text or "\0" in text)


def check_header_name(name: str) -> None:
    """Raise ValueError unless the name is a token of RFC 9110; TypeError if it is no str."""
    _check_str(name, "a header name")
    if not is_token(name):
        shown = name if len(name) <= 40 else name[:40] + "..."
        raise ValueError(
            f"a header name must be made of letters, digits and !#$%&'*+-.^_`|~, got {shown!r}"
        )


def check_header_value(value: str, what: str) -> None:
    """Raise ValueError if the value holds CR, LF or NUL; TypeError if it is no str.

    `what` names the argument in the message ("origin", "header 'X-Id'"). The message never shows
    the value, which may be a secret.
    """
    _check_str(value, what)
    if not is_line(value):
        position = min(at for at in map(value.find, "\r\n\0") if at >= 0)
        raise ValueError(
            f"{what} must be one line without CR, LF and NUL, "
            f"got {value[position]!r} at position {position}"
        )


def parse_header_line(line: str) -> tuple[str, str]:
    """Split "Name: value" into name and value, blanks around the value removed.

    Raises ValueError for anything else, TypeError if it is no str.
    """
    _check_str(line, "a header line")
    name, colon, value = line.partition(":")
    if not colon:
        # What follows the first word may be a secret ("Authorization Basic ...").
        first = line.split(None, 1)[0][:40] if line.strip() else line[:40]
        raise ValueError(
            f"a header line must look like 'Name: value', got no colon in a line of "
            f"{len(line)} characters that starts with {first!r}"
        )
    check_header_name(name)
    check_header_value(value, f"header {name!r}")
    return name, value.strip(" \t")


def _check_str(value: object, what: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a str, got {type(value).__name__}")
