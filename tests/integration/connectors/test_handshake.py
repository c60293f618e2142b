"""The HTTP steps before a conversation, on both lanes: their order, what they save, how often they are done."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from connectors.handshake import told_lifetime_s
from connectors.mapping import CompiledTarget
from connectors.registry import Lane, connector_class
from connectors.spec import TargetSpec
from tests.hostile import http, ndjson, split, sse, websocket
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import CHUNKED, LAST_CHUNK, Protocol, chunk, head, whole
from tests.integration.connectors.lanes import LANES, PATIENT, Client, Turn, make_spec, one_turn, say, wait
from tests.integration.connectors.scripted import Asked, says, scripted

lanes = pytest.mark.parametrize("lane", LANES)
SECRET = "planted-key"
TOKEN = {"name": "token", "url": "/token", "headers": {"X-Key": "{{ secret.api_key }}"}, "save": {"token": "token"}}
RUN_TOKEN = {**TOKEN, "per": "run"}
CHAT = {
    "name": "chat",
    "url": "/chats/{{ saved.token }}",
    "headers": {"Authorization": "Bearer {{ saved.token }}"},
    "body": {"token": "{{ saved.token }}", "user": "{{ session.id }}"},
    "expect": [201],
    "save": {"chat": "session_id"},
}
REQUEST = {"path": "/say/{{ saved.chat }}", "headers": {"Authorization": "Bearer {{ saved.token }}"}}
SAY = {"path": "/say", "headers": {"Authorization": "Bearer {{ saved.token }}"}}


def spec_with(url: str, steps: list[dict[str, Any]], **overrides: Any) -> TargetSpec:
    spec = make_spec("http", url, **{"handshake": {"steps": steps}, "request": REQUEST} | overrides)
    return TargetSpec.model_validate(spec.wire_dict() | {"secrets": {"api_key": SECRET}})


class Bot:
    """Gives tokens t1, t2, ... and chats c1, c2, ...; `refuse` says which turns it answers with 401."""

    def __init__(self, refuse: Callable[[Asked], bool] = lambda _: False, **token: Any) -> None:
        self._refuse = refuse
        self._token = token
        self._lock = threading.Lock()
        self._numbers = count(1)

    def __call__(self, request: Asked) -> bytes:
        if request.path.startswith("/say"):
            refused = whole(b'{"error":"expired"}', status="401 No")
            return refused if self._refuse(request) else whole(http.GOOD)
        with self._lock:
            number = next(self._numbers)
        if request.path == "/token":
            return says({"token": f"t{number}", **self._token})
        return says({"session_id": f"c{number}"}, "201 Created")


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
        assert bot.server.connections == 2, "one for the step, one for all conversations"


@lanes
def test_a_shared_token_is_renewed_without_a_new_connection(lane: Lane) -> None:
    with (
        scripted(Bot()) as bot,
        Client(lane, spec_with(bot.url, [{**RUN_TOKEN, "expires_s": 0.3}], request=SAY)) as one,
    ):
        for number in range(3):
            one.connector.begin({"id": f"s{number}"})
            assert one.say().code is None
            one.idle(0.5)
        assert bot.paths == ["POST /token", "POST /say"] * 3
        assert bot.requests[-1].headers["authorization"] == "Bearer t3"
        assert bot.server.connections == 4, "one for each token, one for all turns"


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


def converse_at_once(lane: Lane, target: CompiledTarget, number: int) -> list[Turn]:
    """As many conversations at the same time, one turn each."""
    kind = connector_class(target.spec.protocol, lane)

    async def conversation() -> Turn:
        connector = kind(target)
        connector.begin({"id": "s"})
        try:
            return await say(connector, "hello")
        finally:
            await wait(connector.disconnect())

    async def all_of_them() -> list[Turn]:
        return list(await asyncio.gather(*(conversation() for _ in range(number))))

    if lane == "load":
        return asyncio.run(all_of_them())
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(lambda _: asyncio.run(conversation()), range(number)))


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
@pytest.mark.parametrize("how", [{"expires_s": 0.2}, {"expires": "expires_in"}], ids=["expires_s", "expires"])
@pytest.mark.parametrize("per", ["session", "run"])
def test_only_what_expired_is_done_again(lane: Lane, per: str, how: dict[str, Any]) -> None:
    with scripted(Bot(expires_in=0.2)) as bot:
        steps = [{**TOKEN, "per": per, **how}, CHAT]
        with Client(lane, spec_with(bot.url, steps)) as client:
            assert client.say().code is None
            client.idle(0.25)
            assert client.say().code is None
        assert bot.paths == ["POST /token", "POST /chats/t1", "POST /say/c2", "POST /token", "POST /say/c2"]
        assert bot.requests[-1].headers["authorization"] == "Bearer t3"


@lanes
@pytest.mark.parametrize("said", ["0.2", " 0.2 ", 0.2, "2e-1"])
def test_a_lifetime_may_come_as_a_number_or_as_text(lane: Lane, said: object) -> None:
    with scripted(Bot(expires_in=said)) as bot:
        with Client(lane, spec_with(bot.url, [{**TOKEN, "expires": "expires_in"}], request=SAY)) as client:
            assert client.say().code is None
            client.idle(0.25)
            assert client.say().code is None
        assert bot.paths.count("POST /token") == 2


@lanes
@pytest.mark.parametrize("protocol", ["http", "sse", "ndjson", "split", "websocket"])
def test_waiting_for_the_log_in_of_another_user_is_a_step_and_no_lag(lane: Lane, protocol: str) -> None:
    log_in_s, users = 0.5, 4
    good = {"http": http.good, "sse": sse.good, "ndjson": ndjson.good, "split": split.good, "websocket": websocket.good}

    def script(peer: Peer) -> None:
        good[protocol](peer)

    def log_in(peer: Peer) -> None:
        peer.read_request()
        time.sleep(log_in_s)
        peer.send(says({"token": "t1"}))
        peer.hold()

    with HostileServer(log_in) as login, HostileServer(script) as server:
        step = {**TOKEN, "url": f"{login.url}/token", "per": "run", "headers": {}}
        target = CompiledTarget(make_spec(protocol, server.url, handshake={"steps": [step]}, timeouts=PATIENT))
        turns = converse_at_once(lane, target, users)
        assert len(login.requests) == 1
    assert [t.code for t in turns] == [None] * users, turns[0].error
    steps = [turn.timeline.handshake_ns or {} for turn in turns]
    assert sorted("run_wait" in taken for taken in steps) == [False, True, True, True]
    for turn, taken in zip(turns, steps, strict=True):
        assert turn.timeline.sent_ns is not None
        lag_s = (turn.timeline.sent_ns - turn.timeline.planned_ns - sum(taken.values())) / 1e9
        assert lag_s < log_in_s / 2, taken


@lanes
@pytest.mark.parametrize("said", [1e308, 0, -5, True, "soon", None, "nan", "-1", "inf", [3]])
def test_an_odd_expiry_is_none(lane: Lane, said: object) -> None:
    with scripted(Bot(expires_in=said)) as bot:
        with Client(lane, spec_with(bot.url, [{**TOKEN, "expires": "expires_in"}], request=SAY)) as client:
            assert [t.code for t in client.say_all(["one", "two"])] == [None, None]
        assert bot.paths.count("POST /token") == 1


@lanes
@pytest.mark.parametrize("per", ["session", "run"])
def test_after_a_401_the_steps_are_done_again_if_asked_for(lane: Lane, per: str) -> None:
    with scripted(Bot(lambda request: request.headers["authorization"] == "Bearer t1")) as bot:
        with Client(lane, spec_with(bot.url, [{**TOKEN, "per": per}], request=SAY)) as client:
            assert client.say().code == "http_401"
            assert not client.connector.refresh(500)
            assert client.connector.refresh(401)
            assert client.say().code is None
        assert bot.paths == ["POST /token", "POST /say", "POST /token", "POST /say"]


@lanes
def test_one_refusal_for_many_conversations_renews_the_run_once(lane: Lane) -> None:
    with scripted(Bot(lambda request: request.headers["authorization"] == "Bearer t1")) as bot:
        target = CompiledTarget(spec_with(bot.url, [{**TOKEN, "per": "run"}], request=SAY))
        kind = connector_class("http", lane)
        connectors = [kind(target) for _ in range(4)]

        async def all_of_them() -> list[str | None]:
            codes = []
            for connector in connectors:
                connector.begin({"id": "s"})
                codes.append((await say(connector, "hello")).code)
            for connector in connectors:
                assert connector.refresh(401)
                codes.append((await say(connector, "hello")).code)
                await wait(connector.disconnect())
            return codes

        assert asyncio.run(all_of_them()) == ["http_401"] * 4 + [None] * 4
        assert bot.paths.count("POST /token") == 2


@lanes
def test_a_new_conversation_whose_own_step_is_refused_renews_the_token_of_the_run(lane: Lane) -> None:
    def bot_whose_first_token_is_bad(request: Asked) -> bytes:
        if request.path == "/chats/t1":
            return whole(b"{}", status="401 No")
        return inner(request)

    inner = Bot()
    with scripted(bot_whose_first_token_is_bad) as bot:
        with Client(lane, spec_with(bot.url, [{**TOKEN, "per": "run"}, CHAT])) as client:
            assert client.say().code == "http_401"
            assert client.connector.refresh(401)
            assert client.say().code is None
        assert bot.paths.count("POST /token") == 2


@lanes
def test_a_renewal_that_fails_is_tried_again_and_nobody_goes_without_a_token(lane: Lane) -> None:
    tokens = iter([says({"token": "t1"}), whole(b"{}", status="503 Busy"), says({"token": "t2"})])

    def answer(request: Asked) -> bytes:
        return next(tokens) if request.path == "/token" else whole(http.GOOD)

    with scripted(answer) as bot:
        steps = [{**TOKEN, "per": "run", "expires_s": 0.05}]
        with Client(lane, spec_with(bot.url, steps, request=SAY)) as client:
            assert client.say().code is None
            client.idle(0.1)
            assert client.say().code == "http_503"
            assert client.connector.saved["token"] == "t1"
            assert client.say().code is None
        assert [r.headers["authorization"] for r in bot.requests if r.path == "/say"] == ["Bearer t1", "Bearer t2"]


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


@pytest.mark.parametrize(
    ("told", "renewed_after_s"), [(3600, 3590), ("3600", 3590), (100.0, 95), ("1.5", 1.425), (0, None), ("later", None)]
)
def test_a_token_is_renewed_a_little_before_its_end(told: object, renewed_after_s: float | None) -> None:
    assert told_lifetime_s(told) == (None if renewed_after_s is None else pytest.approx(renewed_after_s))


@pytest.mark.parametrize("scale", [1, 1000])
def test_a_point_in_time_is_no_lifetime_of_fifty_years(scale: int) -> None:
    found = told_lifetime_s((time.time() + 100) * scale)
    assert found is not None
    assert 80 < found <= 95
