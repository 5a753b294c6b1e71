"""`Judging`: what a frame's header may be at its place in the stream (RFC 6455 5.2 to 5.5)."""

from __future__ import annotations

from typing import Any

from .._exceptions import WebSocketPayloadException, WebSocketProtocolException
from .._wire.frames import BINARY, CLOSE, CONT, OPCODE_NAMES, TEXT, Frame

__all__ = ["Judging"]

# What cannot be compressed grows a little (RFC 7692 7.2.1, RFC 1951 3.2.4): a message of max_size
# may travel in so many bytes more, beside an eighth.
_EXPANSION = 64


class Judging:
    """The rules, for `Receiver`, which knows what came before."""

    max_size: int | None
    _server: bool
    _tolerate_masks: bool
    _inflater: Any
    _begun: bool  # whether a message is under way
    _compressed: bool  # whether that is compressed
    _size: int  # of what has come of it

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
        if frame.masked is not self._server and not self._tolerate_masks:
            expected = "masked" if self._server else "unmasked"
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
