"""`Judging`: what a frame's header may be at its place in the stream (RFC 6455 5.2 to 5.5)."""

from __future__ import annotations

from typing import Protocol

from .._exceptions import WebSocketPayloadException, WebSocketProtocolException
from .._wire.filling import FillingInPython
from .._wire.frames import BINARY, CLOSE, CONT, OPCODE_NAMES, TEXT, Frame
from .._wire.utf8 import Validator
from .counting import Received

__all__ = ["Inflating", "Judging"]

# What cannot be compressed grows a little (RFC 7692 7.2.1, RFC 1951 3.2.4): a message of max_size
# may travel in so many bytes more, beside an eighth.
_EXPANSION = 64


class Inflating(Protocol):
    """What undoes the compression of one message after the other (RFC 7692)."""

    def inflate(self, data: bytes, fin: bool, limit: int | None) -> bytes:
        """The plain bytes of one frame; raises when they would be more than `limit`."""
        ...


class Judging:
    """The rules, for `Receiver`, and what they need to know of what came before.

    That is as the class says until somebody sets it: there may be thousands of connections, of
    which most wait, and whole messages need none of it.
    """

    __slots__ = ("__dict__", "counted")

    max_size: int | None
    server: bool
    check_utf8 = True
    _tolerate_masks = False
    _inflater: Inflating | None = None
    # Of the message.
    _begun = False
    _kind = TEXT
    _compressed = False
    _size = 0
    _utf8: Validator | None = None
    _collected: FillingInPython | None = None  # what next_message holds of it
    unfinished = False  # a beginning of it was handed out by another verb
    # Of the frame.
    _judged = False  # its header has been checked
    _validated = 0  # so many of the bytes that it holds went through _utf8 already
    _drained = 0  # so many bytes of it were handed out by next_piece
    _put_back: tuple[Frame, ...] = ()  # messages to come once more, the next one last

    def __init__(self) -> None:
        self.counted: Received | None = None

    @property
    def count(self) -> Received:
        """How much has been received; made when the first bytes are parsed."""
        if self.counted is None:
            self.counted = Received()
        return self.counted

    def _is_compressed(self, opened: Frame) -> bool:
        return self._compressed if opened.opcode == CONT else opened.rsv1

    def _judge(self, frame: Frame, length: int) -> None:
        """RFC 6455 5.2 to 5.5, as far as a header can break them."""
        opcode = frame.opcode
        if opcode not in OPCODE_NAMES:
            raise WebSocketProtocolException(f"Invalid opcode {opcode}")
        # RFC 7692 6: RSV1 marks the first frame of a compressed message, and no other.
        compressed = frame.rsv1 and self._inflater is not None and opcode in (TEXT, BINARY)
        if frame.rsv2 or frame.rsv3 or (frame.rsv1 and not compressed):
            name = OPCODE_NAMES[opcode]
            raise WebSocketProtocolException(
                f"rsv is not implemented, yet: a {name} frame has a reserved bit set"
            )
        if frame.masked is not self.server and not self._tolerate_masks:
            expected = "masked" if self.server else "unmasked"
            raise WebSocketProtocolException(f"Invalid mask: expected {expected} frames")
        if opcode >= CLOSE:
            self._judge_control(frame, length)
            return
        if (opcode == CONT) is not self._begun:
            expected = "a text or binary frame" if opcode == CONT else "a continuation frame"
            raise WebSocketProtocolException(
                f"Illegal frame: {OPCODE_NAMES[opcode]}, expected {expected}"
            )
        if self._is_compressed(frame):
            length -= _EXPANSION + (length >> 3)
        self._limit(self._size + length)

    def _judge_control(self, frame: Frame, length: int) -> None:
        name = OPCODE_NAMES[frame.opcode]
        if not frame.fin:
            raise WebSocketProtocolException(f"Invalid {name} frame: fragmented (RFC 6455 5.5)")
        if length > 125:
            raise WebSocketProtocolException(
                f"Invalid {name} frame: {length} bytes, expected at most 125 (RFC 6455 5.5)"
            )

    def _limit(self, size: int) -> None:
        if self.max_size is not None and size > self.max_size:
            raise WebSocketPayloadException(
                f"Message too big: {size} bytes or more, max_size is {self.max_size}",
                close_code=1009,
            )
