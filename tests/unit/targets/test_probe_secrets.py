"""A test message shows nothing of a secret, whatever a target's mapping does with what an honest target repeats."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from connectors.opaque.tokens import MARK
from connectors.registry import Lane
from connectors.spec import build_target_spec
from targets.probe import probe
from targets.probe_result import Probe
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import JSON_TYPE, whole

KEY = "Planted-Key-4711-xyzzy"
lanes = pytest.mark.parametrize("lane", ["reference", "load"])


def echo(peer: Peer) -> None:
    """Repeats each request whole, as echo services do."""
    while True:
        peer.read_request()
        head, _, body = peer.last.partition(b"\r\n\r\n")
        said = {"head": head.decode("latin-1"), "body": body.decode("latin-1"), "text": "fine"}
        said["key"] = next((line[7:] for line in said["head"].split("\r\n") if line.startswith("x-key: ")), "none")
        peer.send(whole(json.dumps(said).encode(), JSON_TYPE))


def said_of(lane: Lane, overrides: dict[str, Any], *messages: str, secret: str = KEY) -> Probe:
    with HostileServer(echo) as server:
        spec = build_target_spec(
            name="bot",
            url=server.url,
            preset="generic-json",
            params={"user": "u"},
            overrides={"response": {"text": "text"}} | overrides,
            secrets={"key": secret},
        )
        return probe(spec, messages or ("hello",), lane=lane, limit_s=20)


def forms(secret: str) -> list[str]:
    data = secret.encode()
    encoded = [base64.b64encode(bytes(n) + data).decode()[4:-4] for n in range(3)]
    found = [secret, *encoded, base64.b64encode(base64.b64encode(data)).decode()[:-4], data.hex()]
    found += [secret.upper(), secret.lower(), secret[:8], secret[-8:]]
    return [*found, *(form[::-1] for form in found)]


def shown(found: Probe) -> str:
    return json.dumps(found.as_dict(), ensure_ascii=False)


IN_HEADER = {"headers": {"x-key": "{{ secret.key }}"}}
IN_BODY = {"body": {"message": "{{ message }}", "key": "{{ secret.key }}"}}
ATTACKS: dict[str, dict[str, Any]] = {
    "as it is": {"request": IN_HEADER | IN_BODY},
    "joined": {"request": {"headers": {"x-key": "a{{ secret.key }}b"}}},
    "base64": {"request": {"headers": {"x-key": "Basic {{ (params.user ~ ':' ~ secret.key) | b64encode }}"}}},
    "url": {"request": {"path": "/?k={{ secret.key | urlencode }}"}},
    "its text": {"request": IN_HEADER, "response": {"text": "key"}},
    "its text, reversed": {"request": IN_HEADER, "response": {"text": "reverse(key)"}},
    "its text, compared": {"request": IN_HEADER, "response": {"text": "key > 'P' && key < 'Q' && 'HIT' || text"}},
    "its text, searched": {"request": IN_HEADER, "response": {"text": "starts_with(key, 'Plan') && 'HIT' || text"}},
    "its length": {"request": IN_HEADER, "response": {"text": "length(key) == `22` && 'HIT' || text"}},
    "saved": {"request": IN_HEADER, "response": {"text": "text", "save": {"k": "key"}}},
    "saved, reversed": {"request": IN_HEADER, "response": {"text": "text", "save": {"k": "reverse(key)"}}},
    "an error": {"request": IN_HEADER, "response": {"text": "text", "error": "reverse(key)"}},
    "a codec": {"request": IN_BODY, "codec": {"request": [{"name": "base64"}]}, "response": {"text": "body"}},
    "a secret codec": {
        "request": IN_BODY,
        "codec": {"request": [{"name": "cryptojs-aes", "options": {"passphrase": "{{ secret.key }}"}}]},
    },
}


@lanes
@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_of_it_is_shown(lane: Lane, name: str) -> None:
    found = shown(said_of(lane, ATTACKS[name]))
    assert [form for form in forms(KEY) if form in found] == []
    assert "HIT" not in found
    assert MARK not in found
    assert "***" in found, "something was to be hidden"


@lanes
@pytest.mark.parametrize(
    "use", ["{{ %s }}", "{{ %s | reverse }}", "{{ %s[:9] }}", "{{ %s | upper }}", "{{ %s | list }}"]
)
def test_what_was_saved_or_said_is_as_opaque(lane: Lane, use: str) -> None:
    """A second turn may use what the first one's answer repeated."""
    overrides = {
        "request": {
            "headers": {"x-key": "{{ secret.key }}"},
            "body": {"saved": use % "saved.k", "said": use % "history[-1].content", "message": "{{ message }}"},
        },
        "response": {"text": "key", "save": {"k": "head"}},
    }
    found = shown(said_of(lane, overrides, "one", "two"))
    assert [form for form in forms(KEY) if form in found] == []


@lanes
@pytest.mark.parametrize(
    "use", ["{{ saved.k }}", "{{ saved.k | reverse }}", "{{ saved.k[:9] }}", "{{ saved.k | upper }}"]
)
@pytest.mark.parametrize("path", ["key", "reverse(key)", "join('', [key])", "to_string(@)", "head"])
def test_what_a_handshake_gave_is_as_opaque(lane: Lane, use: str, path: str) -> None:
    step = {"name": "s", "url": "/", "headers": {"x-key": "{{ secret.key }}"}, "save": {"k": path}}
    overrides = {"handshake": {"steps": [step]}, "request": {"body": {"saved": use, "message": "{{ message }}"}}}
    found = shown(said_of(lane, overrides))
    assert [form for form in forms(KEY) if form in found] == []


@lanes
@pytest.mark.parametrize("path", ["starts_with(key, 'Plan') && 'HIT' || 'no'", "length(key) == `22` && 'HIT' || 'no'"])
def test_a_handshake_cannot_ask_about_it(lane: Lane, path: str) -> None:
    step = {"name": "s", "url": "/", "headers": {"x-key": "{{ secret.key }}"}, "save": {"k": path}}
    overrides = {
        "handshake": {"steps": [step]},
        "request": {"body": {"saved": "{{ saved.k if saved.k == 'HIT' else 'MISS' }}", "message": "{{ message }}"}},
    }
    found = shown(said_of(lane, overrides)).replace(path, "")
    assert "MISS" in found
    assert "HIT" not in found


@lanes
def test_a_short_secret_does_not_disturb_the_mapping(lane: Lane) -> None:
    found = said_of(lane, {"request": IN_HEADER}, secret="text")
    assert found.ok
    assert found.turns[-1].text == "fine"
