"""Hostile SignalR hubs: the negotiation, the greeting, and the stream of items that answers a message."""

from __future__ import annotations

import json
from typing import Any

from tests.hostile.frames import CLOSE, CONT, FIN, TEXTUAL, accepted, frame, read_message
from tests.hostile.server import BLOCK, Peer
from tests.hostile.sse import TEXT, WORDS
from tests.hostile.table import CHUNKED, JSON_TYPE, chunk, head, hostile, saying, whole

END = b"\x1e"
NEGOTIATED = whole(b'{"connectionToken":"c1","connectionId":"i1","negotiateVersion":1,"availableTransports":[]}')
ID = "s-0"
"""What the first turn of a session calls its invocation."""


def record(**said: Any) -> bytes:
    return json.dumps(said).encode() + END


def item(word: str, number: str = ID) -> bytes:
    return record(type=2, invocationId=number, item=word)


def completed(number: str = ID, **said: Any) -> bytes:
    return record(type=3, invocationId=number, **said)


ITEMS = tuple(item(word) for word in WORDS)
ANSWER = b"".join((*ITEMS, completed()))
PING = record(type=6)


def _joined(peer: Peer) -> None:
    """Up to a client's greeting."""
    while b"/negotiate" in peer.read_request().partition(b"\r\n")[0]:
        peer.send(NEGOTIATED)
    peer.send(accepted(peer.last))
    read_message(peer)


def _asked(peer: Peer) -> str:
    """Up to a client's question; returns what it calls its invocation."""
    _joined(peer)
    peer.send(frame(b"{}" + END))
    return question(peer)


def question(peer: Peer) -> str:
    while True:
        said = json.loads(read_message(peer).removesuffix(END))
        if said["type"] == 4:
            return str(said["invocationId"])


def _begin(peer: Peer) -> None:
    _asked(peer)
    peer.send(frame(ITEMS[0]))


def good(peer: Peer) -> None:
    """A well-behaved server, for the session beside the hostile one."""
    number = _asked(peer)
    while True:
        for word in WORDS:
            peer.send(frame(item(word, number)))
        peer.send(frame(PING + completed(number)))
        number = question(peer)


greets = saying("signalr", _joined)
answers = saying("signalr", _asked)
says = saying("signalr", _begin)


# --- before the first message ------------------------------------------------------------------------------------


def negotiates(name: str, code: str, answer: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer)
        peer.hold()

    script.__name__ = f"signalr_negotiates_{name}"
    hostile("signalr", code)(script)


negotiates("not", "http_404", whole(b"", status="404 Not Found"))
negotiates("without_a_token", "answer_unmatched", whole(b'{"availableTransports":[]}'))
negotiates("with_an_error", "answer_unmatched", whole(b'{"error":"no such hub"}'))
negotiates("with_a_page", "json_invalid", whole(b"<html></html>", "Content-Type: text/html"))


@hostile("signalr", "body_too_large")
def signalr_negotiates_without_end(peer: Peer) -> None:
    """Endless."""
    peer.read_request()
    peer.send(head(JSON_TYPE, CHUNKED))
    peer.send_forever(chunk(b" " * BLOCK))


greets("never_greets", "connect_timeout", b"")
greets("refuses_the_greeting", "target_error", frame(record(error="Requested protocol 'json' is not available.")))
greets("closes_instead_of_a_greeting", "ws_closed_1011", frame((1011).to_bytes(2, "big"), CLOSE))


@hostile("signalr", "connect_timeout")
def signalr_endless_pings_instead_of_a_greeting(peer: Peer) -> None:
    _joined(peer)
    peer.send_forever(frame(PING * 500))


# --- too much ----------------------------------------------------------------------------------------------------

says("huge_record", "message_too_large", frame(item("x" * (3 << 19))))
says("deeply_nested_json", "message_too_deep", frame(b'{"type":2,"item":' + b"[" * 20_000 + b"]" * 20_000 + b"}" + END))


@hostile("signalr", "message_too_large")
def signalr_endless_record_in_many_messages(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(frame(b"x" * 1000) * 50)


@hostile("signalr", "message_too_large")
def signalr_endless_record_in_fragments(peer: Peer) -> None:
    _begin(peer)
    peer.send(frame(b"x", TEXTUAL, 0))
    peer.send_forever(frame(b"x" * 8, CONT, 0) * 1000)


@hostile("signalr", "body_too_large")
def signalr_endless_items(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(frame(ITEMS[1] * 500))


@hostile("signalr", "body_too_large")
def signalr_pings_without_end(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(frame(PING * 500))


@hostile("signalr", "body_too_large")
def signalr_endless_empty_records(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(frame(END * 1000))


@hostile("signalr", "body_too_large")
def signalr_endless_items_of_another_invocation(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(frame(item("x", "another") * 500))


# --- too slow ----------------------------------------------------------------------------------------------------

answers("silence", "first_byte_timeout", b"")
says("completion_never_comes", "idle_timeout", frame(b"".join(ITEMS)))
says("completes_another_invocation", "idle_timeout", frame(completed("another", result="no")))
says("record_without_its_end", "idle_timeout", frame(ANSWER[:-1]))


@hostile("signalr", "total_timeout")
def signalr_pings_instead_of_the_rest(peer: Peer) -> None:
    _begin(peer)
    while True:
        peer.send(frame(PING))
        peer.pause(0.1)


# --- nonsense, failures, the end ---------------------------------------------------------------------------------

says("no_json", "json_invalid", frame(b"hello" + END))
says("broken_utf8", "utf8_invalid", frame(b'{"type":2,"item":"\xff\xfe"}' + END))
says("item_that_is_no_text", "answer_unmatched", frame(record(type=2, invocationId=ID, item={"text": "x"})))
says("completes_with_an_error", "target_error", frame(completed(error="the model is asleep")))
says("says_goodbye_with_an_error", "target_error", frame(record(type=7, error="going down")))
says("closes_in_the_middle", "ws_closed_1001", frame(record(type=7)) + frame((1001).to_bytes(2, "big"), CLOSE))
answers("completes_without_a_word", "answer_unmatched", frame(completed()))

# --- odd, and to be got through ----------------------------------------------------------------------------------

answers("all_records_in_one_message", None, frame(PING + ANSWER + PING), TEXT)
answers("unknown_types", None, frame(record(type=99) + record(type=1, target="Seen", arguments=[]) + ANSWER), TEXT)


@hostile("signalr", None, TEXT)
def signalr_record_over_fragments_and_messages(peer: Peer) -> None:
    _asked(peer)
    for at in range(len(ANSWER)):
        flags = FIN if at % 3 == 2 or at == len(ANSWER) - 1 else 0
        peer.send(frame(ANSWER[at : at + 1], TEXTUAL if at % 3 == 0 else CONT, flags))
    peer.hold()
