"""Runs a quick part of the tests with the part in C and without, against the `websocket` that is
installed: python tests/quick.py [arguments of pytest instead of "wire protocol"]

For machines that have little: hypothesis, pytest, pytest-timeout and websockets suffice. It works
in tests/, paths are as seen from there; the checkout's own `websocket` is not on the path.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
PURE = "WEBSOCKET_CLIENT_PURE_PYTHON"
SAY_WHICH = "import websocket; print(websocket.backend(), 'of', websocket.__file__, flush=True)"

# They want node and aiohttp, and Linux's way to count memory.
NEEDY = ("test_deflate_interop.py", "test_deflate_limits.py")
COMPILING = "tests/wire/test_speedups.py::test_the_source_compiles_without_a_warning"


def pytest_arguments(given: list[str]) -> list[str]:
    """What pytest is told: where its settings are, what to run, what to leave out."""
    line = ["-q", "-c", str(ROOT / "setup.cfg"), f"--rootdir={ROOT}", "-o", "pythonpath=tests"]
    line += [f"--ignore=protocol/{name}" for name in NEEDY]
    if not (ROOT / "websocket").exists():  # only the tests were copied to here
        line.append(f"--deselect={COMPILING}")
    return line + (given or ["wire", "protocol"])


def main() -> int:
    """Exit status 0 if all went well."""
    failed = 0
    for pure in ("", "1"):
        environment = {**os.environ, PURE: pure}
        for arguments in (["-c", SAY_WHICH], ["-m", "pytest", *pytest_arguments(sys.argv[1:])]):
            command = [sys.executable, *arguments]
            failed |= subprocess.run(command, cwd=TESTS, env=environment, check=False).returncode
    return min(abs(failed), 1)


if __name__ == "__main__":
    sys.exit(main())
