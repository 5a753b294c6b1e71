"""Promise K8: `_abnf` and `_logging` survive `importlib.reload`, as programs' tests do it."""

from __future__ import annotations

import importlib
import io
import logging
import pickle

import websocket
from websocket import _abnf, _logging


def test_classes_stay_the_same_when_abnf_is_reloaded() -> None:
    """A frame is an ABNF before and after, whoever made it."""
    made_before = websocket.ABNF.create_frame("x", websocket.ABNF.OPCODE_TEXT)
    reloaded = importlib.reload(_abnf)
    assert reloaded.ABNF is websocket.ABNF
    assert reloaded.frame_buffer is websocket.frame_buffer
    assert reloaded.continuous_frame is websocket.continuous_frame
    assert isinstance(made_before, reloaded.ABNF)
    buffer = reloaded.frame_buffer(io.BytesIO(b"\x81\x02hi").read, False)
    assert isinstance(buffer.recv_frame(), websocket.ABNF)


def test_the_classes_are_known_as_those_of_abnf() -> None:
    for name in ("ABNF", "frame_buffer", "continuous_frame"):
        kind = getattr(websocket, name)
        assert (kind.__module__, kind.__qualname__) == ("websocket._abnf", name)
    assert pickle.loads(pickle.dumps(websocket.ABNF)) is websocket.ABNF


def test_every_close_code_is_exported() -> None:
    named = {name for name in vars(_abnf) if name.startswith("STATUS_")}
    assert named == {name for name in _abnf.__all__ if name.startswith("STATUS_")}
    assert all(getattr(websocket, name) == getattr(_abnf, name) for name in named)
    assert {"ABNF", "continuous_frame", "frame_buffer"} <= set(_abnf.__all__)
    assert _abnf.STATUS_NORMAL in _abnf.VALID_CLOSE_STATUS
    assert 1005 not in _abnf.VALID_CLOSE_STATUS


def test_the_trace_works_after_logging_was_reloaded() -> None:
    """By the functions from before and after; the level is restored at the end."""
    level = logging.getLogger("websocket").level
    before = websocket.enableTrace
    reloaded = importlib.reload(_logging)
    stream = io.StringIO()
    reloaded.enableTrace(True, handler=logging.StreamHandler(stream))
    websocket.trace("seen")
    before(False)
    reloaded.trace("unseen")
    assert stream.getvalue() == "seen\n"
    assert not reloaded.isEnabledForTrace()
    assert logging.getLogger("websocket").level == level
