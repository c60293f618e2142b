"""When what the steps before a conversation gave is had anew, on both lanes: expiry, refusals, failures."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from connectors.handshake.expiry import told_lifetime_s
from connectors.registry import Lane, connector_class
from connectors.target import CompiledTarget
from tests.hostile import http, split, websocket
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import whole
from tests.integration.connectors.handshake.steps import CHAT, SAY, TOKEN, Bot, converse_at_once, lanes, spec_with
from tests.integration.connectors.lanes import ROOMY, Client, make_spec, say, wait
from tests.integration.connectors.scripted import Asked, says, scripted


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
@pytest.mark.parametrize("protocol", ["http", "split", "websocket"])
def test_waiting_for_the_log_in_of_another_user_is_a_step_and_no_lag(lane: Lane, protocol: str) -> None:
    log_in_s, users = 0.5, 4
    begun = threading.Semaphore(0)
    good = {"http": http.good, "split": split.good, "websocket": websocket.good}

    def script(peer: Peer) -> None:
        good[protocol](peer)

    def log_in(peer: Peer) -> None:
        peer.read_request()
        for _ in range(users):
            assert begun.acquire(timeout=30)
        time.sleep(log_in_s)
        peer.send(says({"token": "t1"}))
        peer.hold()

    with HostileServer(log_in) as login, HostileServer(script) as server:
        step = {**TOKEN, "url": f"{login.url}/token", "per": "run", "headers": {}}
        target = CompiledTarget(make_spec(protocol, server.url, handshake={"steps": [step]}, timeouts=ROOMY))
        turns = converse_at_once(lane, target, users, begun)
        assert len(login.requests) == 1
    assert [t.code for t in turns] == [None] * users, turns[0].error
    steps = [turn.timeline.handshake_ns or {} for turn in turns]
    [logged_in] = [taken for taken in steps if "token" in taken]
    assert logged_in.get("run_wait", 0) < logged_in["token"]  # to take a free lock takes a busy machine a while, too
    assert all("run_wait" in taken for taken in steps if taken is not logged_in)
    for turn, taken in zip(turns, steps, strict=True):
        assert turn.timeline.sent_ns is not None
        lag_s = (turn.timeline.sent_ns - turn.timeline.planned_ns - sum(taken.values())) / 1e9
        assert lag_s < log_in_s * 0.9, taken


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
def test_a_failed_renewal_is_repeated_and_every_turn_has_a_token(lane: Lane) -> None:
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
