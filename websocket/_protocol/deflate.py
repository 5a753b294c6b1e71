"""permessage-deflate (RFC 7692): the offer, the agreement, `Inflater` and `Deflater`."""

from __future__ import annotations

from io import BytesIO
from typing import Any, NamedTuple

from .._exceptions import WebSocketException, WebSocketPayloadException
from .deflate_header import (
    LARGEST,
    NAME,
    SMALLEST,
    Parameters,
    format_parameters,
    parse_extensions,
)
from .sending import Payload

__all__ = ["Deflate", "Deflater", "Inflater", "answer_offers", "as_deflate"]

_TAIL = b"\x00\x00\xff\xff"  # RFC 7692 7.2.1: how a flush ends, and what senders leave out
_FINAL_BLOCK = b"\x01\x00\x00\xff\xff"  # stored, empty, the last of its stream
_EMPTY = b"\x00"  # RFC 7692 7.2.3.6: what is left of a block without content
_DEFLATED, _SYNC_FLUSH = 8, 2  # zlib's numbers, which every module like it shares

# Beyond this, windows cost memory and time and gain little on messages of usual size. A compressor
# may always use less than was agreed: docs/compression.md has the figures.
_OWN_WINDOW = 12

# Inflated at once: at most 8 MiB come out of that. Behind the end of a stream within a message the
# steps begin small and double, since zlib copies what is left of a step: many streams stay linear.
_STEP, _SMALL_STEP = 8192, 32


class Deflate:
    """What to offer and how to compress: the value of `compression=`.

    - `server_max_window_bits`, 8 to 15: the largest window that the server may compress with, which
      bounds our memory for decompression; a server that does not comply is refused.
    - `client_max_window_bits`, 8 to 15: the largest window that we compress with; 12 by default.
    - `server_no_context_takeover`, `client_no_context_takeover`: each message is compressed by
      itself: less memory between messages, a worse ratio. A server that does not comply is refused.
    - `level` (-1 to 9) and `mem_level` (1 to 9) are zlib's.
    - Messages of fewer bytes than `threshold` are sent as they are.
    - `zlib` is a module with the interface of the standard library's, which is the default.

    Raises ValueError for what is out of range, or refused by the module.
    """

    __slots__ = (
        "client_max_window_bits",
        "client_no_context_takeover",
        "level",
        "mem_level",
        "server_max_window_bits",
        "server_no_context_takeover",
        "threshold",
        "zlib",
    )

    def __init__(
        self,
        server_max_window_bits: int | None = None,
        client_max_window_bits: int | None = None,
        server_no_context_takeover: bool = False,
        client_no_context_takeover: bool = False,
        level: int = 6,
        mem_level: int = 5,
        threshold: int = 0,
        zlib: Any = None,
    ):
        zlib = _standard_zlib() if zlib is None else zlib
        for who, bits in ("server", server_max_window_bits), ("client", client_max_window_bits):
            if bits is not None and not SMALLEST <= bits <= LARGEST:
                raise ValueError(f"{who}_max_window_bits is {bits}, expected 8 to 15 or None")
        if threshold < 0:
            raise ValueError(f"threshold is {threshold}, expected a number of bytes")
        self.server_max_window_bits: int | None = server_max_window_bits
        self.client_max_window_bits: int | None = client_max_window_bits
        self.server_no_context_takeover: bool = bool(server_no_context_takeover)
        self.client_no_context_takeover: bool = bool(client_no_context_takeover)
        self.level: int = level
        self.mem_level: int = mem_level
        self.threshold: int = threshold
        self.zlib: Any = zlib
        try:
            zlib.compressobj(level, _DEFLATED, -_OWN_WINDOW, mem_level)
        except (ValueError, zlib.error) as exc:
            raise ValueError(
                f"{zlib.__name__} refuses level={level}, mem_level={mem_level}: {exc}"
            ) from exc

    def __repr__(self) -> str:
        return (
            f"Deflate(server_max_window_bits={self.server_max_window_bits}, "
            f"client_max_window_bits={self.client_max_window_bits}, "
            f"server_no_context_takeover={self.server_no_context_takeover}, "
            f"client_no_context_takeover={self.client_no_context_takeover}, level={self.level}, "
            f"mem_level={self.mem_level}, threshold={self.threshold}, zlib={self.zlib.__name__})"
        )

    def offer(self) -> str:
        """The value of Sec-WebSocket-Extensions in the request.

        That we let the server bound our window is always said: it costs nothing, and some servers
        compress only then. A value there is a promise of ours (RFC 7692 7.1.2.2).
        """
        return format_parameters(
            self.server_no_context_takeover,
            self.client_no_context_takeover,
            self.server_max_window_bits,
            self.client_max_window_bits or "",
        )

    def agree(self, answer: str) -> tuple[Inflater, Deflater]:
        """Both halves as the server's answer wants them; raises WebSocketException for an answer
        that RFC 7692 7.1 forbids, or that lacks what was demanded.

        A server may bind itself without having been asked to (7.1.1.1, 7.1.2.1), and may ignore our
        promise of a window (7.1.2.2); we keep it all the same.
        """
        extensions = parse_extensions(answer)
        if len(extensions) != 1 or extensions[0][0] != NAME:
            raise WebSocketException(
                f"extensions {answer!r}, expected {NAME} alone: nothing else was offered"
            )
        given = Parameters.of(extensions[0][1])
        if given.client_max_window_bits == 0:
            raise WebSocketException(f"{NAME}: client_max_window_bits has no value")
        if self.server_no_context_takeover and not given.server_no_context_takeover:
            raise WebSocketException(f"{NAME}: server_no_context_takeover was demanded")
        theirs, limit = given.server_max_window_bits, self.server_max_window_bits
        if limit is not None and (theirs is None or theirs > limit):
            raise WebSocketException(
                f"{NAME}: server_max_window_bits is {theirs}, expected {limit} or less"
            )
        return self._halves(
            _Half(theirs or LARGEST, given.server_no_context_takeover),
            _Half(
                _own_window(given.client_max_window_bits, self.client_max_window_bits),
                given.client_no_context_takeover or self.client_no_context_takeover,
            ),
        )

    def accept(self, asked: Parameters) -> tuple[str, Inflater, Deflater]:
        """The server's side of one offer."""
        ours, theirs = self.server_max_window_bits, None
        if asked.server_max_window_bits is not None:
            ours = min(asked.server_max_window_bits, ours or LARGEST)
        if asked.client_max_window_bits is not None and self.client_max_window_bits is not None:
            theirs = min(asked.client_max_window_bits or LARGEST, self.client_max_window_bits)
        ours_alone = self.server_no_context_takeover or asked.server_no_context_takeover
        theirs_alone = self.client_no_context_takeover or asked.client_no_context_takeover
        return (
            format_parameters(ours_alone, theirs_alone, ours, theirs),
            *self._halves(
                _Half(theirs or LARGEST, theirs_alone),
                _Half(_own_window(ours, self.server_max_window_bits), ours_alone),
            ),
        )

    def _halves(self, received: _Half, sent: _Half) -> tuple[Inflater, Deflater]:
        return Inflater(self.zlib, received), Deflater(self, sent)


