"""`Receiver`: bytes -> frames and messages; order, limits, UTF-8, inflation, the peer's close.

Push bytes in with `feed`, pull with one of three verbs:

    next_message   a whole message, or a control frame
    next_frame     one frame (fragments and control frames as they are)
    next_piece     like next_frame, but a long data frame comes in parts, as its bytes arrive

None means "not yet: at least `missing` more bytes". The verbs may be mixed: nothing is lost or
comes twice, except that `next_message` leaves out the rest of a message that another verb has begun
to hand out. What breaks RFC 6455 raises, as early as it can be known: a header before its payload,
a text in the middle of its frame; a receiver that has raised is of no use any more. The first
branch of `_next` is the common case, one final frame; every other case is a named helper below it.
"""

from __future__ import annotations

import codecs
from io import BytesIO
from typing import Protocol

from .._exceptions import WebSocketPayloadException, WebSocketProtocolException
from .._wire.frames import (
    BINARY,
    CLOSE,
    CONT,
    OPCODE_NAMES,
    TEXT,
    Close,
    Frame,
    FrameDecoder,
    parse_close,
)

__all__ = ["Inflating", "Receiver"]

_utf8_decoder = codecs.getincrementaldecoder("utf-8")

# What cannot be compressed grows a little (RFC 7692 7.2.1, RFC 1951 3.2.4): a message of max_size
# may travel in so many bytes more, beside an eighth.
_EXPANSION = 64


class Inflating(Protocol):
    """What undoes the compression of one message after the other (RFC 7692)."""

    def inflate(self, data: bytes, fin: bool, limit: int | None) -> bytes:
        """The plain bytes of one frame; raises when they would be more than `limit`."""
        ...


