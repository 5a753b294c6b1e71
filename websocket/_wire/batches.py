"""What of the wire is whole and plain, many frames in one call: messages, and runs of fragments.

Two floors are fused here, since a call a frame would cost several times what the frame does: a
frame is parsed and at once known to be allowed, as far as a frame by itself can be. Whatever is not
plain (reserved bits, masks, control frames, wrong lengths, what is too big, what is not UTF-8, what
is not whole) ends the batch, and `FrameDecoder` and `Receiver`, which know what it means, go on
from there.
"""

from __future__ import annotations

from collections.abc import Iterable

from .frames import BINARY, TEXT, Frame, encode_frame
from .speedups import pick

__all__ = [
    "encode_messages",
    "find_frame",
    "frame_of",
    "parse_fragments",
    "parse_fragments_in_python",
    "parse_messages",
    "parse_messages_in_python",
]

_FINAL_TEXT, _FINAL_BINARY = 0x81, 0x82
_CONTINUATION, _FINAL_CONTINUATION = 0x00, 0x80


def parse_messages_in_python(
    buffer: bytes, position: int, max_size: int, /
) -> tuple[list[str | bytes], int, int]:
    """The unfragmented messages from `position` on, each of at most `max_size` bytes (negative: no
    limit), the position behind them, and the bytes of their payloads."""
    messages: list[str | bytes] = []
    size, payloads = len(buffer), 0
    while position + 2 <= size:
        first, length = buffer[position], buffer[position + 1]
        begin = position + 2
        if length > 125:
            begin, length = _long_header(buffer, position)
        end = begin + length
        if end > size or 0 <= max_size < length:
            break
        if first == _FINAL_BINARY:
            messages.append(buffer[begin:end])
        elif first == _FINAL_TEXT:
            try:
                messages.append(buffer[begin:end].decode())
            except UnicodeDecodeError:
                break
        else:
            break
        payloads += length
        position = end
    return messages, position, payloads


def parse_fragments_in_python(
    buffer: bytes, position: int, max_size: int, /
) -> tuple[bytes, bool, int]:
    """The continuation frames from `position` on, up to the final one, as one: their data, at most
    `max_size` bytes (negative: no limit), whether the final one is among them, and the position
    behind them."""
    joined = bytearray()
    size, final = len(buffer), False
    while position + 2 <= size and not final:
        first, length = buffer[position], buffer[position + 1]
        begin = position + 2
        if length > 125:
            begin, length = _long_header(buffer, position)
        end = begin + length
        if end > size or 0 <= max_size < len(joined) + length or first & 0x7F:
            break
        joined += buffer[begin:end]
        final = first == _FINAL_CONTINUATION
        position = end
    return bytes(joined), final, position


def find_frame(buffer: bytes, position: int) -> tuple[int, int]:
    """Where the payload of the unmasked frame at `position` begins and ends; the end is beyond the
    buffer for one that is not whole, or masked, or of a length that is not allowed."""
    if position + 2 > len(buffer):
        return position, len(buffer) + 1
    begin, length = position + 2, buffer[position + 1]
    if length > 125:
        begin, length = _long_header(buffer, position)
    return begin, begin + length


def _long_header(buffer: bytes, position: int) -> tuple[int, int]:
    """Where the payload begins behind an extended length, and that; both are beyond the buffer for
    a header that is masked, not whole or not allowed (RFC 6455 5.2)."""
    kind = buffer[position + 1]
    begin = position + (4 if kind == 126 else 10)
    if kind < 128 and begin <= len(buffer):
        length = int.from_bytes(buffer[position + 2 : begin], "big")
        if length > (125 if kind == 126 else 65535):
            return begin, length
    return len(buffer) + 1, 0


parse_messages = pick("parse_messages", parse_messages_in_python)
parse_fragments = pick("parse_fragments", parse_fragments_in_python)


def frame_of(message: str | bytes) -> Frame:
    """A message as the frame that it was."""
    if isinstance(message, bytes):
        return Frame(BINARY, message)
    frame = Frame(TEXT, message.encode())
    frame.text = message
    return frame


def encode_messages(messages: Iterable[str | bytes]) -> bytes:
    """What `parse_messages` has parsed, as it was: there is but one way to say it unmasked."""
    frames = map(frame_of, messages)
    return b"".join(encode_frame(frame.opcode, frame.data, None) for frame in frames)
