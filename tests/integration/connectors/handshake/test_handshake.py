"""The HTTP steps before a conversation, on both lanes: their order, what they save, how often they run."""

from __future__ import annotations

import pytest

from connectors.registry import Lane
from connectors.target import CompiledTarget
from tests.hostile import http, ndjson, sse
from tests.hostile.table import CHUNKED, LAST_CHUNK, Protocol, chunk, head, whole
from tests.integration.connectors.handshake.steps import (
    CHAT,
    RUN_TOKEN,
    SAY,
    SECRET,
    TOKEN,
    Bot,
    converse_at_once,
    lanes,
    spec_with,
)
from tests.integration.connectors.lanes import Client, make_spec, one_turn
from tests.integration.connectors.scripted import Asked, scripted


@lanes
def test_steps_go_in_their_order_and_each_knows_what_was_saved(lane: Lane) -> None:
    with scripted(Bot()) as bot, Client(lane, spec_with(bot.url, [TOKEN, CHAT])) as client:
        turns = client.say_all(["one", "two"])
        assert [t.code for t in turns] == [None, None], turns[0].error
        assert bot.paths == ["POST /token", "POST /chats/t1", "POST /say/c2", "POST /say/c2"]
        token, chat, first, _ = bot.requests
    assert token.headers["x-key"] == SECRET
    assert chat.headers["authorization"] == "Bearer t1"
    assert chat.json == {"token": "t1", "user": "s"}
    assert first.headers["authorization"] == "Bearer t1"
    steps = turns[0].timeline.handshake_ns or {}
    assert set(steps) == {"token", "chat", "resolve", "connect"}
    assert min(steps.values()) > 0
    assert not turns[1].timeline.handshake_ns


@lanes
def test_a_step_without_a_body_sends_none_and_names_no_type(lane: Lane) -> None:
    with scripted(Bot()) as bot, Client(lane, spec_with(bot.url, [{**TOKEN, "method": "GET"}], request=SAY)) as client:
        assert client.say().code is None
        step = bot.requests[0]
    assert (step.method, step.body) == ("GET", b"")
    assert not {"content-type", "content-length"} & set(step.headers)


@lanes
def test_each_conversation_shakes_hands_anew_and_knows_nothing_of_the_last(lane: Lane) -> None:
    with scripted(Bot()) as bot, Client(lane, spec_with(bot.url, [TOKEN, CHAT])) as client:
        assert client.say().code is None
        client.connector.begin({"id": "other"})
        assert client.connector.saved == {}
        assert client.say().code is None
        assert bot.paths == [
            "POST /token",
            "POST /chats/t1",
            "POST /say/c2",
            "POST /token",
            "POST /chats/t3",
            "POST /say/c4",
        ]


@lanes
@pytest.mark.parametrize("protocol", ["http", "sse", "ndjson"])
def test_with_steps_per_run_only_a_kept_connection_serves_the_next_conversation(lane: Lane, protocol: Protocol) -> None:
    streamed = b"".join(chunk(event) for event in (*sse.PIECES, sse.DONE)) + LAST_CHUNK
    lines = head("Content-Type: application/x-ndjson", CHUNKED) + chunk(ndjson.DONE) + LAST_CHUNK
    answer = {"http": whole(http.GOOD), "sse": sse.STREAM_HEAD + streamed, "ndjson": lines}[protocol]
    made = Bot()

    def bot_of_protocol(request: Asked) -> bytes:
        return made(request) if request.path == "/token" else answer

    with scripted(bot_of_protocol) as bot:
        spec = make_spec(protocol, bot.url, handshake={"steps": [{**RUN_TOKEN, "headers": {}}]}, request=SAY)
        with Client(lane, spec) as client:
            turns = []
            for number in range(3):
                client.connector.begin({"id": f"s{number}"})
                turns += client.say_all(["one", "two"])
                assert client.connector.saved["token"] == "t1"
        assert [turn.code for turn in turns] == [None] * 6, turns[0].error
        assert bot.paths == ["POST /token"] + ["POST /say"] * 6
        assert {request.headers["authorization"] for request in bot.requests[1:]} == {"Bearer t1"}
        assert bot.server.connections == 1, "one for the step and all conversations"


