"""Streams whose content type does not say what they hold are read as what they hold, on both lanes."""

from __future__ import annotations

import pytest

from connectors.registry import Lane
from tests.hostile import http, sse
from tests.hostile.table import CHUNKED, JSON_TYPE, LAST_CHUNK, chunk, head, whole
from tests.integration.connectors.lanes import LANES, make_spec, one_turn
from tests.integration.connectors.scripted import scripted

lanes = pytest.mark.parametrize("lane", LANES)
LINES = (b'{"delta":"four words "}\n', b'{"delta":"of answer","done":true}\n')
BODIES = {"sse": (*sse.PIECES, sse.DONE), "ndjson": LINES}


@lanes
@pytest.mark.parametrize("protocol", ["sse", "ndjson"])
@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream", "application/x-own"])
def test_a_stream_is_read_piece_by_piece_whatever_its_content_type(lane: Lane, protocol: str, kind: str) -> None:
    pieces = b"".join(chunk(piece) for piece in BODIES[protocol])
    with scripted(lambda _: head(f"Content-Type: {kind}", CHUNKED) + pieces + LAST_CHUNK) as bot:
        turn = one_turn(lane, make_spec(protocol, bot.url))
    assert (turn.code, turn.text) == (None, "four words of answer"), turn.error
    assert turn.timeline.chunks > 1


@lanes
def test_a_refusal_is_no_stream_whatever_it_looks_like(lane: Lane) -> None:
    with scripted(lambda _: whole(b"data: no\n\n", "Content-Type: text/html", status="503 Busy")) as bot:
        assert one_turn(lane, make_spec("sse", bot.url)).code == "http_503"


@lanes
def test_a_whole_document_is_no_stream(lane: Lane) -> None:
    with scripted(lambda _: whole(http.GOOD, JSON_TYPE)) as bot:
        turn = one_turn(lane, make_spec("http", bot.url))
    assert (turn.code, turn.text) == (None, http.TEXT)
