"""Messages beside the turns' own over a WebSocket, in both lanes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from connectors.registry import Lane
from connectors.spec import TargetSpec, build_target_spec
from tests.hostile.frames import CLOSE, frame, read_frame, upgrade
from tests.hostile.server import HostileServer, Peer
from tests.integration.connectors.lanes import ROOMY, Client, one_turn
from tests.integration.connectors.websocket.talking import lanes, said, wait_for

SECRET = "t0p-s3cret"
SPEC: dict[str, Any] = {
    "request": {
        "body": {"type": "create", "item": "{{ saved.item }}", "message": None, "session": None, "history": None}
    },
    "greeting": {"until": {"path": "type", "equals": "welcome"}},
    "hello": [
        {
            "body": {"type": "auth", "token": "{{ secret.api_key }}", "sid": "{{ saved.sid }}"},
            "until": {"path": "type", "equals": "ok"},
            "save": {"user": "user.id"},
        },
        {"until": {"path": "type", "equals": "open"}},
        {"body": {"type": "join", "user": "{{ saved.user }}"}},
    ],
    "before": [
        {"body": {"type": "item", "text": "{{ message }}", "turn": "{{ turn }}"}, "until": {"path": "added"}},
        {"body": {"type": "typing"}},
    ],
    "after": [{"body": {"type": "ack", "answer": "{{ saved.answer }}", "to": "{{ message }}"}}],
    "auto_replies": [
        {
            "when": {"path": "type", "equals": "ping"},
            "save": {"n": "event.n"},
            "body": {"type": "pong", "n": "{{ saved.n }}"},
        }
    ],
    "goodbye": [{"body": {"type": "bye", "user": "{{ saved.user }}"}}],
    "response": {
        "delta": None,
        "done": None,
        "kind": "type",
        "kinds": {
            "welcome": {"save": {"sid": "sid"}},
            "added": {"save": {"item": "added"}},
            "delta": {"delta": "text"},
            "end": {"done": True, "save": {"answer": "id"}},
            "error": {"error": "why"},
        },
    },
}


def spec(url: str, *, origins: list[str] | None = None, **overrides: Any) -> TargetSpec:
    """SPEC with other fields, and without those that are None."""
    fields = SPEC | {"timeouts": ROOMY} | overrides
    return build_target_spec(
        name="test",
        url=url,
        preset="generic-websocket",
        overrides={name: value for name, value in fields.items() if value is not None},
        secrets={"api_key": SECRET},
        secret_origins=origins,
    )


def says(*values: Any) -> bytes:
    return b"".join(frame(json.dumps(value).encode()) for value in values)


class Heard(list[Any]):
    """What the client said, as the server reads it; a close frame is None."""

    def next(self, peer: Peer) -> Any:
        opcode, data = read_frame(peer)
        self.append(None if opcode == CLOSE else json.loads(data))
        return self[-1]


def talk(heard: Heard) -> Callable[[Peer], None]:
    """A server that does all that SPEC expects, and says some of it together."""

    def script(peer: Peer) -> None:
        upgrade(peer)
        peer.send(says({"type": "welcome", "sid": 7}, {"type": "ping", "event": {"n": 0}}))
        while not any(item and item["type"] == "auth" for item in heard):
            heard.next(peer)
        peer.send(says({"type": "noise"}, {"type": "ok", "user": {"id": "u1"}}, {"type": "open"}))
        for turn in (0, 1):
            while heard.next(peer)["type"] != "item":
                pass
            peer.send(says({"type": "added", "added": f"i{turn}"}))
            while heard.next(peer)["type"] != "create":
                pass
            peer.send(says({"type": "delta", "text": "one "}, {"type": "ping", "event": {"n": turn + 1}}))
            heard.next(peer)
            peer.send(says({"type": "delta", "text": f"{turn}"}, {"type": "end", "id": f"a{turn}"}))
            heard.next(peer)
        while heard.next(peer) is not None:
            pass

    return script


@lanes
def test_all_messages_beside_the_turns_are_said_in_their_order_and_answer_nothing(lane: Lane) -> None:
    heard = Heard()
    with HostileServer(talk(heard)) as server:
        with Client(lane, spec(server.url)) as client:
            turns = [client.say("first"), client.say("second")]
            assert client.connector.unsolicited == 0
        assert server.connections == 1
    assert said(turns) == [(None, "one 0"), (None, "one 1")], [turn.error for turn in turns]
    pings = [item["n"] for item in heard if item and item["type"] == "pong"]
    assert pings == [0, 1, 2]
    assert [item for item in heard if not item or item["type"] != "pong"] == [
        {"type": "auth", "token": SECRET, "sid": 7},
        {"type": "join", "user": "u1"},
        {"type": "item", "text": "first", "turn": 0},
        {"type": "typing"},
        {"type": "create", "item": "i0"},
        {"type": "ack", "answer": "a0", "to": "first"},
        {"type": "item", "text": "second", "turn": 0},  # a test's context has no more
        {"type": "typing"},
        {"type": "create", "item": "i1"},
        {"type": "ack", "answer": "a1", "to": "second"},
        {"type": "bye", "user": "u1"},
        None,
    ]
    assert {"greeting", "hello"} <= set(turns[0].timeline.handshake_ns or {})
    assert turns[1].timeline.handshake_ns is None


@lanes
def test_a_turns_time_counts_from_its_first_message(lane: Lane) -> None:
    sizes: list[int] = []

    def script(peer: Peer) -> None:
        upgrade(peer)
        sizes.append(len(read_frame(peer)[1]))
        peer.pause(0.1)
        peer.send(says({"type": "added", "added": "i"}))
        sizes.extend(len(read_frame(peer)[1]) for _ in (1, 2))
        peer.send(says({"type": "delta", "text": "x"}, {"type": "end", "id": "a"}))
        sizes.append(len(read_frame(peer)[1]))
        peer.hold()

    with HostileServer(script) as server:
        turn = one_turn(lane, spec(server.url, greeting=None, hello=None, goodbye=None))
    timeline = turn.timeline
    assert turn.code is None, turn.error
    assert timeline.sent_ns is not None
    assert timeline.first_content_ns is not None
    assert timeline.first_content_ns - timeline.sent_ns >= 0.1e9
    assert timeline.bytes_out == sum(sizes) + 6 * len(sizes)  # a header and a mask for each


@lanes
def test_a_connection_is_kept_alive_before_within_and_between_turns(lane: Lane) -> None:
    beats = {"hello": 0, "turn": 0, "idle": 0}
    over = threading.Event()

    def count(peer: Peer, where: str, most: int = 1) -> None:
        while beats[where] < most:
            assert json.loads(read_frame(peer)[1]) == {"type": "beat"}
            beats[where] += 1

    def script(peer: Peer) -> None:
        upgrade(peer)
        count(peer, "hello")
        peer.send(says({"type": "welcome"}))
        assert json.loads(read_frame(peer)[1])["type"] == "create"
        count(peer, "turn", 2)
        peer.send(says({"type": "delta", "text": "x"}, {"type": "end"}))
        count(peer, "idle")
        over.set()
        peer.hold()

    beat = {"every_s": 0.1, "body": {"type": "beat"}}
    quiet = {"hello": None, "before": None, "after": None, "goodbye": None}
    with HostileServer(script) as server, Client(lane, spec(server.url, keep_alive=beat, **quiet)) as client:
        turn = client.say()
        wait_for(client, over.is_set)
    assert (turn.code, turn.text) == (None, "x"), turn.error
    assert beats == {"hello": 1, "turn": 2, "idle": 1}


def silent(peer: Peer) -> None:
    upgrade(peer)
    peer.hold()


def refusing(peer: Peer) -> None:
    upgrade(peer)
    read_frame(peer)
    peer.send(says({"type": "error", "why": "no such token"}))
    peer.hold()


def without_the_value(peer: Peer) -> None:
    upgrade(peer)
    read_frame(peer)
    peer.send(says({"type": "ok", "user": {}}))
    peer.hold()


def closing(peer: Peer) -> None:
    upgrade(peer)
    read_frame(peer)
    peer.send(frame((4403).to_bytes(2, "big") + b"forbidden", CLOSE))


def pinging_without_end(peer: Peer) -> None:
    upgrade(peer)
    peer.send_forever(says({"type": "ping", "event": {"n": 1}}) * 100)


HELLO = {"body": {"type": "auth"}, "until": {"path": "type", "equals": "ok"}, "within_s": 0.2}
USER = {"save": {"user": "user.id"}, "within_s": 5}


@lanes
@pytest.mark.parametrize(
    ("script", "overrides", "code", "told"),
    [
        (silent, {"hello": [HELLO]}, "connect_timeout", "hello[0].until did not come within 0.2 s"),
        (silent, {"before": [HELLO]}, "first_byte_timeout", "before[0].until did not come within 0.2 s"),
        (refusing, {"hello": [HELLO]}, "target_error", "no such token"),
        (refusing, {"before": [HELLO]}, "target_error", "no such token"),
        (without_the_value, {"hello": [HELLO | USER]}, "answer_unmatched", "hello[0].save.user"),
        (closing, {"hello": [HELLO]}, "ws_closed_4403", "forbidden"),
        (closing, {"before": [HELLO]}, "ws_closed_4403", "forbidden"),
        (pinging_without_end, {"hello": [HELLO | {"within_s": 5}]}, "body_too_large", "auto_replies"),
        (silent, {"hello": [{"body": "{{ saved.nothing_like_it }}"}]}, "request_invalid", "hello[0].body"),
        (silent, {"before": [{"body": "{{ saved.nothing_like_it }}"}]}, "request_invalid", "before[0].body"),
    ],
)
def test_what_goes_wrong_beside_a_turn_has_its_code(
    lane: Lane, script: Callable[[Peer], None], overrides: dict[str, Any], code: str, told: str
) -> None:
    with HostileServer(script) as server:
        turn = one_turn(lane, spec(server.url, **{"greeting": None, "hello": None, "before": None} | overrides))
    assert turn.error is not None
    assert (turn.code, told in turn.error.detail) == (code, True), turn.error


@lanes
@pytest.mark.parametrize("field", ["hello", "before"])
def test_a_secret_goes_only_where_it_may_and_is_not_kept_when_it_comes_back(lane: Lane, field: str) -> None:
    heard: list[bytes] = []

    def script(peer: Peer) -> None:
        upgrade(peer)
        heard.append(read_frame(peer)[1])
        peer.send(says({"type": "ok", "user": {"id": f"is {SECRET}"}}))
        heard.append(read_frame(peer)[1])
        peer.send(says({"type": "delta", "text": "x"}, {"type": "end"}))
        peer.hold()

    asks = HELLO | USER | {"body": {"type": "auth", "key": "{{ secret.api_key }}"}}
    none = {"greeting": None, "hello": None, "before": None, "after": None, "goodbye": None}
    fields: dict[str, Any] = none | {field: [asks]}
    fields["request"] = {"headers": {"Authorization": None}, "body": {"type": "create"}}
    with HostileServer(script) as server:
        with Client(lane, spec(server.url, **fields)) as client:
            turn = client.say()
            kept = client.connector.saved["user"]
        assert said([turn]) == [(None, "x")], turn.error
        assert json.loads(heard[0]) == {"type": "auth", "key": SECRET}
        assert SECRET not in str(kept)
        heard.clear()
        turn = one_turn(lane, spec(server.url, origins=["https://other.example"], **fields))
    assert turn.code == "secret_withheld"
    assert not any(SECRET.encode() in data for data in heard)
