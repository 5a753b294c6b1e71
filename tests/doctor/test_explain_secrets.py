"""Promise: no credential is in anything that `explain` says, even where the server repeats it."""

from __future__ import annotations

import base64
import json
from typing import Any

import neighbours
import pytest
from papers import Papers

from websocket import Request, Response, explain
from websocket.testing import Connection, Server, serve

PASSWORD = "s3cret-word"


def everything(report: Any) -> str:
    return f"{report}\n{report!r}\n{json.dumps(report.as_dict())}\n{report.steps!r}"


def test_user_password_and_query_of_the_url(clear: Server) -> None:
    url = clear.url.replace("//", f"//someone:{PASSWORD}@") + "/path?token=tell-nobody"
    said = everything(explain(url))
    assert PASSWORD not in said and "someone" not in said and "tell-nobody" not in said
    assert clear.url + "/path?***" in said


@pytest.mark.parametrize(
    "options",
    [
        {"auth": ("someone", PASSWORD)},
        {"auth": lambda _: f"Bearer {PASSWORD}"},
        {"header": {"Authorization": f"Bearer {PASSWORD}"}},
        {"header": [f"X-Api-Key: {PASSWORD}"]},
        {"header": lambda: {"X-Auth-Token": PASSWORD}},
        {"cookie": f"a=1; session={PASSWORD}"},
        {"subprotocols": [f"bearer.{PASSWORD}"]},
    ],
    ids=["auth", "callable", "authorization", "key", "generated", "cookie", "subprotocol"],
)
def test_what_is_sent_and_comes_back(options: dict[str, Any]) -> None:
    """The server repeats the request in its reason and its headers."""
    seen: list[str] = []

    def parrot(request: Request) -> Response:
        sent = " ".join(f"{name} {value}" for name, value in request.headers.raw_items())
        seen.append(sent)
        return Response(400, {"Server": sent}, reason=sent)

    with serve(on_request=parrot) as server:
        report = explain(server.url, **options)
    assert not report.ok
    encoded = base64.b64encode(f"someone:{PASSWORD}".encode()).decode()
    assert PASSWORD in seen[0] or encoded in seen[0]
    said = everything(report)
    assert PASSWORD not in said and encoded not in said
    assert "***" in said


def test_a_close_reason_that_repeats_the_password() -> None:
    def parrot(connection: Connection) -> None:
        connection.close(1008, f"no {PASSWORD} here")

    with serve(parrot) as server:
        said = everything(explain(server.url, header={"X-Token": PASSWORD}))
    assert "1008: no *** here" in said and PASSWORD not in said


def test_credentials_of_a_proxy(clear: Server, tmp_path: Any, papers: Papers) -> None:
    """Whether they are right or wrong."""
    with neighbours.tinyproxy(tmp_path, ("someone", PASSWORD)) as port:
        right = explain(clear.url, proxy=f"http://someone:{PASSWORD}@127.0.0.1:{port}")
        wrong = explain(clear.url, proxy=f"http://someone:{PASSWORD}-not@127.0.0.1:{port}")
    assert right.ok and not wrong.ok
    for report in (right, wrong):
        said = everything(report)
        assert PASSWORD not in said and "someone" not in said
        assert f"http://127.0.0.1:{port}" in said
