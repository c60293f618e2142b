"""Hostile chatbots whose answers are plain text or XML."""

from __future__ import annotations

from tests.hostile.server import BLOCK, Peer
from tests.hostile.sse import TEXT, WORDS
from tests.hostile.table import CHUNKED, LAST_CHUNK, chunk, head, hostile

TEXT_HEAD = head("Content-Type: text/plain", CHUNKED)
PIECES = tuple(word.encode() for word in WORDS)


def good(peer: Peer) -> None:
    """A well-behaved server, for the session beside the hostile one."""
    while True:
        peer.read_request()
        peer.send(TEXT_HEAD)
        for piece in PIECES:
            peer.send(chunk(piece))
        peer.send(LAST_CHUNK)


def _begin(peer: Peer) -> None:
    peer.read_request()
    peer.send(TEXT_HEAD + chunk(PIECES[0]))


@hostile("text", "body_too_large")
def text_without_end(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(chunk(b"x" * BLOCK))


@hostile("text", "idle_timeout")
def text_that_stops(peer: Peer) -> None:
    _begin(peer)
    peer.hold()


@hostile("text", "total_timeout")
def text_that_drips(peer: Peer) -> None:
    _begin(peer)
    peer.drip(chunk(b"x") * 20, 0.05)


@hostile("text", "utf8_invalid")
def text_that_is_no_text(peer: Peer) -> None:
    _begin(peer)
    peer.send(chunk(b"\xff\xfe\xfd") + LAST_CHUNK)


@hostile("text", "body_truncated")
def text_cut_off(peer: Peer) -> None:
    _begin(peer)


@hostile("text", None, TEXT)
def text_split_in_its_frames(peer: Peer) -> None:
    """Each byte in a write of its own."""
    peer.read_request()
    data = TEXT_HEAD + b"".join(map(chunk, PIECES)) + LAST_CHUNK
    for i in range(len(data)):
        peer.send(data[i : i + 1])
