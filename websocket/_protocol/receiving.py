"""`Receiver`: bytes -> frames and messages; order, limits, UTF-8, inflation, the peer's close.

Push bytes in with `feed`, pull with one of three verbs, each built on the one before it:

    next_frame     one frame, checked and in order (fragments and control frames as they are)
    next_message   a whole message, or a control frame
    next_piece     like next_frame, but a long data frame comes in parts, as its bytes arrive

None means "not yet: at least `missing` more bytes". What breaks RFC 6455 raises, as early as it can
be known: a header before its payload, a text in the middle of its frame. The first branch of each
verb is the common case, one final frame; every other case is a named helper below it.
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
    PONG,
    TEXT,
    Close,
    Frame,
    FrameDecoder,
    parse_close,
)

__all__ = ["Inflating", "Receiver"]

_utf8_decoder = codecs.getincrementaldecoder("utf-8")


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
        # Of the message under way; _opcode is None between messages.
        self._opcode: int | None = None
        self._compressed = False
        self._size = 0
        self._utf8: codecs.IncrementalDecoder | None = None
        self._message = BytesIO()  # what next_message has collected of it
        self._message_opcode = TEXT
        # Of the frame of which only a part has come.
        self._judged: Frame | None = None  # its header has been checked
        self._validated = 0  # so many of the bytes that it holds went through _utf8 already
        self._pieces_of: Frame | None = None  # next_piece has handed out a part of it
        self._drained = 0  # so many bytes
        # What next_message has to see to first.
        self._detour = False
        self._put_back: Frame | None = None
        self.unfinished = False  # next_piece has handed out a beginning of the message under way

    @property
    def missing(self) -> int:
        """At least so many bytes have to come before there is more to pull."""
        return self._decoder.missing

    @property
    def at_border(self) -> bool:
        """Whether no byte of a frame is waiting in here for the rest of it."""
        return self._decoder.at_border

    @property
    def in_message(self) -> bool:
        """Whether a data message has begun and its end has not been pulled yet."""
        opened = self._decoder.opened
        return self._opcode is not None or (opened is not None and opened.opcode < CLOSE)

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
            frame = self.next_frame()
            if frame is None or frame.opcode >= CLOSE:
                return frame
            if frame.fin and frame.opcode != CONT:
                return frame
            if frame.opcode != CONT:  # the first fragment
                self._message = BytesIO()
                self._message_opcode = frame.opcode
            self._message.write(frame.data)
            if frame.fin:
                whole = Frame(self._message_opcode, self._message.getvalue())
                self._message = BytesIO()
                return whole

    def next_frame(self) -> Frame | None:
        """The next frame, checked; its data inflated and, if text, known to be UTF-8 so far."""
        frame = self._decoder.next()
        if frame is None:
            if self._decoder.opened is not None:
                self._look_ahead()
            return None
        if (
            frame.fin
            and 0 < frame.opcode < 3
            and self._opcode is None
            and self._utf8 is None
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

    def next_piece(self) -> Frame | None:
        """Like `next_frame`, but what has come of an unfinished data frame is handed out, too,
        with `fin` False, and later pieces of it as CONT frames."""
        frame = self.next_frame()
        if frame is not None:
            if frame.opcode < CLOSE:
                if self._pieces_of is not None:
                    frame.opcode, self._pieces_of = CONT, None
                self.unfinished = self._detour = not frame.fin
            return frame
        opened = self._decoder.opened
        if opened is None or opened.opcode >= CLOSE or self._compressed or opened.rsv1:
            return None
        data = self._decoder.drain()
        if not data:
            return None
        self._validated = 0
        self._drained += len(data)
        piece = Frame(CONT if self._pieces_of is opened else opened.opcode, data, False)
        self._pieces_of = opened
        self.unfinished = self._detour = True
        return piece

    def put_back(self, message: Frame) -> None:
        """Have `next_message` return this message once more."""
        self._put_back, self._detour = message, True

    def _first_in_line(self) -> Frame | None:
        """What was put back; or None, once the rest of a message in pieces is behind us."""
        if self._put_back is not None:
            message, self._put_back = self._put_back, None
            self._detour = self.unfinished
            return message
        while self.unfinished:
            frame = self.next_piece()
            if frame is None or frame.opcode >= CLOSE:
                return frame
        return None

    # --- every case but the common one ---------------------------------------------------------

    def _next_other(self, frame: Frame) -> Frame | None:
        if self._judged is frame:
            self._judged = None
        else:
            self._judge(frame, len(frame.data))
        if frame.opcode == CLOSE:
            self.peer_close = parse_close(frame.data)
            self.give_back()
        elif frame.opcode < CLOSE:
            self._take_data(frame)
        return frame

    def _look_ahead(self) -> None:
        """Judge the header of the opened frame, and its text as far as it has come."""
        opened = self._decoder.opened
        assert opened is not None
        if self._judged is not opened:
            self._judge(opened, self._decoder.announced)
            self._judged = opened
        opcode = self._opcode if opened.opcode == CONT else opened.opcode
        compressed = self._compressed if opened.opcode == CONT else opened.rsv1
        if opcode == TEXT and not compressed and self.check_utf8:
            piece = self._decoder.peek()
            self._validate(piece, False)
            self._validated += len(piece)

    def _judge(self, frame: Frame, length: int) -> None:
        """RFC 6455 5.2 to 5.5, as far as a header can break them."""
        opcode = frame.opcode
        if opcode not in OPCODE_NAMES:
            raise WebSocketProtocolException(f"Invalid opcode {opcode}")
        # RFC 7692 6: RSV1 marks the first frame of a compressed message, and no other.
        compressed = frame.rsv1 and self._inflater is not None and (opcode == TEXT or opcode == BINARY)
        if frame.rsv2 or frame.rsv3 or (frame.rsv1 and not compressed):
            raise WebSocketProtocolException(
                f"rsv is not implemented, yet: a {OPCODE_NAMES[opcode]} frame has a reserved bit set"
            )
        if frame.masked is not self._server and not self._tolerate_masks:
            expected = "masked" if self._server else "unmasked"
            raise WebSocketProtocolException(f"Invalid mask: expected {expected} frames")
        if opcode >= CLOSE:
            self._judge_control(frame, length)
            return
        if (opcode == CONT) is (self._opcode is None):
            expected = "a text or binary frame" if opcode == CONT else "a continuation frame"
            raise WebSocketProtocolException(
                f"Illegal frame: {OPCODE_NAMES[opcode]}, expected {expected}"
            )
        self._limit(self._size + length if opcode == CONT else length)

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
            self._opcode, self._compressed, self._size = frame.opcode, frame.rsv1, 0
        if self._compressed:
            assert self._inflater is not None
            limit = None if self.max_size is None else self.max_size - self._size
            frame.data = self._inflater.inflate(frame.data, frame.fin, limit)
            frame.rsv1 = False
            self._limit(self._size + len(frame.data))
        self._size += len(frame.data) + self._drained
        self._drained = 0
        if self._opcode == TEXT and self.check_utf8:
            self._validate(frame.data[self._validated :], frame.fin)
        self._validated = 0
        if frame.fin:
            self._opcode = self._utf8 = None

    def _validate(self, piece: bytes, final: bool) -> None:
        if self._utf8 is None:
            self._utf8 = _utf8_decoder()
        try:
            self._utf8.decode(piece, final)
        except UnicodeDecodeError as exc:
            raise _not_utf8(exc) from exc


def _not_utf8(exc: UnicodeDecodeError) -> WebSocketPayloadException:
    return WebSocketPayloadException(f"cannot decode: a text is not UTF-8 ({exc.reason})")
