"""Promise: a 101 is checked by RFC 6455 4.1 to the letter, and a refusal says what was expected and
what came."""

from __future__ import annotations

from typing import Any

import pytest

from websocket._exceptions import WebSocketException
from websocket._protocol.handshake import Opening, accept_value
from websocket._protocol.receiving import Inflating
from websocket._protocol.sending import Deflating, Payload
from websocket._wire.http1 import Response
from websocket._wire.urls import parse_uri

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 1.3


def opening(**options: Any) -> Opening:
    made = Opening(parse_uri("ws://example.com/"), **options)
    made.request()
    made.key = KEY
    return made


def answer(*more: tuple[str, str], version: str = "HTTP/1.1", **changes: str | None) -> Response:
    headers = {"upgrade": "websocket", "connection": "Upgrade", "accept": ACCEPT, **changes}
    names = {"upgrade": "Upgrade", "connection": "Connection", "accept": "Sec-WebSocket-Accept"}
    lines = [(names[name], value) for name, value in headers.items() if value is not None]
    return Response(101, [*lines, *more], version=version)


def refusal(made: Opening, response: Response) -> str:
    with pytest.raises(WebSocketException) as caught:
        made.accept(response)
    assert type(caught.value) is WebSocketException
    assert caught.value.response is response
    assert str(caught.value).startswith("Invalid WebSocket Header")
    return str(caught.value)


def test_the_example_of_the_rfc() -> None:
    assert accept_value(KEY) == ACCEPT
    assert opening().accept(answer()) == (None, None, None)


@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket", "h2c, websocket", " websocket "])
@pytest.mark.parametrize("connection", ["Upgrade", "keep-alive, upgrade", "UPGRADE,close"])
def test_tokens_in_any_case_and_company(upgrade: str, connection: str) -> None:
    opening().accept(answer(upgrade=upgrade, connection=connection))


def test_tokens_on_several_lines() -> None:
    opening().accept(answer(("connection", "Upgrade"), connection="keep-alive"))


@pytest.mark.parametrize("value", [None, "", "websockets", "web socket", "websocket/13", "h2c"])
def test_upgrade_has_to_say_websocket(value: str | None) -> None:
    assert "Upgrade is" in refusal(opening(), answer(upgrade=value))


@pytest.mark.parametrize("value", [None, "", "close", "upgraded", "keep-alive"])
def test_connection_has_to_say_upgrade(value: str | None) -> None:
    assert "expected 'upgrade'" in refusal(opening(), answer(connection=value))


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        ACCEPT.lower(),
        ACCEPT.upper(),
        ACCEPT[:-1],
        ACCEPT + "=",
        "x" + ACCEPT,
        f'"{ACCEPT}"',
    ],
)
def test_the_accept_value_is_compared_exactly(value: str | None) -> None:
    said = refusal(opening(), answer(accept=value))
    assert repr(value) in said
    assert ACCEPT in said


@pytest.mark.parametrize("second", [ACCEPT, "other"])
def test_the_accept_value_comes_once(second: str) -> None:
    refusal(opening(), answer(("sec-websocket-accept", second)))


def test_the_accept_value_belongs_to_the_last_request() -> None:
    made = Opening(parse_uri("ws://example.com/"))
    made.request()
    old = made.key
    made.request(parse_uri("ws://example.com/redirected"))
    refusal(made, answer(accept=accept_value(old)))
    made.accept(answer(accept=accept_value(made.key)))


def test_http_1_0_is_refused() -> None:
    assert "HTTP/1.0" in refusal(opening(), answer(version="HTTP/1.0"))


# --- subprotocols ---------------------------------------------------------------------------------


def protocol(*values: str) -> Response:
    return answer(*(("Sec-WebSocket-Protocol", value) for value in values))


@pytest.mark.parametrize("chosen", ["chat", "superchat", "CHAT"])
def test_one_of_the_subprotocols_that_were_asked_for(chosen: str) -> None:
    made = opening(subprotocols=["chat", "superchat"])
    assert made.accept(protocol(chosen)).subprotocol == chosen.lower()


def test_a_subprotocol_asked_for_by_a_header_line() -> None:
    """kubernetes' client asks that way; and it may be left unanswered that way."""
    made = opening(header=["sec-websocket-protocol: v4.channel.k8s.io, v5.channel.k8s.io"])
    assert made.accept(protocol("v5.channel.k8s.io")).subprotocol == "v5.channel.k8s.io"
    assert made.accept(answer()).subprotocol is None
    assert "'v3'" in refusal(made, protocol("v3"))


@pytest.mark.parametrize("asked", [None, [], ["chat"]])
def test_a_subprotocol_that_nobody_asked_for(asked: list[str] | None) -> None:
    said = refusal(opening(subprotocols=asked), protocol("other"))
    assert "'other'" in said
    assert f"expected one of: {'chat' if asked else 'none'}" in said


@pytest.mark.parametrize("values", [("chat, superchat",), ("chat", "superchat"), ("chat", "chat")])
def test_more_than_one_subprotocol(values: tuple[str, ...]) -> None:
    refusal(opening(subprotocols=["chat", "superchat"]), protocol(*values))


@pytest.mark.parametrize("values", [(), ("",)])
def test_no_subprotocol_was_chosen(values: tuple[str, ...]) -> None:
    said = refusal(opening(subprotocols=["chat"]), protocol(*values))
    assert "chat" in said
    assert "require_subprotocol=False" in said
    made = opening(subprotocols=["chat"], require_subprotocol=False)
    assert made.accept(protocol(*values)).subprotocol is None
    assert opening().accept(protocol(*values)).subprotocol is None


# --- extensions -----------------------------------------------------------------------------------


class Extension:
    """Takes "good", and is its own halves."""

    def __init__(self) -> None:
        self.answers: list[str] = []

    def offer(self) -> str:
        return "good"

    def agree(self, answer: str) -> tuple[Inflating, Deflating]:
        self.answers.append(answer)
        if answer != "good":
            raise WebSocketException(f"cannot agree to {answer}")
        return self, self

    def inflate(self, data: bytes, fin: bool, limit: int | None) -> bytes:
        return data

    def deflate(self, data: Payload, fin: bool, first: bool) -> bytes | None:
        return None

    def restart(self) -> None:
        """Nothing to forget."""


def extensions(*values: str) -> Response:
    return answer(*(("Sec-WebSocket-Extensions", value) for value in values))


@pytest.mark.parametrize("value", ["permessage-deflate", "x-webkit-deflate-frame", "foo; bar=1"])
def test_unsolicited_extensions_are_refused(value: str) -> None:
    said = refusal(opening(), extensions(value))
    assert value in said
    assert ("compression=" in said) is ("deflate" in value)


@pytest.mark.parametrize("values", [(), ("",), (" , ",)])
def test_no_extension_is_fine(values: tuple[str, ...]) -> None:
    extension = Extension()
    assert opening(extension=extension).accept(extensions(*values)) == (None, None, None)
    assert opening().accept(extensions(*values)) == (None, None, None)
    assert extension.answers == []


def test_an_extension_that_was_offered() -> None:
    extension = Extension()
    assert opening(extension=extension).accept(extensions("good")) == (None, extension, extension)


@pytest.mark.parametrize("values", [("bad",), ("good", "good"), ("good, other",)])
def test_an_answer_that_the_extension_refuses(values: tuple[str, ...]) -> None:
    """All lines count as one list (RFC 6455 9.1)."""
    extension = Extension()
    said = refusal(opening(extension=extension), extensions(*values))
    assert f"cannot agree to {', '.join(values)}" in said
    assert extension.answers == [", ".join(values)]