def as_deflate(compression: object) -> Deflate | None:
    """The option `compression`, as users give it; raises ValueError and TypeError."""
    if compression is None or isinstance(compression, Deflate):
        return compression
    if compression == "deflate":
        return Deflate()
    error = ValueError if isinstance(compression, str) else TypeError
    raise error(f"compression is {compression!r}, expected None, 'deflate' or a Deflate")


def answer_offers(offers: str, deflate: Deflate) -> tuple[str, Inflater, Deflater] | None:
    """The server's side: the value to answer and both halves, for the first of the client's offers
    that can be accepted (RFC 7692 5.1); None to decline them all.

    `deflate` reads the other way round there: its `server_...` arguments bound ourselves, its
    `client_...` arguments the peer, as far as the offer lets us.
    """
    try:
        extensions = parse_extensions(offers)
    except WebSocketException:
        return None
    for name, pairs in extensions:
        if name == NAME:
            try:
                return deflate.accept(Parameters.of(pairs))
            except WebSocketException:
                continue  # declined: RFC 7692 7.1
    return None


class _Half(NamedTuple):
    """What was agreed for one direction."""

    window: int
    alone: bool  # each message by itself: no context takeover


def _own_window(agreed: int | None, limit: int | None) -> int:
    return min(agreed or LARGEST, limit or _OWN_WINDOW)


