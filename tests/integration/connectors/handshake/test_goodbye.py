"""Requests at the end of a conversation, in both lanes."""

from __future__ import annotations

import threading
from collections.abc import Awaitable
from typing import Any

import pytest

from connectors.handshake.farewell import Parting
from connectors.registry import Lane
from connectors.spec import SpecError, TargetSpec, build_target_spec
from connectors.target import CompiledTarget
from targets.probe import probe
from tests.hostile.frames import accepted, frame, read_frame
from tests.hostile.server import Gone, HostileServer, Peer
from tests.hostile.table import whole
from tests.integration.connectors.lanes import ROOMY, Client, make_spec
from tests.integration.connectors.scripted import Asked, scripted
from tests.integration.connectors.websocket.talking import lanes
from tokenburn_site.cli.probe.text import lines

KEY = "planted-key-5512"
OPENS = {"name": "open", "url": "/session", "save": {"id": "id"}}
CLOSES = {
    "name": "close",
    "url": "/session/{{ saved.id }}",
    "headers": {"X-Key": "{{ secret.api_key }}"},
}
COUNTS = {
    "name": "count",
    "method": "POST",
    "url": "/used",
    "body": {"turn": "{{ saved.turn }}", "of": "{{ session.id }}"},
}


END = {"name": "end", "url": "/talks/{{ session.id }}"}


def spec(
    url: str,
    *,
    steps: bool = True,
    goodbye: list[dict[str, Any]] | None = None,
    timeouts: dict[str, float] = ROOMY,
) -> TargetSpec:
    handshake = {"steps": [OPENS] if steps else [], "goodbye": [CLOSES, COUNTS] if goodbye is None else goodbye}
    overrides: dict[str, Any] = {
        "handshake": handshake,
        "timeouts": timeouts,
        "request": {"path": "/ask"},
        "response": {"save": {"turn": "turn"}},
    }
    return build_target_spec(name="t", url=url, preset="generic-json", overrides=overrides, secrets={"api_key": KEY})


def answer(asked: Asked) -> bytes:
    if asked.path == "/session":
        return whole(b'{"id": "s 1"}')
    if asked.method == "DELETE":
        return whole(b"", status="204 No Content")
    return whole(b'{"response": "Hello", "turn": 7}')


def part(client: Client) -> Parting | None:
    found: list[Parting | None] = []

    async def said() -> None:
        farewell = client.connector.say_farewell()
        found.append(await farewell if isinstance(farewell, Awaitable) else farewell)

    client.run(said())
    return found[0]


@lanes
def test_they_know_what_was_saved_and_go_over_the_conversations_connection(lane: Lane) -> None:
    with scripted(answer) as server:
        with Client(lane, spec(server.url)) as client:
            assert client.say("hi").text == "Hello"
            parting = part(client)
        asked, connections = server.requests[-2:], server.server.connections
    assert parting is not None
    assert (parting.failure, list(parting.took_ns)) == (None, ["close", "count"])
    assert all(0 < ns < 10e9 for ns in parting.took_ns.values())
    assert [(one.method, one.path) for one in asked] == [("DELETE", "/session/s%201"), ("POST", "/used")]
    assert asked[0].headers["x-key"] == KEY
    assert asked[1].body.startswith(b'{"turn":7,"of":"')
    assert connections == 1


@lanes
@pytest.mark.parametrize(
    ("refusal", "code", "sent"),
    [
        (whole(b'{"error": "no"}', status="500 No"), "http_500", ["close", "count"]),
        (b"", "connection_closed", []),
        (b"SSH-2.0-x\r\n\r\n", "http_malformed", []),
    ],
)
def test_what_goes_wrong_is_kept_and_raises_nothing(lane: Lane, refusal: bytes, code: str, sent: list[str]) -> None:
    def refusing(asked: Asked) -> bytes:
        if asked.method != "DELETE":
            return answer(asked)
        if not refusal:
            raise Gone
        return refusal

    with scripted(refusing) as server, Client(lane, spec(server.url)) as client:
        assert client.say("hi").code is None
        parting = part(client)
    assert parting is not None
    assert parting.failure is not None
    assert (parting.failure.code, list(parting.took_ns)) == (code, sent)
    assert parting.failure.detail.startswith("handshake.goodbye.close: ")
    assert KEY not in str(parting.failure)


