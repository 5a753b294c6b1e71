"""Bodies of refusals: every way to say their length, the limit, and nonsense that ends them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, strategies as st

from websocket._wire.http1 import BodyReader, Headers, Response


def reader(limit: int = 1000, /, **headers: str) -> BodyReader:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return BodyReader(Response(403, Headers(names), reason=""), limit)


def feed(body: BodyReader, data: bytes, cuts: list[int]) -> BodyReader:
    start = 0
    for end in sorted({min(cut, len(data)) for cut in cuts} | {len(data)}):
        body.feed(data[start:end])
        start = end
    return body


CHUNKED = b"5\r\nhello\r\n6;name=value\r\n world\r\n0\r\nTrailer: x\r\n\r\nnext"
cuts = st.lists(st.integers(0, 60))


@given(cuts=cuts)
def test_chunks_are_joined_in_any_cut(cuts: list[int]) -> None:
    body = feed(reader(transfer_encoding="gzip, Chunked"), CHUNKED, cuts)
    assert (body.done, body.body) == (True, b"hello world")


@given(cuts=cuts)
def test_content_length_ends_the_body(cuts: list[int]) -> None:
    body = feed(reader(content_length="5"), b"helloHTTP/1.1", cuts)
    assert (body.done, body.body) == (True, b"hello")


@given(cuts=cuts)
def test_without_a_length_the_body_ends_with_the_connection(cuts: list[int]) -> None:
    body = feed(reader(), b"hello", cuts)
    assert not body.done
    body.feed_eof()
    assert (body.done, body.body) == (True, b"hello")
    body.feed(b"more")
    assert body.body == b"hello"


def test_a_body_cut_short_keeps_what_came() -> None:
    body = reader(content_length="10")
    body.feed(b"hello")
    assert not body.done
    body.feed_eof()
    assert (body.done, body.body) == (True, b"hello")


@given(cuts=cuts)
@pytest.mark.parametrize(
    ("headers", "data"),
    [
        ({"content_length": "11"}, b"hello world"),
        ({"content_length": "999999999999999999"}, b"hello world"),
        ({}, b"hello world"),
        ({"transfer_encoding": "chunked"}, CHUNKED),
        ({"transfer_encoding": "chunked"}, b"ffffffffffffffff\r\nhello world"),
    ],
)
def test_no_more_than_the_limit_is_kept_or_waited_for(
    headers: dict[str, str], data: bytes, cuts: list[int]
) -> None:
    body = feed(reader(8, **headers), data, cuts)
    assert (body.done, body.body) == (True, b"hello wo")


def test_a_limit_of_nothing_is_done_at_once() -> None:
    assert reader(0).done


@pytest.mark.parametrize("status", [101, 204, 304])
def test_some_answers_have_no_body(status: int) -> None:
    assert BodyReader(Response(status, Headers({"Content-Length": "5"}), reason=""), 100).done


def test_an_empty_body_is_done_at_once() -> None:
    assert reader(content_length="0").done


@pytest.mark.parametrize(
    "length", ["", "-1", "+5", "5a", "0x5", "5, 6", "٣", "1_0", "9" * 30, "5;5"]
)
def test_a_senseless_length_ends_the_body(length: str) -> None:
    assert reader(content_length=length).done


def test_the_same_length_twice_is_one_length() -> None:
    head = Response(403, Headers([("Content-Length", "2"), ("content-length", "2")]), reason="")
    body = BodyReader(head, 100)
    body.feed(b"hello")
    assert body.body == b"he"


def test_chunked_wins_over_a_length() -> None:
    body = reader(transfer_encoding="chunked", content_length="3")
    body.feed(CHUNKED)
    assert body.body == b"hello world"


def test_an_unknown_last_coding_lasts_until_the_end() -> None:
    body = reader(transfer_encoding="chunked, gzip", content_length="3")
    body.feed(b"hello")
    assert (body.done, body.body) == (False, b"hello")


@given(cuts=cuts)
@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (b"\r\nhello", b""),
        (b"xyz\r\nhello", b""),
        (b"-5\r\nhello", b""),
        (b"0x5\r\nhello", b""),
        (b"1_0\r\nhello", b""),
        (b"fffffffffffffffff\r\nhello", b""),
        (b"5\r\nhelloXX\r\n5\r\nworld", b"hello"),
        (b"5\r\nhello5\r\nworld", b"hello"),
        (b"5;" + b"x" * 300, b""),
    ],
)
def test_senseless_chunks_end_the_body(data: bytes, kept: bytes, cuts: list[int]) -> None:
    body = feed(reader(transfer_encoding="chunked"), data, cuts)
    assert (body.done, body.body) == (True, kept)


@given(data=st.binary(), cuts=cuts, chunked=st.booleans(), limit=st.integers(0, 50))
def test_arbitrary_bytes_raise_nothing_and_any_cut_is_alike(
    data: bytes, cuts: list[int], chunked: bool, limit: int
) -> None:
    headers = {"transfer_encoding": "chunked"} if chunked else {}
    whole = feed(reader(limit, **headers), data, [])
    cut = feed(reader(limit, **headers), data, cuts)
    assert (whole.done, whole.body) == (cut.done, cut.body)
    assert len(whole.body) <= limit


@given(chunks=st.lists(st.binary(min_size=1, max_size=9)), limit=st.integers(1, 50))
def test_done_never_comes_before_the_missing_bytes(chunks: list[bytes], limit: int) -> None:
    data = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    body = reader(limit, transfer_encoding="chunked")
    at = 0
    while not body.done:
        assert 1 <= body.missing <= limit
        assert at + body.missing <= len(data)
        at += body.missing
        body.feed(data[at - body.missing : at])
    assert body.missing == 0
    assert body.body == b"".join(chunks)[:limit]


def test_time_is_linear_under_one_byte_feeds() -> None:
    body = reader(100_000, transfer_encoding="chunked")
    began = time.perf_counter()
    body.feed(b"10000\r\n")
    for _ in range(0x10000):
        body.feed(b"x")
    body.feed(b"\r\n0\r\n")
    assert body.done
    assert len(body.body) == 0x10000
    assert time.perf_counter() - began < 3
