"""`Validator`: whether bytes in any cut are UTF-8, known as early as it can be (RFC 6455 8.1)."""

from __future__ import annotations

import codecs

from .._exceptions import WebSocketPayloadException

__all__ = ["Validator", "not_utf8"]

_decoder = codecs.getincrementaldecoder("utf-8")


class Validator:
    """One text; `check` raises WebSocketPayloadException for what cannot become UTF-8 any more."""

    __slots__ = ("_decoder",)

    def __init__(self) -> None:
        self._decoder: codecs.IncrementalDecoder | None = None  # since the first that is not ASCII

    def check(self, piece: bytes | memoryview, final: bool) -> None:
        """The next bytes of it; with `final` they have to end a character."""
        decoder = self._decoder
        if decoder is None:
            if bytes(piece).isascii():
                return
            decoder = self._decoder = _decoder()
        try:
            decoder.decode(piece, final)
            held = decoder.getstate()[0]
            if held[:1] == b"\xed" and held[1:] > b"\x9f":  # half a surrogate: CPython waits on
                held.decode()
        except UnicodeDecodeError as exc:
            raise not_utf8(exc) from exc


def not_utf8(exc: UnicodeDecodeError) -> WebSocketPayloadException:
    """The exception that says what is wrong with a text."""
    return WebSocketPayloadException(f"cannot decode: a text is not UTF-8 ({exc.reason})")
