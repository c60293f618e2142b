"""Hostile chatbots that speak WebSocket (the generic JSON shape where they get so far)."""

from __future__ import annotations

import json
import zlib

from tests.hostile.frames import (
    CONT,
    DEFLATE,
    END_OF_BLOCK,
    FIN,
    PING,
    PONG,
    RSV1,
    TEXTUAL,
    frame,
    read_message,
    upgrade,
    wait,
)
from tests.hostile.server import BLOCK, Peer
from tests.hostile.sse import TEXT, WORDS
from tests.hostile.table import hostile, saying


def piece(word: str) -> bytes:
    return json.dumps({"delta": word}).encode()


USAGE = {"input_tokens": 7, "output_tokens": 4}
LAST = json.dumps({"response": TEXT, "usage": USAGE, "done": True}).encode()
PIECES = tuple(frame(piece(word)) for word in WORDS)
DONE = frame(LAST)
ANSWER = b"".join(PIECES) + DONE
NOISE = frame(b"x" * 100, PONG)
"""Brings a flood of empty frames to its limit of bytes before a slow machine's time is over."""


def good(peer: Peer) -> None:
    """A well-behaved server, for the session beside the hostile one."""
    upgrade(peer)
    while True:
        read_message(peer)
        for data in (*PIECES, DONE):
            peer.send(data)


def _asked(peer: Peer, *headers: str) -> None:
    """Up to a client's question."""
    upgrade(peer, *headers)
    read_message(peer)


def _begin(peer: Peer) -> None:
    _asked(peer)
    peer.send(PIECES[0])


answers = saying("websocket", _asked)
says = saying("websocket", _begin)


# --- too much ----------------------------------------------------------------------------------------------------


says("huge_message", "message_too_large", frame(piece("x" * (2 << 20))))


@hostile("websocket", "message_too_large")
def websocket_huge_length_announced(peer: Peer) -> None:
    _begin(peer)
    peer.send(b"\x81\x7f" + (1 << 62).to_bytes(8, "big"))
    peer.send_forever(b"x" * BLOCK)


@hostile("websocket", "message_too_large")
def websocket_length_beyond_what_is_allowed(peer: Peer) -> None:
    """The highest bit must be 0."""
    _begin(peer)
    peer.send(b"\x81\x7f" + b"\xff" * 8)
    peer.hold()


@hostile("websocket", "message_too_large")
def websocket_endless_fragments(peer: Peer) -> None:
    _begin(peer)
    peer.send(frame(b'{"delta": "', TEXTUAL, 0))
    peer.send_forever(frame(b"x" * 100, CONT, 0) * 100)


@hostile("websocket", "message_too_large")
def websocket_endless_tiny_fragments(peer: Peer) -> None:
    """A client that joins what it has with each piece does work without end."""
    _begin(peer)
    peer.send(frame(b'{"delta": "', TEXTUAL, 0))
    peer.send_forever(frame(b"x" * 8, CONT, 0) * 1000)


@hostile("websocket", "body_too_large")
def websocket_endless_empty_fragments(peer: Peer) -> None:
    _begin(peer)
    peer.send(frame(b"", TEXTUAL, 0))
    peer.send_forever((frame(b"", CONT, 0) * 10 + NOISE) * 100)


@hostile("websocket", "body_too_large")
def websocket_endless_messages(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(PIECES[1] * 500)


@hostile("websocket", "body_too_large")
def websocket_endless_empty_messages(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever((frame(b"") * 10 + NOISE) * 100)


@hostile("websocket", "body_too_large")
def websocket_endless_pings(peer: Peer) -> None:
    """A flood, from a server that reads none of the answers."""
    _begin(peer)
    peer.send_forever(frame(b"are you still there?", PING) * 1000)


@hostile("websocket", "body_too_large")
def websocket_endless_pongs(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(frame(b"nobody has asked me.", PONG) * 1000)


def _bomb(mib: int) -> bytes:
    """So many MiB of letters in as many KiB: blocks that do not lean on each other, so that one does for all."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(b"x" * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return (block * mib).removesuffix(END_OF_BLOCK)


BOMB = _bomb(56)


@hostile("websocket", "message_too_large")
def websocket_deflate_bomb(peer: Peer) -> None:
    _asked(peer, DEFLATE)
    peer.send(frame(BOMB, TEXTUAL, FIN | RSV1))
    peer.hold()


@hostile("websocket", "message_too_large")
def websocket_deflate_bomb_in_fragments(peer: Peer) -> None:
    _asked(peer, DEFLATE)
    peer.send(frame(BOMB[:64], TEXTUAL, RSV1))
    for at in range(64, len(BOMB), 64):
        peer.send(frame(BOMB[at : at + 64], CONT, 0))
    peer.hold()


@hostile("websocket", "body_too_large")
def websocket_deflate_bomb_of_many_messages(peer: Peer) -> None:
    """Each is within its limit, packed and unpacked; all of them are not within the turn's."""
    _asked(peer, DEFLATE)
    packer = zlib.compressobj(9, wbits=-15)
    while True:
        packed = packer.compress(b'{"delta": "", "padding": "%b"}' % (b"x" * 30_000)) + packer.flush(zlib.Z_SYNC_FLUSH)
        peer.send(frame(packed.removesuffix(END_OF_BLOCK), TEXTUAL, FIN | RSV1))


# --- too slow ----------------------------------------------------------------------------------------------------


@hostile("websocket", "first_byte_timeout")
def websocket_silence(peer: Peer) -> None:
    _asked(peer)
    peer.hold()


@hostile("websocket", "first_byte_timeout")
def websocket_nothing_but_pings(peer: Peer) -> None:
    """Signs of life are no answer."""
    _asked(peer)
    while True:
        peer.send(frame(b"are you there?", PING))
        wait(peer, 0.05)


says("half_a_frame", "idle_timeout", PIECES[1][:9])
answers("half_a_header", "first_byte_timeout", DONE[:1])
answers("done_never_comes", "idle_timeout", b"".join(PIECES))


@hostile("websocket", "total_timeout")
def websocket_no_fin_ever(peer: Peer) -> None:
    _begin(peer)
    peer.send(frame(b'{"delta": "', TEXTUAL, 0))
    while True:
        peer.send(frame(b"x", CONT, 0))
        wait(peer, 0.1)


@hostile("websocket", "total_timeout")
def websocket_pings_instead_of_the_rest(peer: Peer) -> None:
    """Never idle, never anything said."""
    _begin(peer)
    while True:
        peer.send(frame(b"still here", PING))
        wait(peer, 0.1)


@hostile("websocket", "total_timeout")
def websocket_byte_by_byte(peer: Peer) -> None:
    _asked(peer)
    for at in range(len(ANSWER)):
        peer.send(ANSWER[at : at + 1])
        wait(peer, 0.1)
