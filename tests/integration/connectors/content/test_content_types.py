"""Streams with a wrong content type are read by their content, on both lanes."""

from __future__ import annotations

from itertools import pairwise

import pytest

from connectors.content.sniff import WRONG_TYPES
from connectors.registry import Lane
from tests.hostile import http, split, sse
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import CHUNKED, JSON_TYPE, LAST_CHUNK, chunk, head, whole
from tests.integration.connectors.lanes import LANES, ROOMY, Client, make_spec, one_turn
from tests.integration.connectors.scripted import scripted

lanes = pytest.mark.parametrize("lane", LANES)
LINES = (b'{"delta":"four words "}\n', b'{"delta":"of answer","done":true}\n')
BODIES = {"sse": (*sse.PIECES, sse.DONE), "ndjson": LINES}


@lanes
@pytest.mark.parametrize("protocol", ["sse", "ndjson"])
@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream", "application/x-own"])
def test_a_stream_is_read_piece_by_piece_whatever_its_content_type(lane: Lane, protocol: str, kind: str) -> None:
    pieces = b"".join(chunk(piece) for piece in BODIES[protocol])
    WRONG_TYPES.clear()
    with scripted(lambda _: head(f"Content-Type: {kind}", CHUNKED) + pieces + LAST_CHUNK) as bot:
        turn = one_turn(lane, make_spec(protocol, bot.url))
    assert (turn.code, turn.text) == (None, "four words of answer"), turn.error
    assert {kind.partition(";")[0]: 1} == WRONG_TYPES
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


RAW_TEXT = {"codec": {"response": [{"name": "text"}]}, "response": {"text": "text", "delta": "text"}}


@lanes
@pytest.mark.parametrize("cuts", [(1, 3), (4,), (2, 5, 9)])
@pytest.mark.parametrize("kind", ["text/html", "text/event-stream", ""])
def test_a_first_piece_shorter_than_a_field_is_waited_for(lane: Lane, cuts: tuple[int, ...], kind: str) -> None:
    body = b"\n" + b"".join(BODIES["sse"])
    pieces = [body[start:end] for start, end in pairwise((0, *cuts, len(body)))]
    with scripted(lambda _: head(f"Content-Type: {kind}", CHUNKED) + b"".join(map(chunk, pieces)) + LAST_CHUNK) as bot:
        turn = one_turn(lane, make_spec("sse", bot.url))
    assert (turn.code, turn.text) == (None, "four words of answer"), turn.error


@lanes
@pytest.mark.parametrize(
    ("protocol", "kind", "body"),
    [
        ("sse", "text/event-stream", b'{"choices": [{"delta": {"content": "four words of answer"}}]}'),
        ("sse", "text/event-stream", b'\xef\xbb\xbf\n[{"error": "busy"}]'),
        ("ndjson", "application/json", b'{\n  "response": "four words of answer"\n}'),
        ("ndjson", "application/x-ndjson", b'{ \r\n"response": "four words of answer",\r\n"done": true}'),
    ],
)
def test_a_whole_document_under_the_type_of_a_stream_is_read_whole(
    lane: Lane, protocol: str, kind: str, body: bytes
) -> None:
    with scripted(lambda _: whole(body, f"Content-Type: {kind}")) as bot:
        turn = one_turn(lane, make_spec(protocol, bot.url))
    if b"error" in body:
        assert turn.code == "target_error"
    else:
        assert (turn.code, turn.text) == (None, "four words of answer"), turn.error


@lanes
@pytest.mark.parametrize("protocol", ["http", "sse", "ndjson"])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"Hello you", "plain text"),
        (b"<html><head><title>Sign in\n here</title></head></html>", "a page of HTML with the title 'Sign in here'"),
        (b"<?xml version='1.0'?><a/>", "XML"),
        (b"429 Too many requests, slow down", "plain text"),
    ],
)
def test_an_answer_that_is_no_json_is_named(lane: Lane, protocol: str, body: bytes, words: str) -> None:
    with scripted(lambda _: whole(body, "Content-Type: text/plain")) as bot:
        turn = one_turn(lane, make_spec(protocol, bot.url))
    assert turn.error is not None
    if protocol == "ndjson" and b"<" not in body:
        assert turn.code == "stream_incomplete", "a line without its end"
    else:
        assert (turn.code, words in turn.error.detail) == ("json_invalid", True), turn.error


