"""Addresses (happy eyeballs, any error tries the next) and socket options -> a connected socket."""

from __future__ import annotations

import errno
import math
import os
import select
import socket
import sys
import time
from collections import deque
from itertools import chain, zip_longest

from websocket._exceptions import WebSocketAddressException, WebSocketException

from .names import look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .deadline import Attempt
    from .names import AddressInfo
    from .options import TransportOptions

__all__ = ["DEFAULT_SOCKET_OPTION", "addresses_of", "dial", "dial_one", "dial_unix"]

DEFAULT_SOCKET_OPTION: list[tuple[int, int, int]] = [
    (level, getattr(socket, name), value)
    for level, name, value in (
        (socket.SOL_TCP, "TCP_NODELAY", 1),
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.SOL_TCP, "TCP_KEEPIDLE", 30),
        (socket.SOL_TCP, "TCP_KEEPINTVL", 10),
        (socket.SOL_TCP, "TCP_KEEPCNT", 3),
    )
    if hasattr(socket, name)
]

# RFC 8305 section 5: how long an address has to itself before the next one joins the race.
_HEAD_START = 0.25

# On Linux a `shutdown` from another thread wakes the poll of a connect under way; elsewhere it may
# answer ENOTCONN instead, so there the wait is cut into slices. An hour keeps poll's int in range.
_LONGEST_WAIT = 3600.0 if sys.platform == "linux" else 0.1

# A full backlog of a unix socket is EAGAIN (connect(2)) and nothing tells when to try again.
_UNIX_RETRY = 0.02

# What a `connect` that goes on in the background answers: POSIX, Windows, asked twice.
_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY)

_NO_WAY = "no way there: check the network, VPN or firewall"
_FORBIDDEN = "this user may not connect there: check permissions and firewall"
_REMEDIES = {
    errno.ECONNREFUSED: "nothing listens there: is the server running, are host and port right?",
    errno.ETIMEDOUT: "no answer: is the server up, does a firewall drop the packets?",
    errno.EHOSTUNREACH: _NO_WAY,
    errno.ENETUNREACH: _NO_WAY,
    errno.EADDRNOTAVAIL: "no local port is free, or source_address is not of this machine",
    errno.EADDRINUSE: "another socket holds the port of source_address: use port 0",
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EMFILE: "this process has too many files open: raise `ulimit -n` or close connections",
    errno.ENOENT: "there is no such socket: is the server running, is the path right?",
}

# How little an error says about the server: a refusal is an answer, most others count 1, and the
# last of these are about our own side.
_SILENCE = {
    errno.ECONNREFUSED: 0,
    **dict.fromkeys((errno.EHOSTUNREACH, errno.ENETUNREACH), 2),
    **dict.fromkeys((errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT), 3),
}


def dial(host: str, port: int, options: TransportOptions, attempt: Attempt) -> socket.socket:
    """Connect by TCP to the first address of `host` that answers; the socket blocks, no timeout.

    Waits for the name lookup and the connects until the attempt's deadline or `cancel`.
    Raises WebSocketAddressException (no such name), the OSError of the most telling address with
    `errno`, `remote_ip` and `hint` (none could be reached), WebSocketTimeoutException,
    WebSocketConnectionClosedException (called off), TypeError (malformed sockopt).
    """
    addresses = addresses_of(host, port, options, attempt)
    return _Race(f"{host} port {port}", addresses, options, attempt).run()


def addresses_of(
    host: str, port: int, options: TransportOptions, attempt: Attempt
) -> list[AddressInfo]:
    """The addresses of `host` in the order in which they are tried; waits and raises as `dial`."""
    addresses = look_up(host, port, attempt)
    if len(addresses) > 1:
        addresses = _interleave(addresses)
    if options.source_address:
        addresses = _same_family(addresses, options.source_address[0])
    if not addresses:
        raise WebSocketAddressException(
            f"The name lookup of {host} gave no address that can be used",
            hint="source_address, if given, must be of the server's family: IPv4 or IPv6",
        )
    return addresses


