"""Promise: the accelerator can be loaded more than once, in interpreters of their own, too, and a
hundred thousand calls of anything leave no memory behind."""

from __future__ import annotations

import gc
import importlib.util
import os
import socket
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from websocket._wire import speedups
from websocket._wire.frames import BINARY, CONT, TEXT, encode_frame

ROOT = Path(__file__).parents[2]


@pytest.fixture
def built() -> Any:
    if speedups._accelerator is None:
        pytest.skip("the accelerator was not built, or is not wanted")
    return speedups._accelerator


def _load_again(built: Any) -> Any:
    spec = importlib.util.spec_from_file_location("_speedups", built.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_two_of_them_share_nothing(built: Any) -> None:
    one, two = _load_again(built), _load_again(built)
    assert one is not two
    assert one.Filling is not two.Filling
    filling = one.Filling(text=True)
    del one
    gc.collect()
    filling.write(b"alive")
    assert filling.decode() == "alive"
    assert two.mask(b"abcd", two.mask(b"abcd", b"data")) == b"data"


_PROGRAM = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
code = '''
import sys
sys.path.insert(0, {root!r})
import importlib.util
spec = importlib.util.spec_from_file_location("_speedups", {file!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
filling = module.Filling(text=True)
filling.write(b"alive")
assert filling.decode() == "alive"
assert module.parse_messages(b"\\\\x81\\\\x01x", 0, -1)[0] == ["x"]
open(sys.argv[0] if False else {told!r}, "a").write("x")
'''
for _ in range(3):
    made = interpreters.create()
    interpreters.run_string(made, code)
    interpreters.destroy(made)
print("done")
"""


def test_an_interpreter_of_its_own(built: Any, tmp_path: Path) -> None:
    if not any(map(importlib.util.find_spec, ("_interpreters", "_xxsubinterpreters"))):
        pytest.skip("this Python has no module for further interpreters")
    told = tmp_path / "told"
    program = _PROGRAM.format(root=str(ROOT), file=built.__file__, told=str(told))
    program = program.replace("sys.argv[0] if False else ", "")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("done\n", "")
    assert told.read_text() == "xxx"


def _calls(built: Any, left: Any, right: Any) -> dict[str, Callable[[], object]]:
    """Every function in every way that it can end."""
    plain = encode_frame(TEXT, "é".encode(), None) + encode_frame(BINARY, b"b" * 200, None)
    wrong = plain + b"\x81\x01\xff"
    fragments = encode_frame(CONT, b"f" * 30, None, False) + encode_frame(CONT, b"g", None)

    class Stream:
        half_sent = False

    def send(payload: Any, key: Any) -> Callable[[], object]:
        def call() -> None:
            if type(built.send_frame(Stream, left, 2, payload, lambda: key)) is int:
                right.recv(100_000)

        return call

    def receive(wire: bytes) -> Callable[[], object]:
        def call() -> None:
            right.sendall(wire)
            built.receive_messages(left, 0, 0, -1, True, True)
            left.recv(len(wire))

        return call

    def fill(text: bool, piece: bytes) -> Callable[[], object]:
        def call() -> object:
            filling = built.Filling(text)
            filling.write(piece)
            with filling.room(100) as room:
                room[:3] = b"abc"
                with suppress(BufferError):
                    filling.write(b"x")
            filling.took(3)
            with suppress(ValueError):
                filling.took(1 << 40)
            with filling.since(1) as view:
                view.tobytes()
            if text:
                with suppress(UnicodeDecodeError):
                    filling.decode()
            return filling.value()

        return call

    calls: dict[str, Callable[[], object]] = {
        "mask": lambda: built.mask(b"abcd", b"x" * 50),
        "mask, no key": lambda: built.mask(b"abc", b""),
        "mask, no data": lambda: built.mask(b"abcd", None),
        "encode": lambda: built.encode_frame(1, "é" * 70, b"abcd"),
        "encode, strided": lambda: built.encode_frame(2, memoryview(b"abcd")[::2], None),
        "encode, no key": lambda: built.encode_frame(2, b"x", b"abc"),
        "encode, no payload": lambda: built.encode_frame(2, 7, b"abcd"),
        "encode, a surrogate": lambda: built.encode_frame(1, "\ud800", b"abcd"),
        "messages": lambda: built.parse_messages(plain, 0, -1),
        "messages, no text": lambda: built.parse_messages(wrong, 0, -1),
        "messages, no bytes": lambda: built.parse_messages("", 0, -1),
        "fragments": lambda: built.parse_fragments(fragments, 0, -1),
        "fragments, limited": lambda: built.parse_fragments(fragments, 0, 30),
        "filling": fill(False, b"\xff" * 20),
        "filling of text": fill(True, b"ascii"),
        "filling of other text": fill(True, "é".encode()),
        "filling of no text": fill(True, b"\xff"),
    }
    if hasattr(built, "send_frame"):
        calls["send"] = send(b"x" * 100, b"abcd")
        calls["send, large"] = send("x" * 5000, b"abcd")
        calls["send, no key"] = send(b"", b"abc")
        calls["send, no payload"] = send(None, b"abcd")
        for name, wire in (("plain", plain), ("wrong", wrong), ("odd", wrong[-3:])):
            calls[f"receive, {name}"] = receive(wire)
        calls["receive nothing"] = lambda: built.receive_messages(left, 0, 0, -1, True, False)
        calls["receive, no socket"] = lambda: built.receive_messages(None, 0, 0, -1, True, True)
        calls["receive, no limit"] = lambda: built.receive_messages(left, 0, 0, "", True, True)
        calls["send, no socket"] = lambda: built.send_frame(Stream, None, 2, b"", lambda: b"abcd")
    return calls


_MANY = 100_000 // 4


def test_nothing_stays_behind(built: Any) -> None:
    """Four rounds of all calls: what the last two add is not a tenth of a byte for each."""
    left, right = socket.socketpair()
    with left, right:
        for name, call in _calls(built, left, right).items():
            before = 0
            count = 200 if os.environ.get("LD_PRELOAD") else _MANY // 10
            tracemalloc.start()
            try:
                for turn in range(4):
                    for _ in range(count):
                        with suppress(TypeError, ValueError, AttributeError, BlockingIOError):
                            call()
                    gc.collect()
                    if turn == 1:
                        before = tracemalloc.get_traced_memory()[0]
                grown = tracemalloc.get_traced_memory()[0] - before
            finally:
                tracemalloc.stop()
            assert grown < count / 5 + 4096, f"{name}: {grown} bytes in {2 * count} calls"