@lanes
def test_a_shared_token_is_renewed_without_a_new_connection(lane: Lane) -> None:
    with (
        scripted(Bot()) as bot,
        Client(lane, spec_with(bot.url, [{**RUN_TOKEN, "expires_s": 0.3}], request=SAY)) as one,
    ):
        for number in range(3):
            one.idle(0.35 if number else 0)
            one.connector.begin({"id": f"s{number}"})
            assert one.say().code is None
        assert bot.paths == ["POST /token", "POST /say"] * 3
        assert bot.requests[-1].headers["authorization"] == "Bearer t3"
        assert bot.server.connections == 1, "one for tokens and turns"


@lanes
def test_a_shared_token_that_is_refused_is_had_anew_in_the_next_conversation(lane: Lane) -> None:
    with scripted(Bot(lambda request: request.headers["authorization"] == "Bearer t1")) as bot:
        with Client(lane, spec_with(bot.url, [RUN_TOKEN], request=SAY)) as client:
            assert client.say().code == "http_401"
            assert client.connector.refresh(401)
            client.connector.begin({"id": "other"})
            assert client.connector.saved == {}
            assert client.say().code is None
        assert bot.paths == ["POST /token", "POST /say", "POST /token", "POST /say"]


@lanes
def test_a_step_may_go_to_another_origin(lane: Lane) -> None:
    with scripted(Bot()) as login, scripted(Bot()) as bot:
        step = {**TOKEN, "url": f"{login.url}/token"}
        assert one_turn(lane, spec_with(bot.url, [step], request=SAY)).code is None
        assert (login.paths, bot.paths) == (["POST /token"], ["POST /say"])
        assert login.requests[0].headers["host"] == f"127.0.0.1:{login.server.port}"


@lanes
def test_a_step_per_run_is_done_once_for_all_conversations_at_once(lane: Lane) -> None:
    with scripted(Bot()) as bot:
        target = CompiledTarget(spec_with(bot.url, [{**TOKEN, "per": "run"}, CHAT]))
        turns = converse_at_once(lane, target, 12)
        assert [t.code for t in turns] == [None] * 12, turns[0].error
        assert bot.paths.count("POST /token") == 1
        assert bot.paths.count("POST /chats/t1") == 12
        assert len({path for path in bot.paths if "/say" in path}) == 12
    assert sum("token" in (t.timeline.handshake_ns or {}) for t in turns) == 1, "its time is counted once"


@lanes
@pytest.mark.parametrize(
    ("answer", "code", "says_what"),
    [
        (whole(b'{"error":{"message":"no such key"}}', status="403 No"), "http_403", "no such key"),
        (whole(b"{}"), "answer_unmatched", "'token'"),
        (whole(b"<html>"), "json_invalid", "not JSON"),
        (whole(b"{}", status="302 Found"), "http_302", ""),
        (b"rubbish\r\n\r\n", "http_malformed", ""),
    ],
)
def test_a_step_that_goes_wrong_is_the_turn_s_error_with_its_name(
    lane: Lane, answer: bytes, code: str, says_what: str
) -> None:
    with scripted(lambda _: answer) as bot:
        turn = one_turn(lane, spec_with(bot.url, [TOKEN], request=SAY))
        assert bot.paths == ["POST /token"], "nothing is said to a target that refused"
    assert turn.error is not None
    assert turn.code == code
    assert "handshake.token" in turn.error.detail
    assert says_what in turn.error.detail
    assert turn.timeline.sent_ns is None
    assert bool(turn.error.advice) == (code in {"http_403", "answer_unmatched", "http_302", "http_malformed"})


@lanes
@pytest.mark.parametrize(
    "url",
    [
        "http://{{ secret.api_key }}:99999/",
        "{{ secret.api_key }}",
        "ftp://{{ secret.api_key }}/",
        "http://u:{{ secret.api_key }}@h/",
    ],
)
def test_an_error_in_a_step_shows_no_secret(lane: Lane, url: str) -> None:
    with scripted(Bot()) as bot:
        try:
            turn = one_turn(lane, spec_with(bot.url, [{**TOKEN, "url": url}], request=SAY))
        except ValueError as exc:
            said = str(exc)  # what depends on nothing but the target is found out when it is compiled
        else:
            assert turn.error is not None
            said = f"{turn.error} {turn.error.detail} {turn.error.advice}"
    assert SECRET not in said
    assert "handshake.token" in said
