"""Which question a message answers: greetings, ids and quiet, over a real WebSocket on both lanes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest

from connectors.registry import Lane
from connectors.spec import SpecError
from tests.hostile.frames import frame, read_message, upgrade
from tests.hostile.server import HostileServer, Peer
from tests.integration.connectors.lanes import LANES, ROOMY, Client, Turn, make_spec

lanes = pytest.mark.parametrize("lane", LANES)


def message(**data: Any) -> bytes:
    return frame(json.dumps(data).encode())


def bot(answers: Callable[[int, Any], list[Any]], greeting: list[Any] | None = None) -> Callable[[Peer], None]:
    """`answers` makes the messages to the nth question; a number among them is a pause in seconds."""

    def script(peer: Peer) -> None:
        upgrade(peer)
        say(peer, greeting or [])
        number = 0
        while True:
            asked = json.loads(read_message(peer))
            number += 1
            say(peer, answers(number, asked))

    return script


def say(peer: Peer, messages: list[Any]) -> None:
    """What has no pause between is sent at once: on a busy machine the next question may come between two sendings."""
    for pauses, parts in groupby(messages, key=lambda part: isinstance(part, float)):
        if pauses:
            time.sleep(sum(parts))
        else:
            peer.send(b"".join(message(**part) for part in parts))


def whole(number: int, _asked: Any = None) -> list[Any]:
    return [0.02, {"response": f"answer {number}", "done": True}]


WELCOME = {"response": "Welcome!", "done": True}


def talk(lane: Lane, script: Callable[[Peer], None], turns: int = 3, **overrides: Any) -> tuple[list[Turn], int]:
    """The turns, and how many unsolicited messages came by 0.2 s after the last one."""
    with HostileServer(script) as server:
        spec = make_spec("websocket", server.url, timeouts=ROOMY, **overrides)
        with Client(lane, spec) as client:
            said = client.say_all([f"question {number}" for number in range(turns)])
            client.idle(0.2)
            assert client.connector.ready
            return said, client.connector.unsolicited


def texts(turns: list[Turn]) -> list[str]:
    return [turn.text or str(turn.code) for turn in turns]


ANSWERS = ["answer 1", "answer 2", "answer 3"]


@lanes
@pytest.mark.parametrize(
    "greeting",
    [[WELCOME], [{"type": "hello"}, {"delta": "Wel"}, {"response": "Welcome", "done": True}], [0.1, WELCOME]],
)
def test_a_greeting_is_waited_for_and_is_a_step(lane: Lane, greeting: list[Any]) -> None:
    turns, unsolicited = talk(lane, bot(whole, greeting), greeting={"count": 1})
    assert texts(turns) == ANSWERS
    assert "greeting" in (turns[0].timeline.handshake_ns or {})
    assert unsolicited == 0


@lanes
def test_a_ready_message_is_waited_for(lane: Lane) -> None:
    script = bot(whole, [WELCOME, 0.05, {"type": "ready"}])
    turns, unsolicited = talk(lane, script, greeting={"until": {"path": "type", "equals": "ready"}})
    assert (texts(turns), unsolicited) == (ANSWERS, 0)


@lanes
@pytest.mark.parametrize(("required", "code"), [(True, "connect_timeout"), (False, None)])
def test_a_greeting_that_does_not_come(lane: Lane, required: bool, code: str | None) -> None:
    greeting = {"within_s": 0.2, "required": required}
    told = {"timeouts": ROOMY, "greeting": greeting}
    with HostileServer(bot(whole)) as server, Client(lane, make_spec("websocket", server.url, **told)) as client:
        assert client.say().code == code


@lanes
@pytest.mark.parametrize(
    "script",
    [
        bot(whole, [0.05, WELCOME]),
        bot(whole, [WELCOME, 0.05, WELCOME]),
        bot(lambda n, asked: [*whole(n), 0.02, {"response": "anything else?", "done": True}]),
        bot(lambda n, asked: [*whole(n), {"response": "late", "done": True}]),
        bot(lambda n, asked: whole(n) * 2),
        bot(lambda n, asked: [*whole(n), 0.02, {"error": "the worker died"}]),
        bot(lambda n, asked: [*whole(n), {"type": "error", "message": "the worker died"}]),
    ],
    ids=["greets late", "greets twice", "says more", "late after done", "answers twice", "fails late", "fails at once"],
)
def test_text_and_errors_that_no_question_asked_for_are_counted(lane: Lane, script: Callable[[Peer], None]) -> None:
    _, unsolicited = talk(lane, script)
    assert unsolicited > 0


@lanes
@pytest.mark.parametrize(
    "script",
    [
        bot(lambda n, asked: [{"typing": True}, *whole(n), {"typing": False}, {"type": "read"}]),
        bot(lambda n, asked: [{"ack": n}, *whole(n), {"usage": {"output_tokens": 3}}], [{"type": "hello"}]),
        bot(lambda n, asked: [{"delta": "answer "}, {"delta": str(n)}, {"response": f"answer {n}", "done": True}]),
        bot(lambda n, asked: [*whole(n), 0.02, {"heartbeat": n}]),
    ],
    ids=["typing", "acknowledges", "streams", "heartbeat"],
)
def test_messages_without_text_raise_no_alarm(lane: Lane, script: Callable[[Peer], None]) -> None:
    turns, unsolicited = talk(lane, script)
    assert (texts(turns), unsolicited) == (ANSWERS, 0)


def with_id(n: int, asked: Any) -> list[Any]:
    old = {"response": "another's", "done": True, "id": "q-none"}
    return [old, {"response": "unasked", "done": True}, 0.02, {"delta": f"answer {n}", "id": asked["id"]},
            {"done": True, "id": asked["id"]}, old]  # fmt: skip


@lanes
def test_only_what_repeats_the_id_is_the_answer(lane: Lane) -> None:
    request = {"body": {"message": "{{ message }}", "id": "q-{{ message }}"}}
    reply_to = {"request": "id", "response": "id"}
    turns, unsolicited = talk(lane, bot(with_id, [WELCOME]), request=request, reply_to=reply_to)
    assert texts(turns) == ANSWERS
    assert unsolicited > 0
    assert all((t.timeline.first_byte_ns or 0) - (t.timeline.sent_ns or 0) > 15_000_000 for t in turns)


@lanes
def test_several_messages_are_one_answer_that_ends_by_quiet(lane: Lane) -> None:
    def several(n: int, _asked: Any) -> list[Any]:
        return [*whole(n), 0.05, {"response": "anything else?", "done": True}]

    turns, unsolicited = talk(lane, bot(several), response={"quiet_ms": 250})
    assert texts(turns) == [f"{answer}\nanything else?" for answer in ANSWERS]
    assert unsolicited == 0
    timeline = turns[0].timeline
    assert timeline.done_ns == timeline.last_content_ns


@pytest.mark.parametrize(
    ("protocol", "told", "why"),
    [
        ("http", {"greeting": {"count": 1}}, "greeting has no effect"),
        ("sse", {"response": {"quiet_ms": 5}}, "response.quiet_ms has no effect"),
        ("websocket", {"reply_to": {"response": "id", "ack": "id"}}, "answers no POST"),
        ("websocket", {"response": {"quiet_ms": 5, "cumulative": True}}, "use one of the two"),
        ("websocket", {"greeting": {"count": 1, "until": {"path": "a"}}}, "either `count` or `until`"),
    ],
)
def test_what_has_no_effect_is_refused(protocol: str, told: dict[str, Any], why: str) -> None:
    with pytest.raises(SpecError, match=why):
        make_spec(protocol, "http://bot.example" if protocol != "websocket" else "ws://bot.example", **told)


def test_what_comes_while_pings_are_looked_for_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference lane's thread reads between two turns: what it reads is not an answer, and not a later one's."""
    monkeypatch.setattr("connectors.reference.websocket.lasting.KEEP_S", 0.02)
    script = bot(lambda n, asked: [*whole(n), 0.1, {"response": "late", "done": True}])
    with (
        HostileServer(script) as server,
        Client("reference", make_spec("websocket", server.url, timeouts=ROOMY)) as client,
    ):
        said = []
        for number in (1, 2, 3):
            said.append(client.say(f"question {number}"))
            until = time.monotonic() + 30
            while client.connector.unsolicited < number and time.monotonic() < until:
                time.sleep(0.01)  # it is not asked whether it is ready
            assert client.connector.unsolicited == number
    assert texts(said) == ANSWERS
