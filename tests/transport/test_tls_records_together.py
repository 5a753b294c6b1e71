"""Promise: TLS records that came together go to the engine together during the handshake, none is
lost or comes twice, and what the handshake did not need is there for whoever reads next."""

from __future__ import annotations

from hypothesis import given, strategies as st

from websocket._transport.records import RecordSplitter

CIPHERTEXTS = st.lists(st.binary(max_size=40), min_size=1, max_size=6)


def _record(ciphertext: bytes) -> bytes:
    return b"\x17\x03\x03" + len(ciphertext).to_bytes(2, "big") + ciphertext


@given(CIPHERTEXTS, st.lists(st.integers(0, 300), max_size=6))
def test_in_whatever_cut_they_come(ciphertexts: list[bytes], cuts: list[int]) -> None:
    records = [_record(each) for each in ciphertexts]
    stream, splitter, taken = b"".join(records), RecordSplitter(), b""
    borders = {0}
    for record in records:
        borders.add(max(borders) + len(record))
    at = 0
    for cut in [*sorted(cuts), len(stream)]:
        end = min(cut, len(stream))
        while at < end:  # as a stream reads: ahead at a border, else no more than what is missing
            stop = end if splitter.at_border else min(end, at + splitter.missing)
            splitter.feed(stream[at:stop])
            at = stop
            while (several := splitter.next_ones()) is not None:
                taken += bytes(several)
                assert len(taken) in borders
    assert taken == stream


@given(CIPHERTEXTS, st.integers(0, 6))
def test_what_is_put_back_comes_first(ciphertexts: list[bytes], unused: int) -> None:
    records = [_record(each) for each in ciphertexts]
    last = _record(b"behind")[:7]
    splitter = RecordSplitter()
    splitter.feed(b"".join(records) + last)
    together = splitter.next_ones()
    assert together is not None
    back = b"".join(records[len(records) - min(unused, len(records)) :])
    assert bytes(together).endswith(back)
    splitter.put_back(back)
    assert splitter.give_back() == back + last
