"""The name lookup: a host -> its addresses, within the deadline of the attempt."""

from __future__ import annotations

import socket
import threading
from typing import Any

from websocket._exceptions import WebSocketAddressException, WebSocketException

from .deadline import Attempt

__all__ = ["AddressInfo", "look_up"]

# (family, type, proto, canonical name, socket address), as `socket.getaddrinfo` gives them.
AddressInfo = tuple[int, int, int, str, Any]

_LOOKUP_REMEDIES = {
    socket.EAI_NONAME: "is the host name in the URL spelled right?",
    socket.EAI_AGAIN: "the name server did not answer: check the network, then try again",
}


def look_up(host: str, port: int, attempt: Attempt) -> list[AddressInfo]:
    """The addresses of a name, as the system orders them; a literal address gives itself.

    With a deadline the question is asked in a daemon thread, since nothing can interrupt a
    resolver: when the time is up that thread is left to finish alone. Without a deadline it is
    asked right here, and `cancel` takes effect after it. Raises WebSocketAddressException.
    """
    doing = f"looking up the name {host}"
    attempt.check(doing)
    try:
        if attempt.deadline.at is None:
            return _ask(host, port)
        return _ask_beside(host, port, attempt, doing)
    except WebSocketException:  # too late, or called off
        raise
    except OSError as exc:
        raise WebSocketAddressException(
            f"The name {host} has no address: {exc}", hint=_LOOKUP_REMEDIES.get(exc.errno or 0)
        ) from exc
    except (TypeError, ValueError, OverflowError) as exc:
        raise WebSocketAddressException(
            f"{host!r} port {port!r} cannot be looked up: {exc}",
            hint="a host is a name or an address without scheme, path or brackets",
        ) from exc


def _ask(host: str, port: int) -> list[AddressInfo]:
    if not host or "\0" in host:  # to the resolver none is this machine, and NUL is the end
        raise ValueError("it is no host name")
    # Looked up at call time and called by position: programs put `lambda *args: ...` in its place.
    return list(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, socket.IPPROTO_TCP))


def _ask_beside(host: str, port: int, attempt: Attempt, doing: str) -> list[AddressInfo]:
    outcome: list[list[AddressInfo] | BaseException] = []

    def ask() -> None:
        try:
            outcome.append(_ask(host, port))
        except BaseException as exc:
            outcome.append(exc)
        attempt.ring()

    threading.Thread(target=ask, name=f"websocket: {doing}", daemon=True).start()
    while not outcome:
        attempt.check(doing)
        attempt.wait()
    answer = outcome.pop()
    if isinstance(answer, BaseException):
        raise answer
    return answer
