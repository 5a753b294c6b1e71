"""`Receiver`: bytes -> frames and messages; order, limits, UTF-8, inflation, the peer's close.

Push bytes in with `feed`, pull with one of three verbs:

    next_message   a whole message, or a control frame
    next_frame     one frame (fragments and control frames as they are)
    next_piece     like next_frame, but a long data frame comes in parts, as its bytes arrive

None means "not yet: at least `missing` more bytes". The verbs may be mixed: nothing is lost or
comes twice, except that `next_message` leaves out the rest of a message that another verb has begun
to hand out. What breaks RFC 6455 raises, as early as it can be known: a header before its payload,
a text in the middle of its frame; a receiver that has raised is of no use any more.

The common case, whole and plain messages, is parsed ahead by the batch into `ready`, from where any
thread may take the next one; every other case goes frame by frame, in `_next`.
"""

from __future__ import annotations

from contextlib import suppress

from .._wire.batches import encode_messages, find_frame, frame_of, parse_fragments, parse_messages
from .._wire.decoding import FrameDecoder
from .._wire.filling import Filling
from .._wire.frames import CLOSE, CONT, TEXT, Close, Frame, parse_close, size_on_wire
from .._wire.utf8 import Validator, not_utf8
from .counting import Received, amount_of
from .judging import Inflating, Judging
from .ready import Ready

__all__ = ["Inflating", "Receiver"]

_COMPRESSED = (0xC1, 0xC2)  # the first byte of a text and of a binary message (RFC 7692 7.2.1)


