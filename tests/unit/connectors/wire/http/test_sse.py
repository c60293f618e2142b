"""Server-sent events: the same events from any split of the same bytes, on both lanes."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.content.said_errors import error_event
from connectors.errors import TooLarge
from connectors.reference.http.sse import BlockClient, event_blocks, named_events
from connectors.wire.http.sse import NamedSseParser, SseParser

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


def test_the_limit_counts_the_data_of_all_lines_with_their_ends() -> None:
    assert load([b"data: " + b"x" * 99 + b"\n\n"], 100) == [b"x" * 99]
    assert load([b"data: " + b"x" * 49 + b"\n", b"data: " + b"x" * 49 + b"\n", b"\n"], 100)
    with pytest.raises(TooLarge, match="event_too_large"):
        load([b"data: " + b"x" * 100 + b"\n\n"], 100)


def test_an_event_of_two_lines_in_two_pieces_is_one() -> None:
    assert load([b"data: a\n", b"data: b\n\n", b"data: c\n\n"]) == [b"a\nb", b"c"]


@READERS
@pytest.mark.parametrize(
    ("pieces", "events"),
    [
        ([b"data: a\ndata: b\r", b"\ndata: c\n\n"], [b"a\nb\nc"]),
        ([b"data: a\rdata: b\n", b"\n"], [b"a\nb"]),
    ],
    ids=["one line end in two pieces", "two line ends in two pieces"],
)
def test_line_ends_of_several_kinds_in_one_stream(read: Reader, pieces: list[bytes], events: list[bytes]) -> None:
    """Only a CR at the very end of a piece may be half of a line end."""
    assert read(pieces) == events


@pytest.mark.parametrize("pieces", [1, 1000])
@pytest.mark.parametrize("before", [b"data: a\n\n", b"data: a\n\n\n", BOM + b"\n\n", b": ping\n", b"id: 1\r\n", b"\n"])
def test_both_lanes_find_an_end_mark_without_its_blank_line(before: bytes, pieces: int) -> None:
    stream = before + b"data: [DONE]\n"
    cut = [stream[at : at + pieces] for at in range(0, len(stream), pieces)]
    parser = SseParser(LIMIT)
    for piece in cut:
        parser.feed(piece)
    assert parser.rest() == b"[DONE]"
    assert [data for _, data in named_events(event_blocks(cut, LIMIT, b"[DONE]"), errors=True)][-1:] == [b"[DONE]"]


@pytest.mark.parametrize("rest", [b"data: [DONE", b"data: [DONE]\ndata: x", b"event: [DONE]", b"data:  [DONE]"])
def test_other_unfinished_data_is_no_end_mark(rest: bytes) -> None:
    parser = SseParser(LIMIT)
    parser.feed(rest)
    assert parser.rest() != b"[DONE]"
    assert list(event_blocks([rest], LIMIT, b"[DONE]")) == []


ERRORS = [
    (b"event: error\ndata: why\n\n", "error", b"why"),
    (b":why\nevent: error\n\n", "error", b"why"),
    (b": earlier\n\nevent: response.failed\n\n", "response.failed", b""),
    (b"event: delta\nevent: error\nid: 7\n\n", "error", b""),
]


@pytest.mark.parametrize(("stream", "name", "said"), ERRORS)
def test_an_event_that_is_called_an_error_needs_no_data(stream: bytes, name: str, said: bytes) -> None:
    parser = SseParser(LIMIT, errors=True)
    assert parser.feed(stream) == [error_event(name, said)]
    assert parser.feed(b"data: x\n\n") == [b"x"]
    assert list(named_events(event_blocks([stream], LIMIT), errors=True)) == [(name, said)]
    assert load([stream]) == ([said] if b"data" in stream else [])


NOT_ERRORS = [b"id: error\n\n", b"event: error\nevent: delta\n\n", b"retry: error\n\n", b": error\n\n"]


@pytest.mark.parametrize("stream", NOT_ERRORS)
def test_no_other_field_makes_an_event_an_error(stream: bytes) -> None:
    assert SseParser(LIMIT, errors=True).feed(stream) == []
    assert list(named_events(event_blocks([stream], LIMIT), errors=True)) == []


class Heard:
    """Names with data, as the listener learns them."""

    event_name = ""

    def read(self, pieces: list[bytes], *, errors: bool = True) -> list[tuple[str, bytes]]:
        parser = NamedSseParser(LIMIT, self, errors=errors)
        return [(self.event_name, data) for piece in pieces for data in parser.feed(piece)]


def test_a_name_is_told_before_the_data_of_its_event_and_of_no_other() -> None:
    stream = b"event: a\ndata: 1\n\ndata: 2\nevents: x\n\nevent:b\n\ndata: 3\nevent: c\n\n"
    named = [("a", b"1"), ("message", b"2"), ("c", b"3")]
    assert Heard().read([stream]) == named
    assert Heard().read([stream[at : at + 1] for at in range(len(stream))]) == named
    assert list(named_events(event_blocks([stream], LIMIT), errors=True)) == named


@pytest.mark.parametrize(("stream", "name", "said"), ERRORS)
def test_an_error_has_its_name_and_needs_no_data(stream: bytes, name: str, said: bytes) -> None:
    assert Heard().read([stream]) == [(name, said)]
    assert Heard().read([stream], errors=False) == ([(name, said)] if b"data" in stream else [])


@READERS
def test_a_line_without_end_in_tiny_pieces_costs_no_more_than_its_length(read: Reader) -> None:
    """Joining what is there with each piece would take half a minute here."""
    began = time.thread_time()
    with pytest.raises(TooLarge, match="event_too_large"):
        read([b"data: ", *[b"xxxxxxxx"] * 140_000])
    assert time.thread_time() - began < 5


@READERS
def test_an_event_of_many_short_lines_costs_no_more_than_its_length(read: Reader) -> None:
    began = time.thread_time()
    with pytest.raises(TooLarge, match="event_too_large"):
        read([b"data: more\n" * 1000] * 400)
    assert time.thread_time() - began < 5
