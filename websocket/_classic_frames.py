"""`ABNF`, the frame that users hold, and the two classic pull parsers `frame_buffer` and
`continuous_frame`, which programs subclass or drive by hand.

The library itself receives with the protocol floor's Receiver; these serve code that was written
against websocket-client's own parser, and connections on which a part of it was replaced. They are
known as `websocket._abnf`'s; that module can be reloaded, and these classes stay what they are.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from io import BytesIO
from typing import Any

from ._exceptions import (
    WebSocketConnectionClosedException,
    WebSocketPayloadException,
    WebSocketProtocolException,
)
from ._wire.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT, encode_frame, parse_close
from ._wire.masking import mask

__all__ = ["ABNF", "continuous_frame", "frame_buffer"]

_AT_A_TIME = 16384  # what frame_buffer asks its source for at most


class ABNF:
    """One frame (RFC 6455 5.2), its fields as plain attributes; a value without threads.

    `data` is str or bytes as it was given; of received frames always bytes.
    """

    __module__ = "websocket._abnf"

    OPCODE_CONT = CONT
    OPCODE_TEXT = TEXT
    OPCODE_BINARY = BINARY
    OPCODE_CLOSE = CLOSE
    OPCODE_PING = PING
    OPCODE_PONG = PONG
    OPCODES = (OPCODE_CONT, OPCODE_TEXT, OPCODE_BINARY, OPCODE_CLOSE, OPCODE_PING, OPCODE_PONG)
    OPCODE_MAP = {
        OPCODE_CONT: "cont",
        OPCODE_TEXT: "text",
        OPCODE_BINARY: "binary",
        OPCODE_CLOSE: "close",
        OPCODE_PING: "ping",
        OPCODE_PONG: "pong",
    }
    LENGTH_7 = 0x7E
    LENGTH_16 = 1 << 16
    LENGTH_63 = 1 << 63

    def __init__(
        self,
        fin: int = 0,
        rsv1: int = 0,
        rsv2: int = 0,
        rsv3: int = 0,
        opcode: int = OPCODE_TEXT,
        mask_value: int = 1,
        data: Any = "",
    ):
        self.fin = fin
        self.rsv1 = rsv1
        self.rsv2 = rsv2
        self.rsv3 = rsv3
        self.opcode = opcode
        self.mask_value = mask_value
        self.data: Any = "" if data is None else data
        self.get_mask_key: Callable[[int], bytes | str] = os.urandom

    def __str__(self) -> str:
        return f"fin={self.fin} opcode={self.opcode} data={self.data}"

    def __repr__(self) -> str:
        return f"<ABNF {self}>"

    def validate(self, skip_utf8_validation: bool = False) -> None:
        """Check a received frame by itself; raises WebSocketProtocolException.

        `skip_utf8_validation` leaves the reason of a close frame unchecked.
        """
        if self.rsv1 or self.rsv2 or self.rsv3:
            raise WebSocketProtocolException("rsv is not implemented, yet")
        if self.opcode not in ABNF.OPCODES:
            raise WebSocketProtocolException(f"Invalid opcode {self.opcode!r}")
        if self.opcode >= CLOSE and not self.fin:
            name = ABNF.OPCODE_MAP[self.opcode]
            raise WebSocketProtocolException(f"Invalid {name} frame: fragmented.")
        if self.opcode >= CLOSE and len(self.data) > 125:
            raise WebSocketProtocolException("Invalid control frame: over 125 bytes.")
        if self.opcode == CLOSE and self.data:
            self._validate_close(skip_utf8_validation)

    def _validate_close(self, skip_utf8_validation: bool) -> None:
        if len(self.data) == 1:
            raise WebSocketProtocolException("Invalid close frame.")
        parse_close(self.data[:2] if skip_utf8_validation else self.data)

    @staticmethod
    def create_frame(data: Any, opcode: int, fin: int = 1) -> ABNF:
        """A masked frame to send; str data of a text frame is encoded as UTF-8."""
        if opcode == TEXT and isinstance(data, str):
            data = data.encode()
        return ABNF(fin, 0, 0, 0, opcode, 1, data)

    def format(self) -> bytes:
        """The frame on the wire; raises ValueError for fields that no frame can have."""
        if any(flag not in (0, 1) for flag in (self.fin, self.rsv1, self.rsv2, self.rsv3)):
            raise ValueError("not 0 or 1")
        if self.opcode not in ABNF.OPCODES:
            raise ValueError("Invalid OPCODE")
        if len(self.data) >= ABNF.LENGTH_63:
            raise ValueError("data is too long")
        rsv = self.rsv1 << 2 | self.rsv2 << 1 | self.rsv3
        if not self.mask_value:
            return encode_frame(self.opcode, _octets(self.data, "utf-8"), None, bool(self.fin), rsv)
        key = bytes(_octets(self.get_mask_key(4), "latin-1"))
        if len(key) != 4:
            raise ValueError(f"the mask key function gave {len(key)} bytes, expected 4")
        return encode_frame(self.opcode, _octets(self.data, "latin-1"), key, bool(self.fin), rsv)

    def _get_masked(self, mask_key: bytes | str) -> bytes:
        """Key and masked data as they follow the header; programs call it by this name."""
        return bytes(_octets(mask_key, "latin-1")) + ABNF.mask(mask_key, self.data)

    @staticmethod
    def mask(mask_key: bytes | str, data: Any) -> bytes:
        """XOR of `data` with the 4-byte key, from the key's first byte on."""
        if data is None:
            return b""
        return bytes(mask(bytes(_octets(mask_key, "latin-1")), _octets(data, "latin-1")))