@lanes
@pytest.mark.parametrize(
    ("protocol", "answer", "code"),
    [
        ("http", b"HTTP/1.1 204 No Content\r\n\r\n", "answer_empty"),
        ("http", whole(b"", JSON_TYPE), "answer_empty"),
        ("sse", b"HTTP/1.1 204 No Content\r\n\r\n", "answer_empty"),
        ("ndjson", b"HTTP/1.1 204 No Content\r\n\r\n", "answer_empty"),
        ("sse", head("Content-Type: text/event-stream", CHUNKED) + LAST_CHUNK, "stream_incomplete"),
        ("ndjson", whole(b"", "Content-Type: text/html"), "stream_incomplete"),
        ("sse", whole(b"\n\n", "Content-Type: text/event-stream"), "stream_incomplete"),
    ],
)
def test_an_answer_without_a_body_says_so(lane: Lane, protocol: str, answer: bytes, code: str) -> None:
    with scripted(lambda _: answer) as bot:
        turn = one_turn(lane, make_spec(protocol, bot.url))
        allowed = one_turn(lane, make_spec(protocol, bot.url, response={"expect_text": ["any"]}))
    assert turn.error is not None
    assert (turn.code, "bod" in turn.error.detail) == (code, True), turn.error
    assert allowed.code == (None if code == "answer_empty" else code), "a stream that was cut is never a good answer"


@lanes
def test_a_codec_reads_plain_text(lane: Lane) -> None:
    """Whole, in events whose end mark is in the clear, and one message after the other."""
    events = b"data: Hello\n\ndata:  you\n\ndata: [DONE]\n\n"
    with scripted(lambda _: whole(b"Hello you", "Content-Type: text/plain")) as bot:
        turn = one_turn(lane, make_spec("http", bot.url, **RAW_TEXT))
        assert (turn.code, turn.text) == (None, "Hello you"), turn.error
    with scripted(lambda _: whole(events, "Content-Type: text/event-stream")) as bot:
        turn = one_turn(lane, make_spec("sse", bot.url, **RAW_TEXT))
        assert (turn.code, turn.text, turn.timeline.chunks) == (None, "Hello you", 2), turn.error


@lanes
@pytest.mark.parametrize(
    ("kind", "body", "good"),
    [
        ("text/html", split.ANSWER, True),
        ("application/octet-stream", split.ANSWER, True),
        ("text/html", chunk(b"<!doctype html><title>Chat</title>"), False),
        ("application/json", chunk(b'{"error": "no such stream"}'), False),
    ],
)
def test_a_standing_stream_is_read_as_what_it_holds(lane: Lane, kind: str, body: bytes, good: bool) -> None:
    def script(peer: Peer) -> None:
        if not peer.read_request().startswith(b"GET"):
            peer.send(whole(b"{}", JSON_TYPE))
            peer.hold()
        peer.send(b"HTTP/1.1 200 OK\r\nX-A : 1\r\n" + f"Content-Type: {kind}\r\n{CHUNKED}\r\n\r\n".encode())
        if good:
            split.wait_for_post(peer, 1)
        peer.send(body)
        peer.hold()

    WRONG_TYPES.clear()
    with HostileServer(script) as server, Client(lane, make_spec("split", server.url, timeouts=ROOMY)) as client:
        turn = client.say()
    if good:
        assert (turn.code, turn.text) == (None, sse.TEXT), turn.error
        assert {kind: 1} == WRONG_TYPES
    else:
        assert turn.error is not None
        assert turn.code == "answer_unmatched"
        assert kind in turn.error.detail
