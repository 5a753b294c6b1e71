"""Promise: a thousand apps live in one thread, above descriptor 1024, and cost nothing while idle.

An idle thousand with pings every 20 s costs under 2 % of a core. Not to take that long, the test
has five times as many pings, and allows for twice as much again on a machine with other work. The
server is another process.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("thousand.py")
NEEDED = 2400  # descriptors
PING_INTERVAL = 4.0

SERVER = """
import asyncio, websockets.asyncio.server as server

async def echo(connection):
    async for message in connection:
        await connection.send(message)

async def main():
    async with server.serve(echo, "127.0.0.1", 0, backlog=1000, ping_interval=None) as serving:
        print(next(iter(serving.sockets)).getsockname()[1], flush=True)
        await asyncio.Future()

asyncio.run(main())
"""


@pytest.fixture
def url() -> Iterator[str]:
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"ws://127.0.0.1:{process.stdout.readline().strip()}/"
        finally:
            process.kill()


@pytest.mark.timeout(180)
def test_a_thousand_apps(url: str) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < NEEDED:
        pytest.skip(f"only {hard} descriptors are allowed here, {NEEDED} are needed: ulimit -Hn")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), url, str(PING_INTERVAL)],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
        cwd=PROGRAM.parent.parent.parent,
        env={"PYTHONPATH": str(PROGRAM.parent.parent.parent)},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["complete"], "not every app has got its message"
    assert found["lowest"] > 1024
    assert found["threads"] <= 2  # the loop's, and the keepalive's
    assert (found["closed"], found["codes"]) == (1000, [1000])
    assert found["pinged"] == 1000
    assert found["share"] < 0.20, "CPU seconds a second"
