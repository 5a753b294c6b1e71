"""What programs do with kubernetes' client: exec, attach to its streams, forward ports."""

from __future__ import annotations

import time
from typing import Any

import urllib3  # pyright: ignore[reportMissingImports, reportMissingModuleSource]
from kubernetes import client, stream  # pyright: ignore[reportMissingImports]
from talking import PATIENCE, arguments, say, told

configuration = client.Configuration()
configuration.host = arguments["url"]
configuration.ssl_ca_cert = arguments["ca"]
configuration.proxy = arguments.get("proxy")
if arguments.get("proxy_auth"):
    configuration.proxy_headers = urllib3.make_headers(proxy_basic_auth=arguments["proxy_auth"])
configuration.api_key = {"authorization": "Bearer t0ken"}
api = client.CoreV1Api(client.ApiClient(configuration))


def execute(*command: str, **options: Any) -> Any:
    call = api.connect_get_namespaced_pod_exec
    wanted: dict[str, Any] = {"stdout": True, "stderr": True, "stdin": True, "tty": False}
    wanted.update(options)
    return stream.stream(call, "pod", "default", command=list(command), **wanted)


def read_to_end() -> None:
    """The whole output as one value."""
    text = execute("large", _request_timeout=PATIENCE)
    say([len(text), text[:3], text[-3:]])


def interactive() -> None:
    """The loop that everybody copies from the examples."""
    response = execute("sh", _preload_content=False)
    out, err = "", ""
    until = time.monotonic() + PATIENCE
    while response.is_open() and time.monotonic() < until:
        response.update(timeout=0.5)  # what peek_...() below took in is not waited for
        if response.peek_stdout():
            out += response.read_stdout()
        if response.peek_stderr():
            err += response.read_stderr()
        if out.endswith("$ "):
            say(out)
            response.write_stdin(told())
            out = ""
    say([out, err, response.returncode])
    response.close()


def glued() -> None:
    """Many small messages that come at once are all seen before anything else comes."""
    response = execute(arguments["shape"], _preload_content=False, binary=arguments["binary"])
    lines = [response.readline_stdout(timeout=10) for _ in range(arguments["lines"])]
    say([line.decode() if isinstance(line, bytes) else line for line in lines])
    say(response.readline_stderr(timeout=10) and "stderr")
    response.write_stdin("seen all\n")
    response.run_forever(timeout=PATIENCE)
    say([response.is_open(), response.returncode])


def stdin() -> None:
    """Much to stdin, in text and in binary, then what came of it."""
    response = execute("count", _preload_content=False, binary=True)
    response.write_stdin(b"x" * 1_000_000)
    response.write_stdin("end\n")
    say(response.readline_stdout(timeout=PATIENCE).decode())
    response.close()
    say(response.is_open())


def forward() -> None:
    """A byte stream through the API server, both ways, and an error of the other port."""
    call = api.connect_get_namespaced_pod_portforward
    forwarder = stream.portforward(call, "pod", "default", ports="80,81")
    sock = forwarder.socket(80)
    sock.setblocking(True)
    data = bytes(range(256)) * 2000
    sock.sendall(data)
    back = b""
    while len(back) < len(data):
        piece = sock.recv(65536)
        assert piece
        back += piece
    say(back == data.upper())
    assert forwarder.socket(81).recv(10) == b""
    say([forwarder.error(80), forwarder.error(81)])
    sock.close()


globals()[arguments["scene"]]()
