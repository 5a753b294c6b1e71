"""Promise: over TLS all that has come is taken at once, and whatever of it is not handed out shows
in `pending()`; behind the hatch no more than one record is taken, and those behind stay the
kernel's. In whatever cut the records come, no byte is lost."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings, strategies as st
from raw_peer import PATIENCE, Task, papers

from websocket import WebSocketTimeoutException
from websocket._transport.deadline import Deadline
from websocket._transport.streams import PlainStream
from websocket._transport.tls_stream import TLSStream

RECORDS = st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=6)
CUTS = st.lists(st.floats(0, 1), max_size=6)


class _Server:
    """The other side, whose records can be sent in any cut."""

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = papers()[0].wrap_bio(self._incoming, self._outgoing, server_side=True)

    def shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self.sock.sendall(self._outgoing.read())
                self._incoming.write(self.sock.recv(1 << 16))
            else:
                self.sock.sendall(self._outgoing.read())
                return

    def record(self, data: bytes) -> bytes:
        self._tls.write(data)
        return self._outgoing.read()

    def goodbye(self) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):
            self._tls.unwrap()
        return self._outgoing.read()


@contextmanager
def _pair(opened: bool = True) -> Iterator[tuple[TLSStream, _Server]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(PATIENCE)
        stream = TLSStream(PlainStream(ours), papers()[1], "localhost")
        shaking = Task(lambda: stream.handshake(Deadline(PATIENCE)))
        server = _Server(theirs)
        server.shake_hands()
        shaking.result()
        theirs.sendall(server.record(b"hello"))  # behind the tickets for sessions
        assert stream.read(5, True, Deadline(PATIENCE)) == b"hello"
        if opened:
            stream.share_locks(threading.RLock(), threading.RLock())
        yield stream, server


def _shows(stream: TLSStream) -> bool:
    """What a program asks that watches a TLS socket."""
    return stream.pending() > 0 or bool(select.select([stream.socket], [], [], 0)[0])


def _take(stream: TLSStream, ahead: bool) -> bytes:
    """What can be read without waiting."""
    taken = b""
    try:
        while True:
            taken += stream.read(2, ahead, Deadline(0))
    except WebSocketTimeoutException:
        return taken


@settings(max_examples=60, deadline=None)
@given(RECORDS, CUTS, st.integers(0, 6), st.booleans())
def test_in_any_cut_with_the_hatch_opened_anywhere(
    records: list[bytes], cuts: list[float], hatch: int, into: bool
) -> None:
    with _pair() as (stream, server):
        sealed = [server.record(data) for data in records]
        wire, plain = b"".join(sealed), b"".join(records)
        ends = [(0, 0)]
        for cipher, data in zip(sealed, records, strict=True):
            ends.append((ends[-1][0] + len(cipher), ends[-1][1] + len(data)))
        received, at = b"", 0
        for number, end in enumerate([*sorted(int(cut * len(wire)) for cut in cuts), len(wire)]):
            server.sock.sendall(wire[at:end])
            at = end
            whole = max(plainly for cipher, plainly in ends if cipher <= at)
            if number == hatch:
                stream.stop_reading_ahead()
            while len(received) < whole:
                if number >= hatch:
                    assert _shows(stream)
                if into:
                    room = bytearray(1000)
                    received += room[: stream.read_into(memoryview(room), Deadline(PATIENCE))]
                else:
                    received += stream.read(700, number < hatch, Deadline(PATIENCE))
            assert received == plain[: len(received)]
            assert _take(stream, number < hatch) == b""
            assert not _shows(stream), "nothing is there and yet it shows"
            assert number >= hatch or stream.caught_up()
        assert received == plain


def test_what_was_taken_ahead_shows() -> None:
    with _pair() as (stream, server):
        server.sock.sendall(b"".join(server.record(b"%d" % number) for number in range(10)))
        assert stream.read(1, False) == b"0"
        assert not stream.caught_up()
        stream.stop_reading_ahead()
        assert stream.pending() == 9
        assert stream.read(100, False) == b"123456789"
        assert stream.pending() == 0


def test_behind_the_hatch_the_next_records_stay_in_the_kernel() -> None:
    with _pair() as (stream, server):
        stream.stop_reading_ahead()
        server.sock.sendall(b"".join(server.record(b"%d" % number) for number in range(3)))
        for number in range(3):
            assert stream.pending() == 0
            assert select.select([stream.socket], [], [], 0)[0]
            assert stream.read(100, False) == b"%d" % number
        assert not _shows(stream)


def test_before_the_connection_is_open_they_stay_there_too() -> None:
    """A server may greet behind its 101, and a program poll without a look into `pending()`."""
    with _pair(opened=False) as (stream, server):
        server.sock.sendall(server.record(b"the 101") + server.record(b"a greeting"))
        assert stream.read(2, True) == b"the 101"
        assert stream.pending() == 0
        assert select.select([stream.socket], [], [], 0)[0]
        stream.share_locks(threading.RLock(), threading.RLock())
        assert stream.read(2, True) == b"a greeting"


@pytest.mark.parametrize("into", [False, True])
def test_the_end_comes_behind_all_data(into: bool) -> None:
    """Also when both were taken in one read: nobody may wait for a descriptor that is silent."""
    with _pair() as (stream, server):
        server.sock.sendall(server.record(b"last") + server.record(b" words") + server.goodbye())
        if into:
            room = bytearray(4)
            assert stream.read_into(memoryview(room)) == 4
            assert room == b"last"
            assert stream.read(100, True) == b" words"
        else:
            assert stream.read(2, True) == b"last words"
        assert not stream.caught_up()
        assert stream.read(2, True) == b""
        assert stream.read_into(memoryview(bytearray(9))) == 0


def test_a_forged_record_is_told_behind_the_data_before_it() -> None:
    with _pair() as (stream, server):
        whole, broken = server.record(b"fine"), server.record(b"broken")
        server.sock.sendall(whole + broken[:-1] + bytes([broken[-1] ^ 1]))
        assert stream.read(2, True) == b"fine"
        for _ in range(2):
            with pytest.raises(ConnectionError, match=r"(?i)bad record mac|decryption failed"):
                stream.read(2, True)