class Receiver:
    """The receiving half of a connection; one thread at a time.

    `server` is True in the server's role, whose peer has to mask (RFC 6455 5.1). `max_size` bounds
    a message in bytes, on the announced length, on the sum of its fragments and after inflation.
    `tolerate_masks` accepts masked and unmasked frames alike.
    """

    def __init__(
        self,
        *,
        server: bool = False,
        max_size: int | None = None,
        check_utf8: bool = True,
        tolerate_masks: bool = False,
        inflater: Inflating | None = None,
    ):
        self.peer_close: Close | None = None  # a latch: set once, by the peer's close frame
        self.max_size = max_size
        self._server = server
        self.check_utf8 = check_utf8
        self._tolerate_masks = tolerate_masks
        self._inflater = inflater
        self._decoder = FrameDecoder()
        self._idle = True  # no message is under way, nor a frame of which only a part has come
        # Of the message under way.
        self._begun = False
        self._kind = TEXT
        self._compressed = False
        self._size = 0
        self._utf8: codecs.IncrementalDecoder | None = None
        self._collected: BytesIO | None = None  # what next_message holds of it
        self.unfinished = False  # a beginning of it was handed out by another verb
        # Of the frame of which only a part has come.
        self._judged = False  # its header has been checked
        self._validated = 0  # so many of the bytes that it holds went through _utf8 already
        self._drained = 0  # so many bytes of it were handed out by next_piece
        # What next_message has to see to first: unfinished, or a message that was put back.
        self._detour = False
        self._put_back: Frame | None = None

    @property
    def missing(self) -> int:
        """At least so many bytes have to come before there is more to pull."""
        return self._decoder.missing

    @property
    def at_border(self) -> bool:
        """Whether no byte of a frame is waiting in here for the rest of it."""
        return self._decoder.at_border

    def use(self, inflater: Inflating | None) -> None:
        """Take what the opening handshake agreed on."""
        self._inflater = inflater

    def feed(self, data: bytes) -> None:
        """Take bytes as they came; ignored behind the peer's close frame (RFC 6455 5.5.1)."""
        if self.peer_close is None:
            self._decoder.feed(data)

    def give_back(self) -> bytes:
        """Let go of what was fed and not pulled: it never was here."""
        return self._decoder.give_back()

    def next_message(self) -> Frame | None:
        """The next message as one frame, or the next control frame, or None."""
        if self._detour:
            frame = self._first_in_line()
            if frame is not None or self._detour:
                return frame
        while True:
            frame = self._next()
            if frame is None or (frame.fin and frame.opcode != CONT):  # control frames are final
                return frame
            if self._collected is None:  # the first fragment
                self._collected = BytesIO()
            self._collected.write(frame.data)
            if frame.fin:
                whole = Frame(self._kind, self._collected.getvalue())
                self._collected = None
                return whole

    def next_frame(self) -> Frame | None:
        """The next frame; what another verb has taken and not handed out comes first."""
        if self._put_back is not None or self._collected is not None:
            return self._held_back()
        frame = self._next()
        if frame is not None and not frame.fin:
            self.unfinished = self._detour = True
        return frame

    def next_piece(self) -> Frame | None:
        """Like `next_frame`, but what has come of an unfinished data frame is handed out, too,
        with `fin` False, and later pieces of it as CONT frames. Text is cut anywhere."""
        frame = self.next_frame()
        if frame is not None:
            return frame
        opened = self._decoder.opened
        if opened is None or opened.opcode >= CLOSE or self._is_compressed(opened):
            return None
        data = self._decoder.drain()
        if not data:
            return None
        piece = Frame(CONT if self._drained else opened.opcode, data, False)
        self._drained += len(data)
        self._validated = 0
        self.unfinished = self._detour = True
        return piece

    def put_back(self, message: Frame) -> None:
        """Have the next verb return this message once more."""
        self._put_back, self._detour = message, True

    def _first_in_line(self) -> Frame | None:
        """What was put back; or None, once the rest of a message of which the beginning was handed
        out is behind us: a message is delivered whole or in pieces, never its end alone."""
        if self._put_back is not None:
            return self._held_back()
        while self.unfinished:
            frame = self.next_piece()
            if frame is None or frame.opcode >= CLOSE:
                return frame
        return None

    def _held_back(self) -> Frame:
        """The message that was put back, or the fragments that `next_message` holds, as one."""
        message, self._put_back = self._put_back, None
        self._detour = self.unfinished
        if message is None:
            assert self._collected is not None
            message = Frame(self._kind, self._collected.getvalue(), False)
            self._collected = None
            self.unfinished = self._detour = True
        return message

    def _next(self) -> Frame | None:
        """The next frame, checked; its data inflated and, if text, known to be UTF-8 so far."""
        frame = self._decoder.next()
        if frame is None:
            if self._decoder.opened is not None:
                self._look_ahead(self._decoder.opened)
            return None
        if (
            self._idle
            and frame.fin
            and 0 < frame.opcode < 3
            and frame.masked is self._server
            and not (frame.rsv1 or frame.rsv2 or frame.rsv3)
            and (self.max_size is None or len(frame.data) <= self.max_size)
        ):
            if frame.opcode == TEXT and self.check_utf8:
                try:
                    frame.text = frame.data.decode()
                except UnicodeDecodeError as exc:
                    raise _not_utf8(exc) from exc
            return frame
        return self._next_other(frame)

    # --- every case but the common one ---------------------------------------------------------

    def _next_other(self, frame: Frame) -> Frame:
        if self._judged:
            self._judged = False
        else:
            self._judge(frame, len(frame.data))
        if frame.opcode == CLOSE:
            self.peer_close = parse_close(frame.data)
            self.give_back()
        elif frame.opcode < CLOSE:
            self._take_data(frame)
        self._idle = not self._begun
        return frame

    def _look_ahead(self, opened: Frame) -> None:
        """Judge the header of the opened frame, and its text as far as it has come."""
        if not self._judged:
            self._judge(opened, self._decoder.announced)
            self._judged = True
            self._idle = False
        kind = self._kind if opened.opcode == CONT else opened.opcode
        if kind == TEXT and self.check_utf8 and not self._is_compressed(opened):
            piece = self._decoder.peek()
            self._validate(piece, False)
            self._validated += len(piece)

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

    def _take_data(self, frame: Frame) -> None:
        """A data frame that is allowed here: inflate, validate, move on in the message."""
        if frame.opcode != CONT:
            self._begun, self._kind, self._compressed = True, frame.opcode, frame.rsv1
        if self._compressed:
            assert self._inflater is not None
            limit = None if self.max_size is None else self.max_size - self._size
            frame.data = self._inflater.inflate(frame.data, frame.fin, limit)
            frame.rsv1 = False
            self._limit(self._size + len(frame.data))
        if self._kind == TEXT and self.check_utf8:
            self._validate(frame.data[self._validated :], frame.fin)
        if self._drained:  # its beginning was handed out: this is a continuation of that
            frame.opcode = CONT
        self._size += len(frame.data) + self._drained
        self._validated = self._drained = 0
        if frame.fin:
            self._begun = self._compressed = self.unfinished = self._detour = False
            self._size = 0
            self._utf8 = None

    def _validate(self, piece: bytes, final: bool) -> None:
        if self._utf8 is None:
            self._utf8 = _utf8_decoder()
        try:
            self._utf8.decode(piece, final)
            held = self._utf8.getstate()[0]
            if held[:1] == b"\xed" and held[1:] > b"\x9f":  # half a surrogate: CPython waits on
                held.decode()
        except UnicodeDecodeError as exc:
            raise _not_utf8(exc) from exc


def _not_utf8(exc: UnicodeDecodeError) -> WebSocketPayloadException:
    return WebSocketPayloadException(f"cannot decode: a text is not UTF-8 ({exc.reason})")