class Inflater:
    """Undoes the compression of one message after the other; one thread at a time.

    The first compressed message makes the decompressor that all of them share.
    """

    def __init__(self, zlib: Any, agreed: _Half):
        self._zlib = zlib
        # zlib's compressors use 9 bits where 8 were agreed; a larger window takes both.
        self._wbits = -max(agreed.window, 9)
        self._alone = agreed.alone
        self._stream: Any = None
        self._ended = False  # a final block was the last that came (RFC 7692 7.2.3.4)

    def inflate(self, data: bytes, fin: bool, limit: int | None) -> bytes:
        """The plain bytes of one frame; `fin` if it ends its message.

        Raises WebSocketPayloadException with code 1009, having inflated little more than `limit`
        bytes, or with 1007 when the data are not what they should be.
        """
        if self._stream is None:
            self._renew()
        try:
            plain = self._run(data, limit)
            if fin:
                self._finish()
        except self._zlib.error as exc:
            raise _not_deflate(str(exc)) from exc
        return plain

    def _renew(self) -> None:
        self._stream = self._zlib.decompressobj(self._wbits)

    def _run(self, data: bytes, left: int | None) -> bytes:
        """What `data` inflates to, step by step."""
        collected: BytesIO | None = None
        position, step, length = 0, _STEP, len(data)
        plain = b""
        while position < length:
            taken = data[position : position + step] if length > step or position else data
            # One byte more than allowed tells that there is more; zlib makes no further one.
            plain = self._stream.decompress(taken, 0 if left is None else left + 1)
            if left is not None:
                left -= len(plain)
                if left < 0:
                    raise WebSocketPayloadException(
                        "Message too big: inflated, it is more than max_size allows",
                        close_code=1009,
                    )
            position += len(taken)
            step = min(2 * step, _STEP)
            self._ended = self._stream.eof
            if self._ended:  # RFC 7692 7.2.3.5: another stream may follow
                position -= len(self._stream.unused_data)
                step = _SMALL_STEP
                self._renew()
            if position < length and collected is None:
                collected = BytesIO()
            if collected is not None:
                collected.write(plain)
        return plain if collected is None else collected.getvalue()

    def _finish(self) -> None:
        """The end of a message (RFC 7692 7.2.2): what the sender left out goes in, too.

        That adds nothing to the message, and behind it the stream stands between two blocks: a
        final block fits, which is tried on a copy where the stream has to go on. Otherwise the
        message was cut off, of which zlib says nothing.
        """
        whole = self._ended or not self._run(_TAIL, None)
        if not self._ended:
            copy = None if self._alone else getattr(self._stream, "copy", None)
            if self._alone or copy is not None:
                probe = self._stream if copy is None else copy()
                whole = whole and not probe.decompress(_FINAL_BLOCK, 1) and probe.eof
        if not whole:
            raise _not_deflate("it ends in the middle of a block")
        if self._alone:
            self._stream = None
        self._ended = False


class Deflater:
    """Compresses one message after the other; one thread at a time.

    The first message that is compressed makes the compressor that all of them share.
    """

    def __init__(self, settings: Deflate, agreed: _Half):
        self._zlib, self._window = settings.zlib, agreed.window
        if agreed.window == SMALLEST:
            # zlib has no raw compressor of 8 bits. With 9, the standard library's looks back 250
            # bytes at most (2**9 less the 262 that it keeps ahead), other modules' perhaps further.
            self._zlib, self._window = _standard_zlib(), 9
        self._level, self._mem_level = settings.level, settings.mem_level
        self._threshold = settings.threshold
        self._alone = agreed.alone
        self._stream: Any = None

    def deflate(self, data: Payload, fin: bool, first: bool) -> bytes | None:
        """The compressed bytes of one frame, whole so that the peer can inflate them at once; None
        for a message below the threshold. `first` and `fin` say where in its message it stands."""
        if first and fin and len(data) < self._threshold:
            return None
        stream = self._stream
        if stream is None:
            stream = self._stream = self._zlib.compressobj(
                self._level, _DEFLATED, -self._window, self._mem_level
            )
        squeezed: bytes = stream.compress(data) + stream.flush(_SYNC_FLUSH)
        if not fin:
            return squeezed
        if self._alone:
            self._stream = None
        # Nothing comes out of a flush when nothing went in since the one before.
        return squeezed[: -len(_TAIL)] or _EMPTY

    def restart(self) -> None:
        """Refer to nothing sent so far: what came last from here has not reached the peer."""
        self._stream = None


def _standard_zlib() -> Any:
    import zlib

    return zlib


def _not_deflate(why: str) -> WebSocketPayloadException:
    return WebSocketPayloadException(f"Invalid compressed data: {why}")
