"""Promise: kubernetes' client works with us unchanged: it polls the socket before it reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import dependent
import neighbours
import pytest
from dependent import Dependents
from papers import Papers

from websocket.testing import (
    Connection,
    Handler,
    ScriptServer,
    Server,
    accept,
    expect_frame,
    frame,
    hang,
    script,
    send,
    serve,
)

pytestmark = dependent.marks

OUT, ERR, STATUS = b"\x01", b"\x02", b"\x03"
SUCCESS = STATUS + json.dumps({"metadata": {}, "status": "Success"}).encode()
FAILURE = (
    STATUS
    + json.dumps(
        {"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}}
    ).encode()
)
LINES = [f"line {number}" for number in range(200)]


def command(connection: Connection) -> list[str]:
    """What the client wants to have run; its request is what the API server demands."""
    request = connection.request
    parts = urlsplit(request.path)
    assert parts.path == "/api/v1/namespaces/default/pods/pod/exec"
    assert request.headers["Authorization"] == "Bearer t0ken"
    return parse_qs(parts.query)["command"]


def stdin(connection: Connection) -> bytes:
    """What the client sends next to the program."""
    message = connection.recv()
    data = message.encode() if isinstance(message, str) else message
    assert data[:1] == b"\0"
    return data[1:]


def pod(connection: Connection) -> None:
    """A pod: what runs in it is chosen by the command."""
    PROGRAMS[command(connection)[0]](connection)


def shell(connection: Connection) -> None:
    connection.send(OUT + b"$ ")
    assert stdin(connection) == "echo \u00fc\n".encode()
    for message in (OUT + "\u00fc\n".encode(), ERR + b"oh\n", OUT + b"$ "):
        connection.send(message)
    assert stdin(connection) == b"exit 3\n"
    connection.send(FAILURE)


BURST = [*(frame(2, OUT + line.encode() + b"\n") for line in LINES), frame(2, ERR + b"note\n")]


def glued(connection: Connection) -> None:
    """All lines in one segment, or one TLS record; nothing more comes until all were seen."""
    connection.send_raw(b"".join(BURST))
    after_the_burst(connection)


def records(connection: Connection) -> None:
    """The same, with a TLS record for each message."""
    for each in BURST:
        connection.send_raw(each)
    after_the_burst(connection)


def after_the_burst(connection: Connection) -> None:
    assert stdin(connection) == b"seen all\n"
    connection.send_raw(frame(2, SUCCESS) + frame(8, b"\x03\xe8"))


def large(connection: Connection) -> None:
    connection.send(OUT + b"<<<")
    for _ in range(64):
        connection.send(OUT + b"x" * 65536)
    connection.send(OUT + b">>>")
    connection.send(SUCCESS)


def count(connection: Connection) -> None:
    seen = 0
    while not (data := stdin(connection)).endswith(b"end\n"):
        seen += len(data)
    connection.send(OUT + f"{seen}\n".encode())
    with pytest.raises(Exception, match="closed"):
        connection.recv()


PROGRAMS: dict[str, Callable[[Connection], None]] = {
    "sh": shell,
    "glued": glued,
    "records": records,
    "large": large,
    "count": count,
}


def forwarded(connection: Connection) -> None:
    """The pod's ports: 80 shouts back what it hears, 81 is closed."""
    assert connection.request.path.endswith("/portforward?ports=80%2C81")
    ports = [bytes((channel, 80 + channel // 2, 0)) for channel in range(4)]
    connection.send_raw(b"".join(frame(2, port) for port in ports))
    connection.send(b"\x03connection refused")
    for message in connection:
        assert isinstance(message, bytes) and message[:1] in b"\0\2"
        heard = message[1:].upper()
        pieces = [heard[at : at + 1000] for at in range(0, len(heard), 1000)]
        connection.send_raw(b"".join(frame(2, b"\0" + piece) for piece in pieces))


Api = Callable[[Handler], Server]


@pytest.fixture(params=["ws", "wss"])
def api(request: pytest.FixtureRequest, papers: Papers) -> Iterator[Api]:
    """An API server with a handler; what its handlers raised is raised at the end."""
    servers: list[Server] = []

    def listening(handler: Handler) -> Server:
        context = papers.context if request.param == "wss" else None
        servers.append(serve(handler, ssl=context, subprotocols=["v4.channel.k8s.io"]))
        return servers[-1]

    yield listening
    for server in servers:
        server.close()
        assert not server.errors


@pytest.fixture(scope="module", params=["newest", "35"])
def program(request: pytest.FixtureRequest, dependents: Dependents) -> Dependents:
    """The newest client reads while the socket is readable, the older one message each time."""
    if request.param == "newest":
        return dependents
    return dependent.older(dependents, "kubernetes==35.0.0", "six==1.17.0")


def where(server: Server | ScriptServer, papers: Papers) -> dict[str, str]:
    return {"url": server.url.replace("ws", "http", 1).rstrip("/"), "ca": str(papers.ca)}


def test_a_shell_both_ways(program: Dependents, api: Api, papers: Papers) -> None:
    place = where(api(pod), papers)
    with program.running("kubernetes_client", scene="interactive", **place) as run:
        assert run.next() == "$ "
        run.tell("echo \u00fc\n")
        assert run.next() == "\u00fc\n$ "
        run.tell("exit 3\n")
        assert run.next() == ["", "oh\n", 3]
        run.finish()


@pytest.mark.parametrize(("shape", "binary"), [("glued", False), ("records", True)])
def test_messages_in_a_burst(
    dependents: Dependents, program: Dependents, api: Api, papers: Papers, shape: str, binary: bool
) -> None:
    """Each is noticed, though nothing more arrives on the socket."""
    place = where(api(pod), papers)
    if program is not dependents and place["url"].startswith("https"):
        shape = "records"  # it does not ask pending()
    options = {"binary": binary, "lines": len(LINES), "shape": shape}
    with program.running("kubernetes_client", scene="glued", **options, **place) as run:
        assert run.next() == LINES
        assert run.next() == "stderr"
        assert run.next() == [False, 0]
        run.finish()


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
def test_messages_glued_to_the_response(
    dependents: Dependents, program: Dependents, papers: Papers, secure: bool
) -> None:
    """Messages that came with the 101 are noticed, too."""
    # Of a TLS record the older client reads one message: it does not ask pending().
    late = [send(each) for each in BURST] if secure and program is not dependents else []
    glue = b"" if late else b"".join(BURST)
    opening = accept(subprotocol="v4.channel.k8s.io")
    steps = (
        send(lambda request: opening(request) + glue),
        *late,
        expect_frame(1, b"\0seen all\n", timeout=dependent.PATIENCE),
        send(frame(2, SUCCESS)),
        send(frame(8, b"\x03\xe8")),
        hang(),
    )
    options = {"binary": False, "lines": len(LINES), "shape": "glued"}
    with script(*steps, ssl=papers.context if secure else None) as server:
        place = where(server, papers)
        with program.running("kubernetes_client", scene="glued", **options, **place) as run:
            assert run.next() == LINES
            assert run.next() == "stderr"
            assert run.next() == [False, 0]
            run.finish()


def test_large_output(program: Dependents, api: Api, papers: Papers) -> None:
    with program.running(
        "kubernetes_client", scene="read_to_end", **where(api(pod), papers)
    ) as run:
        assert run.next() == [6 + 64 * 65536, "<<<", ">>>"]
        run.finish()


def test_large_input(program: Dependents, api: Api, papers: Papers) -> None:
    with program.running("kubernetes_client", scene="stdin", **where(api(pod), papers)) as run:
        assert run.next() == "1000000"
        assert run.next() is False
        run.finish()


def test_forwarded_ports(program: Dependents, api: Api, papers: Papers) -> None:
    place = where(api(forwarded), papers)
    with program.running("kubernetes_client", scene="forward", **place) as run:
        assert run.next() is True
        assert run.next() == [None, "connection refused"]
        run.finish()


def test_through_a_proxy_with_credentials(
    dependents: Dependents, api: Api, papers: Papers, tmp_path: Path
) -> None:
    place = where(api(pod), papers)
    with neighbours.tinyproxy(tmp_path, ("someone", "s3cret")) as port:
        place |= {"proxy": f"http://127.0.0.1:{port}", "proxy_auth": "someone:s3cret"}
        with dependents.running("kubernetes_client", scene="read_to_end", **place) as run:
            assert run.next() == [6 + 64 * 65536, "<<<", ">>>"]
            run.finish()
        assert "CONNECT" in (tmp_path / "output.log").read_text()
