"""`Connection`: one open connection = protocol + transport + the locks that keep threads apart.

Six sentences hold here, and tests/core/test_threads_*.py prove each of them:

1. The two halves share nothing, so a blocked writer never stops the reader, nor the reverse.
2. Order is read lock, then write lock; who holds the write lock never takes the read lock.
3. Only the caller of a send verb waits to write. A pong, a close reply, a keepalive ping is written
   without waiting, or owed: whoever next holds the write lock sends what is owed first, and a
   waiting reader waits for writable, too, while something is owed.
4. `close` may be called from anywhere; it ends by its deadline, and ends everybody else's wait.
   Under a signal handler or a callback of its own thread it waits for nothing.
5. Waking is a shutdown of the socket; the woken find out why and raise.
6. The last one out closes the descriptor.

The locks are re-entrant only so that they know their owner; `_reading` and `_writing` refuse the
second entry of the same thread, which would be a signal handler below its own interrupted call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import _logging
from ._exceptions import (
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
)
from ._keepalive import forget
from ._pings import Pings
from ._protocol.receiving import Receiver
from ._protocol.sending import Payload, Sender
from ._transport.deadline import Deadline
from ._transport.streams import Stream
from ._wire.frames import (
    ABNORMAL,
    CLOSE,
    NO_STATUS,
    PING,
    PONG,
    Close,
    Frame,
    encode_frame,
)

if TYPE_CHECKING:
    from ._pulse import Pulse

__all__ = ["Connection"]

_OWED = (PONG, PING, CLOSE)  # in this order behind the bytes of a frame already begun


class Connection:
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
        self.stream = stream
        self.autoping = autoping
        self.autoclose = autoclose
        # Reading: belongs to the holder of read_lock.
        self.read_lock = threading.RLock()
        self.receiver = receiver
        self._reading = False
        # Writing: belongs to the holder of write_lock.
        self.write_lock = threading.RLock()
        self.sender = sender
        self._writing = False
        self._message_owner: int | None = None  # the thread whose fragments are under way
        self._message_done = threading.Condition(self.write_lock)
        # Shared, each change atomic.
        self._owed: dict[int, Any] = {}  # newest payload by opcode; for CLOSE a Close
        self.pings = Pings()
        self.latency = 0.0  # the last round trip, in seconds
        self.pulse: Pulse | None = None  # the keepalive, where it was asked for
        self.filled = self.parsed = 0  # bytes that were read; those among them that were parsed
        self._failure: WebSocketException | None = None  # for whoever reads next
        self.over = False  # a latch: nothing more is delivered or sent
        self._closing = False  # a latch: what still comes is discarded
        self._closed = False  # a latch: the descriptor is closed
        self._hatch = False  # a latch: the user watches the descriptor
        self._chores = False  # for whoever leaves next
        self._ended: threading.Event | None = None

    # --- reading -----------------------------------------------------------------------------------

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
                self._enter_reading()
                try:
                    while True:
                        frame = pull()
                        if frame is None:
                            self._fill(deadline)
                        elif frame.opcode < CLOSE:
                            if not self._closing:
                                if _logging.tracing:
                                    _trace_received(frame)
                                return frame
                        elif self._take_control(frame, answer) or control:
                            return frame
                except WebSocketException as exc:
                    self._not_read(exc)
                    raise
                finally:
                    self._reading = False
        finally:
            if self._chores:
                self._do_chores()

    def _enter_reading(self) -> None:
        if self._reading:
            raise RuntimeError("a read inside of a read: called from a signal handler?")
        if self._failure is not None:
            self._chores = True
            raise self._take_failure()
        if self.over or self._closing or self.receiver.peer_close is not None:
            self._chores = True
            raise self.closed_error()
        self._reading = True

    def _not_read(self, exc: WebSocketException) -> None:
        """What a failed read means for the connection."""
        if isinstance(exc, WebSocketTimeoutException):
            return  # nothing is lost
        if not isinstance(exc, WebSocketConnectionClosedException):
            self._fail(exc.close_code)
            return
        self.end()
        if self._failure is not None:
            raise self._take_failure() from exc
        if self._closing:
            raise self.closed_error() from exc

    def _fill(self, deadline: Deadline | None) -> None:
        """Bring more bytes; meanwhile pay what is owed."""
        self.parsed = self.filled
        stream = self.stream
        while self._owed or stream.unsent:
            readable, writable = stream.wait(True, deadline)
            if writable:
                self._try_to_pay()
            if readable:
                break
        receiver = self.receiver
        data = stream.read(receiver.missing, receiver.at_border, deadline)
        if not data:
            raise WebSocketConnectionClosedException("Connection to remote host was lost.")
        self.filled += len(data)
        receiver.feed(data)

    def _take_control(self, frame: Frame, answer: bool) -> bool:
        """Do what a control frame asks; whether it was the peer's close."""
        if _logging.tracing:
            _trace_received(frame)
        if frame.opcode == PING:
            if answer and self.autoping and self.sender.our_close is None:
                self.owe(PONG, frame.data)
            return False
        if frame.opcode == PONG:
            seconds = self.pings.answered(frame.data)
            if self.pulse is not None:
                seconds = seconds or self.pulse.pong(frame.data)
            self.latency = seconds or self.latency
            return False
        said = self.receiver.peer_close
        assert said is not None
        if answer and self.autoclose:
            self.owe(CLOSE, Close(said.code, ""))  # RFC 6455 5.5.1: echo the code
        self._chores = True
        return True

    def unread_here(self) -> bool:
        """Whether there are bytes of messages that the descriptor does not show."""
        return not self.receiver.at_border or self.stream.pending() > 0

    def unread(self) -> int:
        """About how many bytes have arrived that nobody has parsed; for the keepalive."""
        waiting = self.stream.queued()
        if not self._reading and not self.receiver.at_border:
            waiting += 1  # at least: the reader is in between, with something in its hands
        return waiting

    def lose(self, failure: WebSocketException) -> None:
        """The keepalive found the peer dead: wake everybody; who reads gets `failure`."""
        self._failure = failure
        self.sender.abandon()
        self.stream.wake()

    def _take_failure(self) -> WebSocketException:
        failure, self._failure = self._failure, None
        self.over = True
        assert failure is not None
        return failure

    def open_hatch(self) -> None:
        """From here on the descriptor shows every message that has not been delivered."""
        if not self._hatch:
            self._hatch = self._chores = True
            self._do_chores()

    # --- writing -----------------------------------------------------------------------------------

    def send(
        self, opcode: int, payload: Payload, fin: bool = True, compress: bool = True
    ) -> int:
        """Write one frame, a whole message unless `fin` is False; waits for the kernel to take it.

        Returns the number of bytes on the wire. Raises WebSocketTimeoutException and
        WebSocketConnectionClosedException; if half of the frame had gone, the connection is over.
        """
        return self._write(opcode < CLOSE, self.sender.message, opcode, payload, fin, compress)

    def send_raw(self, frame: bytes, is_data: bool) -> int:
        """Write bytes that are a frame already."""
        return self._write(is_data, self.sender.raw, frame)

    def send_fragment(
        self, opcode: int, payload: Payload, fin: bool, compress: bool = True
    ) -> int:
        """One fragment of the message that this thread has begun with `begin_message`; `compress`
        of the first one counts for all."""
        return self._write(False, self.sender.message, opcode, payload, fin, compress)

    def send_close(self, said: Close) -> int:
        """Write our close frame, if none was sent before; data may still be received."""
        return self._write(False, self.sender.close, said.code, said.reason)

    def _write(self, in_turn: bool, encode: Callable[..., bytes], *what: Any) -> int:
        try:
            with self.write_lock:
                if self._writing:
                    raise RuntimeError("a send inside of a send: called from a signal handler?")
                if in_turn and self._message_owner is not None:
                    self._wait_for_turn()
                self._writing = True
                try:
                    if self._owed or self.stream.unsent:
                        self._pay()
                    data = encode(*what)
                    if data:
                        self.stream.write(data)
                except BaseException as exc:
                    self._not_written(exc)
                    raise
                finally:
                    self._writing = False
        finally:
            if self._owed:
                self._try_to_pay()
            if self._chores:
                self._do_chores()
        if _logging.tracing:
            _logging.trace(f"++Sent raw: {data!r}")
        return len(data)

    def _not_written(self, exc: BaseException) -> None:
        """What a frame that did not go out means for the connection."""
        if self.sender.our_close is not None:
            raise self.closed_error() from exc
        if not self.stream.half_sent:
            if isinstance(exc, (ValueError, TypeError, WebSocketTimeoutException)):
                self.sender.unsent()
                return  # nothing has begun, nothing is harmed
            if isinstance(exc, WebSocketConnectionClosedException):
                self.sender.abandon()  # what the peer sent before it went may still be read
                return
        self.end()

    # A message in fragments keeps other threads' data out, but not their control frames.

    def begin_message(self) -> None:
        """Claim the data frames for this thread's fragments; waits for other such messages."""
        with self.write_lock:
            if self._message_owner is not None:
                self._wait_for_turn()
            self._message_owner = threading.get_ident()

    def end_message(self) -> None:
        """Let others send data again."""
        with self.write_lock:
            self._message_owner = None
            self._message_done.notify_all()

    def _wait_for_turn(self) -> None:
        if self._message_owner == threading.get_ident():
            raise RuntimeError("a message inside of a message: its fragments are still being sent")
        free = self._message_done.wait_for(
            lambda: self._message_owner is None or self.sender.our_close is not None,
            self.stream.socket.gettimeout(),
        )
        if not free:
            raise WebSocketTimeoutException("Another thread's message is still being sent")

    # --- owing -------------------------------------------------------------------------------------

    def owe(self, opcode: int, what: Any) -> None:
        """Send a control frame without waiting: now, or by whoever can. The newest counts."""
        self._owed[opcode] = what
        self._try_to_pay()

    def _try_to_pay(self) -> None:
        # Who holds the lock looks at _owed after letting go, so nothing is forgotten.
        if self.write_lock.acquire(blocking=False):
            try:
                if not self._writing:
                    self._pay()
            except WebSocketException:
                self.sender.abandon()  # the reader will find out why
            finally:
                self.write_lock.release()

    def _pay(self) -> None:
        """Write what is owed, as far as the kernel takes it; with the write lock held."""
        stream = self.stream
        stream.flush()
        for opcode in _OWED:
            if stream.unsent:
                return
            what = self._owed.pop(opcode, None)
            if what is None or self.sender.our_close is not None:
                continue
            if opcode == CLOSE:
                stream.write_now(self.sender.close(what.code, what.reason))
            else:
                make = self.sender.pong if opcode == PONG else self.sender.ping
                stream.write_now(make(what))

    # --- ending ------------------------------------------------------------------------------------

    def close(self, said: Close, timeout: float | None) -> None:
        """The closing handshake, at most `timeout` seconds (None: no limit), then the end.

        Data that came before the peer's close frame is discarded. Any thread; below a read or a
        write of the same thread (signal handler, callback) nothing is waited for.
        """
        if self.over:
            self._do_chores()
            return
        self._closing = True
        if _owned(self.read_lock) or _owned(self.write_lock):
            self._close_from_within(said)
            return
        deadline = Deadline(timeout)
        try:
            self._say_close(said, deadline)
            self._await_close(deadline)
        finally:
            self.end()

    def _close_from_within(self, said: Close) -> None:
        if not self._writing:
            with suppress(WebSocketException):
                if self.write_lock.acquire(blocking=False):
                    try:
                        self.stream.write_now(self.sender.close(said.code, said.reason))
                    finally:
                        self.write_lock.release()
        self.end()

    def _say_close(self, said: Close, deadline: Deadline) -> None:
        if not _acquire(self.write_lock, deadline):
            return  # somebody is stuck in a send: the end will wake them
        try:
            self._message_done.notify_all()
            with suppress(WebSocketException):
                self.stream.write(self.sender.close(said.code, said.reason), deadline)
        finally:
            self.write_lock.release()

    def _await_close(self, deadline: Deadline) -> None:
        """Read until the peer's close frame, or let the reader inside do that."""
        if not _acquire(self.read_lock, deadline):
            return
        try:
            receiver = self.receiver
            with suppress(WebSocketException):
                while receiver.peer_close is None and not self.over:
                    frame = receiver.next_piece()
                    if frame is None:
                        self._fill(deadline)
                    elif deadline.expired:  # a flood gives us no time to wait
                        return
        finally:
            self.read_lock.release()

    def fail_sending(self, code: int) -> None:
        """A message was begun and cannot be ended: say so, and be done."""
        self.owe(CLOSE, Close(code, ""))
        self.end()

    def _fail(self, code: int | None) -> None:
        """The peer broke the protocol or a limit: tell it, and be done (RFC 6455 7.1.7).

        The descriptor stays half-closed until the next call, or the last reference goes: closing
        it with the peer's bytes unread would be a reset, which can overtake our close frame.
        """
        if code is not None:
            self.owe(CLOSE, Close(code, ""))
        self.over = True
        if CLOSE not in self._owed:
            self.sender.abandon()
            if not self.stream.unsent:
                self.stream.finish()
        self._announce_end()

    def end(self) -> None:
        """No more: wake everybody inside, and have the last one out close the descriptor."""
        self.over = True
        self.sender.abandon()
        self._announce_end()
        self._chores = True
        if not self._do_chores():
            self.stream.wake()

    def _announce_end(self) -> None:
        self.pings.give_up()
        if self.pulse is not None:
            self.pulse = None
            forget()
        if self._ended is not None:
            self._ended.set()

    def wait_ended(self, timeout: float | None) -> bool:
        """Wait until the connection is over; whether it is."""
        if self._ended is None:
            self._ended = threading.Event()
        return self.over or self._ended.wait(timeout)

    def _do_chores(self) -> bool:
        """What only somebody who is alone may do: settle the hatch, close the descriptor.

        Whoever is inside will look at `_chores` on leaving. Returns whether nobody was.
        """
        if not self.read_lock.acquire(blocking=False):
            return False
        try:
            if self._reading:
                return False
            if not self.write_lock.acquire(blocking=False):
                return False
            try:
                if self._writing:
                    return False
                self._chores = False
                self._do_chores_alone()
                return True
            finally:
                self.write_lock.release()
        finally:
            self.read_lock.release()

    def _do_chores_alone(self) -> None:
        if self._closed:
            return
        both = self.receiver.peer_close is not None and self.sender.our_close is not None
        if self.over or (both and not self.stream.unsent and CLOSE not in self._owed):
            self.over = self._closed = True
            self.stream.finish()
            self.stream.close()
            self._announce_end()
        elif self._hatch:
            with suppress(WebSocketException):
                self.receiver.feed(self.stream.give_back(self.receiver.give_back()))
            self.stream.stop_reading_ahead()

    # --- what became of it -------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether messages may be sent and received."""
        return not (
            self.over
            or self._closing
            or self.receiver.peer_close is not None
            or self.sender.our_close is not None
        )

    @property
    def close_code(self) -> int | None:
        """The peer's close code; 1005 it said none, 1006 lost, None while open."""
        said = self.receiver.peer_close
        if said is not None:
            return said.code
        return ABNORMAL if self.over else None

    def closed_error(self) -> WebSocketConnectionClosedException:
        """Why nothing can be read or written any more, as an exception."""
        said = self.receiver.peer_close
        if said is None:
            return WebSocketConnectionClosedException("Connection is already closed.")
        code = None if said.code == NO_STATUS else said.code
        text = "Connection closed" if code is None else f"Connection closed (code {code})"
        if said.reason:
            text += f": {said.reason}"
        return WebSocketConnectionClosedException(
            text, status_code=code, reason=said.reason or None
        )


def _owned(lock: Any) -> bool:
    return bool(lock._is_owned())


def _acquire(lock: Any, deadline: Deadline) -> bool:
    left = deadline.remaining()
    return bool(lock.acquire() if left is None else lock.acquire(timeout=min(left, threading.TIMEOUT_MAX)))


def _trace_received(frame: Frame) -> None:
    raw = encode_frame(frame.opcode, frame.data, None, frame.fin)
    _logging.trace(f"++Rcv raw: {raw!r}")
    _logging.trace(
        f"++Rcv decoded: fin={int(frame.fin)} opcode={frame.opcode} data={frame.data!r}"
    )
