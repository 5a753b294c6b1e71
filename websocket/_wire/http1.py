"""HTTP/1.1 heads: request and response to bytes, bytes to request and response, within limits."""

from __future__ import annotations

from websocket._exceptions import WebSocketException
from websocket._wire import patterns
from websocket._wire.bodies import BodyReader
from websocket._wire.headers import (
    CREDENTIAL_HEADERS,
    TOKEN_BYTES,
    Headers,
    Request,
    Response,
    check_header_name,
    check_header_value,
    is_token,
    parse_header_line,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, NoReturn

__all__ = [
    "CREDENTIAL_HEADERS",
    "BodyReader",
    "HeadReader",
    "Headers",
    "Request",
    "Response",
    "check_header_name",
    "check_header_value",
    "encode_request",
    "encode_response",
    "is_token",
    "parse_header_line",
]

_VERSIONS = ("HTTP/1.1", "HTTP/1.0")
# Names that are tokens without a look.
_USUAL = frozenset(
    (
        *("Authorization", "Connection", "Cookie", "Host", "Origin", "Upgrade", "User-Agent"),
        *("Sec-WebSocket-Extensions", "Sec-WebSocket-Key", "Sec-WebSocket-Protocol"),
        *("Sec-WebSocket-Accept", "Sec-WebSocket-Version"),
    )
)
_target = patterns.fullmatch(r"[^\x00-\x20\x7f]+")

# RFC 9112, 4: the part of a status line that is the same for everyone. A start that is still too
# short is completed from the sample before it is matched, so that a wrong byte is seen at once.
_status_start = patterns.match(rb"HTTP/1\.[01] [1-9][0-9][0-9][ \r\n]")
_STATUS_SAMPLE = b"HTTP/1.1 101 "
_START_LENGTH = len(_STATUS_SAMPLE)
_response_head = patterns.fullmatch(
    r"(HTTP/1\.[01]) ([1-9][0-9][0-9])(?: ([^\r\n\0]*))?\r\n"
    r"((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\r\n\0]*(?<![ \t])\r\n)*)\r\n"
)
_fields = patterns.findall(r"([^:]+):[ \t]*([^\r]*)\r\n")
_request_line_parts = patterns.fullmatch(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([^\x00-\x20\x7f]+) (HTTP/1\.[01])"
)


def encode_request(head: Request) -> bytes:
    """The bytes of a request head, up to and including its blank line.

    Raises ValueError if any part could break out of its place, TypeError if a value is no str.
    """
    if head.method != "GET" and not is_token(head.method):
        raise ValueError(f"a method must be a token, got {head.method!r}")
    path = head.path
    plain = type(path) is str and path.isprintable() and path != "" and " " not in path
    if not plain and not _target(path):
        raise ValueError("a request target must not be empty or hold blanks or control characters")
    if head.version not in _VERSIONS:
        _refuse_version(head.version)
    return _encode(f"{head.method} {head.path} {head.version}", head.headers)


def encode_response(head: Response) -> bytes:
    """The bytes of a response: its head, and its body where there is one.

    Content-Length is the caller's to set. Raises ValueError and TypeError as `encode_request`.
    """
    if not 100 <= head.status <= 999:
        raise ValueError(f"a status must be between 100 and 999, got {head.status!r}")
    check_header_value(head.reason, "reason")
    if head.version not in _VERSIONS:
        _refuse_version(head.version)
    encoded = _encode(f"{head.version} {head.status} {head.reason}", head.headers)
    return encoded + (head.body or b"")


def _refuse_version(version: str) -> NoReturn:
    raise ValueError(f"a version must be HTTP/1.1 or HTTP/1.0, got {version!r}")


def _encode(first_line: str, headers: Headers) -> bytes:
    fields = [*headers.raw_items()]
    try:
        head = "\r\n".join([first_line, *map(": ".join, fields), "", ""])
    except TypeError:  # some are no str
        _check_fields(fields)
        raise
    # What broke out of its line would be one more end of a line.
    ends = len(fields) + 2
    one_line_each = head.count("\r") == head.count("\n") == ends and "\0" not in head
    if not (one_line_each and _USUAL.issuperset(dict(fields))):
        _check_fields(fields)
    try:
        return head.encode("utf-8")
    except UnicodeEncodeError:
        # Without the cause: it would carry the whole head, credentials included.
        raise ValueError("a head must be encodable as UTF-8, got a lone surrogate") from None


def _check_fields(fields: list[tuple[str, str]]) -> None:
    for name, value in fields:
        check_header_name(name)
        check_header_value(value, f"header {name!r}")


class HeadReader:
    """Reads one head from bytes that may come in any cut; linear in their number.

    `max_bytes` counts every byte of the head, `max_lines` every line but the blank one. Whatever is
    wrong raises WebSocketException from `feed` as soon as it is known; the reader is of no use
    after that.
    """

    __slots__ = ("_done", "_head", "_kind", "_lines", "_max_bytes", "_max_lines", "_rest", "_size")

    def __init__(
        self,
        kind: Literal["response", "request"] = "response",
        max_bytes: int = 65536,
        max_lines: int = 256,
    ) -> None:
        self._kind = kind
        self._max_bytes = max_bytes
        self._max_lines = max_lines
        self._size = 0  # bytes of whole lines
        self._lines = 0
        self._rest = bytearray()  # the line that has begun
        self._head: Any = None
        self._done = False

    @property
    def missing(self) -> int:
        """The head cannot be complete before so many further bytes (0 once it is, else 1 to 4).

        Who reads exactly that many never takes a byte of what follows the head.
        """
        if self._done:
            return 0
        held = len(self._rest)
        if self._head is None:  # 12 bytes is the shortest first line, then two line ends
            return max(2, min(4, 14 - held))
        return 1 if not held or self._rest.startswith(b"\r") else 2

    def head(self) -> Any:
        """The Request or the Response, once `feed` has returned a number; RuntimeError before."""
        if not self._done:
            raise RuntimeError("the head is not complete")
        return self._head

    def feed(self, data: bytes) -> int | None:
        """Take bytes. Returns how many of them belong to the head once its blank line has come,
        None while it has not (all were taken then)."""
        if self._done:
            return 0
        if not (self._size or self._rest) and self._kind == "response":
            end = data.find(b"\r\n\r\n") + 4
            if 4 <= end <= self._max_bytes and self._take_whole(data[:end]):
                return end
        if self._head is None and len(self._rest) < _START_LENGTH:
            self._check_start(bytes(self._rest) + data[:_START_LENGTH])
        start = 0
        while True:
            end = data.find(b"\n", start)
            if end < 0:
                self._hold(data[start:])
                return None
            line = data[start:end]
            self._size += end + 1 - start
            if self._rest:
                self._size += len(self._rest)
                line = bytes(self._rest + line)
                self._rest.clear()
            if self._size > self._max_bytes:
                self._refuse_size()
            start = end + 1
            if line[-1:] == b"\r":  # a bare LF ends a line too (RFC 9112, 2.2)
                line = line[:-1]
            if not line and self._head is not None:
                self._done = True
                return start
            self._take(line)

    def _take_whole(self, head: bytes) -> bool:
        """Take a response head that came in one piece and is as it should be, as most are; False
        if it is not: nothing is taken then, and going line by line will say what is wrong."""
        try:
            text = head.decode()
        except UnicodeDecodeError:
            return False
        found = _response_head(text)
        if not found or text.count("\n") > self._max_lines + 1:
            return False
        version, status, reason, fields = found.groups("")
        headers = Headers.of(_fields(fields))
        self._head = Response(int(status), headers, None, reason.strip(" \t"), version)
        self._done = True
        return True

    def _hold(self, data: bytes) -> None:
        if self._size + len(self._rest) + len(data) > self._max_bytes:
            self._refuse_size()
        self._rest += data

    def _refuse_size(self) -> NoReturn:
        raise WebSocketException(
            f"The {self._kind} head is longer than the limit max_head={self._max_bytes} bytes"
        )

    def _take(self, line: bytes) -> None:
        """One whole line, without its end."""
        self._lines += 1
        if self._lines > self._max_lines:
            raise WebSocketException(
                f"The {self._kind} head has more lines than the limit "
                f"max_head_lines={self._max_lines}"
            )
        if self._head is None:
            self._head = _first_line(line) if self._kind == "response" else _request_line(line)
            return
        name, colon, value = line.partition(b":")
        if (
            not colon
            or not name
            or name.translate(None, TOKEN_BYTES)
            or b"\r" in value
            or b"\0" in value
        ):
            _refuse_header(line)
        value = value.strip(b" \t")
        try:
            self._head.headers.add(name.decode(), value.decode())
        except UnicodeDecodeError as error:
            # From None: the cause would carry the whole value.
            raise WebSocketException(
                f"Invalid header: expected UTF-8 in the value of {name!r}, "
                f"got byte 0x{value[error.start]:02x}"
            ) from None

    def _check_start(self, start: bytes) -> None:
        start = start[:_START_LENGTH]
        if self._kind == "response":
            if not _status_start(start + _STATUS_SAMPLE[len(start) :]):
                _refuse_status_line(start)
        elif start[:1].translate(None, TOKEN_BYTES):
            _refuse_request_line(start)


def _first_line(line: bytes) -> Response:
    # The first thirteen bytes were checked as they came.
    if b"\r" in line or b"\0" in line:
        _refuse_status_line(line)
    try:
        text = line.decode()
    except UnicodeDecodeError:
        _refuse_status_line(line)
    return Response(int(text[9:12]), Headers(), None, text[13:].strip(" \t"), text[:8])


def _request_line(line: bytes) -> Request:
    found = _request_line_parts(line)
    if not found:
        _refuse_request_line(line)
    method, target, version = found.groups()
    try:
        return Request(target.decode("utf-8"), (), method.decode(), version.decode())
    except UnicodeDecodeError:
        _refuse_request_line(line)


def _refuse_status_line(start: bytes) -> NoReturn:
    raise WebSocketException(
        f"Invalid status line: expected 'HTTP/1.1' and a status of three digits, "
        f"got {start[:40]!r}",
        hint=_hint(start),
    )


def _hint(start: bytes) -> str | None:
    """What the peer seems to speak, and what to do about it."""
    if start[:1] in (b"\x15", b"\x16"):  # RFC 8446, 5.1: alert, handshake
        return "the server speaks TLS: use wss://"
    if start[:1] == b"\0" or start.startswith((b"PRI ", b"HTTP/2")):  # RFC 9113, 3.4 and 4.1
        return "the server speaks HTTP/2 on this port, a WebSocket is opened by HTTP/1.1"
    if start.startswith(b"SSH-"):
        return "this is the port of an SSH server"
    if start.startswith(b"HTTP/"):
        return None
    return "what answers there does not speak HTTP: check host and port"


def _refuse_request_line(start: bytes) -> NoReturn:
    # Only the method: a target may hold a token in its query.
    method = start.split(b" ", 1)[0][:40]
    raise WebSocketException(
        f"Invalid request line: expected a method, a target and 'HTTP/1.1', got {method!r} first"
    )


def _refuse_header(line: bytes) -> NoReturn:
    """Say what is wrong with a line, without showing its value, which may be a secret."""
    name, colon, _ = line.partition(b":")
    shown = repr(name[:40])
    if line[:1] in (b" ", b"\t"):  # RFC 9112, 5.2: obs-fold
        fault = "expected a name at the start of the line, got a blank (folded lines are obsolete)"
    elif not colon:
        fault = f"expected 'Name: value', got no colon in {shown}"
    elif name.endswith((b" ", b"\t")):  # RFC 9112, 5.1
        fault = f"expected the colon right behind the name, got a blank in {shown}"
    elif not name or name.translate(None, TOKEN_BYTES):
        fault = f"expected a name of letters, digits and !#$%&'*+-.^_`|~, got {shown}"
    else:
        fault = f"expected no CR and no NUL in the value of {shown}, got one"
    raise WebSocketException(f"Invalid header: {fault}")
