"""Hostile Socket.IO servers by long polling (the generic JSON shape): what they do with polls and posts. These come on
connections of their own, so what a session has asked is kept for the whole server."""

from __future__ import annotations

import gzip
import json
import queue
from collections.abc import Callable
from weakref import WeakKeyDictionary

from tests.hostile.server import BLOCK, HostileServer, Peer
from tests.hostile.socketio import LAST, NAMESPACE, OPENING
from tests.hostile.sse import TEXT, WORDS
from tests.hostile.table import CHUNKED, LAST_CHUNK, chunk, head, hostile, whole

TEXT_TYPE = "Content-Type: text/plain; charset=UTF-8"
SEPARATOR = b"\x1e"
WAIT_S = 0.5
_said: WeakKeyDictionary[HostileServer, queue.Queue[bytes]] = WeakKeyDictionary()
"""What came by POST and no poll has met yet: the packets' beginnings."""


def event(name: str, data: object) -> bytes:
    return f"42{NAMESPACE},{json.dumps([name, data])}".encode()


PIECES = tuple(event("delta", {"text": word}) for word in WORDS)
ANSWER = SEPARATOR.join((*PIECES, event("done", LAST)))
CONNECTED = f'40{NAMESPACE},{{"sid":"s1"}}'.encode()


def body(*packets: bytes) -> bytes:
    return whole(SEPARATOR.join(packets), TEXT_TYPE)


def served(peer: Peer, answer: Callable[[Peer], None], post: bytes = body(b"ok")) -> None:
    """All requests of a connection: `answer` does what comes of the poll after a question, which `post` answers."""
    said = _said.setdefault(peer.server, queue.Queue())
    while True:
        first = peer.read_request().partition(b"\r\n")[0]
        if b"sid=" not in first:
            peer.send(body(b"0" + json.dumps(OPENING).encode()))
        elif first.startswith(b"POST"):
            packet = peer.last.partition(b"\r\n\r\n")[2][:2]
            peer.send(post if packet == b"42" else body(b"ok"))
            said.put(packet)
        else:
            _poll(peer, said, answer)


def _poll(peer: Peer, said: queue.Queue[bytes], answer: Callable[[Peer], None]) -> None:
    try:
        packet = said.get(timeout=WAIT_S)
    except queue.Empty:
        packet = b""
    if packet == b"42":
        answer(peer)
    else:
        peer.send(body(CONNECTED if packet == b"40" else b"6"))


def good(peer: Peer) -> None:
    """A well-behaved server, for the session beside the hostile one."""
    served(peer, lambda peer: peer.send(body(*PIECES, event("done", LAST))))


def answers(name: str, code: str | None, said: bytes, text: str = "") -> None:
    """A behaviour that answers the poll after a question so, and holds the next one."""

    def script(peer: Peer) -> None:
        def say(peer: Peer) -> None:
            peer.send(said)
            peer.hold()

        served(peer, say)

    script.__name__ = f"polling_{name}"
    hostile("polling", code, text)(script)


# --- too much ----------------------------------------------------------------------------------------------------

answers("large_packet", "message_too_large", body(event("delta", {"text": "x" * 200_000})))
answers("huge_number_of_packets", "body_too_large", body(b"6" + b"\x1e6" * (2 << 20)))
answers("bomb", "body_too_large", whole(gzip.compress(b"x" * (56 << 20)), TEXT_TYPE, "Content-Encoding: gzip"))
answers("deeply_nested_json", "message_too_deep", body(event("delta", 1)[:-2] + b"[" * 20_000 + b"]" * 20_001))


@hostile("polling", "body_too_large")
def polling_endless_body(peer: Peer) -> None:
    def say(peer: Peer) -> None:
        peer.send(head(TEXT_TYPE, CHUNKED))
        peer.send_forever(chunk(b"x" * BLOCK))

    served(peer, say)


@hostile("polling", "body_too_large")
def polling_endless_answers(peer: Peer) -> None:
    """Each body is within its limit; all of them are not within the turn's."""

    def say(peer: Peer) -> None:
        while True:
            peer.send(body(*PIECES * 100))
            peer.read_request()

    served(peer, say)


