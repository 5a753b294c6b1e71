"""The body of an HTTP response that refuses: how long it is, and the first bytes of it."""

from __future__ import annotations

from websocket._wire.headers import Response

_MAX_CHUNK_LINE = 256
_DIGITS = b"0123456789"
_HEX = b"0123456789abcdefABCDEF"


class BodyReader:
    """Reads the body that follows a head, from bytes in any cut, and keeps at most `limit` of it.

    The body is only ever shown to people, so a length or chunk that makes no sense ends it instead
    of raising. `done` is True as soon as nothing more is worth reading: the end, or the limit.
    """

    __slots__ = ("_body", "_chunked", "_left", "_limit", "_line", "done")

    def __init__(self, head: Response, limit: int) -> None:
        self._limit = limit
        self._body = bytearray()
        self._chunked = False
        self._line = bytearray()  # the chunk-size line that has begun
        self._left: int | None = None  # bytes up to the end of the body or of the chunk
        self.done = limit <= 0
        # RFC 9112, 6.3: in this order, the first that applies.
        if head.status < 200 or head.status in (204, 304):
            self.done = True
        elif "transfer-encoding" in head.headers:
            last_coding = head.headers["transfer-encoding"].rpartition(",")[2]
            self._chunked = last_coding.strip(" \t").lower() == "chunked"
        elif "content-length" in head.headers:
            self._left = _content_length(head.headers["content-length"])
            self.done = self.done or self._left == 0

    @property
    def body(self) -> bytes:
        """What has come so far, chunk framing removed."""
        return bytes(self._body)

    @property
    def missing(self) -> int:
        """`done` cannot come true before so many further bytes (0 once it has)."""
        if self.done:
            return 0
        return min(self._left or 1, self._limit - len(self._body))

    def feed(self, data: bytes) -> None:
        """Take bytes; those beyond the end or the limit are dropped."""
        if not self._chunked:
            self._keep(data)
            return
        at = 0
        while at < len(data) and not self.done:
            if self._left:
                piece = data[at : at + self._left]
                self._keep(piece)
                at += len(piece)
            else:
                at = self._chunk_line(data, at)

    def feed_eof(self) -> None:
        """The connection has ended, and the body with it."""
        self.done = True

    def _keep(self, data: bytes) -> None:
        if self.done:
            return
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        self._body += data[: self._limit - len(self._body)]
        whole = self._left == 0 and not self._chunked
        self.done = whole or len(self._body) >= self._limit

    def _chunk_line(self, data: bytes, at: int) -> int:
        """Take a chunk-size line, or its part up to the end of data; returns where it ended."""
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end
        self._line += data[at : min(stop, at + _MAX_CHUNK_LINE + 1)]
        if len(self._line) > _MAX_CHUNK_LINE:
            self.done = True
        if end < 0:
            return stop
        line = bytes(self._line).rstrip(b"\r")
        self._line.clear()
        if not line and self._left == 0:  # the line end behind the data of the chunk before
            self._left = None
            return end + 1
        size = line.partition(b";")[0].strip(b" \t")
        if not size or len(size) > 16 or size.translate(None, _HEX) or self._left == 0:
            self.done = True
            return end + 1
        self._left = int(size, 16)
        self.done = self.done or self._left == 0  # the last chunk; trailers tell us nothing
        return end + 1


def _content_length(text: str) -> int:
    """The length, 0 where it makes no sense (RFC 9110, 8.6: the same value twice does)."""
    values = {value.strip(" \t") for value in text.split(",")}
    value = values.pop().encode("utf-8")
    if values or not value or len(value) > 18 or value.translate(None, _DIGITS):
        return 0
    return int(value)
