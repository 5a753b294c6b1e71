"""Drives the client over the cases of a fuzzing server, through nothing but its public API.

`autobahn_client.py --describe` prints what is being tested as one line of JSON. Otherwise it reads
ids of cases from standard input, one a line, runs each, and answers each on standard output with
one line of JSON: `{"case": "1.1.1", "seconds": 0.01, "error": null}`. `error` names an exception
that is not one of the library's own; the library's own, which many cases provoke on purpose, are
written to standard error.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
import traceback
from typing import Any

import websocket

# Seconds of silence after which a case is given up; the suite itself pauses 10 seconds at most.
SILENCE = 30.0


def describe() -> dict[str, Any]:
    """Versions of the client and of Python, and whether the client can compress."""
    return {
        "client": websocket.__version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "compression": hasattr(websocket, "Deflate"),
    }


def echo(url: str, options: dict[str, Any]) -> None:
    """Send each message back as what it came until the connection ends.

    A protocol error ends it too. The peer has been told by then: that is the library's task, so
    nothing is done about it here.
    """
    ws = websocket.create_connection(url, timeout=SILENCE, max_size=None, **options)
    try:
        while True:
            opcode, data = ws.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return
            ws.send(data, opcode)
    finally:
        ws.close()


def run_case(case: str, url: str, options: dict[str, Any]) -> str | None:
    """Run one case; returns the name of an exception that the library should not have raised."""
    try:
        echo(url, options)
    except websocket.WebSocketException as error:
        print(f"{case}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    except Exception as error:
        print(f"{case}:", file=sys.stderr)
        traceback.print_exc()
        return type(error).__name__
    return None


def main() -> None:
    """Answer the harness until it closes standard input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--describe", action="store_true")
    parser.add_argument("--server", help="ws://host:port of the fuzzing server")
    parser.add_argument("--agent", default="client", help="the name in the server's reports")
    parser.add_argument("--ca", help="PEM file of the certificate to trust")
    parser.add_argument("--compression", action="store_true", help="offer permessage-deflate")
    arguments = parser.parse_args()
    if arguments.describe:
        print(json.dumps(describe()))
        return
    options: dict[str, Any] = {}
    if arguments.ca:
        options["sslopt"] = {"ca_certs": arguments.ca}
    if arguments.compression:
        options["compression"] = "deflate"
    answers, sys.stdout = sys.stdout, sys.stderr  # what anybody else prints is for the log
    for line in sys.stdin:
        case = line.strip()
        began = time.monotonic()
        url = f"{arguments.server}/runCase?casetuple={case}&agent={arguments.agent}"
        error = run_case(case, url, options)
        seconds = round(time.monotonic() - began, 3)
        answer = json.dumps({"case": case, "seconds": seconds, "error": error})
        print(answer, file=answers, flush=True)


if __name__ == "__main__":
    main()
