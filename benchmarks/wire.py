"""Frames as the server and the floor need them: made beforehand, and counted, never unmasked."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import lru_cache

from rows import BLOCK, Part, payload_of

__all__ = ["CLOSE", "FrameCounter", "frame", "header", "masked", "message_of", "pieces_of"]

CLOSE = b"\x88\x02\x03\xe8"
"""The server's close frame, code 1000."""


def header(opcode: int, length: int, fin: bool = True, rsv1: bool = False) -> bytes:
    """The head of an unmasked frame (RFC 6455 5.2)."""
    first = opcode | (0x80 if fin else 0) | (0x40 if rsv1 else 0)
    if length < 126:
        return bytes((first, length))
    if length < 65536:
        return bytes((first, 126)) + length.to_bytes(2, "big")
    return bytes((first, 127)) + length.to_bytes(8, "big")


def frame(opcode: int, payload: bytes, fin: bool = True, rsv1: bool = False) -> bytes:
    """An unmasked frame."""
    return header(opcode, len(payload), fin, rsv1) + payload


def masked(size: int) -> bytes:
    """A frame as clients send it, its masking key and payload zeros."""
    head = header(2, size)
    return head[:1] + bytes((head[1] | 0x80,)) + head[2:] + bytes(4 + size)


@lru_cache(maxsize=4)
def message_of(part: Part) -> bytes:
    """A message on the wire."""
    payload, opcode = payload_of(part), 1 if part.text else 2
    if part.deflate:
        squeezer = zlib.compressobj(wbits=-12)
        squeezed = squeezer.compress(payload) + squeezer.flush(zlib.Z_SYNC_FLUSH)
        return frame(opcode, squeezed[:-4], rsv1=True)
    if not part.fragment:
        return frame(opcode, payload)
    starts = range(0, len(payload), part.fragment)
    return b"".join(
        frame(
            0 if start else opcode,
            payload[start : start + part.fragment],
            fin=start + part.fragment >= len(payload),
        )
        for start in starts
    )


def pieces_of(part: Part) -> Iterator[bytes]:
    """A message on the wire, in pieces where it is large."""
    if part.fragment or part.size <= 16 * BLOCK:
        yield message_of(part)
        return
    yield header(1 if part.text else 2, part.size)
    block = payload_of(part._replace(size=BLOCK))
    left = part.size
    while left:
        yield block[:left]
        left -= min(left, BLOCK)


class FrameCounter:
    """Counts the client's messages in a stream of bytes, without looking at a payload."""

    def __init__(self) -> None:
        self.is_closed = False  # a close frame came
        self._head = b""  # of a frame whose length is not known yet
        self._left = 0  # bytes of the current frame that are still to come
        self._is_last = False  # the current frame is the last one of a message

    def feed(self, data: bytearray, end: int) -> int:
        """Take `data[:end]`; how many messages it has completed."""
        position = messages = 0
        while position < end:
            if not self._left:
                position = self._take_head(data, position, end)
            step = min(self._left, end - position)
            position += step
            self._left -= step
            if not self._left and not self._head:
                messages += self._is_last
        return messages

    def _take_head(self, data: bytearray, position: int, end: int) -> int:
        head = self._head + data[position : min(end, position + 14 - len(self._head))]
        known = len(self._head)
        needed = 2 if len(head) < 2 else {126: 8, 127: 14}.get(head[1] & 127, 6)
        if len(head) < needed:
            self._head = bytes(head)
            return end
        short = head[1] & 127
        self._head = b""
        self._left = short if short < 126 else int.from_bytes(head[2 : needed - 4], "big")
        opcode = head[0] & 15
        self.is_closed = self.is_closed or opcode == 8
        self._is_last = bool(head[0] & 0x80) and opcode < 8
        return position + needed - known
