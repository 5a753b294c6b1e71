"""`Servers`: what the pytest fixture `ws_server` gives a test; servers that end with the test."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

from .._records import Recording
from ._listening import blame
from ._recording import Recorder, record
from ._replaying import Replay, replay
from ._script import ScriptServer, script
from ._server import Handler, Server, echo, serve
from ._steps import Step

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["Servers"]

_Any = TypeVar("_Any", bound="Server | ScriptServer")


class Servers:
    """Starts servers, and ends all of them at the end of its block, which raises what went wrong in
    them first: what a handler raised, or that a client did not keep to a script.

    `ws_server(handler)` is `serve(handler)`, the other ways to start one have the names of the
    functions that they call.
    """

    def __init__(self) -> None:
        self._servers: list[Server | ScriptServer] = []
        self._echo: Server | None = None

    def __call__(self, handler: Handler = echo, **options: Any) -> Server:
        """`websocket.testing.serve`."""
        return self._begun(serve(handler, **options))

    @property
    def url(self) -> str:
        """The URL of an echo server, begun when it is first asked for."""
        if self._echo is None:
            self._echo = self()
        return self._echo.url

    def script(self, *steps: Step, **options: Any) -> ScriptServer:
        """`websocket.testing.script`."""
        return self._begun(script(*steps, **options))

    def record(self, path: str | os.PathLike[str], url: str, **options: Any) -> Recorder:
        """`websocket.testing.record`."""
        return self._begun(record(path, url, **options))

    def replay(self, source: str | os.PathLike[str] | Recording, **options: Any) -> Replay:
        """`websocket.testing.replay`."""
        return self._begun(replay(source, **options))

    def _begun(self, server: _Any) -> _Any:
        self._servers.append(server)
        return server

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for server in reversed(self._servers):
            server.close()
        failures: list[BaseException] = []
        for server in self._servers:
            failures += server.failures if isinstance(server, ScriptServer) else server.errors
        blame(failures, error)
