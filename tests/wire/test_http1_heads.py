"""Heads: the same result in any cut, limits before storing, nothing but documented errors."""

from __future__ import annotations

import time
from unittest import mock

import pytest
from hypothesis import given, strategies as st

from websocket._exceptions import WebSocketException
from websocket._wire.http1 import (
    Headers,
    HeadReader,
    Request,
    Response,
    encode_request,
    encode_response,
)

HEAD_101 = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"Set-Cookie: a=1\r\n"
    b"set-cookie: b=2\r\n"
    b"\r\n"
)


def read(
    data: bytes, cuts: list[int] | None = None, max_bytes: int = 65536, max_lines: int = 256
) -> tuple[Response | None, bytes]:
    """The head, and the bytes behind it, of data fed in pieces that end at the cuts."""
    reader = HeadReader("response", max_bytes, max_lines)
    ends = sorted({min(cut, len(data)) for cut in cuts or []} | {len(data)})
    start = 0
    for end in ends:
        taken = reader.feed(data[start:end])
        if taken is not None:
            return reader.head(), data[start + taken :]
        start = end
    return None, b""


def refusal(data: bytes, cuts: list[int] | None = None, **limits: int) -> str:
    with pytest.raises(WebSocketException) as caught:
        read(data, cuts, **limits)
    assert type(caught.value) is WebSocketException
    return str(caught.value)


def test_a_response_head_becomes_its_parts() -> None:
    head, rest = read(HEAD_101 + b"\x81\x02hi")
    assert head is not None
    assert (head.version, head.status, head.reason) == ("HTTP/1.1", 101, "Switching Protocols")
    assert head.headers["UPGRADE"] == "websocket"
    assert head.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert head.body is None
    assert rest == b"\x81\x02hi"


@given(cuts=st.lists(st.integers(0, len(HEAD_101) + 4)))
def test_any_cut_of_a_head_gives_the_same_as_the_whole(cuts: list[int]) -> None:
    """promises.md, Fuzz. Also: no byte behind the head is taken."""
    data = HEAD_101 + b"tail"
    assert read(data, cuts) == read(data)


def test_byte_by_byte_gives_the_same_as_the_whole() -> None:
    assert read(HEAD_101, list(range(len(HEAD_101)))) == read(HEAD_101)


@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200)))
def test_arbitrary_bytes_raise_only_the_documented_error(data: bytes, cuts: list[int]) -> None:
    outcomes: list[object] = []
    for way in ([], cuts):
        try:
            outcomes.append(read(data, way))
        except WebSocketException as error:
            outcomes.append(str(error).partition(":")[0])
    assert outcomes[0] == outcomes[1]


lines = st.lists(
    st.sampled_from(
        [
            b"A: b",
            b"a:",
            b"A : b",
            b" folded",
            b"nocolon",
            b"X: \xff",
            b"X: a\0",
            b"\r",
            b"",
            b"B: c",
        ]
    )
)


@given(
    lines=lines,
    end=st.sampled_from([b"\n", b"\r\n"]),
    status=st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.0 404", b"HTTP/1.1 101 \xff", b"HTTP/2"]),
    cuts=st.lists(st.integers(0, 200)),
)
def test_damaged_heads_end_alike_in_any_cut(
    lines: list[bytes], end: bytes, status: bytes, cuts: list[int]
) -> None:
    data = end.join([status, *lines, b"", b""])
    outcomes: list[object] = []
    for way in ([], cuts):
        try:
            outcomes.append(read(data, way, max_lines=8, max_bytes=80))
        except WebSocketException as error:
            outcomes.append(str(error).partition(", got")[0])
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"HTTP/1.1 101", ""),
        (b"HTTP/1.1 101 ", ""),
        (b"HTTP/1.1 101 Switching\tProtocols ", "Switching\tProtocols"),
        ("HTTP/1.1 101 Größe".encode(), "Größe"),
    ],
)
def test_the_reason_may_be_empty_missing_or_any_text(line: bytes, reason: str) -> None:
    for end in (b"\r\n", b"\n"):
        head, _ = read(line + end + end)
        assert head is not None
        assert (head.status, head.reason) == (101, reason)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"HTTP/1.1",
        b"HTTP/1.1 ",
        b"HTTP/1.1 10",
        b"HTTP/1.1 1010",
        b"HTTP/1.1 099 x",
        b"HTTP/1.1  101",
        b"HTTP/1.1\t101 x",
        b"HTTP/1.2 101 x",
        b"HTTP/2 101 x",
        b"http/1.1 101 x",
        b" HTTP/1.1 101 x",
        b"HTTP/1.1 1e1 x",
        b"HTTP/1.1 +10 x",
        b"HTTP/1.1 101 a\0b",
        b"HTTP/1.1 101 a\rb",
        b"HTTP/1.1 101\rb",
        b"HTTP/1.1 101 \xff",
        b"ICY 200 OK",
    ],
)
def test_a_malformed_status_line_is_refused(line: bytes) -> None:
    for cuts in ([], list(range(len(line)))):
        assert refusal(line + b"\r\n\r\n", cuts).startswith("Invalid status line: expected")