@hostile("polling", "socketio_protocol")
def polling_endless_answers_that_say_nothing(peer: Peer) -> None:
    def say(peer: Peer) -> None:
        while True:
            peer.send(body(b"6"))
            peer.read_request()

    served(peer, say)


# --- too slow ----------------------------------------------------------------------------------------------------


@hostile("polling", "first_byte_timeout")
def polling_silence(peer: Peer) -> None:
    served(peer, Peer.hold)


@hostile("polling", "total_timeout")
def polling_answers_byte_by_byte(peer: Peer) -> None:
    def say(peer: Peer) -> None:
        peer.send(head(TEXT_TYPE, CHUNKED))
        while True:
            peer.send(chunk(b" "))
            peer.pause(0.1)

    served(peer, say)


@hostile("polling", "total_timeout")
def polling_says_nothing_now_and_then(peer: Peer) -> None:
    def say(peer: Peer) -> None:
        peer.send(body(PIECES[0]))
        while True:
            peer.read_request()
            peer.pause(0.1)
            peer.send(body(b"6"))

    served(peer, say)


answers("done_never_comes", "idle_timeout", body(*PIECES))

# --- nonsense ----------------------------------------------------------------------------------------------------

answers("refuses_a_poll", "http_400", whole(b'{"code":1}', status="400 Bad Request"))
answers("redirects_a_poll", "http_302", whole(b"", "Location: /elsewhere", status="302 Found"))
answers("no_packet_at_all", "socketio_protocol", body(b"hello"))
answers("attachment_that_is_no_base64", "socketio_protocol", body(b"b????"))
answers("attachment_that_nobody_announced", "socketio_protocol", body(b"bAAAA"))
answers("text_for_an_attachment", "socketio_protocol", body(b'451-/generic,["delta"]', PIECES[0]))
answers("second_open_packet", "socketio_protocol", body(b"0" + json.dumps(OPENING).encode()))
answers("invalid_json", "json_invalid", body(b'42/generic,["delta",{"text"'))
answers("invalid_utf8", "utf8_invalid", body(b'42/generic,["delta",{"text":"w\xff\xfe"}]'))
answers("error_event", "target_error", body(event("error", {"message": "too many"})))
answers("page_instead", "socketio_protocol", whole(b"<html>busy</html>", "Content-Type: text/html"))


@hostile("polling", "http_500")
def polling_refuses_the_question(peer: Peer) -> None:
    served(peer, Peer.hold, post=whole(b'{"message":"busy"}', status="500 Busy"))


@hostile("polling", "http_malformed")
def polling_answers_a_poll_with_no_http(peer: Peer) -> None:
    served(peer, lambda peer: peer.send(b"42/generic,[]\r\n\r\n"))


# --- the end -----------------------------------------------------------------------------------------------------

answers("engine_closes", "connection_closed", body(PIECES[0], b"1"))
answers("disconnects", "connection_closed", body(PIECES[0], b"41/generic,"))


@hostile("polling", "body_truncated")
def polling_cut_off_in_the_middle(peer: Peer) -> None:
    def say(peer: Peer) -> None:
        peer.send(body(*PIECES)[:-3])
        peer.sock.close()

    served(peer, say)


# --- odd, and to be got through ----------------------------------------------------------------------------------


@hostile("polling", None, TEXT)
def polling_a_packet_a_poll_in_chunks(peer: Peer) -> None:
    def say(peer: Peer) -> None:
        for packet in (*PIECES, b"6", event("done", LAST)):
            peer.send(head(TEXT_TYPE, CHUNKED))
            for at in range(0, len(packet), 5):
                peer.send(chunk(packet[at : at + 5]))
            peer.send(LAST_CHUNK)
            peer.read_request()
        peer.hold()

    served(peer, say)


answers("speaks_in_other_namespaces", None, body(b'42/other,["delta",{"text":"no"}]', ANSWER, b"6"), TEXT)
SOUND = b'451-/generic,["sound",{"_placeholder":true,"num":0}]'
answers("an_attachment_that_is_no_text", None, body(SOUND, b"bAAAA", ANSWER), TEXT)
