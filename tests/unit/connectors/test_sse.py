"""Server-sent events: the same events from any split of the same bytes, on both lanes."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import TooLarge
from connectors.reference.sse import BlockClient, event_blocks
from connectors.wire.sse import SseParser

LIMIT = 1024 * 1024
BOM = b"\xef\xbb\xbf"


def load(pieces: list[bytes], limit: int = LIMIT) -> list[bytes]:
    parser = SseParser(limit)
    return [event for piece in pieces for event in parser.feed(piece)]


def reference(pieces: list[bytes], limit: int = LIMIT) -> list[bytes]:
    events = BlockClient(event_blocks(pieces, limit), char_enc="latin-1").events()
    return [event.data.encode("latin-1") for event in events]


Reader = Callable[..., list[bytes]]
READERS = pytest.mark.parametrize("read", [load, reference])

values = st.binary(max_size=20).map(lambda value: value.replace(b"\r", b"").replace(b"\n", b""))
words = st.sampled_from(
    [b"[DONE]", "gr\u00fc\u00df \u4f60 \u2028".encode(), b"\xff\xfe\x80", b"", b" two", b"a:b", b"\0"]
)
fields = st.one_of(
    st.tuples(st.just(b"data"), st.one_of(values, words)),
    st.tuples(st.sampled_from([b"event", b"id", b"retry", b"", b"unknown", b"Data", b"data "]), values),
)
colons = st.sampled_from([b": ", b":"])
endings = st.sampled_from([b"\n", b"\r\n", b"\r"])


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Any fields, any line ending after each line, with or without a byte order mark, whole at the end or not."""
    out = [draw(st.sampled_from([b"", BOM]))]
    for event in draw(st.lists(st.lists(fields, max_size=4), max_size=6)):
        for name, value in event:
            out += [name, draw(colons), value, draw(endings)]
        out.append(draw(endings))
    out.append(draw(st.sampled_from([b"", b"data: unfinished", b"data: no blank line\n"])))
    return b"".join(out)


@st.composite
def splits(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A stream, and the same in pieces."""
    stream = draw(streams())
    cuts = sorted(draw(st.sets(st.integers(0, len(stream)), max_size=12)))
    edges = [0, *cuts, len(stream)]
    return stream, [stream[start:end] for start, end in pairwise(edges)]


def by_the_book(stream: bytes) -> list[bytes]:
    """The standard's algorithm on the whole stream at once, as plainly as it can be written."""
    text = stream.removeprefix(BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events: list[bytes] = []
    data: list[bytes] = []
    for line in text.split(b"\n")[:-1]:
        if not line:
            if data:
                events.append(b"\n".join(data))
            data = []
            continue
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
    return events


@READERS
@given(case=splits())
def test_any_split_gives_the_events_of_the_standard(read: Reader, case: tuple[bytes, list[bytes]]) -> None:
    stream, pieces = case
    assert read(pieces) == by_the_book(stream)


@READERS
@given(stream=streams())
def test_byte_by_byte_gives_the_same(read: Reader, stream: bytes) -> None:
    assert read([stream[at : at + 1] for at in range(len(stream))]) == by_the_book(stream)


@READERS
@given(noise=st.lists(st.binary(max_size=30), max_size=8))
def test_no_bytes_at_all_make_it_fail(read: Reader, noise: list[bytes]) -> None:
    assert read(noise) == by_the_book(b"".join(noise))


@READERS
def test_an_event_within_the_limit_passes_and_one_beyond_it_does_not(read: Reader) -> None:
    assert read([b"data: " + b"x" * 90 + b"\n\n"] * 3, 100) == [b"x" * 90] * 3
    with pytest.raises(TooLarge, match="event_too_large"):
        read([b"data: " + b"x" * 110 + b"\n\n"], 100)
    with pytest.raises(TooLarge, match="event_too_large"):
        read([b"data: ", b"x" * 110], 100)


@READERS
def test_a_line_without_end_in_tiny_pieces_costs_no_more_than_its_length(read: Reader) -> None:
    """Joining what is there with each piece would take half a minute here."""
    began = time.monotonic()
    with pytest.raises(TooLarge, match="event_too_large"):
        read([b"data: ", *[b"xxxxxxxx"] * 140_000])
    assert time.monotonic() - began < 5


@READERS
def test_an_event_of_many_short_lines_costs_no_more_than_its_length(read: Reader) -> None:
    began = time.monotonic()
    with pytest.raises(TooLarge, match="event_too_large"):
        read([b"data: more\n" * 1000] * 400)
    assert time.monotonic() - began < 5
