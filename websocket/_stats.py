"""`Stats`, what `stats()` returns: how much one connection has sent and received so far."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from ._pings import RoundTrips
from ._protocol.counting import Amount, Received, Sent, amount_of

if TYPE_CHECKING:
    from ._connection import Connection
    from ._protocol.receiving import Receiver

__all__ = ["Stats", "stats_of"]

_LOOKS = 5  # until the counters hold still while we add them up


class Stats(NamedTuple):
    """A snapshot of one connection.

    A message counts as received when it has been handed out, not when it has come; what `close()`
    discards is never received. A message in fragments counts at its end, its bytes as they come.
    """

    opened_at: float | None = None
    """When the connection was opened, as `time.time()` tells it; None before the first one."""
    seconds_open: float = 0.0
    """For how long it has been open, or was."""
    messages_sent: int = 0
    messages_received: int = 0
    payload_bytes_sent: int = 0
    """Bytes of the messages (text as UTF-8), before they were compressed."""
    payload_bytes_received: int = 0
    """Bytes of the messages, after they were inflated."""
    wire_bytes_sent: int = 0
    """Bytes of all frames with their headers, of pings, pongs and closes, too; without what the
    opening handshake, TLS and TCP add."""
    wire_bytes_received: int = 0
    """The same; what was discarded is included, since it has travelled."""
    compression_ratio_sent: float | None = None
    """Bytes of the messages for each byte of them that travelled, frame headers left out: 4.0 where
    a quarter did. None without compression or messages."""
    compression_ratio_received: float | None = None
    pings_sent: int = 0
    pings_received: int = 0
    pongs_sent: int = 0
    pongs_received: int = 0
    round_trips: int = 0
    """How many were measured: by `ping()` whose waiter was kept, or by `ping_interval`."""
    last_round_trip: float | None = None
    """In seconds, as the three below; None before the first."""
    mean_round_trip: float | None = None
    shortest_round_trip: float | None = None
    longest_round_trip: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The attributes by their names, ready for JSON."""
        return self._asdict()


def stats_of(connection: Connection | None) -> Stats:
    """What is known of a connection; any thread."""
    if connection is None:
        return Stats()
    now = time.monotonic()
    receiver, sender = connection.receiver, connection.sender
    sent, count = connection._sent or Sent(), receiver.counted or Received()
    received = _received(receiver, count)
    pings = connection._pings
    trips = RoundTrips() if pings is None else pings.round_trips
    measured = trips.count > 0
    payload_sent = sent.payload
    return Stats(
        opened_at=_opened_at(connection),
        seconds_open=now - connection._began if connection._lasted is None else connection._lasted,
        messages_sent=sent.messages,
        messages_received=received.messages,
        payload_bytes_sent=payload_sent,
        payload_bytes_received=received.payload,
        wire_bytes_sent=sent.wire,
        wire_bytes_received=received.wire,
        compression_ratio_sent=_ratio(sender._deflater, payload_sent, sent.saved),
        compression_ratio_received=_ratio(receiver._inflater, count.payload, count.saved),
        pings_sent=sent.pings,
        pings_received=count.pings,
        pongs_sent=sent.pongs,
        pongs_received=count.pongs,
        round_trips=trips.count,
        last_round_trip=trips.last if measured else None,
        mean_round_trip=trips.total / trips.count if measured else None,
        shortest_round_trip=trips.shortest if measured else None,
        longest_round_trip=trips.longest if measured else None,
    )


def _opened_at(connection: Connection) -> float:
    """The same for all who ask."""
    at = time.time() - (time.monotonic() - connection._began)
    told: float = connection.__dict__.setdefault("opened_at", at)
    return told


def _received(receiver: Receiver, count: Received) -> Amount:
    """What was handed out: what was parsed, less what waits, was put back, or was discarded."""
    looks = 0
    while True:
        parsed = Amount(count.messages, count.payload, count.wire)
        waiting, held = amount_of(receiver.ready.copy()), receiver._put_back
        discarded, drained = count.discarded, receiver._drained
        looks += 1
        if looks == _LOOKS or parsed == (count.messages, count.payload, count.wire):
            break
    messages = parsed.messages - waiting.messages - discarded.messages
    payload = parsed.payload - waiting.payload - discarded.payload + drained
    for message in held:
        messages, payload = messages - message.fin, payload - len(message.data)
    return Amount(max(messages, 0), max(payload, 0), parsed.wire - waiting.wire + drained)


def _ratio(compressing: object, payload: int, saved: int) -> float | None:
    travelled = payload - saved
    return payload / travelled if compressing is not None and travelled > 0 else None
