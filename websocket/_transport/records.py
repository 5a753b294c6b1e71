"""`RecordSplitter`: ciphertext in any cut -> whole TLS records."""

from __future__ import annotations

__all__ = ["RecordSplitter"]

_HEADER = 5  # type, version, length (RFC 8446 5.1)
_LONG = 1 << 14  # bytes of a buffer that say that more has come


class RecordSplitter:
    """Ciphertext in any cut -> whole TLS records; so that those behind stay the kernel's."""

    __slots__ = ("_buffer", "_cut", "_position", "missing")

    def __init__(self) -> None:
        self._buffer = b""
        self._position = 0
        self._cut = bytearray()  # the beginning of a record that came without its end
        self.missing = _HEADER

    @property
    def at_border(self) -> bool:
        return not self._cut

    @property
    def held(self) -> int:
        """Bytes of whole and cut records in here; those of a cut one wait for their rest."""
        return len(self._buffer) - self._position

    def feed(self, data: bytes) -> None:
        if self._cut:
            self._cut += data
        else:
            self._buffer, self._position = data, 0

    def next(self) -> bytes | bytearray | None:
        """The next record, or None: `missing` more bytes are needed."""
        if self._cut:
            return self._next_cut()
        buffer, start = self._buffer, self._position
        end = start + _HEADER
        if end <= len(buffer):
            end += buffer[start + 3] << 8 | buffer[start + 4]
            if end <= len(buffer):
                self._position = end
                return buffer[start:end]
        self.missing = end - len(buffer)
        self._cut += buffer[start:]
        self._buffer, self._position = b"", 0
        return None

    def next_ones(self) -> bytes | bytearray | memoryview | None:
        """All whole records that are here, one behind the other, or None as `next`.

        One that is cut by the end of a long buffer stays in it: to `give_back` and feed it again,
        with what follows, costs less than to collect it.
        """
        if self._cut:
            return self._next_cut()
        buffer, start = self._buffer, self._position
        size, end = len(buffer), start
        while end + _HEADER <= size:
            behind = end + _HEADER + (buffer[end + 3] << 8 | buffer[end + 4])
            if behind > size:
                break
            end = behind
        if end > start:
            self._position = end
            return buffer if end - start == size else memoryview(buffer)[start:end]
        if start and size > _LONG:
            return None
        return self.next()

    def put_back(self, records: bytes) -> None:
        """Have `next` return these once more, before all others; at a border."""
        self._buffer, self._position = records + self._buffer[self._position :], 0

    def _next_cut(self) -> bytearray | None:
        cut = self._cut
        end = _HEADER if len(cut) < _HEADER else _HEADER + (cut[3] << 8 | cut[4])
        self.missing = end - len(cut)
        if self.missing > 0:
            return None
        self._cut = bytearray()
        self.missing = _HEADER
        return cut

    def give_back(self) -> bytes:
        """The bytes behind the last record, as if they had never been fed."""
        surplus = self._buffer[self._position :]
        self._buffer, self._position = b"", 0
        return surplus
