"""`FrameDecoder`: bytes in any cut -> frames (RFC 6455 5.2)."""

from __future__ import annotations

from .._exceptions import WebSocketProtocolException
from .filling import Filling, FillingInPython
from .frames import TEXT, Frame
from .masking import mask

__all__ = ["FrameDecoder"]

_BELIEVED = 256  # times what has come of a payload: for so much memory is set aside
_LARGE = 1 << 14  # bytes still missing for which it is worth receiving them in their place


class FrameDecoder:
    """Bytes in any cut -> frames.

    Push bytes with `feed`, pull frames with `next`; None means that more bytes are needed, at least
    `missing`. A frame of which only the beginning has come shows its header in `opened` (its `data`
    empty, `announced` bytes long), so that whoever judges headers can refuse a length before one
    byte of it is stored. There is one buffer: what `feed` brought last and a position in it; only
    the payload of an opened frame is collected elsewhere, and it grows as bytes arrive, never by
    what was announced. The rest of a large one may be received there: into `room`, then `took`.

    With `gives_back`, a frame that is cut by the end of a long buffer is not opened at first: there
    is more, and to `give_back` and feed it again with that costs less than to collect it.
    """

    __slots__ = (
        "_key",
        "_payload",
        "_seen",
        "announced",
        "buffer",
        "gives_back",
        "missing",
        "opened",
        "position",
    )

    def __init__(self) -> None:
        self.buffer = b""
        self.position = 0
        self.missing = 2
        self.gives_back = False
        self.opened: Frame | None = None
        self.announced = 0
        self._payload: FillingInPython | None = None  # of the opened frame
        self._key: bytes | None = None
        self._seen = 0

    @property
    def at_border(self) -> bool:
        """Whether every byte that was fed belongs to a frame already returned."""
        return self.position == len(self.buffer) and self.opened is None

    def feed(self, data: bytes) -> None:
        """Take bytes as they came."""
        if self.position == len(self.buffer):
            self.buffer = data
        else:
            self.buffer = self.buffer[self.position :] + data
        self.position = 0

    def give_back(self) -> bytes:
        """Let go of the bytes that were fed and have not become part of a frame, for somebody else
        to read them again; a cut header is among them, what an opened frame has taken is not."""
        surplus = self.buffer[self.position :]
        self.buffer = b""
        self.position = 0
        return surplus

    def next(self) -> Frame | None:
        """The next whole frame, unmasked, or None; raises WebSocketProtocolException on a length
        that RFC 6455 5.2 forbids."""
        if self.opened is not None:
            return self._go_on(self.opened)
        buffer, start = self.buffer, self.position
        available = len(buffer) - start
        if available < 2:
            self.missing = 2 - available
            return None
        first, second = buffer[start], buffer[start + 1]
        if second > 125:  # masked, or an extended length
            return self._next_long(first, second)
        begin = start + 2
        end = begin + second
        frame = Frame(first & 0x0F, buffer[begin:end], first > 0x7F)
        if first & 0x70:
            _set_rsv(frame, first)
        if end > len(buffer):
            if not (start and self.gives_back and len(buffer) > _LARGE):
                self._open(frame, begin, second, None)
            return None
        self.position = end
        return frame

    def _next_long(self, first: int, second: int) -> Frame | None:
        """A header of more than two bytes: extended length, masking key or both."""
        buffer, start = self.buffer, self.position
        length = second & 0x7F
        extended = 0 if length < 126 else 2 if length == 126 else 8
        begin = start + 2 + extended + (4 if second & 0x80 else 0)
        if begin > len(buffer):
            self.missing = begin - len(buffer)
            return None
        if extended:
            announced = buffer[start + 2 : start + 2 + extended]
            length = _checked_length(int.from_bytes(announced, "big"), extended)
        key = buffer[begin - 4 : begin] if second & 0x80 else None
        end = begin + length
        whole = end <= len(buffer)
        frame = Frame(first & 0x0F, buffer[begin:end] if whole else b"", first > 0x7F)
        frame.masked = key is not None
        if first & 0x70:
            _set_rsv(frame, first)
        if not whole:
            if not (start and self.gives_back and len(buffer) > _LARGE):
                self._open(frame, begin, length, key)
            return None
        if key is not None:
            frame.data = bytes(mask(key, frame.data))
        self.position = end
        return frame

    def _open(self, frame: Frame, begin: int, length: int, key: bytes | None) -> None:
        frame.data = b""
        self.opened, self.announced, self._key = frame, length, key
        self._seen = 0
        piece = self.buffer[begin:]
        # So much has come that the rest may be believed.
        expected = length if length <= _BELIEVED * len(piece) else 0
        self._payload = Filling(frame.opcode == TEXT and frame.fin, expected)
        self.buffer, self.position = b"", 0
        self.missing = length
        self._collect(self._payload, piece)

    def _collect(self, payload: FillingInPython, piece: bytes) -> None:
        self.missing -= len(piece)
        if self._key is not None:
            key, turn = self._key, len(piece) & 3
            piece = bytes(mask(key, piece))
            self._key = key[turn:] + key[:turn]
        payload.write(piece)

    def _go_on(self, opened: Frame) -> Frame | None:
        """The opened frame, once the rest of its payload has come."""
        payload = self._payload
        assert payload is not None
        start, buffer = self.position, self.buffer
        end = min(start + self.missing, len(buffer))
        if end > start:
            self._collect(payload, buffer if end - start == len(buffer) else buffer[start:end])
            self.position = end
            if end == len(buffer):
                self.buffer, self.position = b"", 0
        if self.missing:
            return None
        opened.data = payload.value()
        self._payload = self.opened = None
        return opened

    def room(self) -> memoryview | None:
        """Where to receive more of a large payload, None where bytes have to be fed; whoever gets
        it releases it, and says how much it `took`, before anything else happens here."""
        if self._payload is None or self._key is not None or self.missing < _LARGE:
            return None
        return self._payload.room(self.missing) if self.position == len(self.buffer) else None

    def took(self, count: int) -> None:
        """So many bytes were received into the room."""
        assert self._payload is not None
        self._payload.took(count)
        self.missing -= count

    def take_text(self) -> str | None:
        """The opened frame as text, if it is one and whole; raises UnicodeDecodeError."""
        opened, payload = self.opened, self._payload
        if opened is None or payload is None or self.missing or opened.opcode != TEXT:
            return None
        text = payload.decode()
        self._payload = self.opened = None
        return text

    @property
    def seems_fine(self) -> bool:
        """Whether the opened frame is text, and ASCII as far as it has come."""
        return self._payload is not None and self._payload.is_ascii

    def peek(self) -> memoryview:
        """What has come of the opened frame's payload since the last `peek`; to be released."""
        assert self._payload is not None
        piece = self._payload.since(self._seen)
        self._seen += len(piece)
        return piece

    def drain(self) -> bytes:
        """Take out what has come of the opened frame's payload: its `data` will lack it."""
        assert self._payload is not None
        piece = self._payload.value()
        self._payload = Filling()
        self._seen = 0
        return piece


def _set_rsv(frame: Frame, first: int) -> None:
    frame.rsv1, frame.rsv2, frame.rsv3 = bool(first & 0x40), bool(first & 0x20), bool(first & 0x10)


def _checked_length(length: int, extended: int) -> int:
    # RFC 6455 5.2: the minimal number of bytes, and the most significant bit is 0.
    if length < 126 or (extended == 8 and length < 65536):
        raise WebSocketProtocolException(
            f"Invalid frame length: {length} in {extended} bytes, expected the shortest form"
        )
    if length >> 63:
        raise WebSocketProtocolException("Invalid frame length: its most significant bit is set")
    return length
