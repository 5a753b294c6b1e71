"""The name lookup: a host -> its addresses, within the deadline of the attempt."""

from __future__ import annotations

import socket
import threading

from websocket._exceptions import WebSocketAddressException, WebSocketException

from .deadline import Attempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    # (family, type, proto, canonical name, socket address), as `socket.getaddrinfo` gives them.
    AddressInfo = tuple[int, int, int, str, Any]
else:
    AddressInfo = tuple

__all__ = ["AddressInfo", "look_up"]

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
    literal = _as_literal(host, port)
    if literal is not None:
        return [literal]
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


def _as_literal(host: str, port: int) -> AddressInfo | None:
    """What the resolver would say of an IPv4 or IPv6 address without a zone; None for names."""
    # Programs put functions of their own in the place of the resolver: they shall see all hosts.
    if getattr(socket.getaddrinfo, "__module__", None) != "socket":
        return None
    try:
        if not 0 < port < 65536:
            return None
        if ":" not in host:
            socket.inet_pton(socket.AF_INET, host)
            return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port)
        packed = socket.inet_pton(socket.AF_INET6, host)
    except (OSError, TypeError, ValueError):
        return None
    where = (socket.inet_ntop(socket.AF_INET6, packed), port, 0, 0)
    return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where


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
