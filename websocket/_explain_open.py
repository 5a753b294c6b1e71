"""What an open connection answers: a ping, and the closing handshake."""

from __future__ import annotations

from collections.abc import Callable

from ._connection import Connection
from ._exceptions import WebSocketTimeoutException
from ._explain_record import Record, Secrets
from ._transport.deadline import Deadline
from ._wire.frames import CLOSE, PING, PONG, Close, parse_close

__all__ = ["converse"]

_GOODBYE = Close(1000, "")
_FAREWELL = 1.0  # seconds for the closing handshake where nobody will hear of it
_PAYLOAD = b"explain"
_NORMAL = (1000, 1001, 1005)
_NO_PONG = "pings must be answered (RFC 6455 5.5.2): the server is busy, or a proxy swallows them"
_NOT_KEPT = "it accepts connections, but does not keep this one"
_SECOND_THOUGHT = "the server has accepted us and thought again: does it want credentials?"
_NO_CLOSE = "the server hangs up or waits; programs see close code 1006"


def converse(
    connection: Connection, record: Record, secrets: Secrets, left: Callable[[], float]
) -> None:
    """Ping and close; `left` says how many seconds there are. The connection has ended then.

    Raises what the connection raises.
    """
    try:
        record.begin("ping")
        # The other half is for the closing handshake.
        if _ping(connection, record, secrets, Deadline(left() / 2)):
            record.begin("close")
            _close(connection, record, left())
    finally:
        connection.close(_GOODBYE, min(_FAREWELL, left()))


def _ping(connection: Connection, record: Record, secrets: Secrets, deadline: Deadline) -> bool:
    """Whether it is worth going on. What the server sends meanwhile is dropped."""
    waiter = connection.pings.sent(_PAYLOAD)
    connection.send_control(PING, _PAYLOAD)
    while True:
        try:
            frame = connection.receive(connection.receiver.next_piece, True, deadline)
        except WebSocketTimeoutException:
            record.fail(f"no pong within {deadline.seconds:.1f} s", _NO_PONG)
            return False
        if frame.opcode == PONG and frame.data == _PAYLOAD:
            seconds = waiter.wait(0)
            record.done(f"answered in {seconds * 1000:.1f} ms", round_trip=round(seconds, 6))
            return True
        if frame.opcode == CLOSE:
            return _closed_early(record, parse_close(frame.data), secrets)


def _closed_early(record: Record, said: Close, secrets: Secrets) -> bool:
    """The server has closed before it answered the ping, which the RFC allows."""
    reason = secrets.hidden(said.reason)
    detail = f"the server closed with {said.code}{': ' if reason else ''}{reason}"
    if said.code in _NORMAL:
        record.warn(detail, _NOT_KEPT)
        return True
    record.fail(detail, _SECOND_THOUGHT)
    return False


def _close(connection: Connection, record: Record, seconds: float) -> None:
    connection.close(_GOODBYE, seconds)
    said = connection.receiver.peer_close
    if said is None:
        record.warn("not answered", _NO_CLOSE)
    else:
        record.done(f"the server's code is {said.code}", code=said.code)
