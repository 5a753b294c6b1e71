"""What holds around every test: a clean environment, and a census of threads and descriptors."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Iterator

import components
import pytest

# What the library reads from the environment, and a developer's machine may have set.
_VARIABLES = (
    *(f"{scheme}_proxy" for scheme in ("http", "https", "ws", "wss", "all", "no")),
    "SSLKEYLOGFILE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "WEBSOCKET_CLIENT_CA_BUNDLE",
)
_DESCRIPTORS = "/proc/self/fd"
_PATIENCE = 2.0  # seconds; for a thread that has been told to end and is on its way out


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """No proxy and no trust setting of the machine decides what a test sees, nor a shell that
    starts background jobs with Ctrl+C ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.MonkeyPatch.context() as patch:
        for name in _VARIABLES:
            patch.delenv(name, raising=False)
            patch.delenv(name.upper(), raising=False)
        yield


@pytest.fixture(autouse=True)
def _census() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """No test leaves a thread or a descriptor behind; fixtures of wider scope may keep theirs."""
    threads = set(threading.enumerate())
    descriptors = _open_descriptors()
    yield
    left = _left_behind(threads, descriptors)
    if left:
        pytest.fail("The test left behind: " + "; ".join(left), pytrace=False)


def _left_behind(threads: set[threading.Thread], descriptors: set[tuple[int, str]]) -> list[str]:
    """What is there that was not, and does not go away by itself."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        left = [f"thread {thread.name!r}" for thread in set(threading.enumerate()) - threads]
        left += [f"descriptor {n} = {what}" for n, what in _open_descriptors() - descriptors]
        if not left or time.monotonic() > deadline:
            return sorted(left)
        gc.collect()  # a reference cycle is no leak
        time.sleep(0.01)


def _open_descriptors() -> set[tuple[int, str]]:
    """Numbers, and what they stand for; empty where the system does not tell."""
    found: set[tuple[int, str]] = set()
    if not os.path.isdir(_DESCRIPTORS):
        return found
    for name in os.listdir(_DESCRIPTORS):
        try:
            what = os.readlink(os.path.join(_DESCRIPTORS, name))
        except FileNotFoundError:
            continue  # that one was the listing's own
        if ".coverage" not in what:
            found.add((int(name), what))
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what to install for the tests that had to be skipped."""
    advice = components.advice()
    if advice is not None:
        terminalreporter.section("components that are not installed")
        terminalreporter.write_line(advice)
