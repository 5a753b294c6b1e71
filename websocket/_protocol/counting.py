"""How much has been received and sent: bare counters, kept where that costs next to nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .._wire.frames import CLOSE, PING, PONG, Frame, size_on_wire

__all__ = ["MEDIUM", "SHORT", "Amount", "Received", "Sent", "amount_of"]

SHORT, MEDIUM = 131, 65543
"""The longest masked frames with a header of 6 and of 8 bytes; beyond, it has 14."""

_HEADER = 6  # of a short masked frame


class Amount(NamedTuple):
    """Some messages: how many, their bytes as data, and as frames on the wire."""

    messages: int
    payload: int
    wire: int


def amount_of(messages: Iterable[str | bytes]) -> Amount:
    """How much unmasked messages of one frame each are."""
    number = payload = wire = 0
    for message in messages:
        if isinstance(message, str) and not message.isascii():
            message = message.encode()
        length = len(message)
        number += 1
        payload += length
        wire += size_on_wire(length)
    return Amount(number, payload, wire)


class Received:
    """What a `Receiver` has parsed; belongs to the holder of the read lock, anybody may look.

    What waits in its `ready` is counted, and has not been received yet: who asks subtracts it, and
    what was `discarded`.
    """

    __slots__ = ("_cleared", "_late", "messages", "payload", "pings", "pongs", "saved", "wire")

    def __init__(self) -> None:
        self.messages = 0
        self.payload = 0  # bytes of their data, inflated
        self.wire = 0  # bytes of all frames, with their headers
        self.saved = 0  # bytes that compression has kept off the wire
        self.pings = self.pongs = 0
        self._late = (0, 0)
        self._cleared: list[Amount] = []  # by any thread: appending is atomic, adding is not

    def frame(self, frame: Frame) -> None:
        """One frame that is not compressed has come."""
        length = len(frame.data)
        if frame.opcode < CLOSE:
            self.messages += frame.fin
            self.payload += length
        self.pings += frame.opcode == PING
        self.pongs += frame.opcode == PONG
        self.wire += size_on_wire(length, frame.masked)

    def message(self, length: int, masked: bool) -> None:
        """A message of one frame has come."""
        self.messages += 1
        self.payload += length
        self.wire += size_on_wire(length, masked)

    def take_back(self, amount: Amount) -> None:
        """So much will be parsed once more: it never was here."""
        self.messages -= amount.messages
        self.payload -= amount.payload
        self.wire -= amount.wire

    def cleared(self, amount: Amount) -> None:
        """So much was parsed, and nobody will receive it; any thread."""
        if amount.messages:
            self._cleared.append(amount)

    def came_late(self, item: str | bytes | Frame) -> None:
        """Data came when nobody would receive it any more."""
        messages, payload = self._late
        if not isinstance(item, Frame):
            self._late = messages + 1, payload + amount_of([item]).payload
        elif item.opcode < CLOSE:
            self._late = messages + item.fin, payload + len(item.data)

    @property
    def discarded(self) -> Amount:
        """What was parsed and never received; that it travelled is true all the same."""
        messages, payload = self._late
        for amount in self._cleared.copy():
            messages += amount.messages
            payload += amount.payload
        return Amount(messages, payload, 0)


class Sent:
    """What was written; belongs to the holder of the write lock, anybody may look.

    The most frequent of all sends adds to `messages`, `wire` and `headers` itself.
    """

    __slots__ = ("_other", "headers", "messages", "pings", "pongs", "saved", "wire")

    def __init__(self) -> None:
        self.messages = 0
        self.wire = 0  # bytes of all frames, with their headers
        self.headers = 0  # bytes of data frames' headers, besides the usual ones of the messages
        self.saved = 0  # bytes that compression has kept off the wire
        self.pings = self.pongs = 0
        self._other = 0  # bytes of what is no data frame

    @property
    def payload(self) -> int:
        """Bytes of data, before they were compressed."""
        return self.wire - self._other - _HEADER * self.messages - self.headers + self.saved

    def frame(self, data: bytes, saved: int = 0) -> None:
        """One frame was written, from which compression had taken `saved` bytes; or bytes of which
        a program says that they belong on the wire."""
        self.wire += len(data)
        header = _header_of(data)
        opcode = data[0] & 0x0F
        if header is None or opcode >= CLOSE:
            self._other += len(data)
            self.pings += header is not None and opcode == PING
            self.pongs += header is not None and opcode == PONG
            return
        self.saved += saved
        self.headers += header
        if data[0] & 0x80:
            self.messages += 1
            self.headers -= _HEADER


def _header_of(data: bytes) -> int | None:
    """The length of the header, if `data` is one frame and nothing else."""
    if len(data) < 2:
        return None
    length, extended = data[1] & 0x7F, 0
    if length > 125:
        extended = 2 if length == 126 else 8
        length = int.from_bytes(data[2 : 2 + extended], "big")
    header = 2 + extended + (4 if data[1] & 0x80 else 0)
    return header if header + length == len(data) else None
