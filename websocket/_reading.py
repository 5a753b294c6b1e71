"""`Reading`: the receiving half of a connection: one reader at a time, who also sees to debts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from . import _logging, _tracing
from ._exceptions import (
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
)
from ._protocol.receiving import Receiver
from ._protocol.sending import Sender
from ._transport.deadline import Deadline
from ._transport.streams import PlainStream, Stream, is_native
from ._wire.batches import frame_of
from ._wire.decoding import FrameDecoder
from ._wire.frames import CLOSE, PONG, Close, Frame, encode_frame
from ._wire.speedups import receive_messages
from ._writing import Writing

__all__ = ["Reading"]

_Item = TypeVar("_Item", bound=str | bytes | Frame)

_CHUNK = 1 << 16
_A_MOMENT = 0.05  # seconds until we look again whether a writer has let go of the lock
_NOW = Deadline(0)
_GRACE = 0.1  # seconds for which what has arrived is still read when the deadline has passed


class Reading(Writing):
    """`receive`, and what it does about control frames and errors.

    `autoping` answers pings, `autoclose` the peer's close frame.
    """

    __slots__ = ("_failure", "_source", "filled", "parsed")

    autoping = True
    autoclose = True
    in_pieces: object = None  # who is reading a message in pieces

    def __init__(
        self,
        stream: Stream,
        receiver: Receiver,
        sender: Sender,
        *,
        autoping: bool = True,
        autoclose: bool = True,
    ):
        super().__init__(stream, receiver, sender)
        plain = stream if isinstance(stream, PlainStream) else None
        receiver.decoder.gives_back = plain is not None
        # Where the accelerator may read; it waits as the system does.
        self._source = plain if receive_messages and is_native(stream.socket) else None
        if not autoping:
            self.autoping = False
        if not autoclose:
            self.autoclose = False
        self.filled = self.parsed = 0  # bytes that were read; those among them that were parsed
        self._failure: WebSocketException | None = None  # for whoever reads next

    def receive(
        self,
        pull: Callable[[], _Item | None] | None = None,
        control: bool = False,
        deadline: Deadline | None = None,
        answer: bool = True,
    ) -> _Item:
        """What `pull`, a verb of the receiver, gives next: data, or the peer's close frame; with
        `control` pings and pongs, too. Pings and closes are answered unless `answer` is False.
        Without one it is `next_item`, on the short way, and there has to be no deadline.

        Waits as long as the socket's timeout allows for silence, or until `deadline`. Raises
        WebSocketTimeoutException (nothing is lost), WebSocketConnectionClosedException, and for
        what the peer did wrong, after telling it, the exceptions of the Receiver.
        """
        try:
            with self.read_lock:
                if (
                    self._reading
                    or self.over
                    or self._closing
                    or self._failure is not None
                    or self.receiver.peer_close is not None
                ):
                    self._refuse_to_read()
                try:
                    self._reading = True
                    while True:
                        item: Any = self.next_plain() if pull is None else pull()
                        if item is None:
                            self._fill(deadline)
                        elif not isinstance(item, Frame) or item.opcode < CLOSE:
                            if _tracing.on:
                                _trace_received(item)
                            if not (self.receiver.ready.late or self.over):
                                return item  # type: ignore[no-any-return]
                            self.receiver.count.came_late(item)
                        elif self._take_control(item, answer, deadline) or control:
                            return item  # type: ignore[return-value]
                except WebSocketException as exc:
                    self._not_read(exc)
                    raise
                finally:
                    self._reading = False
        finally:
            if self._chores:
                self._do_chores()
            if self.receiver.ready.late or self.over:  # what was parsed ahead meanwhile
                self.receiver.discard_ready()

    def next_plain(self, wait: bool = True) -> str | bytes | Frame | None:
        """As the receiver's `next_item`, and reads in the same breath, if nothing is in the way."""
        receiver, source = self.receiver, self._source
        decoder = receiver.decoder
        if (
            receiver.ready
            or receiver.detour
            or receiver.server
            or not receiver.idle
            or decoder.position != len(decoder.buffer)
        ):
            return receiver.next_item()
        if self._owed or self.stream.unsent:
            return None
        self.parsed = self.filled
        if source is None:
            decoder.buffer, decoder.position = self.stream.read(2, True, None if wait else _NOW), 0
            if not decoder.buffer:
                raise self._lost()
            self.filled += len(decoder.buffer)
            return receiver.next_item()
        limit = -1 if receiver.max_size is None else receiver.max_size
        consumed, source.peeked = source.peeked, 0
        try:
            rest, messages, wire, payload = receive_messages(
                source.socket, consumed, source.truncate, limit, source.peeking, wait
            )
        except OSError as exc:
            if wait or not isinstance(exc, BlockingIOError):
                source.stumble(exc, True, None)
            return None
        number, ready, count = len(messages), receiver.ready, receiver.counted or receiver.count
        if number == 0:
            if not rest:
                return None  # the end, or nothing that is whole and plain: the next read will see
            size = len(rest)
            decoder.buffer, decoder.position, source.peeked = rest, 0, size
            self.filled += size
            return receiver.next_item()
        if number > 1:
            messages.reverse()
        # From here without a call, as in `next_item`: what was interrupted is still in the queue.
        if rest is not None:
            source.peeked = wire
        self.filled += wire
        count.messages += number
        count.payload += payload
        count.wire += wire
        if number == 1:
            return messages[0]  # type: ignore[no-any-return]
        ready += messages
        return receiver.next_item()

    def put_back(self, message: Frame) -> None:
        """Have whoever receives next get this message once more."""
        try:
            with self.read_lock:
                self.receiver.put_back(message)
        finally:
            if self._chores:
                self._do_chores()

    def _refuse_to_read(self) -> None:
        if self._reading:
            raise RuntimeError("a read inside of a read: called from a signal handler?")
        self._chores = True
        if self._failure is not None:
            raise self._take_failure()
        raise self.closed_error()

    def _not_read(self, exc: WebSocketException) -> None:
        """What a failed read means for the connection."""
        if isinstance(exc, WebSocketTimeoutException):
            return  # nothing is lost
        if not isinstance(exc, WebSocketConnectionClosedException):
            self._remember(exc)
            self._fail(exc.close_code)
            return
        ended = self.over or self._closing
        if self._failure is None:
            self._remember(exc)
        self.end()
        if self._failure is not None:
            raise self._take_failure() from exc
        if ended:
            raise self.closed_error() from exc

    def _fill(self, deadline: Deadline | None) -> None:
        """Bring more bytes; meanwhile pay what is owed."""
        self.parsed = self.filled
        if self.over or self._failure is not None:
            raise self.closed_error()
        if deadline is not None:
            _check(deadline)
        stream = self.stream
        if self._owed or stream.unsent:
            self._pay_while_waiting(deadline)
        decoder = self.receiver.decoder
        if decoder.opened is not None:
            count = self._fill_opened(decoder, deadline)
        elif decoder.position == len(decoder.buffer):
            # Once we are closing nobody watches the descriptor: then nothing is left behind in it.
            missing, ahead = (_CHUNK, False) if self._closing else (2, True)
            decoder.buffer, decoder.position = stream.read(missing, ahead, deadline), 0
            count = len(decoder.buffer)
        else:
            count = self._fill_cut(decoder, deadline)
        if not count:
            raise self._lost()
        self.filled += count

    def _lost(self) -> WebSocketConnectionClosedException:
        lost = WebSocketConnectionClosedException("Connection to remote host was lost.")
        # A reset is told once, and may have been told to a write.
        lost.__cause__ = None if self.error is None else self.error.__cause__
        return lost

    def _fill_opened(self, decoder: FrameDecoder, deadline: Deadline | None) -> int:
        """The rest of a payload, a large one straight where it stays; how many bytes came."""
        room = decoder.room()
        if room is None:
            data = self.stream.read(decoder.missing, False, deadline)
            decoder.feed(data)
            return len(data)
        with room:
            count = self.stream.read_into(room, deadline)
        decoder.took(count)
        return count

    def _fill_cut(self, decoder: FrameDecoder, deadline: Deadline | None) -> int:
        """The rest of a frame that has not been opened; how many bytes came."""
        if decoder.position:  # with what is behind it, if it is not too late to give it back
            kept = self.stream.give_back(decoder.give_back())
            if kept:
                decoder.feed(kept)
                return len(kept)  # now it is the first in the buffer, and is opened
        ahead = decoder.at_border
        data = self.stream.read(2 if ahead else decoder.missing, ahead, deadline)
        decoder.feed(data)
        return len(data)

    def _pay_while_waiting(self, deadline: Deadline | None) -> None:
        """Wait until there is something to read; pay meanwhile, whenever there is room."""
        stream = self.stream
        until = Deadline(stream.patience(None)) if deadline is None else deadline
        while True:
            busy = not self._try_to_pay()
            if not (self._owed or stream.unsent):
                return
            left = until.remaining()
            if left == 0:
                return  # the read that follows will say so, unless there is something to read
            if busy:  # room says nothing then: it is the writer's
                left = _A_MOMENT if left is None else min(left, _A_MOMENT)
            if stream.wait(not busy, left):
                return

    def _take_control(self, frame: Frame, answer: bool, deadline: Deadline | None) -> bool:
        """Do what a control frame asks; whether it was the peer's close."""
        if _tracing.on:
            _trace_received(frame)
        if frame.opcode == CLOSE:
            said = self.receiver.peer_close
            assert said is not None
            if answer and self.autoclose:
                self.owe(CLOSE, Close(said.code, ""))  # RFC 6455 5.5.1: echo the code
            self._chores = True
            return True
        if frame.opcode == PONG:
            self._take_pong(frame.data)
        elif answer and self.autoping and self.sender.our_close is None:
            self.owe(PONG, frame.data)
        if deadline is not None:
            _check(deadline)
        return False

    def _take_pong(self, payload: bytes) -> None:
        seconds = None if self._pings is None else self._pings.answered(payload)
        pulse = self.pulse
        if pulse is not None:  # which has to see it, even if it answers a ping of the user's, too
            answered = pulse.pong(payload)
            seconds = seconds if answered is None else answered
        if seconds is not None:
            self.pings.round_trips.note(seconds)

    def unread(self) -> int:
        """About how many bytes have arrived that nobody has parsed; for the keepalive."""
        waiting = self.stream.queued()
        # What was read since the last look at the stream is being parsed, or waits in here.
        if self._reading or self.receiver.ready or not self.receiver.at_border:
            waiting += self.filled - self.parsed
        return waiting

    def _take_failure(self) -> WebSocketException:
        failure, self._failure = self._failure, None
        self.over = True
        assert failure is not None
        return failure

    def _fail(self, code: int | None) -> None:
        """Tell the peer what is wrong, and be done (RFC 6455 7.1.7).

        The descriptor stays half-closed until the next call, or the last reference goes: closing
        it with the peer's bytes unread would be a reset, which can overtake our close frame. If
        somebody is writing, they send the close frame behind theirs.
        """
        if code is not None:
            self._debts()[CLOSE] = Close(code, "")
        self.over = True
        self.receiver.discard_ready()
        self._try_to_pay()
        if self._begin_writing():
            try:
                self._let_others_send()
                if CLOSE not in self._owed and not self.stream.unsent:
                    self.sender.abandon()
                    self.stream.finish()
            finally:
                self._end_writing()
        self._announce_end()


def _check(deadline: Deadline) -> None:
    """Raise when it has passed for so long that what comes in now is no excuse."""
    if deadline.at is not None and time.monotonic() > deadline.at + _GRACE:
        raise WebSocketTimeoutException("Connection timed out")


def _trace_received(item: Frame | str | bytes) -> None:
    frame = item if isinstance(item, Frame) else frame_of(item)
    raw = encode_frame(frame.opcode, frame.data, None, frame.fin)
    _logging.trace(f"++Rcv raw: {raw!r}")
    _logging.trace(f"++Rcv decoded: fin={int(frame.fin)} opcode={frame.opcode} data={frame.data!r}")
