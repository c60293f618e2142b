"""Hostile chatbots that speak Socket.IO (the generic JSON shape, in the namespace /generic, where they get so far)."""

from __future__ import annotations

import json
from typing import Any

from tests.hostile.frames import BINARY, frame, read_message, upgrade
from tests.hostile.server import Peer
from tests.hostile.sse import TEXT, WORDS
from tests.hostile.table import hostile, saying, whole

NAMESPACE = "/generic"
OPENING = {"sid": "e1", "upgrades": [], "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 1_000_000}
USAGE = {"input_tokens": 7, "output_tokens": 4}
LAST = {"response": TEXT, "usage": USAGE}


def packet(text: str) -> bytes:
    return frame(text.encode())


def message(kind: str, data: Any = None, namespace: str = NAMESPACE) -> bytes:
    """A packet of Socket.IO; `kind` is what precedes the namespace (`2`, `51-`)."""
    return packet(f"4{kind}{namespace},{'' if data is None else json.dumps(data)}")


def event(name: str, data: Any, namespace: str = NAMESPACE) -> bytes:
    return message("2", [name, data], namespace)


def acknowledged(number: str, data: Any) -> bytes:
    return packet(f"43{NAMESPACE},{number}{json.dumps([data])}")


def piece(word: str) -> bytes:
    return event("delta", {"text": word})


OPENED = packet("0" + json.dumps(OPENING))
CONNECTED = message("0", {"sid": "s1"})
PIECES = tuple(piece(word) for word in WORDS)
DONE = event("done", LAST)
ANSWER = b"".join(PIECES) + DONE
PING = packet("2")


def _opened(peer: Peer) -> None:
    """Up to a client's CONNECT."""
    upgrade(peer)
    peer.send(OPENED)
    read_message(peer)


def _asked(peer: Peer) -> str:
    """Up to a client's question. Returns the id that it wants acknowledged."""
    _opened(peer)
    peer.send(CONNECTED)
    return _number(read_message(peer))


def _number(question: bytes) -> str:
    return question.decode().partition(",")[2].partition("[")[0]


def _begin(peer: Peer) -> str:
    number = _asked(peer)
    peer.send(PIECES[0])
    return number


says = saying("socketio", _begin)
greets = saying("socketio", upgrade)


def good(peer: Peer) -> None:
    """A well-behaved server, for the session beside the hostile one."""
    _asked(peer)
    while True:
        for data in (*PIECES, DONE):
            peer.send(data)
        read_message(peer)


# --- the opening -------------------------------------------------------------------------------------------------


@hostile("socketio", "http_400")
def socketio_refuses_the_upgrade(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b'{"code":3,"message":"Bad request"}', status="400 Bad Request"))
    peer.hold()


@hostile("socketio", "connect_timeout")
def socketio_no_open_packet(peer: Peer) -> None:
    upgrade(peer)
    peer.hold()


@hostile("socketio", "connect_timeout")
def socketio_open_packet_byte_by_byte(peer: Peer) -> None:
    upgrade(peer)
    peer.drip(OPENED, 0.05)


@hostile("socketio", "socketio_protocol")
def socketio_event_before_the_open_packet(peer: Peer) -> None:
    upgrade(peer)
    peer.send(ANSWER)
    peer.hold()


@hostile("socketio", "socketio_protocol")
def socketio_open_packet_in_binary(peer: Peer) -> None:
    upgrade(peer)
    peer.send(frame(b"0" + json.dumps(OPENING).encode(), BINARY))
    peer.hold()


@hostile("socketio", "json_invalid")
def socketio_open_packet_is_no_json(peer: Peer) -> None:
    upgrade(peer)
    peer.send(packet('0{"sid":'))
    peer.hold()


@hostile("socketio", "message_too_deep")
def socketio_open_packet_deeply_nested(peer: Peer) -> None:
    upgrade(peer)
    peer.send(packet("0" + "[" * 20_000 + "]" * 20_000))
    peer.hold()


def _opens_with(name: str, **said: Any) -> None:
    """A behaviour whose open packet says `said`; None leaves a key out."""

    opening = {key: value for key, value in {**OPENING, **said}.items() if value != ""}
    greets(f"opens_with_{name}", "socketio_protocol", packet("0" + json.dumps(opening)))


_opens_with("no_sid", sid="")
_opens_with("a_number_for_a_sid", sid=7)
_opens_with("no_ping_interval", pingInterval="")
_opens_with("ping_interval_0", pingInterval=0)
_opens_with("a_negative_ping_interval", pingInterval=-1)
_opens_with("a_ping_interval_of_ages", pingInterval=10**30)
_opens_with("a_ping_interval_in_words", pingInterval="25000")
_opens_with("a_ping_timeout_of_true", pingTimeout=True)


@hostile("socketio", "connect_timeout")
def socketio_connect_never_answered(peer: Peer) -> None:
    _opened(peer)
    peer.hold()


@hostile("socketio", "connect_timeout")
def socketio_connect_answered_in_another_namespace(peer: Peer) -> None:
    _opened(peer)
    peer.send(message("0", {"sid": "s1"}, "/other") + packet('44{"message":"no"}'))
    peer.hold()


@hostile("socketio", "socketio_refused")
def socketio_connect_refused(peer: Peer) -> None:
    _opened(peer)
    peer.send(message("4", {"message": "Invalid namespace"}))
    peer.hold()


@hostile("socketio", "message_too_deep")
def socketio_connect_refused_at_length(peer: Peer) -> None:
    _opened(peer)
    peer.send(packet(f"44{NAMESPACE}," + '{"x":' * 500 + "1" + "}" * 500))
    peer.hold()


@hostile("socketio", "socketio_refused")
def socketio_disconnected_instead_of_connected(peer: Peer) -> None:
    _opened(peer)
    peer.send(message("1"))
    peer.hold()


@hostile("socketio", "socketio_protocol")
def socketio_connected_without_a_sid(peer: Peer) -> None:
    """As Socket.IO v2 does."""
    _opened(peer)
    peer.send(message("0"))
    peer.hold()


@hostile("socketio", None, TEXT)
def socketio_event_before_connect(peer: Peer) -> None:
    """What a handler of a connection emits may come before the connection is confirmed: it belongs to no turn."""
    _opened(peer)
    peer.send(ANSWER + CONNECTED)
    read_message(peer)
    peer.send(ANSWER)
    peer.hold()


@hostile("socketio", "connect_timeout")
def socketio_endless_events_before_connect(peer: Peer) -> None:
    _opened(peer)
    peer.send_forever(PIECES[0] * 500)


@hostile("socketio", "socketio_protocol")
def socketio_endless_pings_before_connect(peer: Peer) -> None:
    _opened(peer)
    peer.send_forever(PING * 1000)


@hostile("socketio", "connection_closed")
def socketio_engine_closes_before_connect(peer: Peer) -> None:
    _opened(peer)
    peer.send(packet("1"))
    peer.hold()
