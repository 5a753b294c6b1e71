"""Promise: `Filling` holds what was put into it, in C and in Python, and misuse cannot crash it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from websocket._wire.filling import Filling, FillingInPython

twins = pytest.mark.parametrize("make", [Filling, FillingInPython])
Make = Callable[..., Any]

_FIRST = 1 << 18
PIECES = (
    st.binary(max_size=20)
    | st.text(max_size=20).map(str.encode)
    | st.integers(1, 3).map(lambda n: b"ascii" * n)
)
MANY = st.sampled_from([1, 100, 70_000, _FIRST - 1, _FIRST, _FIRST + 1, 300_000])


class _Model(RuleBasedStateMachine):
    """Both twins beside a bytearray that shall be their content."""

    make: Any = Filling
    text = False

    def __init__(self) -> None:
        super().__init__()
        self.filling = self.make(self.text)
        self.expected = bytearray()
        self.view: memoryview | None = None

    @initialize(expected=st.sampled_from([0, -1, 1, 50, 200_000, 1 << 22, 1 << 60]))
    def expect(self, expected: int) -> None:
        """What it was told to expect changes nothing that can be seen."""
        self.filling = self.make(self.text, expected)

    def _let_go(self) -> None:
        if self.view is not None:
            self.view.release()
            self.view = None

    @precondition(lambda self: self.view is None)
    @rule(piece=PIECES)
    def write(self, piece: bytes) -> None:
        self.filling.write(piece)
        self.expected += piece

    @precondition(lambda self: self.view is None)
    @rule(size=MANY, beyond=st.booleans())
    def write_much(self, size: int, beyond: bool) -> None:
        piece = b"m" * (size - 1) + (b"\xff" if beyond else b"n")
        self.filling.write(piece)
        self.expected += piece

    @precondition(lambda self: self.view is None)
    @rule(most=MANY, data=PIECES | MANY.map(lambda size: b"r" * size))
    def receive(self, most: int, data: bytes) -> None:
        have = len(self.expected)
        with self.filling.room(most) as room:
            assert len(room) == min(most, max(_FIRST, have))
            data = data[: len(room)]
            room[: len(data)] = data
        self.filling.took(len(data))
        self.expected += data

    @precondition(lambda self: self.view is None)
    @rule(most=MANY)
    def have_room_and_not_use_it(self, most: int) -> None:
        self.filling.room(most).release()

    @precondition(lambda self: self.view is None)
    @rule(fraction=st.floats(0, 1))
    def since(self, fraction: float) -> None:
        start = int(len(self.expected) * fraction)
        with self.filling.since(start) as view:
            assert view == self.expected[start:]

    @precondition(lambda self: self.view is None)
    @rule(room=st.booleans())
    def hold_a_view(self, room: bool) -> None:
        self.view = self.filling.room(10) if room else self.filling.since(0)

    @precondition(lambda self: self.view is not None)
    @rule()
    def release_it(self) -> None:
        self._let_go()

    @precondition(lambda self: self.view is not None)
    @rule(piece=PIECES)
    def write_below_a_view(self, piece: bytes) -> None:
        with pytest.raises(BufferError):
            self.filling.write(piece)

    @precondition(lambda self: self.view is not None and isinstance(self.filling, Filling))
    @rule(what=st.sampled_from(["value", "decode", "room"]))
    def end_below_a_view(self, what: str) -> None:
        if Filling is not FillingInPython:  # which notices it only where the memory would move
            with pytest.raises(BufferError):
                getattr(self.filling, what)(*([1] if what == "room" else []))

    @invariant()
    def knows_whether_it_is_ascii(self) -> None:
        assert self.filling.is_ascii is (self.text and self.expected.isascii())

    def teardown(self) -> None:
        self._let_go()
        if self.text:
            try:
                expected: str | None = self.expected.decode()
            except UnicodeDecodeError:
                expected = None
            if expected is not None:
                assert self.filling.decode() == expected
                return
            with pytest.raises(UnicodeDecodeError):
                self.filling.decode()
        assert self.filling.value() == self.expected


def _machine(make_: Any, text_: bool) -> Any:
    class Machine(_Model):
        make = make_
        text = text_

    Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)
    return Machine.TestCase


TestBytes = _machine(Filling, False)
TestText = _machine(Filling, True)
TestBytesInPython = _machine(FillingInPython, False)
TestTextInPython = _machine(FillingInPython, True)


@pytest.fixture
def filling() -> Any:
    if Filling is FillingInPython:
        pytest.skip("the accelerator was not built, or is not wanted")
    return Filling(text=True)


@pytest.mark.parametrize(
    ("verb", "argument"),
    [
        ("write", "str"),
        ("write", bytearray(b"x")),
        ("write", None),
        ("room", 0),
        ("room", -1),
        ("room", "1"),
        ("room", 1.0),
        ("room", 1 << 70),
        ("took", -1),
        ("took", 1),
        ("took", 1 << 70),
        ("took", None),
        ("since", -1),
        ("since", 1),
        ("since", 1 << 70),
        ("since", b""),
    ],
)
def test_the_accelerator_refuses_what_makes_no_sense(
    filling: Any, verb: str, argument: object
) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        getattr(filling, verb)(argument)
    assert filling.value() == b""


def test_no_more_is_taken_than_there_was_room(filling: Any) -> None:
    filling.room(10).release()
    with pytest.raises(ValueError, match="no room"):
        filling.took(_FIRST + 1)


def test_its_kind_is_closed(filling: Any) -> None:
    with pytest.raises(TypeError):
        type("Mine", (type(filling),), {})
    with pytest.raises(TypeError):
        Filling(1, 2, 3)
    with pytest.raises(AttributeError):
        filling.is_ascii = True


def test_a_view_of_nothing(filling: Any) -> None:
    with pytest.raises(BufferError):
        memoryview(filling)
    with filling.since(0) as view:
        assert view == b""
    assert filling.decode() == ""


@pytest.mark.parametrize("text", [False, True])
def test_used_again_behind_its_end_it_shows_nothing_beyond_its_memory(text: bool) -> None:
    """A view by nobody's leave shows what the last one has shown, and never what is gone."""
    if Filling is FillingInPython:
        pytest.skip("the accelerator was not built, or is not wanted")
    filling = Filling(text)
    filling.room(100_000).release()
    filling.took(100_000)
    assert len(filling.decode() if text and filling.is_ascii else filling.value()) == 100_000
    again: Any = filling
    if not text:
        again.write(b"abc")
        with memoryview(again) as view:
            assert len(view) <= 3
        assert again.value() == b"abc"


