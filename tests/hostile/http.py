"""Hostile chatbots that answer as a whole (OpenAI's shape where they get so far).

Most read one request, do their harm and hold the connection, so that it is the client who has to give up.
"""

from __future__ import annotations

import gzip
import zlib

from tests.hostile.server import BLOCK, Peer
from tests.hostile.table import CHUNKED, JSON_TYPE, chunk, head, hostile, whole

GOOD = (
    b'{"choices":[{"message":{"role":"assistant","content":"four words of answer"}}],'
    b'"usage":{"prompt_tokens":7,"completion_tokens":4}}'
)
TEXT = "four words of answer"
SPACES = b" " * BLOCK
MEGABYTE = 1024 * 1024


def good(peer: Peer) -> None:
    """A well-behaved server, for the session beside the hostile one."""
    while True:
        peer.read_request()
        peer.send(whole(GOOD))


def _bomb() -> bytes:
    """A gigabyte of spaces as one megabyte of gzip: a flushed block can be repeated as it is."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(b" " * MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + block * 1024


# --- too much ---------------------------------------------------------------------------------------------------


@hostile("http", "body_too_large")
def http_endless_body(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, CHUNKED))
    peer.send_forever(chunk(SPACES))


@hostile("http", "body_too_large")
def http_endless_body_until_close(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, "Connection: close"))
    peer.send_forever(SPACES)


@hostile("http", "body_too_large")
def http_one_huge_chunk(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, CHUNKED) + b"7fffffff\r\n")
    peer.send_forever(SPACES)


@hostile("http", "body_too_large")
def http_endless_error_page(peer: Peer) -> None:
    peer.read_request()
    peer.send(head("Content-Type: text/html", CHUNKED, status="500 Internal Server Error"))
    peer.send_forever(chunk(SPACES))


@hostile("http", "body_too_large")
def http_endless_body_in_tiny_chunks(peer: Peer) -> None:
    """Each piece costs a client far more than the bytes that it holds."""
    peer.read_request()
    peer.send(head(JSON_TYPE, CHUNKED))
    peer.send_forever(chunk(b" " * 16) * 1000)


@hostile("http", "body_too_large")
def http_endless_rubbish_after_gzip(peer: Peer) -> None:
    """The compressed data ends, the body does not."""
    peer.read_request()
    peer.send(head(JSON_TYPE, CHUNKED, "Content-Encoding: gzip") + chunk(gzip.compress(GOOD)))
    peer.send_forever(chunk(SPACES))


@hostile("http", "body_too_large")
def http_redirect_with_endless_body(peer: Peer) -> None:
    peer.read_request()
    peer.send(head("Location: /again", CHUNKED, status="302 Found"))
    peer.send_forever(chunk(SPACES))


@hostile("http", "header_too_large")
def http_endless_headers(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\n")
    peer.send_forever(b"X-More: and more\r\n" * 100)


@hostile("http", "header_too_large")
def http_headers_of_40_kb(peer: Peer) -> None:
    """Over the limit, and whole within one read."""
    peer.read_request()
    more = [f"X-More-{at}: {'b' * 1000}" for at in range(40)]
    peer.send(head(JSON_TYPE, *more, f"Content-Length: {len(GOOD)}") + GOOD)
    peer.hold()


@hostile("http", "header_too_large")
def http_endless_chunk_extension(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, CHUNKED) + b"5;more=")
    peer.send_forever(b"x" * BLOCK)


@hostile("http", "header_too_large")
def http_header_of_1_mb(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, "X-Big: " + "b" * MEGABYTE, f"Content-Length: {len(GOOD)}") + GOOD)
    peer.hold()


@hostile("http", "header_too_large")
def http_endless_status_line(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 ")
    peer.send_forever(b"O" * BLOCK)


@hostile("http", "header_too_large")
def http_endless_trailers(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, CHUNKED) + chunk(GOOD) + b"0\r\n")
    peer.send_forever(b"X-More: and more\r\n" * 100)


@hostile("http", "header_too_large")
def http_endless_early_hints(peer: Peer) -> None:
    peer.read_request()
    peer.send_forever(head("Link: </a.css>", status="103 Early Hints") * 100)


@hostile("http", "body_too_large")
def http_gzip_bomb(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(_bomb(), JSON_TYPE, "Content-Encoding: gzip"))
    peer.hold()


# --- too slow ---------------------------------------------------------------------------------------------------


@hostile("http", "first_byte_timeout")
def http_silence(peer: Peer) -> None:
    peer.read_request()
    peer.hold()


@hostile("http", "total_timeout")
def http_byte_by_byte(peer: Peer) -> None:
    """The issue's byte a second, sped up with the timeouts: never idle, never done."""
    peer.read_request()
    peer.send(head(JSON_TYPE, "Content-Length: 1000"))
    peer.drip(b" " * 1000, 0.1)


@hostile("http", "total_timeout")
def http_header_byte_by_byte(peer: Peer) -> None:
    peer.read_request()
    peer.drip(head(JSON_TYPE, "X-Long: " + "b" * 1000), 0.1)


@hostile("http", "idle_timeout")
def http_half_a_chunk(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, CHUNKED) + chunk(GOOD)[: len(GOOD) // 2])
    peer.hold()


@hostile("http", "idle_timeout")
def http_half_a_head(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Ty")
    peer.hold()


# --- too little -------------------------------------------------------------------------------------------------


@hostile("http", "body_truncated")
def http_content_length_too_long(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, f"Content-Length: {len(GOOD) + 100}") + GOOD)


@hostile("http", "body_truncated")
def http_chunked_body_cut_off(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, CHUNKED) + chunk(GOOD))


@hostile("http", "body_truncated")
def http_cut_inside_a_chunk(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, CHUNKED) + chunk(GOOD)[:-20])


@hostile("http", "connection_closed")
def http_closed_without_a_byte(peer: Peer) -> None:
    peer.read_request()


@hostile("http", "connection_closed")
def http_closed_inside_the_head(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: appl")


@hostile("http", "connection_reset")
def http_reset_before_a_byte(peer: Peer) -> None:
    peer.read_request()
    peer.reset()


@hostile("http", "connection_reset")
def http_reset_inside_the_body(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, f"Content-Length: {len(GOOD)}") + GOOD[:20])
    peer.pause(0.05)  # the client shall have read what came, so that the reset is what it meets next
    peer.reset()


@hostile("http", "connection_reset")
def http_reset_right_behind_a_part_of_the_body(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, f"Content-Length: {len(GOOD)}") + GOOD[:20])
    peer.reset()


@hostile("http", "json_invalid")
def http_content_length_too_short(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, f"Content-Length: {len(GOOD) - 10}") + GOOD)
    peer.hold()


@hostile("http", "json_invalid")
def http_truncated_json(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(GOOD[:-15]))
    peer.hold()


@hostile("http", "answer_empty")
def http_no_content(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(status="204 No Content"))
    peer.hold()


@hostile("http", "answer_empty")
def http_empty_body(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b""))
    peer.hold()