class Receiver(Judging):
    """The receiving half of a connection; one thread at a time.

    `server` is True in the server's role, whose peer has to mask (RFC 6455 5.1). `max_size` bounds
    a message in bytes, on the announced length, on the sum of its fragments and after inflation.
    `tolerate_masks` accepts masked and unmasked frames alike.
    """

    __slots__ = ("decoder", "detour", "idle", "max_size", "peer_close", "ready", "server")

    def __init__(
        self,
        *,
        server: bool = False,
        max_size: int | None = None,
        check_utf8: bool = True,
        tolerate_masks: bool = False,
        inflater: Inflating | None = None,
    ):
        super().__init__()
        self.peer_close: Close | None = None  # a latch: set once, by the peer's close frame
        self.max_size = max_size
        self.server = server
        if not check_utf8:
            self.check_utf8 = False
        if tolerate_masks:
            self._tolerate_masks = True
        if inflater is not None:
            self._inflater = inflater
        self.decoder = FrameDecoder()
        self.ready = Ready()
        self.idle = True  # no message is under way, nor a frame of which only a part has come
        # What next_message has to see to first: unfinished, or a message that was put back.
        self.detour = False

    @property
    def missing(self) -> int:
        """At least so many bytes have to come before there is more to pull."""
        return self.decoder.missing

    @property
    def at_border(self) -> bool:
        """Whether no byte of a frame is waiting in here for the rest of it."""
        return self.decoder.at_border

    def use(self, inflater: Inflating | None) -> None:
        """Take what the opening handshake agreed on."""
        self._inflater = inflater

    def feed(self, data: bytes) -> None:
        """Take bytes as they came; ignored behind the peer's close frame (RFC 6455 5.5.1)."""
        if self.peer_close is None:
            self.decoder.feed(data)

    def give_back(self) -> bytes:
        """Let go of what was fed and not pulled: it never was here."""
        messages = self.ready.take_all()
        if messages:
            self.count.take_back(amount_of(messages))
        return encode_messages(messages) + self.decoder.give_back()

    def discard_ready(self) -> None:
        """Let go of what was parsed ahead: nobody will receive it, nor what will be. Any thread."""
        self.ready.late = True
        if self.ready:
            self.count.cleared(amount_of(self.ready.take_all()))

    def next_item(self) -> str | bytes | Frame | None:
        """As `next_message`, but a plain message comes as what it is, without a frame."""
        ready = self.ready
        if not ready:
            decoder = self.decoder
            if self.detour or not self.idle or self.server:
                return self._whole_text() or self.next_message()
            if decoder.position == len(decoder.buffer):
                decoder.missing = 2
                return None
            start = decoder.position
            limit = -1 if self.max_size is None else self.max_size
            messages, end, payload = parse_messages(decoder.buffer, start, limit)
            count, number = self.counted, len(messages)
            if count is None:
                count = self.counted = Received()
            if number > 1:
                messages.reverse()
            # From here to `ready` without a call: `stats()` may look, and where a call returns a
            # signal handler may raise, and all would be lost.
            decoder.position = end
            count.messages += number
            count.payload += payload
            count.wire += end - start
            if number == 1:
                return messages[0]
            if number == 0 and self._inflater is not None:
                message = self._compressed_message()
                return self.next_message() if message is None else message
            ready += messages
        try:
            return ready.pop()
        except IndexError:  # there was none, or another thread has taken it
            return self.next_message()

    def _compressed_message(self) -> str | bytes | None:
        """A compressed message that has come whole and in one frame, as most do."""
        decoder, limit = self.decoder, self.max_size
        start, buffer = decoder.position, decoder.buffer
        begin, end = find_frame(buffer, start)
        squeezed = end - begin
        if end > len(buffer) or buffer[start] not in _COMPRESSED or not self.check_utf8:
            return None
        if self._inflater is None or (limit is not None and squeezed > limit):
            return None
        data = self._inflater.inflate(buffer[begin:end], True, limit)
        size, count = len(data), self.count
        decoder.position = end
        count.messages += 1
        count.payload += size
        count.wire += end - start
        count.saved += size - squeezed
        try:
            return data.decode() if buffer[start] == _COMPRESSED[0] else data
        except UnicodeDecodeError as exc:
            raise not_utf8(exc) from exc

    def _whole_text(self) -> str | None:
        """A large text that is whole now, and was all of a message."""
        opened = self.decoder.opened
        if opened is None or not opened.fin or opened.rsv1 or self._drained or self.detour:
            return None
        try:
            text = self.decoder.take_text()
        except UnicodeDecodeError as exc:
            if not self.check_utf8:
                return None
            raise not_utf8(exc) from exc
        if text is not None:
            self._judged, self._validated, self.idle, self._utf8 = False, 0, True, None
            self.count.message(self.decoder.announced, opened.masked)
        return text

    def next_message(self) -> Frame | None:
        """The next message as one frame, or the next control frame, or None."""
        if self.detour:
            frame = self._first_in_line()
            if frame is not None or self.detour:
                return frame
        if self.ready:
            frame = self._held_back()
            if frame is not None:
                return frame
        while True:
            frame = self._next() if self._collected is None else self._next_run()
            if frame is None or (frame.fin and frame.opcode != CONT):  # control frames are final
                return frame
            if self._collected is None:  # the first fragment
                self._collected = Filling()
            self._collected.write(frame.data)
            if frame.fin:
                whole = Frame(self._kind, self._collected.value())
                self._collected = None
                return whole

    def next_frame(self) -> Frame | None:
        """The next frame; what another verb has taken and not handed out comes first."""
        if self.ready or self._put_back or self._collected is not None:
            frame = self._held_back()
            if frame is not None:
                return frame
        frame = self._next()
        if frame is not None and not frame.fin:
            self.unfinished = self.detour = True
        return frame

    def next_piece(self) -> Frame | None:
        """Like `next_frame`, but what has come of an unfinished data frame is handed out, too,
        with `fin` False, and later pieces of it as CONT frames. Text is cut anywhere."""
        frame = self.next_frame()
        if frame is not None:
            return frame
        opened = self.decoder.opened
        if opened is None or opened.opcode >= CLOSE or self._is_compressed(opened):
            return None
        data = self.decoder.drain()
        if not data:
            return None
        piece = Frame(CONT if self._drained else opened.opcode, data, False)
        self._drained += len(data)
        self._validated = 0
        self.unfinished = self.detour = True
        return piece

    def put_back(self, message: Frame) -> None:
        """Have the next verb return this message once more."""
        self.decoder.feed(self.give_back())  # messages parsed ahead are behind it
        self._put_back, self.detour = (*self._put_back, message), True

    def _first_in_line(self) -> Frame | None:
        """What was put back; or None, once the rest of a message of which the beginning was handed
        out is behind us: a message is delivered whole or in pieces, never its end alone."""
        if self._put_back:
            return self._held_back()
        while self.unfinished:
            frame = self.next_piece()
            if frame is None or frame.opcode >= CLOSE:
                return frame
        return None

    def _held_back(self) -> Frame | None:
        """The message that was put back or parsed ahead, or the fragments that `next_message`
        holds, as one; None where another thread has taken the last that was parsed ahead."""
        if self._put_back:
            *rest, message = self._put_back
            self._put_back = tuple(rest)
            self.detour = bool(rest) or self.unfinished
            return message
        with suppress(IndexError):
            return frame_of(self.ready.pop())
        if self._collected is None:
            return None
        message = Frame(self._kind, self._collected.value(), False)
        self._collected = None
        self.unfinished = self.detour = True
        return message

    def _next_run(self) -> Frame | None:
        """The next frame; continuation frames that have come one behind the other as one."""
        decoder = self.decoder
        if decoder.opened is None and not self._compressed and not self.server:
            limit = -1 if self.max_size is None else self.max_size - self._size
            start = decoder.position
            data, fin, decoder.position = parse_fragments(decoder.buffer, start, limit)
            if decoder.position > start:
                frame = Frame(CONT, data, fin)
                self._take_data(frame, decoder.position - start)
                self.idle = not self._begun
                return frame
        return self._next()

    def _next(self) -> Frame | None:
        """The next frame, checked; its data inflated and, if text, known to be UTF-8 so far."""
        frame = self.decoder.next()
        if frame is None:
            if self.decoder.opened is not None:
                self._look_ahead(self.decoder.opened)
            return None
        if self._judged:
            self._judged = False
        else:
            self._judge(frame, len(frame.data))
        if frame.opcode < CLOSE:
            self._take_data(frame, size_on_wire(len(frame.data) + self._drained, frame.masked))
        else:
            if frame.opcode == CLOSE:
                self.peer_close = parse_close(frame.data)
                self.decoder.give_back()
            self.count.frame(frame)
        self.idle = not self._begun
        return frame

    # --- one frame -------------------------------------------------------------------------------

    def _look_ahead(self, opened: Frame) -> None:
        """Judge the header of the opened frame, and its text as far as it has come."""
        if not self._judged:
            self._judge(opened, self.decoder.announced)
            self._judged = True
            self.idle = False
        kind = self._kind if opened.opcode == CONT else opened.opcode
        if self.decoder.seems_fine and self._utf8 is None:
            return
        if kind == TEXT and self.check_utf8 and not self._is_compressed(opened):
            self._utf8 = self._utf8 or Validator()
            with self.decoder.peek() as piece:
                self._validated += len(piece)
                self._utf8.check(piece, False)

    def _take_data(self, frame: Frame, wire: int) -> None:
        """A data frame that is allowed here, `wire` bytes long as it came: inflate, validate, move
        on in the message."""
        if frame.opcode != CONT:
            self._begun, self._kind, self._compressed = True, frame.opcode, frame.rsv1
        if self._compressed:
            assert self._inflater is not None
            limit = None if self.max_size is None else self.max_size - self._size
            squeezed = len(frame.data)
            frame.data = self._inflater.inflate(frame.data, frame.fin, limit)
            frame.rsv1 = False
            self._limit(self._size + len(frame.data))
            self.count.saved += len(frame.data) - squeezed
        if self._kind == TEXT and self.check_utf8:
            self._validate(frame)
        if self._drained:  # its beginning was handed out: this is a continuation of that
            frame.opcode = CONT
        size = len(frame.data) + self._drained
        self._size += size
        self.count.payload += size
        self.count.wire += wire
        self._validated = self._drained = 0
        if frame.fin:
            self.count.messages += 1
            self._begun = self._compressed = self.unfinished = self.detour = False
            self._size = 0
            self._utf8 = None

    def _validate(self, frame: Frame) -> None:
        """The rest of a text frame, as far as it has not been looked at."""
        if frame.opcode == TEXT and frame.fin and self._utf8 is None:
            try:
                frame.text = frame.data.decode()
            except UnicodeDecodeError as exc:
                raise not_utf8(exc) from exc
        else:
            self._utf8 = self._utf8 or Validator()
            self._utf8.check(frame.data[self._validated :], frame.fin)
