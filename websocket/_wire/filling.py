"""`Filling`: the payload of one frame, received straight into the object that it becomes."""

from __future__ import annotations

from io import BytesIO

from .speedups import pick

__all__ = ["Filling", "FillingInPython"]

_FIRST = 1 << 18  # bytes of room at first; then as much as has come: a length is only a claim


class FillingInPython:
    """Bytes under way: `write` what came elsewhere, or receive into `room` and say `took`.

    The memory is a `BytesIO`'s, which hands it out at the end without a copy. `text` tells that
    they will be asked for as a str, which the accelerator makes of them without a copy, too;
    `expected` how many they will be, for which it sets memory aside if they are not too many. Views
    have to be released before anything else happens here; after `value` and `decode` nothing does.
    """

    __slots__ = ("_have", "_memory", "_text", "is_ascii")

    def __init__(self, text: bool = False, expected: int = 0):
        self._memory = BytesIO()
        self._have = 0
        self._text = text
        self.is_ascii = text  # whether it is text, and no character beyond ASCII has come so far

    def write(self, piece: bytes) -> None:
        """Copy bytes in behind those that are there."""
        self._memory.seek(self._have)
        self._memory.write(piece)
        self.took(len(piece))

    def room(self, most: int) -> memoryview:
        """Where the next bytes belong, at least one and at most `most` of them."""
        end = self._have + min(most, max(_FIRST, self._have))
        if len(self._memory.getbuffer()) < end:
            self._memory.seek(end - 1)
            self._memory.write(b"\0")
        return self._memory.getbuffer()[self._have : end]

    def took(self, count: int) -> None:
        """So many bytes of the room have been filled."""
        if self.is_ascii:
            with self._memory.getbuffer()[self._have : self._have + count] as piece:
                self.is_ascii = bytes(piece).isascii()
        self._have += count

    def since(self, start: int) -> memoryview:
        """What has come from `start` on."""
        return self._memory.getbuffer()[start : self._have]

    def value(self) -> bytes:
        """All that has come."""
        self._memory.truncate(self._have)
        return self._memory.getvalue()

    def decode(self) -> str:
        """All that has come, as text; raises UnicodeDecodeError."""
        with self._memory.getbuffer()[: self._have] as whole:
            return str(whole, "utf-8")


Filling = pick("Filling", FillingInPython)