@pytest.mark.parametrize(
    ("start", "hint"),
    [
        (b"\x15\x03", "wss://"),
        (b"\x16", "wss://"),
        (b"\x00\x00\x12\x04\x00", "HTTP/2"),
        (b"SSH-2.0", "SSH"),
        (b"<html>", "host and port"),
        (b"220 mail.example", "host and port"),
    ],
)
def test_what_cannot_become_a_status_line_is_refused_at_once(start: bytes, hint: str) -> None:
    """The peer may never send a line end, so we do not wait for one."""
    reader = HeadReader()
    with pytest.raises(WebSocketException, match="Invalid status line") as caught:
        reader.feed(start)
    assert caught.value.hint is not None
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"no colon", "no colon"),
        (b": empty", "a name of letters"),
        (b"Name : x", "blank"),
        (b"Name\t: x", "blank"),
        (b" folded: x", "folded"),
        (b"\tfolded", "folded"),
        (b"Na me: x", "a name of letters"),
        (b"N\xc3\xa4me: x", "a name of letters"),
        (b"N(a): x", "a name of letters"),
        (b"Name: a\0b", "no NUL"),
        (b"Name: a\rb", "no NUL"),
        (b"Name: a\r", "no NUL"),
        (b"Name: \xff", "UTF-8"),
    ],
)
def test_a_malformed_header_is_refused_and_the_fault_named(line: bytes, fault: str) -> None:
    text = refusal(b"HTTP/1.1 101 x\r\n" + line + b"\r\n\r\n")
    assert text.startswith("Invalid header: expected")
    assert fault in text


@pytest.mark.parametrize("end", [b" : topsecret", b": topsecret\0", b": topsecret\xff"])
def test_a_refused_header_does_not_show_its_value(end: bytes) -> None:
    assert "topsecret" not in refusal(b"HTTP/1.1 101 x\r\nSet-Cookie" + end + b"\r\n\r\n")


def test_blanks_around_values_go_and_those_inside_stay() -> None:
    head, _ = read(b"HTTP/1.1 101 x\r\nA:\t b  c\t \r\nB:\r\n\r\n")
    assert head is not None
    assert list(head.headers.raw_items()) == [("A", "b  c"), ("B", "")]


def test_a_head_of_exactly_the_limits_passes() -> None:
    data = b"HTTP/1.1 101 x\r\nA: b\r\nC: d\r\n\r\n"
    for cuts in ([], list(range(len(data)))):
        assert read(data, cuts, max_bytes=len(data), max_lines=3)[0] is not None


def test_one_byte_or_one_line_over_the_limit_is_refused_by_name() -> None:
    data = b"HTTP/1.1 101 x\r\nA: b\r\nC: d\r\n\r\n"
    for cuts in ([], list(range(len(data)))):
        assert "max_head=" in refusal(data, cuts, max_bytes=len(data) - 1)
        assert "max_head_lines=2" in refusal(data, cuts, max_lines=2)


