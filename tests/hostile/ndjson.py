"""Hostile chatbots that answer with one JSON document a line (the generic shape where they get so far)."""

from __future__ import annotations

import gzip

from tests.hostile.server import BLOCK, Peer
from tests.hostile.sse import TEXT, WORDS
from tests.hostile.table import CHUNKED, LAST_CHUNK, chunk, head, hostile, whole

LINES_TYPE = "Content-Type: application/x-ndjson"
LINES_HEAD = head(LINES_TYPE, CHUNKED)
PIECES = tuple(b'{"delta":"%b"}\n' % word.encode() for word in WORDS)
DONE = b'{"response":"four words of answer","done":true,"usage":{"input_tokens":7,"output_tokens":4}}\n'
BODY = b"".join((*PIECES, DONE))


def good(peer: Peer) -> None:
    """A well-behaved server, for the session beside the hostile one."""
    while True:
        peer.read_request()
        peer.send(LINES_HEAD)
        for line in (*PIECES, DONE):
            peer.send(chunk(line))
        peer.send(LAST_CHUNK)


def _begin(peer: Peer) -> None:
    peer.read_request()
    peer.send(LINES_HEAD + chunk(PIECES[0]))


@hostile("ndjson", "event_too_large")
def ndjson_endless_line(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(chunk(b"x" * BLOCK))


@hostile("ndjson", "event_too_large")
def ndjson_endless_line_in_tiny_chunks(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(chunk(b"x" * 8) * 1000)


@hostile("ndjson", "body_too_large")
def ndjson_endless_blank_lines(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(chunk(b"\r\n" * 1000))


@hostile("ndjson", "body_too_large")
def ndjson_endless_stream(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(chunk(PIECES[1] * 500))


@hostile("ndjson", "message_too_deep")
def ndjson_deeply_nested_json(peer: Peer) -> None:
    peer.read_request()
    peer.send(LINES_HEAD + chunk(b'{"delta":' + b"[" * 20_000 + b"]" * 20_000 + b"}\n"))
    peer.hold()


@hostile("ndjson", "json_invalid")
def ndjson_half_a_line_in_the_middle(peer: Peer) -> None:
    _begin(peer)
    peer.send(chunk(b'{"delta":"wor\n') + LAST_CHUNK)
    peer.hold()


@hostile("ndjson", "stream_incomplete")
def ndjson_ends_in_the_middle_of_a_line(peer: Peer) -> None:
    _begin(peer)
    peer.send(chunk(b'{"delta":"wor') + LAST_CHUNK)
    peer.hold()


@hostile("ndjson", "stream_incomplete")
def ndjson_ends_without_its_end_mark(peer: Peer) -> None:
    _begin(peer)
    peer.send(LAST_CHUNK)
    peer.hold()


@hostile("ndjson", "body_truncated")
def ndjson_closes_in_the_middle(peer: Peer) -> None:
    _begin(peer)


@hostile("ndjson", "idle_timeout")
def ndjson_goes_silent_within_a_line(peer: Peer) -> None:
    _begin(peer)
    peer.send(chunk(b'{"delta":'))
    peer.hold()


@hostile("ndjson", "utf8_invalid")
def ndjson_broken_utf8(peer: Peer) -> None:
    _begin(peer)
    peer.send(chunk(b'{"delta":"\xff\xfe"}\n'))
    peer.hold()


@hostile("ndjson", "target_error")
def ndjson_error_after_a_word(peer: Peer) -> None:
    _begin(peer)
    peer.send(chunk(b'{"error":{"message":"no more"}}\n'))
    peer.hold()


@hostile("ndjson", "json_invalid")
def ndjson_a_page_instead(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b"<html></html>", "Content-Type: text/html"))


# --- odd, and allowed -------------------------------------------------------------------------------------------


@hostile("ndjson", None, TEXT)
def ndjson_split_at_every_byte(peer: Peer) -> None:
    peer.read_request()
    peer.send(LINES_HEAD)
    for at in range(len(BODY)):
        peer.send(chunk(BODY[at : at + 1]))
    peer.send(LAST_CHUNK)


@hostile("ndjson", None, TEXT)
def ndjson_crlf_blank_lines_and_no_last_end(peer: Peer) -> None:
    peer.read_request()
    body = b"\r\n \n" + BODY.replace(b"\n", b"\r\n\r\n")
    peer.send(whole(body.rstrip(), "Content-Type: application/json; charset=utf-8"))


@hostile("ndjson", None, TEXT)
def ndjson_until_close_without_a_type(peer: Peer) -> None:
    peer.read_request()
    peer.send(head("Connection: close") + BODY.rstrip())


@hostile("ndjson", None, TEXT)
def ndjson_gzip(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(gzip.compress(BODY), LINES_TYPE, "Content-Encoding: gzip"))


@hostile("ndjson", None, TEXT)
def ndjson_rubbish_after_done(peer: Peer) -> None:
    peer.read_request()
    peer.send(LINES_HEAD + chunk(BODY + b"rubbish\n") + LAST_CHUNK)
