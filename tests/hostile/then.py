"""Hostile chatbots whose answer is polled for at a Location (a POST, then GETs until there are choices)."""

from __future__ import annotations

from tests.hostile.http import GOOD, SPACES, TEXT
from tests.hostile.server import Peer
from tests.hostile.table import CHUNKED, JSON_TYPE, chunk, head, hostile, whole

RUNNING = whole(b'{"status":"running"}')


def accept(peer: Peer, place: str = "/jobs/7") -> None:
    peer.read_request()
    peer.send(whole(b"{}", JSON_TYPE, f"Location: {place}", status="202 Accepted"))


def good(peer: Peer) -> None:
    while True:
        accept(peer)
        peer.read_request()
        peer.send(RUNNING)
        peer.read_request()
        peer.send(whole(GOOD))


@hostile("then", "total_timeout")
def then_polling_without_end(peer: Peer) -> None:
    accept(peer)
    while True:
        peer.read_request()
        peer.send(RUNNING)


@hostile("then", "total_timeout")
def then_polling_with_what_is_too_deep(peer: Peer) -> None:
    accept(peer)
    while True:
        peer.read_request()
        peer.send(whole(b'{"choices":' + b"[" * 50_000))


@hostile("then", "total_timeout")
def then_an_answer_that_drips(peer: Peer) -> None:
    accept(peer)
    peer.read_request()
    peer.drip(whole(GOOD + b" " * 1000), 0.05)


@hostile("then", "first_byte_timeout")
def then_no_answer_to_a_poll(peer: Peer) -> None:
    accept(peer)
    peer.read_request()
    peer.hold()


@hostile("then", "body_truncated")
def then_an_answer_cut_off(peer: Peer) -> None:
    accept(peer)
    peer.read_request()
    peer.send(whole(GOOD)[:-10])


@hostile("then", "body_too_large")
def then_an_endless_answer_to_a_poll(peer: Peer) -> None:
    accept(peer)
    peer.read_request()
    peer.send(head(JSON_TYPE, CHUNKED))
    peer.send_forever(chunk(SPACES))


@hostile("then", "header_too_large")
def then_endless_headers_that_are_read(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 202 Accepted\r\n")
    peer.send_forever(b"Location: /jobs/7\r\nX-Many: x\r\n" * 100)


@hostile("then", "address_blocked")
def then_a_place_at_the_metadata_service(peer: Peer) -> None:
    accept(peer, "http://169.254.169.254/latest/meta-data/")
    peer.hold()


@hostile("then", "request_invalid")
def then_a_place_that_is_none(peer: Peer) -> None:
    accept(peer, "ftp://127.0.0.1/jobs/7")
    peer.hold()


@hostile("then", "answer_unmatched")
def then_no_place(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b"{}", status="202 Accepted"))
    peer.hold()


@hostile("then", "target_error")
def then_a_job_that_fails(peer: Peer) -> None:
    accept(peer)
    peer.read_request()
    peer.send(whole(b'{"status":"failed"}'))
    peer.hold()


@hostile("then", None, text=TEXT)
def then_a_bomb_of_cookies(peer: Peer) -> None:
    """Each answer sets more of them, which the next request must not carry all."""
    accept(peer)
    for number in range(20):
        size = len(peer.read_request())
        assert size < 100_000
        large = [f"Set-Cookie: c{number}-{i}={'x' * 3900}; Path=/" for i in range(3)]
        peer.send(whole(b'{"status":"running"}', JSON_TYPE, *large))
    peer.read_request()
    peer.send(whole(GOOD))
    peer.hold()