def dial_one(address: AddressInfo, options: TransportOptions, attempt: Attempt) -> socket.socket:
    """Connect by TCP to this address and no other; waits and raises as `dial`."""
    return _Race(f"port {address[4][1]}", [address], options, attempt).run()


def dial_unix(
    path: str | os.PathLike[str], options: TransportOptions, attempt: Attempt
) -> socket.socket:
    """Connect to a unix socket; the socket blocks, no timeout.

    Waits while the server's backlog is full, until the attempt's deadline or `cancel`. Raises as
    `dial` does, and WebSocketException where the platform has no unix sockets.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise WebSocketException("This platform has no unix sockets")
    name = os.fspath(path)
    doing = f"connecting to {name}"
    attempt.check(doing)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        _set_options(sock, socket.AF_UNIX, options)
        while error := _connect_unix(sock, name):
            if error.errno != errno.EAGAIN:
                raise _explained(error, name, name) from error
            attempt.wait(_UNIX_RETRY)
            attempt.check(doing)
        sock.settimeout(None)
    except BaseException:
        sock.close()
        raise
    return sock


def _connect_unix(sock: socket.socket, name: str) -> OSError | None:
    try:
        number = sock.connect_ex(name)
        return _error(number) if number else None
    except OSError as exc:  # a path that is too long
        return exc


def _interleave(found: list[AddressInfo]) -> list[AddressInfo]:
    """RFC 8305 section 4: families take turns, the one that the system prefers first."""
    families: dict[int, list[AddressInfo]] = {}
    for address in found:
        mates = families.setdefault(address[0], [])
        if address not in mates:
            mates.append(address)
    turns = zip_longest(*families.values())
    return [address for turn in turns for address in turn if address is not None]


def _same_family(addresses: list[AddressInfo], source: str) -> list[AddressInfo]:
    """Those that `source` can reach; all for "" and for names, where `bind` finds out."""
    is_v4 = source.replace(".", "").isdigit()
    family = socket.AF_INET6 if ":" in source else socket.AF_INET if is_v4 else None
    return [address for address in addresses if family in (None, address[0])]


class _Race:
    """The connects to the addresses of one host: the first that is through wins.

    Whatever ends the race, every socket but the winner is closed.
    """

    def __init__(
        self, target: str, addresses: list[AddressInfo], options: TransportOptions, attempt: Attempt
    ):
        self._target = target
        self._options = options
        self._attempt = attempt
        self._count = len(addresses)
        self._todo = deque(addresses)
        self._under_way: dict[int, tuple[socket.socket, AddressInfo]] = {}  # by descriptor
        self._failures: list[tuple[OSError, AddressInfo]] = []
        self._next_start = 0.0

    def run(self) -> socket.socket:
        doing = f"connecting to {self._target}"
        try:
            while self._todo or self._under_way:
                self._attempt.check(doing)
                winner = None
                if self._todo and time.monotonic() >= self._next_start:
                    winner = self._start(self._todo.popleft())
                if winner is None and self._under_way:
                    winner = self._await_one()
                if winner is not None:
                    return winner
        finally:
            if self._under_way:
                for descriptor in tuple(self._under_way):
                    self._close(descriptor)
        if self._attempt.cancelled:  # the shutdown looked like one more failure
            self._attempt.check(doing)
        raise self._most_telling()

    def _start(self, address: AddressInfo) -> socket.socket | None:
        self._next_start = time.monotonic() + _HEAD_START
        family, kind, protocol, _, where = address
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as exc:  # a family that this kernel lacks, or no descriptor left
            self._fail(address, exc)
            return None
        descriptor = sock.fileno()
        self._under_way[descriptor] = sock, address
        try:
            sock.setblocking(False)
            _set_options(sock, family, self._options)
            if self._options.source_address:
                _bind(sock, self._options.source_address)
        except OSError as exc:
            return self._finish(descriptor, exc)
        try:
            number = sock.connect_ex(where)
        except OSError as exc:  # a scope that does not exist
            return self._finish(descriptor, exc)
        if number in _UNDER_WAY:
            self._attempt.watch(sock)
            return None
        return self._finish(descriptor, _error(number) if number else None)

    def _await_one(self) -> socket.socket | None:
        """Wait until a connect is decided or the next address may start."""
        seconds, until = _LONGEST_WAIT, self._attempt.deadline.at
        if self._todo:
            until = self._next_start if until is None else min(until, self._next_start)
        if until is not None:
            seconds = min(seconds, max(0.0, until - time.monotonic()))
        for descriptor in _wait_writable(tuple(self._under_way), seconds):
            sock, _ = self._under_way[descriptor]
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            winner = self._finish(descriptor, _error(number) if number else None)
            if winner is not None:
                return winner
        return None

    def _finish(self, descriptor: int, error: OSError | None) -> socket.socket | None:
        sock, address = self._under_way[descriptor]
        if error is None:
            sock.settimeout(None)
            self._attempt.unwatch(sock)
            del self._under_way[descriptor]
            return sock
        self._close(descriptor)
        self._fail(address, error)
        return None

    def _fail(self, address: AddressInfo, error: OSError) -> None:
        self._failures.append((error, address))
        self._next_start = 0.0

    def _close(self, descriptor: int) -> None:
        sock, _ = self._under_way[descriptor]
        self._attempt.unwatch(sock)
        sock.close()
        del self._under_way[descriptor]

    def _most_telling(self) -> OSError:
        error, address = min(self._failures, key=lambda each: _SILENCE.get(each[0].errno or 0, 1))
        ip = str(address[4][0])
        tried = "1 address" if self._count == 1 else f"{self._count} addresses"
        told = _explained(error, f"{self._target} at {ip}, {tried} tried", ip)
        told.__cause__ = error
        return told


def _explained(error: OSError, where: str, remote_ip: str) -> OSError:
    """The same error (class, errno) whose text says where it happened and what to do."""
    text = f"{error.strerror or error}: {where}"
    hint = _REMEDIES.get(error.errno or 0)
    if hint:
        text = f"{text} ({hint})"
    told = OSError(text) if error.errno is None else OSError(error.errno, text)
    vars(told).update(remote_ip=remote_ip, hint=hint)
    return told


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _set_options(sock: socket.socket, family: int, options: TransportOptions) -> None:
    tcp = family in (socket.AF_INET, socket.AF_INET6)
    for option in chain(DEFAULT_SOCKET_OPTION, options.sockopt):
        try:
            if tcp or option[0] != socket.SOL_TCP:
                sock.setsockopt(*option)
        except OSError as exc:
            raise OSError(exc.errno, f"{exc.strerror} by socket option {option!r}") from exc
        except (IndexError, TypeError, ValueError, OverflowError) as exc:
            raise TypeError(f"sockopt {option!r} cannot be passed to setsockopt: {exc}") from exc


def _bind(sock: socket.socket, source: tuple[str, int]) -> None:
    if source[1] and os.name == "posix":
        # A fixed port must be shared by the addresses that race, and with a former connection in
        # TIME_WAIT; elsewhere than on POSIX the option would let strangers in.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(source)
    except OSError as exc:
        raise OSError(exc.errno, f"{exc.strerror} by source_address {source!r}") from exc


def _wait_writable(descriptors: Sequence[int], seconds: float) -> Iterable[int]:
    # `poll` knows descriptors above 1023; eventlet takes it away, Windows never had it.
    if hasattr(select, "poll"):
        poller = select.poll()
        for descriptor in descriptors:
            poller.register(descriptor, select.POLLOUT)
        return dict(poller.poll(math.ceil(seconds * 1000)))
    _, writable, failed = select.select([], descriptors, descriptors, seconds)
    return [*{*writable, *failed}]
