"""All errors that this library raises; the ground that every other file may stand on.

The tree is small so that an `except` clause reads like a sentence:

    WebSocketException                         everything below
      WebSocketProtocolException               the peer broke RFC 6455          (close code 1002)
      WebSocketPayloadException                not UTF-8, or over `max_size`    (1007, 1009)
      WebSocketConnectionClosedException       the connection has ended         (a ConnectionError)
      WebSocketTimeoutException                a wait ran out                   (a TimeoutError)
        WebSocketWouldBlockException           nothing now, and timeout is 0    (a BlockingIOError)
      WebSocketBadStatusException              the handshake was refused with an HTTP status
      WebSocketProxyException                  the proxy refused or failed
      WebSocketAddressException                the host name has no address
      InvalidState                             a verb that this state does not allow
"""

from __future__ import annotations

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = [
    "InvalidState",
    "WebSocketAddressException",
    "WebSocketBadStatusException",
    "WebSocketConnectionClosedException",
    "WebSocketException",
    "WebSocketPayloadException",
    "WebSocketProtocolException",
    "WebSocketProxyException",
    "WebSocketTimeoutException",
    "WebSocketWouldBlockException",
]


class WebSocketException(Exception):
    """Root of all errors of this library; also raised itself for faults of the opening handshake.

    `hint` is one line that says what to do, or None; it also ends the message. That is one line,
    too: where it quotes the peer, control characters are written out (`\\x1b`). What the attributes
    of an exception hold is as it came.
    `close_code` is the close code that the peer was told (RFC 6455 7.4.1), or None.
    """

    hint: str | None = None
    close_code: int | None = None
    response: Any = None  # the server's answer, where one was refused: .status, .headers, .body

    def __init__(self, *args: object, hint: str | None = None, close_code: int | None = None):
        if hint is not None:
            self.hint = hint
            if args and isinstance(args[0], str):
                args = (f"{args[0]} ({hint})", *args[1:])
        if close_code is not None:
            self.close_code = close_code
        if args and isinstance(args[0], str) and not args[0].isprintable():
            args = (_written_out(args[0]), *args[1:])
        super().__init__(*args)


def _written_out(text: str) -> str:
    """The text with what could steer a terminal, or begin a new line of a log, written out."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


class WebSocketProtocolException(WebSocketException):
    """The peer broke RFC 6455; it was told 1002 and the connection is dead."""

    close_code: int | None = 1002


class WebSocketPayloadException(WebSocketException):
    """A text that is not UTF-8 (close code 1007) or a message over the limit (1009)."""

    close_code: int | None = 1007


class WebSocketConnectionClosedException(WebSocketException, ConnectionError):
    """The connection has ended, was never made, or was closed by another thread.

    `status_code` and `reason` are what the peer's close frame said, or None without one.
    Takes one argument: two would make an OSError of it, with errno and strerror.
    """

    status_code: int | None = None
    reason: str | None = None

    def __init__(
        self,
        *args: object,
        status_code: int | None = None,
        reason: str | None = None,
        hint: str | None = None,
    ):
        super().__init__(*args, hint=hint)
        self.status_code = status_code
        self.reason = reason


class WebSocketTimeoutException(WebSocketException, TimeoutError):
    """A wait was longer than its timeout; a connection that was reading is still usable."""


class WebSocketWouldBlockException(WebSocketTimeoutException, BlockingIOError):
    """Nothing can be read or written now, and the timeout is 0; `errno` is EAGAIN."""

    def __init__(self, *args: object, hint: str | None = None):
        super().__init__(*args, hint=hint)
        self.errno: int | None = errno.EAGAIN  # what programs look at


class WebSocketProxyException(WebSocketException):
    """The proxy refused, failed, or was described in a way that cannot work.

    Where the proxy has answered by HTTP, `status_code` is its status and `response` all of it. What
    is an OSError, a timeout or a TLS error at the same time is an instance of that class, too.
    """

    status_code: int | None = None


class WebSocketAddressException(WebSocketException):
    """The host name could not be resolved to an address."""


class WebSocketBadStatusException(WebSocketException):
    """The opening handshake was answered with a status that is neither 101 nor a redirect."""

    def __init__(
        self,
        message: str,
        status_code: int,
        status_message: str | None = None,
        resp_headers: Mapping[str, str] | None = None,
        resp_body: bytes | None = None,
        *,
        hint: str | None = None,
    ):
        super().__init__(message, hint=hint)
        self.status_code = status_code
        self.status_message = status_message
        self.resp_headers = resp_headers
        self.resp_body = resp_body

    def __reduce__(self) -> tuple[Any, ...]:
        # The message alone, which is all that `args` has, would not be enough to make it anew.
        return type(self), (*self.args, self.status_code), self.__dict__


class InvalidState(WebSocketException):
    """This verb cannot be used in this state: before the handshake, or after the close."""
