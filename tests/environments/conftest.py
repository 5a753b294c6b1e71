"""Environments of their own for packages that change the whole interpreter: gevent, eventlet.

They are made once, by `venv` and pip, in the user's cache, for each interpreter and requirement.
This package is not installed there: it is on PYTHONPATH.
"""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from websocket.testing import Server, serve

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# Of eventlet, which is on its way out, a series that we know.
REQUIREMENTS = {"gevent": "gevent >= 24.2", "eventlet": "eventlet >= 0.36, < 1"}
_PATIENCE = 240.0  # seconds for pip


@pytest.fixture(scope="session")
def interpreter() -> Callable[[str], Path]:
    """The interpreter of an environment that has "gevent" or "eventlet"; without the package index
    the test is skipped, or fails where CI=true."""
    return _interpreter


def _interpreter(kind: str) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    version = ".".join(map(str, sys.version_info[:3]))
    folder = cache / "websocket-client-tests" / f"{kind}-{sys.implementation.name}-{version}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "installed"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.parent / f"{folder.name}.lock"):
        if not (stamp.exists() and stamp.read_text() == REQUIREMENTS[kind]):
            try:
                _make(folder, python, REQUIREMENTS[kind])
            except (subprocess.SubprocessError, OSError) as exc:
                _give_up(kind, exc)
            stamp.write_text(REQUIREMENTS[kind])
    return python


def _make(folder: Path, python: Path, requirement: str) -> None:
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [*pip, "--retries", "1", "--timeout", "10", requirement],
    ):
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE)


def _give_up(kind: str, exc: BaseException) -> None:
    said = getattr(exc, "stderr", "") or str(exc)
    reason = f"no environment with {kind}: {said.strip().splitlines()[-1] if said else exc!r}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One test run at a time makes an environment."""
    with path.open("w") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def ca_file(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Path:
    path = tmp_path_factory.mktemp("green") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def servers(authority: trustme.CA) -> Iterator[dict[str, Server]]:
    """Echo servers that are not green, by scheme."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    with serve() as ws, serve(ssl=context) as wss:
        yield {"ws": ws, "wss": wss}
