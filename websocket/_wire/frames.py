"""One frame <-> bytes (RFC 6455 5.2): opcodes, close codes, encoding, and `FrameDecoder`."""

from __future__ import annotations

from struct import Struct

from .._exceptions import WebSocketProtocolException
from .closing import (
    ABNORMAL,
    NO_STATUS,
    Close,
    check_close,
    encode_close,
    is_valid_close_code,
    parse_close,
)
from .filling import Filling, FillingInPython
from .masking import mask
from .speedups import pick

__all__ = [
    "ABNORMAL",
    "BINARY",
    "CLOSE",
    "CONT",
    "NO_STATUS",
    "OPCODE_NAMES",
    "PING",
    "PONG",
    "TEXT",
    "Close",
    "Frame",
    "FrameDecoder",
    "check_close",
    "encode_close",
    "encode_frame",
    "encode_frame_in_python",
    "is_valid_close_code",
    "parse_close",
]

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
OPCODE_NAMES = {
    CONT: "cont",
    TEXT: "text",
    BINARY: "binary",
    CLOSE: "close",
    PING: "ping",
    PONG: "pong",
}

_HEADER_16 = Struct("!BBH").pack
_HEADER_64 = Struct("!BBQ").pack

_LARGE = 1 << 14  # bytes still missing for which it is worth receiving them in their place


class Frame:
    """What the wire said, cheaply; whole messages travel in the same shape.

    `text` is `data` decoded, where somebody had to validate it as UTF-8 anyway, else None.
    """

    __slots__ = ("data", "fin", "masked", "opcode", "rsv1", "rsv2", "rsv3", "text")

    def __init__(
        self,
        opcode: int,
        data: bytes,
        fin: bool = True,
        rsv1: bool = False,
        rsv2: bool = False,
        rsv3: bool = False,
    ):
        self.opcode: int = opcode
        self.data: bytes = data
        self.fin: bool = fin
        self.rsv1: bool = rsv1
        self.rsv2: bool = rsv2
        self.rsv3: bool = rsv3
        self.masked: bool = False
        self.text: str | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Frame):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        name = OPCODE_NAMES.get(self.opcode, hex(self.opcode))
        flags = "".join(
            f" {flag}" for flag in ("fin", "rsv1", "rsv2", "rsv3", "masked") if getattr(self, flag)
        )
        shown = self.data if len(self.data) <= 64 else self.data[:61] + b"..."
        return f"<Frame {name}{flags} [{len(self.data)} bytes] {shown!r}>"

    def _key(self) -> tuple[object, ...]:
        return (self.opcode, self.data, self.fin, self.rsv1, self.rsv2, self.rsv3)


def encode_frame_in_python(
    opcode: int,
    payload: bytes | bytearray | memoryview | str,
    key: bytes | None,
    fin: bool = True,
    rsv: int = 0,
    /,
) -> bytes:
    """One frame on the wire; `key` None leaves it unmasked, as servers do; `rsv` is 0 to 7."""
    if isinstance(payload, str):
        payload = payload.encode()
    elif isinstance(payload, memoryview) and not (
        payload.contiguous and payload.nbytes == len(payload)
    ):
        payload = payload.tobytes()  # what is wanted is bytes, not items
    length = len(payload)
    first = opcode | rsv << 4 | (0x80 if fin else 0)
    mask_bit = 0 if key is None else 0x80
    if length < 126:
        header = bytes((first, mask_bit | length))
    elif length < 65536:
        header = _HEADER_16(first, mask_bit | 126, length)
    else:
        header = _HEADER_64(first, mask_bit | 127, length)
    if key is None:
        return header + payload
    return b"".join((header, key, mask(key, payload)))


encode_frame = pick("encode_frame", encode_frame_in_python)


class FrameDecoder:
    """Bytes in any cut -> frames.

    Push bytes with `feed`, pull frames with `next`; None means that more bytes are needed, at least
    `missing`. A frame of which only the beginning has come shows its header in `opened` (its `data`
    empty, `announced` bytes long), so that whoever judges headers can refuse a length before one
    byte of it is stored. There is one buffer: what `feed` brought last and a position in it; only
    the payload of an opened frame is collected elsewhere, and it grows as bytes arrive, never by
    what was announced. The rest of a large one may be received there: into `room`, then `took`.

    With `gives_back`, a frame that is cut by the end of a long buffer is not opened at first: that
    there is so much says that there is more, and to `give_back` and feed it again with what
    follows costs less than to collect it.
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
        self._payload = Filling(text=frame.opcode == TEXT and frame.fin)
        self._seen = 0
        piece = self.buffer[begin:]
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
    frame.rsv1 = bool(first & 0x40)
    frame.rsv2 = bool(first & 0x20)
    frame.rsv3 = bool(first & 0x10)


def _checked_length(length: int, extended: int) -> int:
    # RFC 6455 5.2: the minimal number of bytes, and the most significant bit is 0.
    if length < 126 or (extended == 8 and length < 65536):
        raise WebSocketProtocolException(
            f"Invalid frame length: {length} in {extended} bytes, expected the shortest form"
        )
    if length >> 63:
        raise WebSocketProtocolException("Invalid frame length: its most significant bit is set")
    return length
