"""`RecordBorders`: where TLS records end in ciphertext that comes in any cut."""

from __future__ import annotations

__all__ = ["RecordBorders"]

_HEADER = 5  # type, version, length (RFC 8446 5.1)


class RecordBorders:
    """Follows ciphertext in any cut, and keeps none of it but a header that was cut.

    `held` is how many bytes of an unfinished record have come, `missing` how many have to come at
    least until there may be a border: those of its header, then those of its body.
    """

    __slots__ = ("_header", "held", "missing")

    def __init__(self) -> None:
        self._header = b""  # the beginning of one
        self.held: int = 0
        self.missing: int = _HEADER

    @property
    def next_read(self) -> int:
        """How much to read without taking a whole record more: the header of the next one may come
        along, since its body shows that it is there."""
        return self.missing + _HEADER if self.held >= _HEADER else self.missing

    def follow(self, data: bytes) -> bool:
        """Note what has come; whether a record has ended in it."""
        if self._header:
            data = self._header + data
            self.held = 0
        size, border = len(data), 0
        end = self.missing if self.held else 0  # of the record that is under way
        while end + _HEADER <= size:
            border, end = end, end + _HEADER + (data[end + 3] << 8 | data[end + 4])
        if end <= size:
            border = end
            self._header = data[end:]
            self.missing = _HEADER - size + end
        else:
            self._header = b""
            self.missing = end - size
        self.held = size - border if border else self.held + size
        return border > 0
