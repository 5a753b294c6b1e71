"""`Facts`: what a `WebSocket` was told and what it knows, none of which waits for the network."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ._abnf import ABNF
from ._agreed import Agreed
from ._classic import sock_opt
from ._connection import Connection
from ._exceptions import WebSocketException
from ._opening import Settings, make_connection
from ._transport.connecting import as_stream
from ._wire.frames import CLOSE, NO_STATUS

if TYPE_CHECKING:
    from uuid import UUID

    from ._stats import Stats

    _Options = sock_opt

__all__ = ["Facts"]


class Facts(Agreed):
    """The base of `WebSocket`: its options, its present or last `Connection`, and their accessors.

    Everything here may be called from any thread.
    """

    # What is as it mostly is costs an object nothing: there may be thousands of connections.
    get_mask_key: Callable[[int], bytes | str] | None = None
    dispatcher: Any = None
    enable_multithread: bool = True
    _fires_fragments = False
    skip_utf8_validation: bool = False
    close_frame: ABNF | None = None
    _sock_opt: _Options | None = None
    _connection: Connection | None = None
    _connected_says: bool | None = None  # what a program assigned to `connected`
    _locks: dict[str, Any] | None = None  # while there is no connection, or as assigned
    _id: UUID | None = None

    def __init__(
        self,
        get_mask_key: Callable[[int], bytes | str] | None = None,
        sockopt: Any = None,
        sslopt: Mapping[str, Any] | None = None,
        fire_cont_frame: bool = False,
        enable_multithread: bool = True,
        skip_utf8_validation: bool = False,
        dispatcher: Any = None,
        **_ignored: Any,
    ):
        if sockopt is not None or sslopt is not None:
            self._sock_opt = sock_opt(sockopt, sslopt)
        if get_mask_key is not None:
            self.get_mask_key = get_mask_key
        if dispatcher is not None:
            self.dispatcher = dispatcher
        if enable_multithread is not True:
            self.enable_multithread = enable_multithread
        if fire_cont_frame:
            self.fire_cont_frame = True
        if skip_utf8_validation:
            self.skip_utf8_validation = True

    def __repr__(self) -> str:
        state = "open" if self.connected else "closed"
        shown = self._url.partition("?")[0].rpartition("@")[2]  # without secrets
        return f"<{type(self).__name__} {state}{' ' + shown if shown else ''}>"

    @property
    def fire_cont_frame(self) -> bool:
        """Whether each fragment is delivered by itself; may be assigned."""
        return self._fires_fragments

    @fire_cont_frame.setter
    def fire_cont_frame(self, wanted: bool) -> None:
        self._fires_fragments = wanted
        self._choose_way()

    def _choose_way(self) -> None:
        """Look whether `recv` may go the short way; for `Receiving`."""

    # --- the socket ------------------------------------------------------------------------------

    @property
    def sock(self) -> Any:
        """The real socket (an `ssl.SSLSocket` for wss), or None; it may be polled and assigned.

        From the first look on, polling it (and `pending()`, over TLS) shows every message that has
        not been delivered.
        """
        connection = self._connection
        if connection is None or connection.over:
            return None
        connection.open_hatch()
        return connection.stream.socket

    @sock.setter
    def sock(self, sock: Any) -> None:
        connection = self._connection
        if sock is None:
            self._adopt(None)
        elif connection is None or connection.over or sock is not connection.stream.socket:
            connection = make_connection(as_stream(sock), {}, self._settings(), tolerate_masks=True)
            connection.open_hatch()
            says = self.connected
            self._adopt(connection)
            self._connected_says = says  # as it was: to change it is up to the program

    def _adopt(self, connection: Connection | None) -> None:
        """Go on with another connection; locks that a program assigned stay."""
        self._connection = connection
        if self._connected_says is not None:
            self._connected_says = None

    def _shook_hands(self, url: str, heads: bytes, subprotocol: str | None) -> None:
        super()._shook_hands(url, heads, subprotocol)
        if self.close_frame is not None:
            self.close_frame = None

    def _settings(self) -> Settings:
        options = self._sock_opt
        if options is None:
            return Settings((), {}, None, self.get_mask_key, self.skip_utf8_validation)
        return Settings(
            *options.given(), options.timeout, self.get_mask_key, self.skip_utf8_validation
        )

    def fileno(self) -> int:
        """The descriptor, for `select`; raises WebSocketException when there is no socket."""
        sock = self.sock
        if sock is None:
            raise WebSocketException("fileno() needs an open socket: call connect() first")
        return int(sock.fileno())

    def is_ssl(self) -> bool:
        """Whether TLS is spoken."""
        ssl = sys.modules.get("ssl")
        connection = self._connection
        if ssl is None or connection is None or connection.over:
            return False
        return isinstance(connection.stream.socket, ssl.SSLSocket)

    @property
    def local_address(self) -> Any:
        """Our own address as the socket tells it, or None."""
        return self._address("getsockname")

    @property
    def remote_address(self) -> Any:
        """The address of whom we are connected to (a proxy, if there is one), or None."""
        return self._address("getpeername")

    def _address(self, verb: str) -> Any:
        connection = self._connection
        if connection is None or connection.over:
            return None
        try:
            return getattr(connection.stream.socket, verb)()
        except (OSError, AttributeError):
            return None

    # --- options ---------------------------------------------------------------------------------

    @property
    def sock_opt(self) -> _Options:
        """What was asked of the sockets: `sockopt`, `sslopt` and `timeout`; it may be assigned."""
        if self._sock_opt is None:
            self.__dict__.setdefault("_sock_opt", sock_opt(None, None))
        assert self._sock_opt is not None
        return self._sock_opt

    @sock_opt.setter
    def sock_opt(self, options: _Options) -> None:
        self._sock_opt = options

    def settimeout(self, timeout: float | None) -> None:
        """How long the link may be silent in one read or write, in seconds; None: for ever."""
        self._keep_timeout(timeout)
        connection = self._connection
        if connection is not None and not connection.over:
            with suppress(OSError):  # it may be closed at this very moment
                connection.stream.settimeout(timeout)

    def _keep_timeout(self, timeout: float | None) -> None:
        if timeout is not None or self._sock_opt is not None:
            self.sock_opt.timeout = timeout

    @property
    def _kept_timeout(self) -> float | None:
        return None if self._sock_opt is None else self._sock_opt.timeout

    def gettimeout(self) -> float | None:
        """The timeout that was set, in seconds."""
        return self._kept_timeout

    @property
    def timeout(self) -> float | None:
        """The same as `gettimeout()`; assigning it is `settimeout`."""
        return self._kept_timeout

    @timeout.setter
    def timeout(self, timeout: float | None) -> None:
        self.settimeout(timeout)

    def set_mask_key(self, func: Callable[[int], bytes | str] | None) -> None:
        """Take masking keys from `func(4)` from now on, instead of the system's random source."""
        self.get_mask_key = func
        if self._connection is not None:
            self._connection.sender.use_keys(func)

    @property
    def lock(self) -> Any:
        """The lock that is held while a frame is written."""
        return self._lock("lock", "write_lock")

    @lock.setter
    def lock(self, lock: Any) -> None:
        self._assign_lock("lock", lock)

    @property
    def readlock(self) -> Any:
        """The lock that is held while a message is read."""
        return self._lock("readlock", "read_lock")

    @readlock.setter
    def readlock(self, lock: Any) -> None:
        self._assign_lock("readlock", lock)

    def _lock(self, name: str, attribute: str) -> Any:
        if self._locks is None or name not in self._locks:
            if self._connection is not None:
                return getattr(self._connection, attribute)
            self._assign_lock(name, threading.RLock())
        assert self._locks is not None
        return self._locks[name]

    def _assign_lock(self, name: str, lock: Any) -> None:
        self._locks = {**(self._locks or {}), name: lock}

    @property
    def id(self) -> UUID:
        """A number of this object's own, for logs."""
        if self._id is None:
            import uuid

            self._id = uuid.uuid4()
        return self._id

    # --- what became of it -----------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether messages can be exchanged; may be assigned, and then says what was assigned."""
        if self._connection is None or self._connected_says is False:
            return bool(self._connected_says)
        return self._connection.connected

    @connected.setter
    def connected(self, connected: bool) -> None:
        self._connected_says = connected

    @property
    def closed(self) -> bool:
        """Whether there was a connection and it has ended."""
        return self._connection is not None and self._connection.over

    @property
    def close_code(self) -> int | None:
        """The peer's close code: 1005 if it said none, 1006 if it was lost; None while open."""
        return None if self._connection is None else self._connection.close_code

    @property
    def close_reason(self) -> str | None:
        """The peer's reason, "" if it gave none; None while open."""
        connection = self._connection
        if connection is None or connection.close_code is None:
            return None
        said = connection.receiver.peer_close
        return said.reason if said is not None else ""

    @property
    def latency(self) -> float:
        """The last round trip that was measured, in seconds; 0.0 before the first."""
        pings = None if self._connection is None else self._connection._pings
        return 0.0 if pings is None else pings.round_trips.last

    def exception(self) -> BaseException | None:
        """What ended the connection, if it was an error, else None."""
        connection = self._connection
        return None if connection is None else connection.error

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Wait until the connection has ended, at most `timeout` seconds; whether it has.

        Somebody has to read or to close meanwhile: nothing reads in the background.
        """
        connection = self._connection
        return connection is None or connection.wait_ended(timeout)

    def stats(self) -> Stats:
        """How much the present or last connection has sent and received so far, how long its pings
        took, since when it is open: a snapshot, all zero before the first connection.

        Waits for nothing. `connect()` begins anew.
        """
        from ._stats import stats_of

        return stats_of(self._connection)

    def _note_close_frame(self) -> None:
        self.close_frame = self._peer_close_frame()

    def _peer_close_frame(self) -> ABNF | None:
        said = None if self._connection is None else self._connection.receiver.peer_close
        if said is None:
            return None
        code = b"" if said.code == NO_STATUS else said.code.to_bytes(2, "big")
        return ABNF(1, 0, 0, 0, CLOSE, 0, code + said.reason.encode())
