"""Test aids: a small WebSocket server, and scripted servers that misbehave as told.

    from websocket.testing import serve

    with serve() as server:                    # an echo server, listening on a free port
        ws = websocket.create_connection(server.url)

    from websocket.testing import accept, drop, frame, script

    with script(accept(), send(frame(0x1, "half")[:3]), drop()) as server:
        ...

    from websocket.testing import record, replay

    with record("feed.jsonl", "wss://example.com/feed") as server: ...  # once, against the real one
    with replay("feed.jsonl") as server: ...  # ever after, without it

pytest finds the fixture `ws_server`, which has all of them. docs/testing.md shows how to use them.

Not for production: there are no limits, and a thread for every connection.
"""

from .._records import (
    RecordedEvent as RecordedEvent,
    Recording as Recording,
    read_recording as read_recording,
)
from .._wire.http1 import Request as Request, Response as Response
from ._connection import Connection as Connection
from ._conversation import Conversation as Conversation
from ._fixture import Servers as Servers
from ._recording import Recorder as Recorder, record as record
from ._replaying import Replay as Replay, replay as replay
from ._script import ScriptFailure as ScriptFailure, ScriptServer as ScriptServer, script as script
from ._server import Handler as Handler, Server as Server, echo as echo, serve as serve
from ._steps import (
    Step as Step,
    accept as accept,
    delay as delay,
    drip as drip,
    drop as drop,
    expect as expect,
    expect_frame as expect_frame,
    expect_request as expect_request,
    frame as frame,
    frames as frames,
    half_close as half_close,
    hang as hang,
    receive as receive,
    repeat as repeat,
    reset as reset,
    send as send,
)
