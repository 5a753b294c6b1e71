"""Promise: the accelerator and its Python twins cannot be told apart, and either can be chosen."""

from __future__ import annotations

import array
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from websocket._wire import speedups
from websocket._wire.frames import encode_frame_in_python
from websocket._wire.masking import mask_in_python

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "websocket" / "_wire" / "_speedups.c"


@pytest.fixture
def accelerator() -> object:
    built = speedups._accelerator
    if built is None:
        reason = "the accelerator was not built"
        if os.environ.get("CI") == "true" and not os.environ.get("WEBSOCKET_CLIENT_PURE_PYTHON"):
            pytest.fail(reason)
        pytest.skip(reason)
    return built


keys = st.binary(min_size=4, max_size=4)
payloads = st.one_of(
    st.binary(max_size=300),
    st.integers(0, 70_000).map(lambda n: (b"0123456789abcdef" * 4376)[:n]),
)


@settings(deadline=None)
@given(key=keys, data=payloads)
def test_masking_is_the_same(key: bytes, data: bytes) -> None:
    built = speedups._accelerator
    if built is not None:
        assert built.mask(key, data) == mask_in_python(key, data)


@settings(deadline=None)
@given(
    opcode=st.integers(0, 15),
    payload=payloads,
    key=st.none() | keys,
    fin=st.booleans(),
    rsv=st.integers(0, 7),
)
def test_framing_is_the_same(
    opcode: int, payload: bytes, key: bytes | None, fin: bool, rsv: int
) -> None:
    built = speedups._accelerator
    if built is not None:
        expected = encode_frame_in_python(opcode, payload, key, fin, rsv)
        assert built.encode_frame(opcode, payload, key, fin, rsv) == expected


@pytest.mark.parametrize(
    "payload",
    [
        memoryview(b"abcdefgh")[::2],
        memoryview(b"abcdefgh")[::-1],
        memoryview(array.array("I", [1, 2, 3])),
        memoryview(b"abcdef").cast("B", (2, 3)),
        bytearray(b"abc"),
        b"",
    ],
    ids=["strided", "reversed", "wide", "matrix", "bytearray", "empty"],
)
def test_every_kind_of_bytes_is_the_same(accelerator: object, payload: memoryview | bytes) -> None:
    expected = encode_frame_in_python(2, payload, b"abcd")
    assert accelerator.encode_frame(2, payload, b"abcd") == expected  # type: ignore[attr-defined]


@pytest.mark.parametrize("arguments", [(), (b"abcd",), (b"abc", b"x"), (b"abcd", "x"), (5, b"x")])
def test_masking_refuses_what_makes_no_sense(
    accelerator: object, arguments: tuple[object, ...]
) -> None:
    with pytest.raises((TypeError, ValueError)):
        accelerator.mask(*arguments)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "arguments",
    [
        (2, b"x"),
        (2, 5, None),
        (16, b"x", None),
        (-1, b"x", None),
        (2, b"x", b"abc"),
        ("2", b"", None),
    ],
)
def test_framing_refuses_what_makes_no_sense(
    accelerator: object, arguments: tuple[object, ...]
) -> None:
    with pytest.raises((TypeError, ValueError)):
        accelerator.encode_frame(*arguments)  # type: ignore[attr-defined]


def test_the_environment_chooses_the_python_twins() -> None:
    code = "import websocket; print(websocket.backend())"
    env = {**os.environ, "WEBSOCKET_CLIENT_PURE_PYTHON": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
    assert done.stdout.strip() == b"python"


@pytest.mark.parametrize(
    "flags", [(), ("-fsanitize=address,undefined", "-fno-sanitize-recover")], ids=["plain", "asan"]
)
def test_the_source_compiles_without_a_warning(tmp_path: Path, flags: tuple[str, ...]) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    include = sysconfig.get_paths()["include"]
    if not (Path(include) / "Python.h").exists():
        pytest.skip("no Python headers")
    command = [compiler, "-O2", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
    target = str(tmp_path / "speedups.so")
    subprocess.run([*command, *flags, f"-I{include}", str(SOURCE), "-o", target], check=True)