@lanes
def test_an_answer_that_never_comes_has_its_time_limit(lane: Lane) -> None:
    held = threading.Event()

    def holding(asked: Asked) -> bytes:
        if asked.method == "DELETE":
            held.wait(10)
        return answer(asked)

    limits = {**ROOMY, "first_byte": 0.2}
    with scripted(holding) as server, Client(lane, spec(server.url, timeouts=limits)) as client:
        client.say("hi")
        parting = part(client)
        held.set()
    assert parting is not None
    assert parting.failure is not None
    assert (parting.failure.code, parting.took_ns) == ("first_byte_timeout", {})


@lanes
def test_a_conversation_whose_handshake_failed_says_none(lane: Lane) -> None:
    with scripted(lambda _: whole(b"", status="503 No")) as server:
        with Client(lane, spec(server.url)) as client:
            assert client.say("hi").code == "http_503"
            assert part(client) is None
        assert [asked.path for asked in server.requests] == ["/session"]


@lanes
def test_a_target_without_steps_and_one_without_goodbye(lane: Lane) -> None:
    with scripted(answer) as server:
        with Client(lane, spec(server.url, steps=False, goodbye=[COUNTS])) as client:
            client.say("hi")
            parting = part(client)
            assert parting is not None
            assert list(parting.took_ns) == ["count"]
        with Client(lane, spec(server.url, goodbye=[])) as client:
            client.say("hi")
            assert part(client) is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"save": {"a": "b"}}, "save has no effect: no request follows"),
        ({"until": {"path": "a"}}, "until has no effect: no request follows"),
        ({"read": "sse"}, "read has no effect: no request follows"),
        ({"every_s": 1}, "every_s has no effect"),
        ({"when": "{{ saved.a }}"}, "when"),
        ({"per": "run"}, "per"),
        ({"url": "/{{ secret.api_key }}"}, "secret"),
        ({"url": "ftp://x/"}, "neither a path (/token) nor an http(s) URL"),
    ],
)
def test_what_has_no_effect_or_may_not_be_is_refused_with_its_name(change: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError) as refused:
        CompiledTarget(spec("http://127.0.0.1:9", goodbye=[CLOSES | change]))
    assert says in str(refused.value)
    assert "goodbye" in str(refused.value)


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(SpecError, match="a name of its own"):
        spec("http://127.0.0.1:9", goodbye=[CLOSES, CLOSES])


@lanes
def test_a_probe_shows_it_and_what_was_wrong(lane: Lane) -> None:
    with scripted(answer) as server:
        found = probe(spec(server.url), ["hi"], lane=lane)
    assert [(step.name, step.status, step.request.method) for step in found.goodbye] == [
        ("close", 204, "DELETE"),
        ("count", 200, "POST"),
    ]
    assert set(found.goodbye_ms) == {"close", "count"}
    shown = "\n".join(lines(found))
    assert "goodbye close DELETE " in shown
    assert KEY not in shown
    with scripted(lambda asked: answer(asked) if asked.method != "DELETE" else whole(b"no", status="500 No")) as server:
        found = probe(spec(server.url), ["hi"], lane=lane)
    assert found.goodbye_error is not None
    assert (found.ok, found.goodbye_error.code) == (True, "http_500")
    assert any(line.startswith("error        http_500: handshake.goodbye.close: ") for line in lines(found))


@lanes
def test_a_conversation_over_a_websocket_ends_with_a_request(lane: Lane) -> None:
    def serve(peer: Peer) -> None:
        request = peer.read_request()
        if request.startswith(b"DELETE"):
            peer.send(whole(b"", status="204 No Content"))
            return
        peer.send(accepted(request))
        read_frame(peer)
        peer.send(frame(b'{"response": "Hello", "done": true}'))
        peer.hold()

    with HostileServer(serve) as server:
        target = make_spec("websocket", server.url.replace("http", "ws"), handshake={"goodbye": [END]})
        with Client(lane, target) as client:
            assert client.say("hi").text == "Hello"
            parting = part(client)
        last = server.requests[-1]
    assert parting is not None
    assert (parting.failure, list(parting.took_ns)) == (None, ["end"])
    assert last.startswith(b"DELETE /talks/s HTTP/1.1")
