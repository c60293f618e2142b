"""Messages beside the turns' own over Socket.IO, and over the WebSocket that answers what was posted; in both lanes."""

from __future__ import annotations

import json
import threading
from typing import Any

from connectors.registry import Lane
from connectors.spec import build_target_spec
from tests.hostile.frames import CLOSE, accepted, frame, read_frame, read_message, upgrade
from tests.hostile.server import HostileServer, Peer
from tests.hostile.socketio import CONNECTED, OPENED, event
from tests.hostile.split import ACK, wait_for_post
from tests.integration.connectors.lanes import ROOMY, Client
from tests.integration.connectors.websocket.talking import lanes, said

PONG = {"when": {"path": "event", "equals": "ask"}, "save": {"n": "data.n"}}
OVER_SOCKETIO: dict[str, Any] = {
    "timeouts": ROOMY,
    "request": {
        "event": "create",
        "body": {"item": "{{ saved.item }}", "message": None, "session": None, "history": None},
    },
    "socketio": {"ack": False},
    "hello": [
        {"event": "login", "body": {"key": "{{ secret.api_key }}"}, "until": {"path": "event", "equals": "in"}},
        {"event": "join", "body": ["a", 2]},
    ],
    "before": [
        {
            "event": "item",
            "body": ["{{ message }}"],
            "until": {"path": "event", "equals": "added"},
            "save": {"item": "data.id"},
        }
    ],
    "after": [{"event": "ack"}],
    "auto_replies": [PONG | {"event": "say", "body": {"n": "{{ saved.n }}"}}],
    "goodbye": [{"event": "bye"}],
    "response": {"kinds": {"delta": {"delta": "data.text"}, "done": {"done": True}}},
}


@lanes
def test_events_beside_the_turns_are_emitted_in_their_order(lane: Lane) -> None:
    heard: list[Any] = []

    def next_event(peer: Peer) -> None:
        opcode, data = read_frame(peer)
        heard.append(None if opcode == CLOSE else json.loads(data.decode().partition(",")[2]))

    def script(peer: Peer) -> None:
        upgrade(peer)
        peer.send(OPENED)
        read_message(peer)
        peer.send(CONNECTED + event("ask", {"n": 1}))
        next_event(peer)
        next_event(peer)
        peer.send(event("in", None))
        next_event(peer)
        next_event(peer)
        peer.send(event("added", {"id": "i1"}))
        next_event(peer)
        peer.send(event("delta", {"text": "one "}) + event("ask", {"n": 2}))
        next_event(peer)
        peer.send(event("delta", {"text": "two"}) + event("done", {}))
        while heard[-1] is not None and heard[-1] != ["bye"]:
            next_event(peer)

    more: dict[str, Any] = {"preset": "generic-socketio", "stream": True, "overrides": OVER_SOCKETIO}
    with HostileServer(script) as server:
        spec = build_target_spec(name="t", url=server.url, secrets={"api_key": "k"}, **more)
        with Client(lane, spec) as client:
            turn = client.say("hi")
            assert client.connector.unsolicited == 0
    assert said([turn]) == [(None, "one two")], turn.error
    assert sorted(map(str, heard[:2])) == [str(["login", {"key": "k"}]), str(["say", {"n": 1}])]
    turn_said = [["item", "hi"], ["create", {"item": "i1"}], ["say", {"n": 2}], ["ack"]]
    assert heard[2:] == [["join", "a", 2], *turn_said, ["bye"]]
    assert "hello" in (turn.timeline.handshake_ns or {})


@lanes
def test_a_websocket_that_answers_what_was_posted_is_subscribed_to_first(lane: Lane) -> None:
    heard: list[Any] = []

    def script(peer: Peer) -> None:
        request = peer.read_request()
        if not request.startswith(b"GET"):
            peer.send(ACK)
            peer.hold()
        peer.send(accepted(request) + frame(b'{"ping": 1}'))
        heard.extend([json.loads(read_message(peer)), json.loads(read_message(peer))])
        peer.send(frame(b'{"subscribed": "room"}'))
        wait_for_post(peer)
        peer.send(frame(b'{"delta": "hello"}') + frame(b'{"done": true}'))
        heard.append(json.loads(read_message(peer)))
        peer.hold()

    overrides: dict[str, Any] = {
        "protocol": "split-websocket",
        "timeouts": ROOMY,
        "hello": [{"body": {"subscribe": "room"}, "until": {"path": "subscribed"}}],
        "auto_replies": [{"when": {"path": "ping"}, "body": {"pong": 1}}],
        "goodbye": [{"body": {"leave": "room"}}],
    }
    with HostileServer(script) as server:
        spec = build_target_spec(name="t", url=server.url, preset="generic-split", overrides=overrides)
        with Client(lane, spec) as client:
            turn = client.say()
    assert said([turn]) == [(None, "hello")], turn.error
    assert sorted(map(str, heard[:2])) == [str({"pong": 1}), str({"subscribe": "room"})]
    assert heard[2:] == [{"leave": "room"}]


@lanes
def test_replies_of_split_websocket_are_counted_anew_in_each_turn(lane: Lane) -> None:
    posted = threading.Semaphore(0)

    def script(peer: Peer) -> None:
        request = peer.read_request()
        if not request.startswith(b"GET"):
            while True:
                posted.release()
                peer.send(ACK)
                peer.read_request()
        peer.send(accepted(request))
        for _ in range(2):
            assert posted.acquire(timeout=10)
            peer.send(frame(b'{"ping": 1}') * 600 + frame(b'{"delta": "hello"}') + frame(b'{"done": true}'))
        peer.hold()

    overrides: dict[str, Any] = {
        "protocol": "split-websocket",
        "timeouts": ROOMY,
        "auto_replies": [{"when": {"path": "ping"}, "body": {"pong": 1}}],
    }
    with HostileServer(script) as server:
        spec = build_target_spec(name="t", url=server.url, preset="generic-split", overrides=overrides)
        with Client(lane, spec) as client:
            turns = client.say_all(["one", "two"])
    assert said(turns) == [(None, "hello")] * 2, turns[1].error


@lanes
def test_a_message_may_be_replied_to_for_what_it_is_on_the_wire(lane: Lane) -> None:
    """A line break of STOMP, which keeps a connection alive, is nothing once it is decoded."""
    heard: list[bytes] = []

    def script(peer: Peer) -> None:
        upgrade(peer)
        peer.send(frame(b"\n"))
        heard.extend(sorted(read_message(peer) for _ in range(2)))
        peer.send(frame(b'MESSAGE\n\n{"delta": "hello"}\0') + frame(b'MESSAGE\n\n{"done": true}\0'))
        peer.hold()

    overrides: dict[str, Any] = {
        "timeouts": ROOMY,
        "codec": {"request": [{"name": "stomp"}], "response": [{"name": "stomp"}]},
        "request": {"body": {"command": "SEND", "message": None, "session": None, "history": None}},
        "auto_replies": [{"when": {"data": "\n"}, "body": "\n"}],
        "response": {"delta": "body.delta", "done": {"path": "body.done", "equals": True}},
    }
    with HostileServer(script) as server:
        spec = build_target_spec(name="t", url=server.url, preset="generic-websocket", overrides=overrides)
        with Client(lane, spec) as client:
            turn = client.say()
    assert said([turn]) == [(None, "hello")], turn.error
    assert heard == [b"\n", b"SEND\n\n\0"]
