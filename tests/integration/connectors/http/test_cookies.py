"""Cookies that a target sets, and the requests that return them, on both lanes."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from connectors.http.cookies import JAR_BYTES, MOST_COOKIES
from connectors.registry import Lane
from connectors.spec import TargetSpec
from connectors.target import CompiledTarget
from tests.hostile import http, socketio, split, sse, websocket
from tests.hostile.frames import accepted, read_message
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import CHUNKED, JSON_TYPE, LAST_CHUNK, SSE_TYPE, chunk, head, whole
from tests.integration.connectors.lanes import LANES, ROOMY, Client, make_spec, one_turn, wait
from tests.integration.connectors.scripted import Asked, scripted

lanes = pytest.mark.parametrize("lane", LANES)
LOG_IN = {"name": "login", "url": "/login"}
LINES = b'{"delta":"four words "}\n{"delta":"of answer","done":true}\n'


def answer_of(protocol: str, *headers: str) -> bytes:
    if protocol == "sse":
        events = b"".join(chunk(event) for event in (*sse.PIECES, sse.DONE))
        return head(SSE_TYPE, CHUNKED, *headers) + events + LAST_CHUNK
    if protocol == "ndjson":
        return head("Content-Type: application/x-ndjson", CHUNKED, *headers) + chunk(LINES) + LAST_CHUNK
    return whole(http.GOOD, JSON_TYPE, *headers)


def cookies(requests: list[Asked]) -> list[str]:
    return [request.headers.get("cookie", "") for request in requests]


@lanes
@pytest.mark.parametrize("protocol", ["http", "sse", "ndjson"])
def test_a_cookie_of_an_answer_comes_back_with_the_next_turn_and_not_in_the_next_conversation(
    lane: Lane, protocol: str
) -> None:
    with scripted(lambda _: answer_of(protocol, "Set-Cookie: lb=b1; Path=/; HttpOnly")) as bot:
        with Client(lane, make_spec(protocol, bot.url)) as client:
            assert [t.code for t in client.say_all(["one", "two"])] == [None, None]
            client.connector.begin({"id": "other"})
            assert client.say().code is None
        assert cookies(bot.requests) == ["", "lb=b1", ""]


@lanes
@pytest.mark.parametrize(("who", "seen"), [("session", ""), ("run", "lb=b1"), ("none", "")])
def test_the_target_says_who_shares_cookies(lane: Lane, who: str, seen: str) -> None:
    with scripted(lambda _: answer_of("http", "Set-Cookie: lb=b1")) as bot:
        target = make_spec("http", bot.url, cookies=who)
        with Client(lane, target) as client:
            assert client.say().code is None
            client.connector.begin({"id": "other"})
            assert client.say().code is None
        assert cookies(bot.requests) == ["", seen]


def test_a_cookie_that_is_not_known_of_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="cookies"):
        TargetSpec.model_validate({"name": "t", "protocol": "http", "url": "http://h", "cookies": "all"})


@lanes
@pytest.mark.parametrize("per", ["session", "run"])
def test_a_log_in_by_cookie_is_known_to_the_turns(lane: Lane, per: str) -> None:
    def answer(request: Asked) -> bytes:
        if request.path == "/login":
            return whole(b"{}", JSON_TYPE, "Set-Cookie: sessionid=s3cr3t; Path=/; Max-Age=60", "Set-Cookie: csrf=x")
        return answer_of("http")

    with scripted(answer) as bot:
        spec = make_spec("http", bot.url, handshake={"steps": [{**LOG_IN, "per": per}]}, request={"path": "/say"})
        with Client(lane, spec) as client:
            for name in ("one", "two"):
                client.connector.begin({"id": name})
                assert client.say().code is None
        said = [request for request in bot.requests if request.path == "/say"]
        assert [set(found.split("; ")) for found in cookies(said)] == [{"sessionid=s3cr3t", "csrf=x"}] * 2


@lanes
@pytest.mark.parametrize(
    "given",
    [
        "a=1; Path=/elsewhere",
        "a=1; Secure",
        "a=1; Max-Age=0",
        "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "a=1; Domain=example.org",
        f"a={'x' * 5000}",
        "=; ;",
    ],
)
def test_a_cookie_that_does_not_belong_to_the_request_stays_away(lane: Lane, given: str) -> None:
    with scripted(lambda _: answer_of("http", f"Set-Cookie: {given}")) as bot:
        with Client(lane, make_spec("http", bot.url, request={"path": "/say"})) as client:
            assert [t.code for t in client.say_all(["one", "two"])] == [None, None]
        assert cookies(bot.requests) == ["", ""]


@lanes
def test_cookies_of_the_mapping_go_along_and_win(lane: Lane) -> None:
    with scripted(lambda _: answer_of("http", "Set-Cookie: lb=b1", "Set-Cookie: who=nobody")) as bot:
        spec = make_spec("http", bot.url, request={"headers": {"Cookie": "who=ada"}})
        with Client(lane, spec) as client:
            client.say_all(["one", "two"])
        first, second = cookies(bot.requests)
    assert first == "who=ada"
    assert set(second.split("; ")) == {"lb=b1", "who=ada"}


@lanes
@pytest.mark.parametrize("status", ["302 Found", "401 No"])
def test_a_cookie_of_an_answer_that_is_no_success_is_kept(lane: Lane, status: str) -> None:
    def answer(request: Asked) -> bytes:
        if "cookie" in request.headers:
            return answer_of("http")
        return whole(b"{}", JSON_TYPE, "Set-Cookie: seen=1; Path=/", "Location: /say", status=status)

    with scripted(answer) as bot, Client(lane, make_spec("http", bot.url, follow_redirects=True)) as client:
        codes = [t.code for t in client.say_all(["one", "two"])]
    assert codes == ([None, None] if status.startswith("302") else ["http_401", None])


@lanes
@pytest.mark.parametrize("protocol", ["split", "websocket"])
def test_what_stands_over_the_turns_is_opened_with_the_cookies_of_the_log_in(lane: Lane, protocol: str) -> None:
    def log_in(peer: Peer) -> None:
        peer.read_request()
        peer.send(whole(b"{}", JSON_TYPE, "Set-Cookie: sessionid=s3cr3t; Path=/"))
        peer.hold()

    with HostileServer(log_in) as login, HostileServer(split.good if protocol == "split" else websocket.good) as server:
        step: dict[str, Any] = {**LOG_IN, "url": f"{login.url}/login"}
        spec = make_spec(protocol, server.url, handshake={"steps": [step]}, timeouts=ROOMY)
        assert one_turn(lane, spec).code is None
        seen = [b"sessionid=s3cr3t" in request for request in server.requests if b" HTTP/1.1" in request]
    assert seen
    assert all(seen), "a cookie belongs to a host, whatever its port"


def test_without_cookies_a_request_is_the_very_same_object() -> None:
    target = CompiledTarget(make_spec("http", "http://127.0.0.1:1"))
    request = target.render({"message": "m", "messages": [], "history": [], "turn": 0, "session": {}, "saved": {}})
    kept = target.new_cookies()
    assert kept is not None
    assert kept.added_to(request, target.endpoint) is request


@lanes
@pytest.mark.parametrize("protocol", ["websocket", "split-websocket", "socketio"])
def test_a_cookie_of_an_upgrade_comes_back_with_the_next_requests(lane: Lane, protocol: str) -> None:
    """Upgrades anew, and what is posted beside a WebSocket: as a sticky load balancer wants it."""
    cookie = "Set-Cookie: lb=b1; Path=/"

    def script(peer: Peer) -> None:
        request = peer.read_request()
        while not request.startswith(b"GET"):
            peer.send(whole(b"{}", JSON_TYPE))
            request = peer.read_request()
        peer.send(accepted(request, cookie, "Set-Cookie: second=2"))
        if protocol == "socketio":
            peer.send(socketio.OPENED + socketio.CONNECTED)
            read_message(peer), read_message(peer)
            peer.send(socketio.ANSWER)
            peer.hold()
        if protocol == "websocket":
            read_message(peer)
        if protocol == "split-websocket":
            split.wait_for_post(peer, 1)
        peer.send(websocket.ANSWER)
        peer.hold()

    with HostileServer(script) as server:
        with Client(lane, make_spec(protocol, server.url, timeouts=ROOMY)) as client:
            turns = [client.say("one")]
            if protocol != "split-websocket":
                client.run(wait(client.connector.disconnect()))
                turns.append(client.say("two"))
        sent = [request for request in server.requests if b" HTTP/1.1" in request]
    assert [turn.code for turn in turns] == [None] * len(turns), turns[-1].error
    assert [b"lb=b1" in request and b"second=2" in request for request in sent] == [False, True]


@lanes
def test_a_target_that_sets_ever_more_cookies_does_not_swell_the_requests(lane: Lane) -> None:
    numbers = count(1)

    def bomb(_: Asked) -> bytes:
        large = [f"Set-Cookie: c{next(numbers)}={'x' * 3900}; Path=/" for _ in range(3)]
        return answer_of("http", *large, *(f"Set-Cookie: s{next(numbers)}=1" for _ in range(20)))

    with scripted(bomb) as bot, Client(lane, make_spec("http", bot.url)) as client:
        turns = client.say_all(["more"] * 30)
        assert {turn.code for turn in turns} == {None}
        sent = cookies(bot.requests)
        assert max(map(len, sent)) < JAR_BYTES + 4 * MOST_COOKIES
        assert max(header.count("=") for header in sent) <= MOST_COOKIES
        assert "c1=xxx" in sent[-1], "those that came first stay"


@lanes
def test_a_cookie_that_is_set_anew_in_each_answer_is_always_the_last_one(lane: Lane) -> None:
    numbers = count(1)
    with scripted(lambda _: answer_of("http", f"Set-Cookie: turn={next(numbers)}{'.' * 3900}; Path=/")) as bot:
        with Client(lane, make_spec("http", bot.url)) as client:
            assert {turn.code for turn in client.say_all(["again"] * 25)} == {None}
        assert cookies(bot.requests)[-1].startswith("turn=24.")
