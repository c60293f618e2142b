"""Hostile chatbots of the split style (the generic shape where they get so far). Each script serves both kinds of
connection: `asked` tells the stream's from the POST's, and lets the stream wait for the POST."""

from __future__ import annotations

from collections.abc import Callable

from tests.hostile.ndjson import DONE as DONE_LINE
from tests.hostile.ndjson import PIECES as LINES
from tests.hostile.server import BLOCK, Peer
from tests.hostile.sse import TEXT
from tests.hostile.table import CHUNKED, JSON_TYPE, LAST_CHUNK, SSE_TYPE, chunk, head, hostile, whole

STREAM_HEAD = head(SSE_TYPE, CHUNKED)
ACK = whole(b"{}", JSON_TYPE, status="202 Accepted")
PIECES = tuple(b"data: %b\n\n" % line.strip() for line in LINES)
DONE = b"data: %b\n\n" % DONE_LINE.strip()
ANSWER = b"".join(chunk(event) for event in (*PIECES, DONE))


def posts(peer: Peer) -> int:
    """How many POSTs the server has read."""
    return sum(request.startswith(b"POST") for request in peer.server.requests)


def wait_for_post(peer: Peer, number: int = 1) -> None:
    while posts(peer) < number:
        peer.pause(0.002)


def serve(peer: Peer, stream: Callable[[Peer], None], ack: bytes = ACK) -> None:
    """POSTs are answered with `ack`; the stream begins, and does `stream` when the first POST was read."""
    if not peer.read_request().startswith(b"GET"):
        while True:
            if ack:
                peer.send(ack)
            peer.read_request()
    peer.send(STREAM_HEAD)
    wait_for_post(peer)
    stream(peer)


def good(peer: Peer) -> None:
    """A well-behaved server, for the session beside the hostile one."""
    if not peer.read_request().startswith(b"GET"):
        while True:
            peer.send(ACK)
            peer.read_request()
    peer.send(STREAM_HEAD)
    number = 0
    while True:
        number += 1
        wait_for_post(peer, number)
        peer.send(ANSWER)


def _hold(peer: Peer) -> None:
    peer.hold()


def _answer(peer: Peer) -> None:
    peer.send(ANSWER)
    peer.hold()


@hostile("split", "http_409")
def split_stream_refused(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b'{"error":{"message":"no"}}', status="409 Conflict"))
    peer.hold()


@hostile("split", "http_500")
def split_stream_refused_with_an_endless_page(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, CHUNKED, status="500 Oops"))
    peer.send_forever(chunk(b"x" * BLOCK))


@hostile("split", "answer_unmatched")
def split_stream_is_a_page(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b"<html>", "Content-Type: text/html"))
    peer.hold()


@hostile("split", "first_byte_timeout")
def split_stream_never_begins(peer: Peer) -> None:
    peer.read_request()
    peer.hold()


@hostile("split", "connection_closed")
def split_stream_closes_unanswered(peer: Peer) -> None:
    peer.read_request()


@hostile("split", "header_too_large")
def split_stream_with_endless_headers(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\n")
    peer.send_forever(b"X-More: and more\r\n" * 100)


@hostile("split", "http_500")
def split_post_refused(peer: Peer) -> None:
    serve(peer, _hold, whole(b'{"error":"no"}', status="500 Oops"))


@hostile("split", "target_error")
def split_post_says_an_error(peer: Peer) -> None:
    serve(peer, _hold, whole(b'{"error":{"message":"no"}}', status="202 Accepted"))


@hostile("split", "http_malformed")
def split_post_answered_with_rubbish(peer: Peer) -> None:
    serve(peer, _hold, b"rubbish\r\n\r\n")


@hostile("split", "connection_closed")
def split_post_closed_unanswered(peer: Peer) -> None:
    if not peer.read_request().startswith(b"GET"):
        return
    peer.send(STREAM_HEAD)
    peer.hold()


@hostile("split", "first_byte_timeout")
def split_post_taken_and_nothing_said(peer: Peer) -> None:
    serve(peer, _hold)


@hostile("split", "first_byte_timeout")
def split_post_never_answered(peer: Peer) -> None:
    serve(peer, _hold, b"")


@hostile("split", "idle_timeout")
def split_silence_after_a_word(peer: Peer) -> None:
    def word(peer: Peer) -> None:
        peer.send(chunk(PIECES[0]))
        peer.hold()

    serve(peer, word)


@hostile("split", "total_timeout")
def split_comments_without_end(peer: Peer) -> None:
    def comments(peer: Peer) -> None:
        peer.send(chunk(PIECES[0]))
        while True:
            peer.send(chunk(b": still here\n\n"))
            peer.pause(0.05)

    serve(peer, comments)


@hostile("split", "body_too_large")
def split_endless_comments(peer: Peer) -> None:
    serve(peer, lambda peer: peer.send_forever(chunk(b": still here\n\n" * 1000)))


@hostile("split", "body_too_large")
def split_endless_stream(peer: Peer) -> None:
    serve(peer, lambda peer: peer.send_forever(chunk(PIECES[1] * 500)))


@hostile("split", "event_too_large")
def split_endless_line(peer: Peer) -> None:
    serve(peer, lambda peer: peer.send_forever(chunk(b"data" + b"x" * 1000)))


@hostile("split", "stream_incomplete")
def split_stream_ends_in_the_turn(peer: Peer) -> None:
    def ends(peer: Peer) -> None:
        peer.send(chunk(PIECES[0]) + LAST_CHUNK)
        peer.hold()

    serve(peer, ends)


@hostile("split", "stream_incomplete")
def split_stream_ends_as_it_begins(peer: Peer) -> None:
    if peer.read_request().startswith(b"GET"):
        peer.send(STREAM_HEAD + LAST_CHUNK)
    peer.hold()


@hostile("split", "connection_closed")
def split_stream_closed_in_the_turn(peer: Peer) -> None:
    serve(peer, lambda peer: peer.send(chunk(PIECES[0])))


@hostile("split", "json_invalid")
def split_not_json(peer: Peer) -> None:
    def says(peer: Peer) -> None:
        peer.send(chunk(b"data: hello\n\n"))
        peer.hold()

    serve(peer, says)


# --- odd, and allowed -------------------------------------------------------------------------------------------


@hostile("split", None, TEXT)
def split_post_answered_with_a_page(peer: Peer) -> None:
    serve(peer, _answer, whole(b"<html>fine</html>", "Content-Type: text/html"))


@hostile("split", None, TEXT)
def split_post_answered_with_nothing(peer: Peer) -> None:
    serve(peer, _answer, head(status="204 No Content"))


@hostile("split", None, TEXT)
def split_post_never_answered_though_all_is_said(peer: Peer) -> None:
    serve(peer, _answer, b"")


@hostile("split", None, TEXT)
def split_stream_ends_behind_the_answer(peer: Peer) -> None:
    serve(peer, lambda peer: peer.send(ANSWER + LAST_CHUNK))


@hostile("split", None, TEXT)
def split_stream_in_single_bytes(peer: Peer) -> None:
    def slowly(peer: Peer) -> None:
        for byte in b"".join((*PIECES, DONE)):
            peer.send(chunk(bytes([byte])))
        peer.hold()

    serve(peer, slowly)
