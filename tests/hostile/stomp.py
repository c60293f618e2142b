"""Hostile STOMP brokers over WebSocket (bodies of the generic JSON shape)."""

from __future__ import annotations

import json

from tests.hostile.frames import BINARY, CLOSE, CONT, TEXTUAL, frame, read_message, upgrade
from tests.hostile.server import Peer
from tests.hostile.sse import TEXT, WORDS
from tests.hostile.table import hostile, saying
from tests.hostile.websocket import LAST

END = b"\x00"
PROTOCOL = "Sec-WebSocket-Protocol: v12.stomp"


def stomp(command: str, body: bytes = b"", *headers: str) -> bytes:
    return "\n".join([command, *headers, "", ""]).encode() + body + END


def told(body: bytes, *headers: str) -> bytes:
    return frame(stomp("MESSAGE", body, "subscription:0", *headers))


def piece(word: str) -> bytes:
    return told(json.dumps({"delta": word}).encode())


CONNECTED = frame(stomp("CONNECTED", b"", "version:1.2"))
PIECES = tuple(piece(word) for word in WORDS)
ANSWER = b"".join((*PIECES, told(LAST)))


def _joined(peer: Peer) -> None:
    """Up to a client's CONNECT."""
    upgrade(peer, PROTOCOL)
    read_message(peer)


def _asked(peer: Peer) -> None:
    """Up to a client's question, behind its SUBSCRIBE."""
    _joined(peer)
    peer.send(CONNECTED)
    read_message(peer)
    read_message(peer)


def _begin(peer: Peer) -> None:
    _asked(peer)
    peer.send(PIECES[0])


def good(peer: Peer) -> None:
    """A well-behaved server, for the session beside the hostile one."""
    _asked(peer)
    while True:
        peer.send(ANSWER)
        read_message(peer)


greets = saying("stomp", _joined)
answers = saying("stomp", _asked)
says = saying("stomp", _begin)

# --- before the first message ------------------------------------------------------------------------------------

greets("never_connects", "connect_timeout", b"")
greets("refuses_to_connect", "target_error", frame(stomp("ERROR", b"", "message:Access refused")))
greets("connects_with_nonsense", "codec_failed", frame(b"hello"))


@hostile("stomp", "connect_timeout")
def stomp_endless_receipts_before_connected(peer: Peer) -> None:
    _joined(peer)
    peer.send_forever(frame(stomp("RECEIPT", b"", "receipt-id:1")) * 500)


# --- too much ----------------------------------------------------------------------------------------------------

says("huge_body", "message_too_large", told(b"x" * (3 << 19)))
says("deeply_nested_json", "message_too_deep", told(b"[" * 20_000 + b"]" * 20_000))


@hostile("stomp", "message_too_large")
def stomp_endless_headers(peer: Peer) -> None:
    _begin(peer)
    peer.send(frame(b"MESSAGE\n", TEXTUAL, 0))
    peer.send_forever(frame(b"a:b\n" * 20, CONT, 0) * 100)


@hostile("stomp", "body_too_large")
def stomp_pieces_without_end(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(PIECES[1] * 500)


@hostile("stomp", "body_too_large")
def stomp_endless_heartbeats(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(frame(b"\n" * 100) * 500)


@hostile("stomp", "body_too_large")
def stomp_receipts_without_end(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(frame(stomp("RECEIPT", b"", "receipt-id:1")) * 500)


# --- too slow ----------------------------------------------------------------------------------------------------

answers("silence", "first_byte_timeout", b"")
says("done_never_comes", "idle_timeout", b"".join(PIECES))


@hostile("stomp", "total_timeout")
def stomp_heartbeats_instead_of_the_rest(peer: Peer) -> None:
    _begin(peer)
    while True:
        peer.send(frame(b"\n"))
        peer.pause(0.1)


# --- nonsense, failures, the end ---------------------------------------------------------------------------------

says("no_end_of_the_headers", "codec_failed", frame(b"MESSAGE\nsubscription:0\n"))
says("an_end_within_the_headers", "codec_failed", frame(b"MESSAGE\x00\n\n{}"))
says("no_command", "codec_failed", frame(b"\nmessage\n\n{}\x00"))
ODD_HEAD = stomp("MESSAGE").replace(b"MESSAGE", b"MESSAGE\na:\xff")
says("headers_that_are_no_utf8", "codec_failed", frame(ODD_HEAD, BINARY))
says("a_body_that_is_no_utf8", "codec_failed", frame(stomp("MESSAGE", b"\xff\xfe"), BINARY))
says("an_escape_of_its_own", "codec_failed", told(b"{}", "a:b\\tc"))
says("two_frames_in_a_message", "codec_failed", frame(stomp("MESSAGE", b"{}") + stomp("MESSAGE", b"{}")))
says("an_error", "target_error", frame(stomp("ERROR", b"gone", "message:the model is asleep")))
says("an_error_in_a_body", "target_error", told(b'{"error":{"message":"no more"}}'))
says("closes_in_the_middle", "ws_closed_1001", frame((1001).to_bytes(2, "big"), CLOSE))

# --- odd, and to be got through ----------------------------------------------------------------------------------

LIE = "content-length:9999999999999999"
LIES = b"".join(told(json.dumps({"delta": word}).encode(), LIE) for word in WORDS) + told(LAST, "content-length:3")
answers("lengths_that_lie", None, LIES, TEXT)
BETWEEN = frame(b"\r\n") + frame(stomp("RECEIPT")) + PIECES[1]
answers("heartbeats_and_receipts_between", None, frame(b"\n") + ANSWER.replace(PIECES[1], BETWEEN), TEXT)
