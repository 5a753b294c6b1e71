"""`Sender`: messages -> bytes; masking keys, compression, our close, and nothing behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from .._exceptions import WebSocketConnectionClosedException
from .._wire.frames import (
    ABNORMAL,
    CLOSE,
    CONT,
    NO_STATUS,
    PING,
    PONG,
    Close,
    encode_close,
    encode_frame,
    encode_header,
)
from .._wire.masking import fresh_key, mask

__all__ = ["Deflating", "Payload", "Sender"]

Payload = bytes | bytearray | memoryview

_RSV1 = 4
_PIECE = 1 << 18  # bytes; a multiple of the masking key's length


class Deflating(Protocol):
    """What compresses one message after the other (RFC 7692)."""

    def deflate(self, data: Payload, fin: bool, first: bool) -> bytes | None:
        """The compressed bytes of one frame; None to send this message as it is."""
        ...

    def restart(self) -> None:
        """Go on without reference to what was compressed so far."""
        ...


class Sender:
    """The sending half of a connection; one thread at a time.

    `server` is True in the server's role, which does not mask. `get_mask_key(4)` gives the keys
    instead of the system's random source.
    """

    __slots__ = (
        "_compressing",
        "_deflater",
        "_get_mask_key",
        "_server",
        "our_close",
        "plain",
        "saved",
    )

    def __init__(
        self,
        *,
        server: bool = False,
        get_mask_key: Callable[[int], bytes | str] | None = None,
        deflater: Deflating | None = None,
    ):
        self.our_close: Close | None = None  # a latch: our close frame, or 1006 after half a frame
        self._get_mask_key = get_mask_key
        self._server = server
        self._deflater = deflater
        self._compressing = False  # the message under way
        self.saved = 0  # bytes that compression has taken from the last frame of data
        self.plain = False  # whether a message is one masked frame and nothing else
        self._judge()

    def use(self, deflater: Deflating | None) -> None:
        """Take what the opening handshake agreed on."""
        self._deflater = deflater
        self._judge()

    def use_keys(self, get_mask_key: Callable[[int], bytes | str] | None) -> None:
        """Take masking keys from somewhere else; None for the system's random source."""
        self._get_mask_key = get_mask_key
        self._judge()

    def _judge(self) -> None:
        special = self._server or self._deflater or self._get_mask_key or self.our_close
        self.plain = not special

    def message(
        self, opcode: int, payload: Payload | str, fin: bool = True, compress: bool = True
    ) -> bytes:
        """One frame of data on the wire: a whole message, or a fragment (its `opcode` then CONT
        behind the first); raises WebSocketConnectionClosedException behind our close."""
        if self.our_close is not None:
            raise WebSocketConnectionClosedException("Connection is already closed.")
        if self._deflater is not None and opcode < CLOSE:
            return self._message(opcode, payload, fin, compress)
        return encode_frame(opcode, payload, self._key(), fin)

    def in_pieces(self, opcode: int, payload: bytes | str) -> Iterator[Payload]:
        """A large message, bytes or ASCII, where `plain` holds: cut so that each piece is still in
        the cache when it is sent."""
        key = fresh_key()
        yield encode_header(opcode, len(payload), key)
        whole = payload if isinstance(payload, str) else memoryview(payload)
        for start in range(0, len(whole), _PIECE):
            piece = whole[start : start + _PIECE]
            yield mask(key, piece.encode() if isinstance(piece, str) else piece)

    def _message(self, opcode: int, payload: Payload | str, fin: bool, compress: bool) -> bytes:
        """The same where compression was agreed on: the first fragment decides for all."""
        assert self._deflater is not None
        if isinstance(payload, str):
            payload = payload.encode()
        first = opcode != CONT
        rsv = self.saved = 0
        if compress if first else self._compressing:
            squeezed = self._deflater.deflate(payload, fin, first)
            self._compressing = squeezed is not None and not fin
            if squeezed is not None:
                self.saved = len(payload) - len(squeezed)
                payload, rsv = squeezed, (_RSV1 if first else 0)
        elif first:
            self._compressing = False
        return encode_frame(opcode, payload, self._key(), fin, rsv)

    def unsent(self) -> None:
        """What `message` gave last was not written: the peer's inflater will not know of it."""
        if self._deflater is not None:
            self._deflater.restart()

    def raw(self, frame: bytes) -> bytes:
        """A frame that somebody else has made; raises as `message` does."""
        if self.our_close is not None:
            raise WebSocketConnectionClosedException("Connection is already closed.")
        self.saved = 0
        return frame

    def ping(self, payload: Payload) -> bytes:
        """A ping frame (RFC 6455 5.5.2)."""
        return encode_frame(PING, payload, self._key())

    def pong(self, payload: Payload) -> bytes:
        """A pong frame (RFC 6455 5.5.3)."""
        return encode_frame(PONG, payload, self._key())

    def close(self, code: int | None, reason: str | bytes | None = "") -> bytes:
        """Our close frame, and with it the end of sending; raises ValueError, and changes nothing,
        for a code or a reason that cannot travel."""
        payload = encode_close(code, reason)
        if self.our_close is not None:
            return b""  # one close frame on the wire, ever
        frame = encode_frame(CLOSE, payload, self._key())
        said = payload[2:].decode(errors="replace")
        self._end(Close(code if code and payload else NO_STATUS, said))
        return frame

    def abandon(self) -> None:
        """Nothing may follow: a frame was sent half, or the transport is gone."""
        if self.our_close is None:
            self._end(Close(ABNORMAL, ""))

    def _end(self, said: Close) -> None:
        self.our_close = said
        self.plain = False

    def _key(self) -> bytes | None:
        if self._server:
            return None
        if self._get_mask_key is None:
            return fresh_key()
        key = self._get_mask_key(4)
        raw = key.encode("latin-1") if isinstance(key, str) else bytes(key)
        if len(raw) != 4:
            raise ValueError(f"the mask key function gave {len(raw)} bytes, expected 4")
        return raw
