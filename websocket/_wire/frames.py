"""One frame <-> bytes (RFC 6455 5.2): opcodes, close codes, and encoding."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from .._exceptions import WebSocketProtocolException
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
    "check_close",
    "encode_close",
    "encode_frame",
    "encode_frame_in_python",
    "encode_header",
    "is_valid_close_code",
    "parse_close",
    "size_on_wire",
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
    header = encode_header(opcode, len(payload), key, fin, rsv)
    return header + payload if key is None else b"".join((header, mask(key, payload)))


def encode_header(
    opcode: int, length: int, key: bytes | None, fin: bool = True, rsv: int = 0
) -> bytes:
    """All of a frame before its payload of `length` bytes."""
    first = opcode | rsv << 4 | (0x80 if fin else 0)
    mask_bit = 0 if key is None else 0x80
    if length < 126:
        header = bytes((first, mask_bit | length))
    elif length < 65536:
        header = _HEADER_16(first, mask_bit | 126, length)
    else:
        header = _HEADER_64(first, mask_bit | 127, length)
    return header if key is None else header + key


encode_frame = pick("encode_frame", encode_frame_in_python)


def size_on_wire(length: int, masked: bool = False) -> int:
    """How long a frame is with a payload of `length` bytes."""
    header = 2 if length < 126 else 4 if length < 65536 else 10
    return header + (4 if masked else 0) + length


class Close(NamedTuple):
    """What a close frame says: a code (1005 when it says none, RFC 6455 7.4.1) and a reason."""

    code: int
    reason: str


NO_STATUS, ABNORMAL = 1005, 1006


def is_valid_close_code(code: int) -> bool:
    """Whether a close frame may carry this code (RFC 6455 7.4, and the IANA registry since)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def parse_close(payload: bytes) -> Close:
    """The body of a close frame; raises WebSocketProtocolException for one that is not allowed."""
    if not payload:
        return Close(NO_STATUS, "")
    if len(payload) == 1:
        raise WebSocketProtocolException("Invalid close frame: its body is a single byte")
    code = int.from_bytes(payload[:2], "big")
    if not is_valid_close_code(code):
        raise WebSocketProtocolException(f"Invalid close opcode {code}")
    try:
        return Close(code, payload[2:].decode())
    except UnicodeDecodeError as exc:
        raise WebSocketProtocolException("Invalid close frame: its reason is not UTF-8") from exc


def check_close(code: int, reason: str | bytes | None = b"") -> bytes:
    """The reason as the bytes that will travel; raises ValueError for what RFC 6455 forbids."""
    if not is_valid_close_code(code):
        raise ValueError(
            f"code is invalid range: {code} cannot be sent, "
            "expected 1000-1003, 1007-1014 or 3000-4999"
        )
    encoded = reason.encode() if isinstance(reason, str) else bytes(reason or b"")
    if len(encoded) > 123:  # RFC 6455 5.5: a control frame carries at most 125 bytes
        raise ValueError(f"reason is too long: {len(encoded)} bytes in UTF-8, expected at most 123")
    return encoded


def encode_close(code: int | None, reason: str | bytes | None = b"") -> bytes:
    """The body of a close frame; `code` None or 1005 gives an empty one."""
    if code is None or code == NO_STATUS:
        return b""
    encoded = check_close(code, reason)
    return code.to_bytes(2, "big") + encoded
