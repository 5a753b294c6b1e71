"""Promise: in whatever cut TLS records come, it is known where they end and how much is missing of
the one that is under way; no byte is kept for that but those of a header."""

from __future__ import annotations

from hypothesis import given, strategies as st

from websocket._transport.records import RecordBorders

CIPHERTEXTS = st.lists(st.binary(max_size=40), min_size=1, max_size=6)


def _record(ciphertext: bytes) -> bytes:
    return b"\x17\x03\x03" + len(ciphertext).to_bytes(2, "big") + ciphertext


@given(CIPHERTEXTS, st.lists(st.integers(0, 300), max_size=6))
def test_in_whatever_cut_they_come(ciphertexts: list[bytes], cuts: list[int]) -> None:
    records = [_record(each) for each in ciphertexts]
    stream, followed = b"".join(records), RecordBorders()
    borders = [0]
    for record in records:
        borders.append(borders[-1] + len(record))
    at = 0
    for cut in [*sorted(cuts), len(stream)]:
        end = min(cut, len(stream))
        if end == at:
            continue
        last = max(border for border in borders if border <= end)
        assert followed.follow(stream[at:end]) == (last > at)
        assert followed.held == end - last
        at = end
    assert followed.held == 0
    assert followed.missing == 5


@given(CIPHERTEXTS)
def test_record_by_record(ciphertexts: list[bytes]) -> None:
    """Who takes no more than what is missing stops at every border."""
    for record in map(_record, ciphertexts):
        followed, at = RecordBorders(), 0
        while not followed.follow(record[at : at + followed.missing]):
            at += 5
            assert followed.missing == len(record) - 5
        assert (followed.held, followed.missing) == (0, 5)


@given(st.binary(min_size=1, max_size=40), st.integers(1, 44))
def test_a_cut_record_tells_what_is_missing(ciphertext: bytes, cut: int) -> None:
    record = _record(ciphertext)
    begun = record[: min(cut, len(record) - 1)]
    followed = RecordBorders()
    assert followed.follow(_record(b"before") + begun)
    assert followed.held == len(begun)
    assert followed.missing == (5 if len(begun) < 5 else len(record)) - len(begun)
