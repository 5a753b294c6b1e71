"""Promise: programs that gevent or eventlet has monkey-patched run this client, ws and wss.

Each check is a run of `green.py` in an environment of its own, since monkey-patching is for good.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from websocket.testing import Server

PROGRAM = Path(__file__).with_name("green.py")
ROOT = PROGRAM.parent.parent.parent

CHECKS = (
    "echo",
    "timeouts",
    "receiving_and_sending",
    "close_from_another",
    "app",
    "reconnecting_app",
    "loop",
)


@pytest.mark.timeout(300)  # the first one of each kind makes its environment
@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("check", CHECKS)
def test_green(
    kind: str,
    scheme: str,
    check: str,
    interpreter: Callable[[str], Path],
    servers: dict[str, Server],
    ca_file: Path,
) -> None:
    """See the function of this name in green.py."""
    done = subprocess.run(
        [str(interpreter(kind)), str(PROGRAM), kind, check, servers[scheme].url, str(ca_file)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert (done.returncode, done.stdout.strip()) == (0, "fine"), done.stderr