def test_an_endless_line_is_refused_before_it_is_stored() -> None:
    reader = HeadReader("response", max_bytes=1000)
    assert reader.feed(b"HTTP/1.1 101 x\r\nA: ") is None
    with pytest.raises(WebSocketException, match="max_head=1000"):
        reader.feed(b"x" * 10_000_000)
    assert len(reader._rest) <= 1000  # pyright: ignore[reportPrivateUsage]


def test_bytes_behind_the_head_do_not_count_for_its_limit() -> None:
    head, rest = read(HEAD_101 + b"x" * 100_000, max_bytes=len(HEAD_101))
    assert head is not None
    assert len(rest) == 100_000


@given(end=st.sampled_from([b"\r\n", b"\n"]))
def test_reading_only_what_is_missing_never_takes_a_byte_too_many(end: bytes) -> None:
    """A reader that may not read ahead asks for `missing` bytes and lands on the last one."""
    data = HEAD_101.replace(b"\r\n", end)
    for stop in (len(data), len(b"HTTP/1.1 101")):
        text = data if stop == len(data) else data[:stop] + end + end
        reader, at = HeadReader(), 0
        while True:
            assert 1 <= reader.missing <= 4
            step = reader.missing
            assert at + step <= len(text)
            taken = reader.feed(text[at : at + step])
            at += step
            if taken is not None:
                assert taken == step
                break
        assert at == len(text)
        assert reader.missing == 0


def test_bytes_after_completion_are_not_taken() -> None:
    reader = HeadReader()
    assert reader.feed(HEAD_101) == len(HEAD_101)
    assert reader.feed(b"more") == 0


def test_the_head_is_not_given_out_before_it_is_whole() -> None:
    reader = HeadReader()
    reader.feed(HEAD_101[:-1])
    with pytest.raises(RuntimeError):
        reader.head()


def test_time_is_linear_under_one_byte_feeds() -> None:
    """64 KiB byte by byte is 65,536 cheap calls; rescanning would be 2 * 10^9 byte steps."""
    reader = HeadReader()
    reader.feed(b"HTTP/1.1 101 x\r\nA: ")
    began = time.perf_counter()
    for _ in range(65_000):
        reader.feed(b" ")
    reader.feed(b"x")
    assert reader.feed(b"\r\n\r\n") == 4
    assert time.perf_counter() - began < 3


def test_a_request_head_becomes_its_parts() -> None:
    reader = HeadReader("request")
    data = b"GET /chat?x=1 HTTP/1.1\r\nHost: example.com\r\n\r\n"
    assert [reader.feed(data[i : i + 1]) for i in range(len(data))][-1] == 1
    assert reader.head() == Request("/chat?x=1", Headers([("Host", "example.com")]))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET",
        b"GET /",
        b"GET  / HTTP/1.1",
        b"GET / HTTP/2.0",
        b"GET / x HTTP/1.1",
        b"G@T / HTTP/1.1",
        b"GET /\xff HTTP/1.1",
        b"GET /\0 HTTP/1.1",
        b"\x16\x03\x01",
    ],
)
def test_a_malformed_request_line_is_refused(line: bytes) -> None:
    with pytest.raises(WebSocketException, match="Invalid request line"):
        HeadReader("request").feed(line + b"\r\n\r\n")


def test_a_request_is_encoded_in_its_order_and_as_utf8() -> None:
    head = Request("/x?y", Headers([("Host", "h"), ("X-A", "größe")]))
    encoded = encode_request(head)
    assert encoded == "GET /x?y HTTP/1.1\r\nHost: h\r\nX-A: größe\r\n\r\n".encode()


def test_a_response_is_encoded_with_its_body() -> None:
    head = Response(401, Headers({"Content-Length": "2"}), reason="No", body=b"no")
    assert encode_response(head) == b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno"


printable = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"))
names = st.text("abcXYZ019-_!#", min_size=1)


@given(
    items=st.lists(st.tuples(names, printable.map(lambda text: text.strip(" \t"))), max_size=20),
    reason=printable.map(lambda text: text.strip(" \t")),
    status=st.integers(100, 999),
)
def test_what_is_encoded_is_read_back(
    items: list[tuple[str, str]], reason: str, status: int
) -> None:
    head = Response(status, Headers(items), reason=reason)
    again, rest = read(encode_response(head))
    assert (again, rest) == (head, b"")
    assert again is not None
    assert list(again.headers.raw_items()) == items


