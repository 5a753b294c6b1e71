"""Header fields as a mapping, and the checks of what users pass in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from websocket._wire.http1 import (
    Headers,
    check_header_name,
    check_header_value,
    is_token,
    parse_header_line,
)


def test_a_mapping_without_regard_to_case() -> None:
    headers = Headers({"Content-Type": "a"})
    assert headers["content-type"] == headers["CONTENT-TYPE"] == "a"
    assert "cOntent-type" in headers
    assert headers.get("x") is None
    with pytest.raises(KeyError):
        headers["x"]


def test_every_line_is_kept_in_order_and_case() -> None:
    items = [("Set-Cookie", "a"), ("Via", "b"), ("set-cookie", "c")]
    headers = Headers(items)
    assert list(headers.raw_items()) == items
    assert headers["SET-COOKIE"] == "a, c"
    assert headers.get_all("Set-cookie") == ["a", "c"]
    assert headers.get_all("x") == []
    assert list(headers) == ["set-cookie", "via"]
    assert len(headers) == 2
    assert dict(headers) == {"set-cookie": "a, c", "via": "b"}


def test_setting_replaces_all_lines_at_the_place_of_the_first() -> None:
    headers = Headers([("A", "1"), ("B", "2"), ("a", "3"), ("C", "4")])
    headers["a"] = "5"
    assert list(headers.raw_items()) == [("a", "5"), ("B", "2"), ("C", "4")]
    headers["D"] = "6"
    assert list(headers.raw_items())[-1] == ("D", "6")


def test_deleting_removes_all_lines() -> None:
    headers = Headers([("A", "1"), ("B", "2"), ("a", "3")])
    del headers["a"]
    assert list(headers.raw_items()) == [("B", "2")]
    with pytest.raises(KeyError):
        del headers["a"]


def test_a_copy_is_independent() -> None:
    headers = Headers([("A", "1"), ("a", "2")])
    copy = headers.copy()
    copy.add("A", "3")
    assert headers.get_all("A") == ["1", "2"]
    assert copy.get_all("A") == ["1", "2", "3"]


def test_equality_knows_no_case_of_names() -> None:
    assert Headers({"A": "b"}) == Headers({"a": "b"})
    assert Headers({"A": "b"}) == {"a": "b"}
    assert Headers({"A": "b"}) != {"a": "B"}
    assert Headers([("A", "b"), ("A", "c")]) != Headers({"A": "b, c"})
    assert Headers() != 5


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["add", "set", "del"]), st.sampled_from("aAbBc"), st.text("xyz"))
    )
)
def test_mapping_and_lines_never_disagree(steps: list[tuple[str, str, str]]) -> None:
    headers = Headers()
    model: list[tuple[str, str]] = []
    for verb, name, value in steps:
        if verb == "add":
            headers.add(name, value)
            model.append((name, value))
        else:
            rest = [line for line in model if line[0].lower() != name.lower()]
            if verb == "set":
                headers[name] = value
                model = [*rest, (name, value)]
            else:
                headers.pop(name, None)
                model = rest
    assert sorted(headers.raw_items()) == sorted(model)
    for name in "abc":
        assert headers.get_all(name) == [v for n, v in model if n.lower() == name]
        assert (name in headers) == bool(headers.get_all(name))


def test_repr_hides_credentials_only() -> None:
    names = ["Authorization", "proxy-authorization", "COOKIE", "Set-Cookie"]
    shown = repr(Headers([(name, "topsecret") for name in names] + [("Server", "nginx")]))
    assert "topsecret" not in shown
    assert "nginx" in shown
    assert all(name in shown for name in names)


@pytest.mark.parametrize("name", ["A", "x-y", "!#$%&'*+-.^_`|~09"])
def test_tokens_are_names(name: str) -> None:
    check_header_name(name)
    assert is_token(name)


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a:", "a\r", "a\n", "ä", "a\0", "(a)", "a/b", '"a"']
)
def test_other_names_are_refused(name: str) -> None:
    assert not is_token(name)
    with pytest.raises(ValueError, match="a header name must be"):
        check_header_name(name)


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\0b", "\n", "x\r\nY: z"])
def test_a_refused_value_is_named_but_not_shown(value: str) -> None:
    with pytest.raises(ValueError, match=r"^origin must be one line") as caught:
        check_header_value("topsecret" + value, "origin")
    assert "topsecret" not in str(caught.value)


def test_any_other_text_is_a_value() -> None:
    check_header_value("größe \t 日本", "x")


@pytest.mark.parametrize("wrong", [None, 5, b"x"])
def test_what_is_no_text_is_a_type_error(wrong: Any) -> None:
    with pytest.raises(TypeError, match="must be a str"):
        check_header_name(wrong)
    with pytest.raises(TypeError, match="x must be a str"):
        check_header_value(wrong, "x")
    with pytest.raises(TypeError, match="must be a str"):
        parse_header_line(wrong)


@pytest.mark.parametrize(
    ("line", "parsed"),
    [
        ("A: b", ("A", "b")),
        ("A:b", ("A", "b")),
        ("A: \t b c \t", ("A", "b c")),
        ("A:", ("A", "")),
        ("A: b:c", ("A", "b:c")),
        ("X-Ort: Köln", ("X-Ort", "Köln")),
    ],
)
def test_a_line_becomes_name_and_value(line: str, parsed: tuple[str, str]) -> None:
    assert parse_header_line(line) == parsed


@pytest.mark.parametrize(
    "line", ["", "  ", "A", "A : b", " A: b", "A: b\r\n", "A: b\nC: d", ": b", "Ä: b"]
)
def test_other_lines_are_refused(line: str) -> None:
    with pytest.raises(ValueError, match="header"):
        parse_header_line(line)


def test_a_line_without_colon_shows_only_its_first_word() -> None:
    with pytest.raises(ValueError, match="Authorization") as caught:
        parse_header_line("Authorization Bearer topsecret")
    assert "topsecret" not in str(caught.value)


@given(line=st.text())
def test_lines_raise_only_value_error(line: str) -> None:
    try:
        name, value = parse_header_line(line)
    except ValueError:
        return
    assert is_token(name)
    check_header_value(value, "value")
