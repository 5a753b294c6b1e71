"""`script` and `ScriptServer`: a server that does what its script says, right or wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .._exceptions import WebSocketConnectionClosedException
from ._conversation import Conversation, Over, shown
from ._line import Line
from ._listening import Listening
from ._steps import Step
from ._waiting import instant, left

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["ScriptFailure", "ScriptServer", "script"]


class ScriptFailure(AssertionError):
    """A step of a script failed: the client did not do what was expected of it."""


def script(
    *steps: Step,
    ssl: SSLContext | None = None,
    unix_socket: str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> ScriptServer:
    """A server for which every connection is a run of the same steps, listening on return.

        with script(expect_request(), send(b"HTTP/1.1 200 OK\\r\\n"), drop()) as server:
            ...  # what a client makes of it

    A step is any function of a `Conversation`; those of this package are made by `accept`,
    `delay`, `drip`, `drop`, `expect`, `expect_frame`, `expect_request`, `half_close`, `hang`,
    `receive`, `repeat`, `reset` and `send`. Behind the last one the server sends the end of the
    stream and waits for the client's. When a step raises, its connection ends, and leaving the
    `with` block raises a ScriptFailure; that the client has gone while something was sent to it is
    no failure. The other arguments are those of `serve`.
    """
    return ScriptServer(steps, ssl, unix_socket, host, port)


class ScriptServer(Listening):
    """What `script` returns. `url` and `port` say where it is, `failures` what went wrong."""

    def __init__(
        self,
        steps: tuple[Step, ...],
        context: SSLContext | None,
        unix_socket: str | None,
        host: str,
        port: int,
    ) -> None:
        self._steps = steps
        self._records: list[bytearray] = []
        self._news = threading.Condition()
        self.failures: list[ScriptFailure] = []
        super().__init__(context, unix_socket, host, port)

    @property
    def received(self) -> list[bytes]:
        """What each client has sent so far, as far as it was read; in the order of connecting."""
        with self._news:
            return [bytes(record) for record in self._records]

    def wait_received(
        self,
        what: bytes | int | Callable[[bytes], object] = 1,
        timeout: float = 5.0,
        connection: int | None = None,
    ) -> bytes:
        """Wait until a client has sent `what`: bytes anywhere, a number of bytes, or something for
        which the function returns something true. Returns all that it has sent.

        `connection` is its number, None stands for any. Raises AssertionError after `timeout`
        seconds.
        """
        until = instant(timeout)
        with self._news:
            while True:
                for number, record in enumerate(self._records):
                    if connection in (None, number) and _satisfies(bytes(record), what):
                        return bytes(record)
                if not self._news.wait(left(until)):
                    came = [shown(bytes(record)) for record in self._records]
                    raise AssertionError(
                        f"expected {what!r} within {timeout} seconds, got {came or 'no connection'}"
                    )

    def close(self, timeout: float = 5.0) -> None:
        """End the server and its conversations at once; steps that wait for bytes half a second
        later. Any thread; may be called again."""
        super().close(timeout)

    @property
    def _blamed(self) -> Sequence[BaseException]:
        return self.failures

    # --- one connection ---------------------------------------------------------------------------

    def _arrived(self) -> None:
        with self._news:
            self._records.append(bytearray())
            self._news.notify_all()

    def _converse(self, line: Line, number: int) -> None:
        conversation = Conversation(line, self._closing, number, self._records[number], self._news)
        for place, step in enumerate(self._steps, 1):
            try:
                step(conversation)
            except (Over, WebSocketConnectionClosedException):
                return
            except BaseException as exc:  # a test's failure need not be an Exception
                name = getattr(step, "__name__", repr(step))
                failure = ScriptFailure(f"connection {number}, step {place}, {name}: {exc}")
                failure.__cause__ = exc
                self.failures.append(failure)
                return
        conversation.finish()


def _satisfies(data: bytes, what: bytes | int | Callable[[bytes], object]) -> bool:
    if isinstance(what, int):
        return len(data) >= what
    return what in data if isinstance(what, bytes) else bool(what(data))
