"""The steps that scripts are made of, and the bytes that they may send."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from .._wire.decoding import FrameDecoder
from .._wire.frames import Frame, encode_frame
from .._wire.http1 import Headers, Request, encode_response
from .._wire.masking import fresh_key
from ._conversation import Conversation, shown
from ._opening import switching

__all__ = [
    "Data",
    "Step",
    "accept",
    "delay",
    "drip",
    "drop",
    "expect",
    "expect_frame",
    "expect_request",
    "frame",
    "frames",
    "half_close",
    "hang",
    "receive",
    "repeat",
    "reset",
    "send",
]

Step = Callable[[Conversation], object]
Data = bytes | Callable[[Request], bytes]


def send(data: Data) -> Step:
    """Send bytes as they are; or what the function makes of the client's request, which is read if
    no step has done so before."""
    return _named(f"send({_data(data)})", lambda peer: peer.send(_bytes(data, peer)))


def drip(data: Data, every: float, size: int = 1) -> Step:
    """Send `size` bytes each `every` seconds."""
    name = f"drip({_data(data)}, every={every})"
    return _named(name, lambda peer: peer.drip(_bytes(data, peer), every, size))


class accept:
    """The handshake, done right: read the request, if no step has, and send the 101.

    `headers` are added to it, or replace those of their name. It also is a function of a request
    that returns these bytes, for `drip(accept(), every=0.01)`.
    """

    __name__ = "accept()"

    def __init__(
        self,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        subprotocol: str | None = None,
    ) -> None:
        self._headers = Headers(headers)
        self._subprotocol = subprotocol

    def __call__(self, peer: Conversation | Request) -> bytes:
        request = peer if isinstance(peer, Request) else peer.read_request()
        data = encode_response(switching(request, self._headers, self._subprotocol))
        if not isinstance(peer, Request):
            peer.send(data)
        return data


def expect(what: bytes | Callable[[bytes], object], timeout: float = 5.0) -> Step:
    """Fail unless the next bytes of the client are these; or, with a function, until it returns
    something true for all bytes that no step has taken yet."""
    name = getattr(what, "__name__", "...") if callable(what) else shown(what)
    return _named(f"expect({name})", lambda peer: peer.expect(what, timeout))


def expect_request(check: Callable[[Request], object] | None = None, timeout: float = 5.0) -> Step:
    """Fail unless the client sends a request, and `check` returns something true for it."""

    def step(peer: Conversation) -> None:
        request = peer.read_request(timeout)
        if check is not None and not check(request):
            raise AssertionError(f"unexpected {request!r}")

    return _named("expect_request()", step)


def expect_frame(
    opcode: int,
    payload: bytes | Callable[[bytes], object] | None = None,
    timeout: float = 5.0,
) -> Step:
    """Fail unless the client's next frame has this opcode and this payload (None: any), or one for
    which the function returns something true."""
    return _named(
        f"expect_frame({opcode})", lambda peer: peer.expect_frame(opcode, payload, timeout)
    )


def receive(size: int, timeout: float = 5.0) -> Step:
    """Fail unless the client sends so many bytes, whichever."""
    return _named(f"receive({size})", lambda peer: peer.receive(size, timeout))


def delay(seconds: float) -> Step:
    """Do nothing for a while; what the client sends meanwhile is recorded."""
    return _named(f"delay({seconds})", lambda peer: peer.delay(seconds))


def hang(read: bool = True) -> Step:
    """Do nothing until the client has gone or the server closes. What the client sends is
    recorded; with `read` False it is not even received, and the client will be unable to send."""
    return _named("hang()", lambda peer: peer.hang(read))


def half_close() -> Step:
    """Send the end of the stream, and go on receiving."""
    return _named("half_close()", lambda peer: peer.half_close())


def drop() -> Step:
    """End the connection as if the server had been killed: no close frame, on TLS no farewell.
    What the client sends afterwards is answered by a reset."""
    return _named("drop()", lambda peer: peer.drop())


def reset() -> Step:
    """End the connection with a TCP reset."""
    return _named("reset()", lambda peer: peer.reset())


def repeat(step: Step, times: int | None = None) -> Step:
    """Do a step so many times; None: until the client has gone or the server closes."""

    def steps(peer: Conversation) -> None:
        done = 0
        while times is None or done < times:
            step(peer)
            done += 1

    return _named(f"repeat({getattr(step, '__name__', 'step')}, {times})", steps)


def frame(
    opcode: int,
    payload: bytes | str = b"",
    fin: bool = True,
    rsv: int = 0,
    masked: bool = False,
) -> bytes:
    """A frame as bytes, to be sent or cut up; unmasked, as servers send them. `rsv` is 0 to 7."""
    data = payload.encode() if isinstance(payload, str) else payload
    return encode_frame(opcode, data, fresh_key() if masked else None, fin, rsv)


def frames(received: bytes) -> list[Frame]:
    """The whole frames, unmasked, in what a client has sent; its request is skipped."""
    if received.startswith(b"GET "):
        _, _, received = received.partition(b"\r\n\r\n")
    decoder = FrameDecoder()
    decoder.feed(received)
    found: list[Frame] = []
    while (each := decoder.next()) is not None:
        found.append(each)
    return found


def _bytes(data: Data, peer: Conversation) -> bytes:
    return data(peer.read_request()) if callable(data) else data


def _data(data: Data) -> str:
    return getattr(data, "__name__", "...") if callable(data) else shown(data)


def _named(name: str, act: Step) -> Step:
    """The step under the name that failures show."""

    def step(peer: Conversation) -> None:
        act(peer)

    step.__name__ = name
    return step
