"""Promise: python-socketio and python-engineio's blocking clients work with us unchanged."""

from __future__ import annotations

from contextlib import ExitStack

import dependent
import pytest
from dependent import Dependents
from papers import Papers

pytestmark = dependent.marks


@pytest.mark.parametrize("transports", [["websocket"], ["polling", "websocket"]], ids="-".join)
@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
def test_events_both_ways_and_a_restarted_server(
    dependents: Dependents, papers: Papers, secure: bool, transports: list[str]
) -> None:
    certificate = {
        "certificate": str(papers.certificate) if secure else None,
        "key": str(papers.key) if secure else None,
    }
    with ExitStack() as stack:
        first = stack.enter_context(dependents.running("socketio_server", port=0, **certificate))
        port: int = first.next()["port"]
        client = stack.enter_context(
            dependents.running(
                "socketio_client",
                url=f"http{'s' if secure else ''}://localhost:{port}",
                ca=str(papers.ca) if secure else None,
                transports=transports,
                extra=len(transports) == 1,
            )
        )
        seen = first.next()
        assert seen["connected"] == {"token": "t"}
        assert seen["by"] == ("us" if len(transports) == 1 else None)
        assert client.next() == {"transport": "websocket", "sum": 3}
        assert client.next() == {"numbers": [1, 2]}
        assert [client.next(), client.next()] == [256, 256 * 3000]

        first.end()
        second = stack.enter_context(
            dependents.running("socketio_server", port=port, **certificate)
        )
        assert second.next() == {"port": port}
        client.tell("the server is back")
        assert client.next() == {"lost": "transport error"}
        assert second.next()["connected"] == {"token": "t"}
        assert client.next() == {"transport": "websocket", "sum": 7}
        assert client.next() == {"numbers": [3, 4]}

        assert client.next() == {"left": "client disconnect"}
        # Its farewell and the end of the connection are on their way in two threads.
        assert second.next()["disconnected"] in ("client disconnect", "transport close")
        assert second.next()["connected"] is None
        assert client.next() == {"thrown out": "server disconnect"}
        client.finish()
