"""Hostile chatbots that answer with a stream of events (OpenAI's shape where they get so far)."""

from __future__ import annotations

import zlib

from tests.hostile.server import BLOCK, Peer
from tests.hostile.table import CHUNKED, LAST_CHUNK, SSE_TYPE, chunk, head, hostile

WORDS = ("four ", "words ", "of ", "answer")
TEXT = "".join(WORDS)
DONE = b"data: [DONE]\n\n"
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":4}}\n\n'
STREAM_HEAD = head(SSE_TYPE, CHUNKED)


def piece(word: str) -> bytes:
    """One event with one word."""
    return b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % word.encode()


PIECES = tuple(piece(word) for word in WORDS)


def good(peer: Peer) -> None:
    """A well-behaved server, for the session beside the hostile one."""
    while True:
        peer.read_request()
        peer.send(STREAM_HEAD)
        for event in (*PIECES, USAGE, DONE):
            peer.send(chunk(event))
        peer.send(LAST_CHUNK)


def _begin(peer: Peer) -> None:
    peer.read_request()
    peer.send(STREAM_HEAD + chunk(PIECES[0]))


# --- too much ---------------------------------------------------------------------------------------------------


@hostile("sse", "body_too_large")
def sse_endless_stream(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(chunk(PIECES[1] * 500))


@hostile("sse", "body_too_large")
def sse_endless_comments(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(chunk(b": still here\n\n" * 1000))


@hostile("sse", "event_too_large")
def sse_endless_line(peer: Peer) -> None:
    _begin(peer)
    peer.send(chunk(b"data: "))
    peer.send_forever(chunk(b"x" * BLOCK))


@hostile("sse", "event_too_large")
def sse_endless_line_in_tiny_chunks(peer: Peer) -> None:
    """A client that joins what it has with each piece does work without end."""
    _begin(peer)
    peer.send(chunk(b"data: "))
    peer.send_forever(chunk(b"x" * 8) * 1000)


@hostile("sse", "event_too_large")
def sse_endless_event_of_short_lines(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(chunk(b"data: more\n" * 1000))


@hostile("sse", "header_too_large")
def sse_endless_headers(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
    peer.send_forever(b"X-More: and more\r\n" * 100)


@hostile("sse", "event_too_large")
def sse_gzip_bomb(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(SSE_TYPE, CHUNKED, "Content-Encoding: gzip"))
    packer = zlib.compressobj(9, wbits=31)
    line = b"x" * BLOCK
    peer.send(chunk(packer.compress(b"data: ") + packer.flush(zlib.Z_SYNC_FLUSH)))
    while True:
        packed = b"".join([*(packer.compress(line) for _ in range(256)), packer.flush(zlib.Z_SYNC_FLUSH)])
        peer.send(chunk(packed))


# --- too slow ---------------------------------------------------------------------------------------------------


@hostile("sse", "first_byte_timeout")
def sse_silence(peer: Peer) -> None:
    peer.read_request()
    peer.hold()


@hostile("sse", "idle_timeout")
def sse_silence_after_the_head(peer: Peer) -> None:
    peer.read_request()
    peer.send(STREAM_HEAD)
    peer.hold()


@hostile("sse", "idle_timeout")
def sse_half_a_chunk(peer: Peer) -> None:
    _begin(peer)
    peer.send(chunk(PIECES[1])[:20])
    peer.hold()


@hostile("sse", "idle_timeout")
def sse_done_never_comes(peer: Peer) -> None:
    peer.read_request()
    peer.send(STREAM_HEAD + b"".join(chunk(event) for event in PIECES))
    peer.hold()


@hostile("sse", "total_timeout")
def sse_byte_by_byte(peer: Peer) -> None:
    _begin(peer)
    peer.drip(b"%x\r\n" % 1000 + b"data: " + b"x" * 994, 0.1)


@hostile("sse", "total_timeout")
def sse_comments_only(peer: Peer) -> None:
    """Never idle, never anything said."""
    peer.read_request()
    peer.send(STREAM_HEAD)
    while True:
        peer.send(chunk(b": ping\n\n"))
        peer.pause(0.1)


# --- too little -------------------------------------------------------------------------------------------------


@hostile("sse", "stream_incomplete")
def sse_ends_without_done(peer: Peer) -> None:
    peer.read_request()
    peer.send(STREAM_HEAD + b"".join(chunk(event) for event in PIECES) + LAST_CHUNK)
    peer.hold()


@hostile("sse", "stream_incomplete")
def sse_closes_without_done(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(SSE_TYPE) + b"".join(PIECES))


@hostile("sse", "stream_incomplete")
def sse_ends_inside_an_event(peer: Peer) -> None:
    peer.read_request()
    peer.send(STREAM_HEAD + chunk(PIECES[0]) + chunk(PIECES[1][:25]) + LAST_CHUNK)
    peer.hold()


@hostile("sse", "stream_incomplete")
def sse_empty_stream(peer: Peer) -> None:
    peer.read_request()
    peer.send(STREAM_HEAD + LAST_CHUNK)
    peer.hold()


@hostile("sse", "body_truncated")
def sse_cut_off(peer: Peer) -> None:
    _begin(peer)


@hostile("sse", "body_truncated")
def sse_cut_inside_a_chunk(peer: Peer) -> None:
    _begin(peer)
    peer.send(chunk(PIECES[1])[:20])


@hostile("sse", "connection_closed")
def sse_closed_without_a_byte(peer: Peer) -> None:
    peer.read_request()


@hostile("sse", "connection_reset")
def sse_reset_before_a_byte(peer: Peer) -> None:
    peer.read_request()
    peer.reset()


@hostile("sse", "connection_reset")
def sse_reset_mid_stream(peer: Peer) -> None:
    _begin(peer)
    peer.pause(0.05)  # the client shall have read what came, so that the reset is what it meets next
    peer.reset()


@hostile("sse", "connection_reset")
def sse_reset_right_behind_an_event(peer: Peer) -> None:
    _begin(peer)
    peer.reset()


def _calls(*calls: bytes) -> bytes:
    return chunk(b'data: {"choices": [{"delta": {"tool_calls": [%s]}}]}\n\n' % b", ".join(calls))


@hostile("sse", "body_too_large")
def sse_tool_calls_without_end(peer: Peer) -> None:
    """Each a short one: it is their number that is too large."""
    _begin(peer)
    for number in range(129):
        peer.send(_calls(b'{"index": %d, "function": {"name": "a"}}' % number))
    peer.hold()


@hostile("sse", None, "four fine")
def sse_tool_calls_that_are_odd(peer: Peer) -> None:
    _begin(peer)
    odd = (
        b"7",
        b"null",
        b'"a"',
        b"[]",
        b"{}",
        b'{"index": {}, "id": [], "function": {"name": 7, "arguments": [null]}}',
    )
    peer.send(_calls(*odd))
    peer.send(_calls(b'{"index": 0, "id": "", "function": {"name": "", "arguments": "{no"}}'))
    peer.send(chunk(b'data: {"choices": [{"delta": {"tool_calls": {"index": 1, "function": "a"}}}]}\n\n'))
    peer.send(chunk(b'data: {"choices": [{"delta": {"content": "fine"}}]}\n\ndata: [DONE]\n\n') + LAST_CHUNK)
    peer.hold()
