"""Promise: the helpers of `_utils`, `_ssl_compat` and `_logging` do what programs take them for."""

from __future__ import annotations

import io
import logging
import ssl
import subprocess
import sys
from collections.abc import Iterator

import pytest

import websocket
from websocket import _logging, _ssl_compat, _utils


@pytest.fixture
def trace() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    websocket.enableTrace(True, handler=logging.StreamHandler(stream))
    yield stream
    websocket.enableTrace(False)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (b"", True),
        ("", True),
        ("κόσμε", True),
        (b"\xf0\x90\x80\x80", True),
        (bytearray(b"ok"), True),
        (b"\xff\xfe", False),
        (b"\xed\xa0\x80", False),
        (b"cut \xc3", False),
        ("a\ud800b", False),
    ],
)
def test_validate_utf8(text: str | bytes, valid: bool) -> None:
    assert _utils.validate_utf8(text) is valid


def test_extract_err_message() -> None:
    assert _utils.extract_err_message(Exception("text", 1)) == "text"
    assert _utils.extract_err_message(OSError(32, "Broken pipe")) == "32"
    assert _utils.extract_err_message(Exception()) is None


def test_extract_error_code() -> None:
    assert _utils.extract_error_code(OSError(32, "Broken pipe")) == 32
    for exc in (Exception(32), Exception("text", "text"), Exception()):
        assert _utils.extract_error_code(exc) is None


def test_no_lock_locks_nothing() -> None:
    lock = _utils.NoLock()
    with lock, lock:
        pass


def test_the_names_of_ssl() -> None:
    assert _ssl_compat.HAVE_SSL is True
    assert _ssl_compat.ssl is ssl
    for name in ("SSLError", "SSLEOFError", "SSLWantReadError", "SSLWantWriteError"):
        assert getattr(_ssl_compat, name) is getattr(ssl, name)


def test_without_the_ssl_module_there_are_stand_ins() -> None:
    """A Python that was built without it can still name them in `except` clauses."""
    program = (
        "import sys; sys.modules['ssl'] = None\n"
        "from websocket import _ssl_compat as c, _socket, _utils, create_connection\n"
        "assert c.HAVE_SSL is False and c.ssl is None\n"
        "for kind in (c.SSLEOFError, c.SSLWantReadError, c.SSLWantWriteError):\n"
        "    assert issubclass(kind, c.SSLError)\n"
        "assert str(c.SSLError('text')) == 'text'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_logger_is_that_of_the_name_websocket() -> None:
    assert _logging._logger is logging.getLogger("websocket")


def test_lines_reach_the_logger(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="websocket"):
        for level in ("debug", "info", "warning", "error"):
            getattr(_logging, level)(f"a line at {level}")
    assert [record.levelname for record in caplog.records] == ["DEBUG", "INFO", "WARNING", "ERROR"]


def test_levels_can_be_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="websocket"):
        assert _logging.isEnabledForError()
        assert not _logging.isEnabledForDebug()
    with caplog.at_level(logging.DEBUG, logger="websocket"):
        assert _logging.isEnabledForDebug()
    assert not _logging.isEnabledForTrace()


def test_the_trace_is_silent_until_it_is_switched_on(trace: io.StringIO) -> None:
    assert _logging.isEnabledForTrace()
    _logging.trace("seen")
    _logging.dump("title", "block")
    websocket.enableTrace(False)
    _logging.trace("unseen")
    assert trace.getvalue().splitlines() == [
        "seen",
        "--- title ---",
        "block",
        "-----------------------",
    ]


def test_doors_are_reached_without_importing_them() -> None:
    """`import websocket` is enough for `websocket._http`, and loads no door by itself."""
    program = (
        "import sys, websocket\n"
        "doors = ['_handshake', '_http', '_socket', '_ssl_compat', '_url', '_utils']\n"
        "assert not [d for d in doors if 'websocket.' + d in sys.modules]\n"
        "for door in doors:\n"
        "    assert getattr(websocket, door).__name__ == 'websocket.' + door\n"
        "try: websocket._no_such_door\n"
        "except AttributeError: pass\n"
        "else: raise SystemExit('found')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
