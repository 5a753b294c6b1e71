"""All addresses of a host, tried at once: which of them answer, and after how long.

A connection takes the first that answers; a doctor wants to hear of those, too, that never do.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

from ._exceptions import WebSocketException
from ._transport.deadline import Attempt, Deadline
from ._transport.names import AddressInfo
from ._transport.options import TransportOptions
from ._transport.tcp import dial_one

__all__ = ["Try", "Unreachable", "close_all", "try_all"]

_NO_ANSWER = "no answer: is the server up, does a firewall drop the packets?"


class Try:
    """One address: `socket` if it answered, else `error`, or neither where it kept silent."""

    def __init__(self, address: AddressInfo, deadline: Deadline):
        self.info = address
        self.host = str(address[4][0])
        self.port = int(address[4][1])
        self.attempt = Attempt(deadline)
        self.socket: socket.socket | None = None
        self.error: OSError | WebSocketException | None = None
        self.mistake: BaseException | None = None  # no trouble of the network, but the caller's
        self.seconds = 0.0
        self.done = False

    def run(self, options: TransportOptions, changed: threading.Condition) -> None:
        """Connect; in a thread of its own."""
        start = time.monotonic()
        try:
            self.socket = dial_one(self.info, options, self.attempt)
        except (OSError, WebSocketException) as exc:
            self.error = exc
        except BaseException as exc:
            self.mistake = exc
        self.seconds = time.monotonic() - start
        with changed:
            self.done = True
            changed.notify_all()

    @property
    def where(self) -> str:
        """Address and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def silent(self) -> bool:
        """Whether nothing came back, neither a connection nor a refusal."""
        return self.socket is None and not self.fault

    @property
    def fault(self) -> str | None:
        """What the system says of this address; None if it answered, or said nothing."""
        if self.error is None or isinstance(self.error, WebSocketException):
            return None
        return getattr(self.error.__cause__, "strerror", None) or str(self.error)

    def facts(self) -> dict[str, Any]:
        """For `as_dict()`."""
        error = "no answer" if self.silent else self.fault
        return {
            "address": self.host,
            "port": self.port,
            "seconds": round(self.seconds, 6),
            "error": error,
        }


class Unreachable(OSError):
    """No address has answered."""

    def __init__(self, tries: Sequence[Try]):
        super().__init__("")
        hints = [getattr(each.error, "hint", None) for each in tries if each.fault is not None]
        self.hint: str = next(filter(None, hints), None) or _NO_ANSWER


def try_all(
    addresses: Sequence[AddressInfo], options: TransportOptions, attempt: Attempt
) -> list[Try]:
    """Connect to each; those that answered have an open socket, which the caller has to close.

    Waits until all have answered, but once one has, for at most half of the time that was left:
    what is silent must not use up the time of the steps to come. Raises TypeError for malformed
    socket options.
    """
    tries = [Try(address, attempt.deadline) for address in addresses]
    changed = threading.Condition()
    threads = [
        threading.Thread(
            target=each.run, args=(options, changed), name=f"websocket: {each.where}", daemon=True
        )
        for each in tries
    ]
    started: list[threading.Thread] = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
        left = attempt.deadline.remaining()
        with changed:
            changed.wait_for(lambda: all(t.done for t in tries), left and left / 2)
            # The threads end by the same deadline.
            changed.wait_for(lambda: all(t.done for t in tries) or any(t.socket for t in tries))
    except BaseException:
        _end(tries, started)
        close_all(tries)
        raise
    _end(tries, started)
    mistake = next((each.mistake for each in tries if each.mistake is not None), None)
    if mistake is not None:
        close_all(tries)
        raise mistake
    return tries


def close_all(tries: Sequence[Try], but: Try | None = None) -> None:
    """Close the sockets of all tries but that one's."""
    for each in tries:
        if each is not but and each.socket is not None:
            each.socket.close()


def _end(tries: Sequence[Try], threads: Sequence[threading.Thread]) -> None:
    for each in tries:
        if not each.done:
            each.attempt.cancel()
    for thread in threads:
        thread.join()
