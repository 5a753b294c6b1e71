"""`Arriving`: what has come already, for event loops: they say when there is more."""

from __future__ import annotations

from . import _tracing
from ._exceptions import WebSocketException, WebSocketTimeoutException
from ._reading import Reading
from ._transport.deadline import Deadline
from ._wire.frames import CLOSE, Frame

__all__ = ["Arriving"]


class Arriving(Reading):
    """`receive_arrived`, which waits neither for bytes nor for another reader."""

    __slots__ = ()

    filled: int
    settled = -1
    """What `filled` was when all that had come was taken, so that the descriptor shows the rest."""

    def receive_arrived(
        self, fragments: bool = False, again: bool = False
    ) -> str | bytes | Frame | None:
        """The message, or with `fragments` the frame, that `receive` would give now, pings and
        pongs, too; None if nothing whole has come, or another thread reads. `again` says that what
        the last call gave was delivered.

        Raises as `receive`, except that a timeout is always that of a missed pong.
        """
        if not self.read_lock.acquire(False):
            return None
        try:
            if again and self.caught_up():
                return None
            receiver = self.receiver
            item = None
            # The common case, with the fewest calls: nothing is in the way.
            if not (
                fragments
                or receiver.peer_close is not None
                or self._reading
                or self._failure is not None
                or self._closing
                or self.over
                or _tracing.on
            ):
                item = self._look()
            pull = receiver.next_frame if fragments else receiver.next_item
            return self.receive(pull, True, Deadline(0)) if item is None else item
        except WebSocketTimeoutException:
            if self.over:
                raise
            return None
        finally:
            self.read_lock.release()
            if self._chores:
                self._do_chores()

    def unread_here(self) -> bool:
        """Whether there are bytes of messages that the descriptor does not show."""
        receiver = self.receiver
        return bool(receiver.ready) or not receiver.at_border or self.stream.pending() > 0

    def caught_up(self) -> bool:
        """Whether all that had come was delivered, as far as the last read can tell: the descriptor
        will say when there is more. For who has just received, and nobody else receives."""
        receiver = self.receiver
        decoder = receiver.decoder
        at_border = decoder.position == len(decoder.buffer) and decoder.opened is None
        return at_border and not receiver.ready and self.stream.caught_up()

    def _look(self) -> str | bytes | Frame | None:
        """A message or a control frame, by one read at most. None for all that `receive` sees to:
        nothing, a part of a frame, the end of the stream, and what comes too late."""
        receiver, source = self.receiver, self._source
        decoder = receiver.decoder
        self._reading = True
        try:
            item = self.next_plain(False)
            if item is None:
                return None
            if isinstance(item, Frame) and item.opcode >= CLOSE:
                self._take_control(item, True, None)
            elif receiver.ready.late or self.over:
                receiver.count.came_late(item)
                return None
            elif not receiver.ready and decoder.position == len(decoder.buffer):
                # Nothing but this message was looked at: it may leave the kernel now.
                try:
                    out = source is not None and source.peeking and not source.peeked
                    self.settled = self.filled if out or self.stream.caught_up() else -1
                except WebSocketException:
                    self.settled = -1  # the next read will say
            return item
        except WebSocketTimeoutException:
            return None
        except WebSocketException as exc:
            self._not_read(exc)
            raise
        finally:
            self._reading = False
