"""The smallest useful client: connect, send, receive, close. `echo_client.py [URL]`"""

from __future__ import annotations

import sys

from websocket import WebSocketTimeoutException, create_connection
from websocket.testing import serve


def talk(url: str) -> None:
    with create_connection(url, timeout=10) as ws:
        ws.send("Hello")
        print("received:", ws.recv())

        ws.send_json({"answer": 42})
        print("received:", ws.recv_json())

        try:
            ws.recv(timeout=0.2)
        except WebSocketTimeoutException:
            # Nothing is lost by a timeout: the connection goes on.
            print("nothing more came within 0.2 s")

        ws.send_binary(b"\x00\x01\x02")
        print("received:", ws.recv())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        talk(sys.argv[1])
    else:
        with serve() as server:
            talk(server.url)
