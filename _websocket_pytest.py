"""The fixture `ws_server` for pytest, which loads this module in every run where we are installed.

So it is not in the package: `websocket` is imported when a test asks for the fixture, not before a
program has patched `socket` or a tool has begun to measure coverage.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from websocket.testing import Servers


@pytest.fixture
def ws_server() -> Iterator[Servers]:
    """WebSocket servers for one test: `ws_server.url` is an echo server, `ws_server(handler)` one
    with a handler of your own, and there are `script`, `record` and `replay`.

    They are closed at the end of the test. What went wrong in them, such as an exception in a
    handler, makes it fail.
    """
    from websocket.testing import Servers

    with Servers() as servers:
        yield servers