@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "a\r\nX: y"])
def test_the_last_door_lets_no_line_break_out(bad: str) -> None:
    """contract.md 0.8: injection raises ValueError and sends nothing."""
    with pytest.raises(ValueError, match="one line"):
        encode_request(Request("/", Headers([("A", bad)])))
    with pytest.raises(ValueError, match="name"):
        encode_request(Request("/", Headers([("A" + bad, "b")])))
    with pytest.raises(ValueError, match="target"):
        encode_request(Request("/" + bad, Headers()))
    with pytest.raises(ValueError, match="method"):
        encode_request(Request("/", Headers(), "GET" + bad))
    with pytest.raises(ValueError, match="version"):
        encode_request(Request("/", Headers(), version="HTTP/1.1" + bad))
    with pytest.raises(ValueError, match="reason"):
        encode_response(Response(200, Headers(), reason=bad))


def test_what_cannot_be_encoded_is_a_value_error_that_shows_nothing() -> None:
    with pytest.raises(ValueError, match="surrogate") as caught:
        encode_request(Request("/", Headers([("Cookie", "secret\udc80")])))
    assert not isinstance(caught.value, UnicodeError)
    with pytest.raises(ValueError, match="blanks"):
        encode_request(Request("/a b", Headers()))
    with pytest.raises(ValueError, match="between 100 and 999"):
        encode_response(Response(99, Headers(), reason=""))


def test_repr_shows_no_secret() -> None:
    headers = Headers({"Authorization": "Basic topsecret", "X-Id": "7"})
    request = Request("/x?token=topsecret", headers)
    response = Response(200, headers, reason="OK", body=b"topsecret")
    for shown in (repr(request), repr(response)):
        assert "topsecret" not in shown
        assert "'7'" in shown


def test_heads_compare_by_their_parts() -> None:
    assert Request("/", Headers({"A": "b"})) == Request("/", {"a": "b"})
    assert Request("/", Headers()) != Request("/x", Headers())
    assert Response(200, Headers(), reason="") != Response(201, Headers(), reason="")
    assert Response(200, Headers(), reason="") != "200"


_ENDS = [*[b"\r\n"] * 9, b"\n", b"\r", b" \r\n", b"\r\r\n", b"\0\r\n"]
_STARTS = [
    *(b"HTTP/1.1 101 Switching Protocols", b"HTTP/1.0 200", b"HTTP/1.1 101 ", b"HTTP/1.1  101"),
    *(b"HTTP/1.1 099 x", b"HTTP/1.2 101 x", b"HTTP/1.1 1011", b"HTTP/1.1 101 \xc3\xa9\xff"),
]
_LINES = [
    *(b"Upgrade: websocket", b"upgrade:\twebsocket \t", b"a:b:c", b"Set-Cookie: \xc3\xa9=1", b"X:"),
    *(
        b"",
        b":",
        b"no colon",
        b" folded: x",
        b"na me: x",
        b"X : y",
        b"X: \xff",
        b"X:   ",
        b"\xe9: x",
    ),
]


@given(
    st.sampled_from(_STARTS),
    st.lists(st.tuples(st.sampled_from(_LINES), st.sampled_from(_ENDS)), max_size=5),
    st.sampled_from(_ENDS),
)
def test_the_quick_way_for_whole_heads_gives_what_the_careful_one_gives(
    start: bytes, lines: list[tuple[bytes, bytes]], end: bytes
) -> None:
    data = start + end + b"".join(map(b"".join, lines)) + b"\r\n\x81\x02hi"

    def outcome() -> tuple[object, ...]:
        try:
            head, rest = read(data, max_bytes=150, max_lines=5)
        except WebSocketException as exc:
            return (str(exc),)
        return (head, [*head.headers.raw_items()] if head else None, rest)

    quick = outcome()
    with mock.patch("websocket._wire.http1._response_head", return_value=None):
        assert outcome() == quick
