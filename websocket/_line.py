"""`Line`: what the two halves of a connection share: locks, latches, debts, and the end.

A debt is a control frame that could not be written at once (sentence 3 of `_connection`): `_owed`
holds the newest of each kind, and what the kernel did not take of one already begun waits in the
stream. Whoever lets go of a lock looks whether there are debts and chores, and sees to them if
nobody else can; so nothing is forgotten, and nobody waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import ref

from . import _logging, _tracing
from ._exceptions import WebSocketConnectionClosedException, WebSocketException
from ._keepalive import forget
from ._pings import Latch, Pings
from ._protocol.counting import Sent
from ._protocol.receiving import Receiver
from ._protocol.sending import Sender
from ._transport.streams import Stream
from ._wire.frames import ABNORMAL, CLOSE, NO_STATUS, PING, PONG

if TYPE_CHECKING:
    from ._pulse import Pulse

__all__ = ["Line"]

_OWED = (PONG, PING, CLOSE)  # in this order behind the bytes of a frame already begun
_NOTHING: Any = MappingProxyType(dict[int, Any]())

_Made = TypeVar("_Made")


class Line:
    """A stream, both halves of the protocol, and who may touch what.

    There may be thousands of them, of which most wait: what such a one does not need is no slot
    but an attribute of the class until it is set, and made by the first who needs it.
    """

    __slots__ = (
        *("__dict__", "__weakref__"),
        *("_began", "_chores", "_closing"),
        "_message_owner",
        "_owed",
        "_reading",
        "_sent",
        "_writing",
        "over",
        "read_lock",
        "receiver",
        "sender",
        "stream",
        "write_lock",
    )

    _closed = False  # a latch: the descriptor is closed
    _hatch = False  # a latch: the user watches the descriptor
    pulse: Pulse | None = None  # the keepalive, where it was asked for
    error: WebSocketException | None = None  # what ended the connection, if it was one
    _pings: Pings | None = None
    _message_done: threading.Condition | None = None  # with the write lock held
    _ended: Latch | None = None
    _descriptor: Any = None  # a lock, held while it is shut down or closed
    _lasted: float | None = None

    def __init__(self, stream: Stream, receiver: Receiver, sender: Sender):
        self.stream = stream
        # Reading: belongs to the holder of read_lock.
        self.read_lock = threading.RLock()
        self.receiver = receiver
        self._reading = False
        # Writing: belongs to the holder of write_lock.
        self.write_lock = threading.RLock()
        self.sender = sender
        self._sent: Sent | None = None
        self._writing = False
        self._message_owner: int | None = None  # the thread whose fragments are under way
        # Shared, each change atomic.
        self._owed: dict[int, Any] = _NOTHING  # newest payload by opcode; for CLOSE a Close
        self.over = False  # a latch: nothing more is delivered or sent
        self._closing = False  # a latch: what still comes is discarded
        self._chores = False  # for whoever leaves next
        self._began = time.monotonic()
        stream.share_locks(self.read_lock, self.write_lock)
        _open[_Last(self, _Last.release)] = stream

    def __del__(self) -> None:
        # Closed, never shut down: a forked child would cut its parent off. What the program has
        # taken of ours, and still holds, is left alone.
        stream: Stream | None = getattr(self, "stream", None)
        if stream is not None and not self._closed:
            stream.release()

    def _made(self, name: str, make: Callable[[], _Made]) -> _Made:
        """The attribute `name`, made now unless another thread was faster: both get the same."""
        made: _Made = self.__dict__.setdefault(name, make())
        return made

    @property
    def pings(self) -> Pings:
        """Those that somebody waits for."""
        return self._pings or self._made("_pings", Pings)

    @property
    def sent(self) -> Sent:
        """What was written; for the holder of the write lock."""
        if self._sent is None:
            self._sent = Sent()
        return self._sent

    # --- who is inside ---------------------------------------------------------------------------
    # The locks are re-entrant so that they know their owner; the flags tell the second entry of
    # the same thread, which is a signal handler below its own interrupted call.

    def _begin_writing(self) -> bool:
        """Enter without waiting; False if somebody writes, who looks at our wishes on leaving."""
        if not self.write_lock.acquire(blocking=False):
            return False
        if self._writing:
            self.write_lock.release()
            return False
        self._writing = True
        return True

    def _end_writing(self) -> None:
        self._writing = False
        self.write_lock.release()

    # --- owing -----------------------------------------------------------------------------------

    def owe(self, opcode: int, what: Any) -> None:
        """Send a control frame without waiting: now, or by whoever can. The newest counts."""
        self._debts()[opcode] = what
        self._try_to_pay()
        if self._chores:
            self._do_chores()

    def _debts(self) -> dict[int, Any]:
        """`_owed`, to be written."""
        if self._owed is _NOTHING:
            self._owed = self._made("_own_debts", dict[int, Any])
        return self._owed

    def _try_to_pay(self) -> bool:
        """Pay what is owed; whether nobody else was writing, who would do it on leaving."""
        while self._begin_writing():
            try:
                self._pay()
            except WebSocketException as exc:
                self._remember(exc)
                self.sender.abandon()  # what the peer sent before it went may still be read
            finally:
                self._end_writing()
            if not self._owed or self.stream.unsent:
                return True
            # Somebody owed more while we were inside, and could not enter.
        return False

    def _pay(self) -> None:
        """Write what is owed, as far as the kernel takes it; with the write lock held."""
        stream = self.stream
        stream.flush()
        for opcode in _OWED:
            if stream.unsent:
                return
            what: Any = self._owed.pop(opcode, None) if self._owed else None
            if what is None or self.sender.our_close is not None:
                continue
            if opcode == CLOSE:
                data = self.sender.close(what.code, what.reason)
            else:
                data = (self.sender.pong if opcode == PONG else self.sender.ping)(what)
            stream.write_now(data)
            self.sent.frame(data)
            if _tracing.on:
                _logging.trace(f"++Sent raw: {data!r}")

    # --- ending ----------------------------------------------------------------------------------

    def end(self) -> None:
        """No more: wake everybody inside, and have the last one out close the descriptor."""
        self.over = True
        self.receiver.discard_ready()
        self.sender.abandon()
        self._announce_end()
        self._chores = True
        if not self._do_chores():
            self.wake()

    def wake(self) -> None:
        """End every wait on the socket, in all threads; what they find then is theirs to judge."""
        with self._descriptor_lock:  # not between a close and the next owner of that number
            if not self._closed:
                self.stream.wake()

    @property
    def _descriptor_lock(self) -> Any:
        return self._descriptor or self._made("_descriptor", threading.RLock)

    def _remember(self, exc: WebSocketException) -> None:
        """Note what ended the connection: without its traceback, whose frames hold us."""
        if self.error is None and not self._closing:
            self.error = _bare(exc)

    def _announce_end(self) -> None:
        if self._pings is not None:
            self._pings.give_up()
        if self.pulse is not None:
            self.pulse = None
            forget()
        if self._lasted is None:
            self._lasted = time.monotonic() - self._began
        if self._ended is not None:  # who makes it later looks at `_lasted`
            self._ended.open()

    @property
    def _latch(self) -> Latch:
        return self._ended or self._made("_ended", Latch)

    def wait_ended(self, timeout: float | None) -> bool:
        """Wait until the connection is over; whether it is."""
        latch = self._latch
        return self.over or self._lasted is not None or latch.wait(timeout)

    def open_hatch(self) -> None:
        """From here on the descriptor shows every message that has not been delivered."""
        if not self._hatch:
            self._hatch = self._chores = True
            self._do_chores()

    def _do_chores(self) -> bool:
        """What only somebody who is alone may do: settle the hatch, close the descriptor.

        Returns whether that is done; if not, whoever is inside will look at `_chores` on leaving.
        """
        while self._chores:
            if not self.read_lock.acquire(blocking=False):
                return False
            try:
                alone = not self._reading and self._begin_writing()
                if alone:
                    try:
                        self._reading = True
                        self._chores = False
                        self._settle()
                    finally:
                        self._reading = False
                        self._end_writing()
                elif self._reading:
                    return False
            finally:
                self.read_lock.release()
            # A writer who left while we held the read lock could do nothing: look once more.
            if not alone and not self._begin_writing():
                return False
            if not alone:
                self._end_writing()
        return True

    def _settle(self) -> None:
        self._let_others_send()
        if self._closed:
            return
        if self._owed or self.stream.unsent:
            with suppress(WebSocketException):
                self._pay()
        both = self.receiver.peer_close is not None and self.sender.our_close is not None
        if self.over or (both and not self.stream.unsent and CLOSE not in self._owed):
            self.over = True
            self.stream.finish()
            with self._descriptor_lock:
                self._closed = True
                self.stream.close()
            _open.pop(ref(self), None)
            self._announce_end()
        elif self._hatch:
            with suppress(WebSocketException):
                self.receiver.feed(self.stream.give_back(self.receiver.give_back()))
            self.stream.stop_reading_ahead()

    def _let_others_send(self) -> None:
        """Wake whoever waits for the end of a message in fragments; with the write lock held."""
        if self._message_done is not None:
            self._message_done.notify_all()

    # --- what became of it -----------------------------------------------------------------------

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
        reason = said.reason or None
        if reason:
            text += f": {reason}"
        return WebSocketConnectionClosedException(text, status_code=code, reason=reason)


class _Last(ref[Line]):
    """Does what `Line.__del__` does where a reference cycle is collected: the collector may come to
    the socket first, which would complain that nobody has closed it; but weak references come
    before all."""

    __slots__ = ()

    def release(self) -> None:
        _open.pop(self).release()


_open: dict[ref[Line], Stream] = {}


def _bare(exc: WebSocketException) -> WebSocketException:
    """The same exception and its cause without tracebacks."""
    twin = type(exc).__new__(type(exc), *exc.args)
    twin.args = exc.args
    twin.__dict__.update(exc.__dict__)
    cause = exc.__cause__
    if isinstance(cause, OSError):
        twin.__cause__ = type(cause)(*cause.args)
    return twin