@twins
def test_a_view_keeps_its_memory_alive(make: Make) -> None:
    filling = make()
    filling.write(b"still here")
    view = filling.since(0)
    del filling
    assert view == b"still here"
    view.release()


@twins
@pytest.mark.parametrize("at", [0, 1, 7, 8, 9, 15, 16, 17])
def test_one_character_beyond_ascii_is_found_wherever_it_is(make: Make, at: int) -> None:
    filling = make(True)
    data = bytearray(b"0123456789abcdefgh")
    data[at] = 0x80
    with filling.room(len(data)) as room:
        room[:] = data
    filling.took(at)
    assert filling.is_ascii
    filling.took(len(data) - at)
    assert not filling.is_ascii
    with pytest.raises(UnicodeDecodeError):
        filling.decode()
    assert filling.value() == data


@twins
def test_a_text_that_was_received_is_a_text_like_others(make: Make) -> None:
    filling = make(True)
    with filling.room(5) as room:
        room[:] = b"hello"
    filling.took(5)
    text = filling.decode()
    assert (text, hash(text), {text: 1}["hello"]) == ("hello", hash("hello"), 1)
    assert text.encode() == b"hello"
    assert text + "!" == "hello!"
    for one in "a", "é":
        filling = make(True)
        filling.write(one.encode())
        assert {filling.decode()} == {one}
