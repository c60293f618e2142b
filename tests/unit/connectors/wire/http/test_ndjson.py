"""Lines of JSON: the same lines from any split of the same bytes, on both lanes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import TooLarge
from connectors.reference.http.ndjson import whole_lines
from connectors.wire.http.ndjson import LineParser


def load(pieces: list[bytes], limit: int = 1000) -> list[bytes]:
    parser = LineParser(limit)
    lines = [line.strip() for piece in pieces for line in parser.feed(piece)]
    return [*lines, *([rest] if (rest := parser.rest()) else [])]


def reference(pieces: list[bytes], limit: int = 1000) -> list[bytes]:
    tail = bytearray()
    lines = [line.strip() for line in whole_lines(iter(pieces), tail, limit)]
    return [*lines, *([bytes(rest)] if (rest := tail.strip()) else [])]


READERS = pytest.mark.parametrize("read", [load, reference])
streams = st.lists(st.sampled_from([b'{"a":1}', b"", b" ", b"\r", b"x" * 40, b"\n", b"\r\n", b"\n\n"])).map(b"".join)


@READERS
@given(stream=streams, cuts=st.sets(st.integers(0, 400), max_size=8))
def test_any_split_gives_the_same_lines(read: Callable[..., list[bytes]], stream: bytes, cuts: set[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    expected = [line.strip() for line in stream.split(b"\n") if line.strip()]
    assert read([stream[start:end] for start, end in pairwise(edges)]) == expected


@READERS
@pytest.mark.parametrize("pieces", [[b"x" * 101], [b"x" * 60, b"x" * 60], [b"y\n" + b"x" * 101 + b"\n"]])
def test_a_line_beyond_the_limit_is_too_large(read: Callable[..., list[bytes]], pieces: list[bytes]) -> None:
    assert read([b"x" * 100 + b"\n"], 100) == [b"x" * 100]
    with pytest.raises(TooLarge, match="event_too_large"):
        read(pieces, 100)