def _octets(data: Any, encoding: str) -> bytes | bytearray | memoryview:
    if isinstance(data, str):
        return data.encode(encoding)
    if isinstance(data, (bytes, bytearray, memoryview)):
        return data  # pyright: ignore[reportUnknownVariableType]
    return bytes(data)


class frame_buffer:
    """Pulls frames out of `recv_fn(count)`, which gives at most `count` bytes, b"" at the end.

    What was read stays when `recv_fn` raises, so that a later call goes on from there.
    """

    __module__ = "websocket._abnf"

    _HEADER_MASK_INDEX = 5
    _HEADER_LENGTH_INDEX = 6

    def __init__(self, recv_fn: Callable[[int], bytes], skip_utf8_validation: bool):
        self.recv = recv_fn
        self.skip_utf8_validation = skip_utf8_validation
        self.recv_buffer: list[bytes] = []
        self.lock: threading.Lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget the parts of the frame under way."""
        self.header: tuple[int, ...] | None = None
        self.length: int | None = None
        self.mask_value: bytes | str | None = None

    def needs_header(self) -> bool:
        return self.header is None

    def recv_header(self) -> None:
        """Read the first two bytes: (fin, rsv1, rsv2, rsv3, opcode, has_mask, length bits)."""
        first, second = self.recv_strict(2)
        self.header = (
            first >> 7 & 1,
            first >> 6 & 1,
            first >> 5 & 1,
            first >> 4 & 1,
            first & 0xF,
            second >> 7 & 1,
            second & 0x7F,
        )

    def has_mask(self) -> bool | int:
        return self.header[self._HEADER_MASK_INDEX] if self.header else False

    def needs_length(self) -> bool:
        return self.length is None

    def recv_length(self) -> None:
        """Read the extended length, if the header says that there is one."""
        assert self.header is not None
        bits = self.header[self._HEADER_LENGTH_INDEX] & 0x7F
        extended = {0x7E: 2, 0x7F: 8}.get(bits, 0)
        self.length = int.from_bytes(self.recv_strict(extended), "big") if extended else bits

    def needs_mask(self) -> bool:
        return self.mask_value is None

    def recv_mask(self) -> None:
        """Read the masking key, if the header says that there is one."""
        self.mask_value = self.recv_strict(4) if self.has_mask() else ""

    def recv_frame(self) -> ABNF:
        """The next frame, unmasked and validated; waits as `recv_fn` does, and raises what it
        raises, or WebSocketProtocolException."""
        with self.lock:
            if self.needs_header():
                self.recv_header()
            if self.needs_length():
                self.recv_length()
            if self.needs_mask():
                self.recv_mask()
            assert self.header is not None and self.length is not None
            payload = self.recv_strict(self.length)
            fin, rsv1, rsv2, rsv3, opcode, has_mask, _ = self.header
            if has_mask and self.mask_value:
                payload = ABNF.mask(self.mask_value, payload)
            self.clear()
            frame = ABNF(fin, rsv1, rsv2, rsv3, opcode, has_mask, payload)
            frame.validate(self.skip_utf8_validation)
            return frame

    def recv_strict(self, bufsize: int) -> bytes:
        """Exactly `bufsize` bytes."""
        missing = bufsize - sum(map(len, self.recv_buffer))
        while missing > 0:
            data = self.recv(min(missing, _AT_A_TIME))
            if not data:
                raise WebSocketConnectionClosedException("Connection to remote host was lost.")
            self.recv_buffer.append(data)
            missing -= len(data)
        whole = b"".join(self.recv_buffer)
        self.recv_buffer = [whole[bufsize:]] if len(whole) > bufsize else []
        return whole[:bufsize]


class continuous_frame:
    """Puts the fragments of a message together, in linear time."""

    __module__ = "websocket._abnf"

    def __init__(self, fire_cont_frame: bool, skip_utf8_validation: bool):
        self.fire_cont_frame = fire_cont_frame
        self.skip_utf8_validation = skip_utf8_validation
        self.cont_data: list[Any] | None = None  # [opcode, what has been collected]
        self.recving_frames: int | None = None

    def validate(self, frame: ABNF) -> None:
        """Raise WebSocketProtocolException for a fragment out of order (RFC 6455 5.4)."""
        if not self.recving_frames and frame.opcode == CONT:
            raise WebSocketProtocolException("Illegal frame")
        if self.recving_frames and frame.opcode in (TEXT, BINARY):
            raise WebSocketProtocolException("Illegal frame")

    def add(self, frame: ABNF) -> None:
        """Take a data frame in."""
        if self.cont_data is None:
            if frame.opcode in (TEXT, BINARY):
                self.recving_frames = frame.opcode
            self.cont_data = [frame.opcode, BytesIO()]
        self.cont_data[1].write(frame.data)
        if frame.fin:
            self.recving_frames = None

    def is_fire(self, frame: ABNF) -> bool | int:
        """Whether there is something to hand to the user."""
        return frame.fin or self.fire_cont_frame

    def extract(self, frame: ABNF) -> tuple[int, ABNF]:
        """(opcode, frame) with all that was collected; raises WebSocketPayloadException for a text
        that is not UTF-8."""
        assert self.cont_data is not None
        opcode, collected = self.cont_data
        self.cont_data = None
        frame.data = collected.getvalue()
        if opcode == TEXT and not self.fire_cont_frame and not self.skip_utf8_validation:
            try:
                frame.data.decode()
            except UnicodeDecodeError as exc:
                raise WebSocketPayloadException(
                    f"cannot decode: a text is not UTF-8 ({exc.reason})"
                ) from exc
        return opcode, frame
