"""`Connection`: one open connection = protocol + transport + the locks that keep threads apart.

Six sentences hold here, and tests/core/test_threads_*.py prove each of them:

1. The two halves share nothing, so a blocked writer never stops the reader, nor the reverse.
2. Order is read lock, then write lock; who holds the write lock never waits for the read lock.
3. Only the caller of a send verb waits to write. A pong, a close reply, a keepalive ping is written
   without waiting, or owed: whoever next holds the write lock sends what is owed first, and a
   waiting reader waits for writable, too, while something is owed.
4. `close` may be called from anywhere; it ends by its deadline, and ends everybody else's wait.
   Under a signal handler or a callback of its own thread it waits for nothing.
5. Waking is a shutdown of the socket; the woken find out why and raise.
6. The last one out closes the descriptor.

`_line` holds the locks, what is owed and the end, `_writing` the sending half; here are the
receiving half and the closing handshake, which needs both.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from . import _logging
from ._exceptions import (
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
)
from ._protocol.receiving import Receiver
from ._protocol.sending import Sender
from ._transport.deadline import Deadline
from ._transport.streams import Stream
from ._wire.frames import CLOSE, PONG, Close, Frame, encode_frame
from ._writing import Writing

__all__ = ["Connection"]

_A_MOMENT = 0.05  # seconds until we look again whether a writer has let go of the lock
_PATIENCE = 1.0  # seconds for our last words behind another thread's frame
_GRACE = 0.1  # seconds for which what has arrived is still read when the deadline has passed


class Connection(Writing):
    """Verbs for reading, writing and ending; any thread, several at once.

    `autoping` answers pings, `autoclose` the peer's close frame.
    """

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
        self.autoping = autoping
        self.autoclose = autoclose
        self.latency = 0.0  # the last round trip, in seconds
        self.filled = self.parsed = 0  # bytes that were read; those among them that were parsed
        self.in_pieces: object = None  # who is reading a message in pieces
        self._failure: WebSocketException | None = None  # for whoever reads next

    # --- reading ---------------------------------------------------------------------------------

    def receive(
        self,
        pull: Callable[[], Frame | None],
        control: bool = False,
        deadline: Deadline | None = None,
        answer: bool = True,
    ) -> Frame:
        """What `pull`, a verb of the receiver, gives next: data, or the peer's close frame; with
        `control` pings and pongs, too. Pings and closes are answered unless `answer` is False.

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
                        frame = pull()
                        if frame is None:
                            self._fill(deadline)
                        elif frame.opcode < CLOSE:
                            if _logging.tracing:
                                _trace_received(frame)
                            if not self._closing:
                                return frame
                        elif self._take_control(frame, answer, deadline) or control:
                            return frame
                except WebSocketException as exc:
                    self._not_read(exc)
                    raise
                finally:
                    self._reading = False
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
        receiver = self.receiver
        data = stream.read(receiver.missing, receiver.at_border, deadline)
        if not data:
            lost = WebSocketConnectionClosedException("Connection to remote host was lost.")
            # A reset is told once, and may have been told to a write.
            raise lost from (None if self.error is None else self.error.__cause__)
        receiver.feed(data)
        self.filled += len(data)

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
        if _logging.tracing:
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
        seconds = self.pings.answered(payload)
        pulse = self.pulse
        if pulse is not None:  # which has to see it, even if it answers a ping of the user's, too
            seconds = pulse.pong(payload) or seconds
        self.latency = seconds or self.latency

    def unread_here(self) -> bool:
        """Whether there are bytes of messages that the descriptor does not show."""
        return not self.receiver.at_border or self.stream.pending() > 0

    def unread(self) -> int:
        """About how many bytes have arrived that nobody has parsed; for the keepalive."""
        waiting = self.stream.queued()
        # What was read since the last look at the stream is being parsed, or waits in here.
        if self._reading or not self.receiver.at_border:
            waiting += self.filled - self.parsed
        return waiting

    # --- ending ----------------------------------------------------------------------------------

    def lose(self, failure: WebSocketException) -> None:
        """The keepalive found the peer dead: wake everybody; who reads gets `failure`."""
        self._failure = failure
        self._remember(failure)
        self.sender.abandon()
        self._announce_end()
        self.wake()

    def busy_here(self) -> bool:
        """Whether the calling thread is in the middle of a read or a write: a signal handler is."""
        return _owned(self.read_lock) or _owned(self.write_lock)

    def _take_failure(self) -> WebSocketException:
        failure, self._failure = self._failure, None
        self.over = True
        assert failure is not None
        return failure

    def close(self, said: Close, timeout: float | None) -> None:
        """The closing handshake, at most `timeout` seconds (None: no limit), then the end.

        Data that came before the peer's close frame is discarded. Any thread; below a read or a
        write of the same thread (signal handler, callback) nothing is waited for.
        """
        if self.over and CLOSE not in self._owed and not self.stream.unsent:
            self.end()
            return
        self._closing = True
        if self.busy_here():
            self._close_from_within(said)
            return
        deadline = Deadline(timeout)
        try:
            self._say_close(said, deadline)
            self._await_close(deadline)
        finally:
            self.end()

    def _close_from_within(self, said: Close) -> None:
        if self._begin_writing():
            try:
                with suppress(WebSocketException):
                    self._owed.setdefault(CLOSE, said)
                    self._pay()
            finally:
                self._end_writing()
        self.end()

    def _say_close(self, said: Close, deadline: Deadline) -> None:
        if not _acquire(self.write_lock, deadline):
            return  # somebody is stuck in a send: the end will wake them
        try:
            self._writing = True
            self._message_done.notify_all()
            said = self._owed.pop(CLOSE, said)
            with suppress(WebSocketException):
                data = self.sender.close(said.code, said.reason)
                if data or self.stream.unsent:
                    self.stream.write(data, deadline)
                    if _logging.tracing:
                        _logging.trace(f"++Sent raw: {data!r}")
        finally:
            self._writing = False
            self.write_lock.release()

    def _await_close(self, deadline: Deadline) -> None:
        """Read until the peer's close frame, or let the reader inside do that."""
        if not _acquire(self.read_lock, deadline):
            return
        try:
            self._reading = True
            receiver = self.receiver
            with suppress(WebSocketException):
                while receiver.peer_close is None and not self.over:
                    frame = receiver.next_piece()
                    if frame is None:
                        self._fill(deadline)
                    elif deadline.expired:  # a flood gives us no time to wait
                        return
        finally:
            self._reading = False
            self.read_lock.release()

    def fail_sending(self, code: int) -> None:
        """A message was begun and cannot be ended: say so, and be done."""
        try:
            self._say_close(Close(code, ""), Deadline(_PATIENCE))
        finally:
            self.end()

    def _fail(self, code: int | None) -> None:
        """Tell the peer what is wrong, and be done (RFC 6455 7.1.7).

        The descriptor stays half-closed until the next call, or the last reference goes: closing
        it with the peer's bytes unread would be a reset, which can overtake our close frame. If
        somebody is writing, they send the close frame behind theirs.
        """
        if code is not None:
            self._owed[CLOSE] = Close(code, "")
        self.over = True
        self._try_to_pay()
        if self._begin_writing():
            try:
                self._message_done.notify_all()
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


def _owned(lock: Any) -> bool:
    return bool(lock._is_owned())


def _acquire(lock: Any, deadline: Deadline) -> bool:
    left = deadline.remaining()
    if left is None:
        return bool(lock.acquire())
    return bool(lock.acquire(timeout=min(left, threading.TIMEOUT_MAX)))


def _trace_received(frame: Frame) -> None:
    raw = encode_frame(frame.opcode, frame.data, None, frame.fin)
    _logging.trace(f"++Rcv raw: {raw!r}")
    _logging.trace(f"++Rcv decoded: fin={int(frame.fin)} opcode={frame.opcode} data={frame.data!r}")
