"""What is proposed for recorded chats: it asks as they did, and reads what they answered."""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

import orjson
import pytest

from connectors.registry import Lane
from connectors.spec import TargetSpec, build_target_spec
from connectors.target import CompiledTarget
from targets.learning.learn import learn
from targets.learning.proposal import Proposal
from targets.probe import probe
from tests.hostile.server import HostileServer, Peer
from tests.support.recorded_chats import KEY, Chat, curl, har, preset_chats, unknown_chats
from tests.support.recordings import SESSION, recording, wire_bytes

PRESETS, UNKNOWN = preset_chats(), unknown_chats()
MAPPED = {"generic-json", "generic-socketio", "generic-ndjson", "generic-websocket", "generic-text"}
FAMILY = {"chainlit-plain": "chainlit", "vllm": "openai-chat", "llama-cpp": "openai-chat", "tgi": "openai-chat"}
"""Presets with the same requests and answers, unless a request has what only they take."""
RIGHT_OF_20 = 15
VENDORS = (
    "anthropic-messages", "azure-openai", "dify", "directline", "gemini", "llama-cpp", "ollama-chat", "openai-chat",
    "openai-responses", "rasa-rest", "tgi", "tgi-generate", "vllm", "ai-sdk", "ag-ui", "a2a", "mcp",
    "chainlit", "talksy",
)  # fmt: skip


def spec_of(made: Proposal) -> TargetSpec:
    return build_target_spec(name="learned", **made.target(), secrets=dict.fromkeys(made.secrets, "s3cr3t-value"))


def asked(made: Proposal, chat: Chat, message: str) -> Any:
    """The body, or the path, that the proposal sends for the recorded conversation with `message` as its last."""
    case = chat.data.get("case", {})
    log = [*case.get("conversation", []), *chat.data.get("log", [])][:-1]
    history = [*log] if log else said_before(chat)
    context = {
        "message": message,
        "messages": [*history, {"role": "user", "content": message}],
        "history": history,
        "turn": 0,
        "vars": {},
        "session": SESSION,
        "message_id": "3e1b6c0e-0000-4000-8000-000000000000",
        "saved": chat.data.get("saved", case.get("saved", {})),
    }
    request = CompiledTarget(spec_of(made)).render(context)
    if made.overrides.get("request", {}).get("encoding") == "form":
        return dict(parse_qsl(request.body.decode()))
    return orjson.loads(request.body) if request.body else request.path


def said_before(chat: Chat) -> list[dict[str, str]]:
    found = []
    for turn in chat.data["turns"][:-1]:
        found += [{"role": "user", "content": turn["message"]}, {"role": "assistant", "content": turn["text"]}]
    for question, answer in chat.data.get("history", []):
        found += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return found


def without(body: Any, paths: list[str]) -> Any:
    """The body without what is another value in each conversation."""
    body = json.loads(json.dumps(body))
    for path in paths:
        *parents, last = path.split(".")
        inside = body
        for key in parents:
            inside = inside[key]
        inside.pop(last, None)
    return body


@cache
def learned(text: str) -> Proposal:
    """Several tests look at the same proposal."""
    return learn([text])


def wrong(chat: Chat) -> str:
    """Why what is proposed is not right; empty: it is."""
    made = learned(chat.text())
    turn = chat.last
    if made.untold:
        return f"it could not tell {made.untold}"
    if made.message != turn["message"]:
        return f"the message is {made.message!r}"
    if made.reading is None or made.reading.text != turn["text"]:
        return f"it reads {made.reading}"
    wanted = turn["request"]["body"]
    varies = chat.data.get("varies", [])
    if wanted is not None and without(asked(made, chat, turn["message"]), varies) != without(wanted, varies):
        return f"it asks {asked(made, chat, turn['message'])}"
    other = json.dumps(asked(made, chat, "Something quite different?"))
    return "" if "different" in other and turn["message"] not in other else f"another message gives {other}"


@pytest.mark.parametrize("chat", UNKNOWN, ids=str)
def test_a_mapping_of_its_own_asks_and_reads_as_recorded(chat: Chat) -> None:
    assert wrong(chat) == ""
    tokens = chat.data.get("tokens")
    reading = learned(chat.text()).reading
    assert tokens is None or (reading and [reading.tokens_in, reading.tokens_out] == tokens)


@pytest.mark.parametrize("chat", [chat for chat in PRESETS if chat.preset in VENDORS], ids=str)
def test_a_preset_is_recognised_by_its_exchange(chat: Chat) -> None:
    assert of_preset(chat) == ""


def of_preset(chat: Chat) -> str:
    """Why the proposal for a preset's exchange is not right; empty: it is."""
    made = learned(chat.text())
    assert KEY not in json.dumps(made.as_dict())
    if made.preset not in {chat.preset, FAMILY.get(chat.preset)} and made.preset not in MAPPED:
        return f"it proposes {made.preset}"
    if made.reading is None or made.untold:
        return f"it could not tell {made.untold}"
    if made.message != chat.last["message"]:
        return f"the message is {made.message!r}"
    read = {"text": made.reading.text, "tokens_in": made.reading.tokens_in, "tokens_out": made.reading.tokens_out}
    wanted = {name: chat.last[name] for name in read if name in chat.last}
    return "" if {name: read[name] for name in wanted} == wanted else f"it reads {read}"


@pytest.mark.parametrize("preset", ["openai-assistants", "azure-ai-agents", "sunshine"])
def test_an_answer_that_is_fetched_later_is_read_where_it_came(preset: str) -> None:
    data = recording(preset)
    answered = [case for case in data["cases"] if "then" in case and case["expected"].get("text")]
    assert answered
    for case in answered:
        asked = [case["request"], *(part["request"] for part in case["then"])]
        answers = [*(part["answer"] for part in case["then"]), case["answer"]]
        turns = [
            {"request": one | {"url": f"https://bots.example.com{one['path']}"}, "answer": answer}
            for one, answer in zip(asked, answers, strict=True)
        ]
        made = learn([har({"turns": turns})])
        assert (made.preset, made.stream, made.untold) == (preset, case.get("stream", False), [])
        assert "by the request alone" not in str(made.unsure)
        assert made.reason.endswith("path, request and answer")
        assert made.reading is not None
        assert made.reading.text == case["expected"]["text"]


def test_at_least_15_of_20_chatbots_are_right_without_help() -> None:
    """One recorded exchange of each preset, and all chatbots that no preset knew."""
    found = {chat.preset: of_preset(chat) for chat in reversed(PRESETS)} | {str(chat): wrong(chat) for chat in UNKNOWN}
    failed = {name: why for name, why in found.items() if why}
    assert len(found) >= 20
    assert len(UNKNOWN) >= 6
    assert len(failed) <= len(found) * (20 - RIGHT_OF_20) // 20, failed


@pytest.mark.parametrize("lane", ["reference", "load"])
@pytest.mark.parametrize("name", ["thread-first", "growing-text", "token-lines", "form", "query"])
def test_what_is_proposed_works_through_a_socket(name: str, lane: Lane) -> None:
    [chat] = [chat for chat in UNKNOWN if str(chat) == name]
    turns = {urlsplit(turn["request"]["url"]).path: turn for turn in (*chat.data.get("before", ()), chat.last)}

    def serve(peer: Peer) -> None:
        while True:
            path = peer.read_request().split(b" ")[1].decode().partition("?")[0]
            peer.send(wire_bytes(turns[path]["answer"]))

    made = learned(chat.text())
    with HostileServer(serve) as server:
        target = {**made.target(), "url": server.url}
        spec = build_target_spec(name="learned", **target, secrets=dict.fromkeys(made.secrets, "s3cr3t-value"))
        found = probe(spec, ["Is that so & good?"], lane=lane)
    assert found.turns[0].error is None
    assert (found.turns[0].text, found.turns[0].unmatched) == (chat.last["text"], 0)
    assert b"Is that so & good?" in unquote_to_bytes(server.requests[-1].replace(b"+", b" "))


def test_headers_of_browsers_sdks_and_tracers_are_left_out_and_the_chatbots_own_are_kept() -> None:
    [chat] = [chat for chat in UNKNOWN if str(chat) == "chain-invoke"]
    added = {
        "X-Stainless-OS": "Linux",
        "traceparent": "00-1",
        "Sec-CH-UA": "x",
        "Origin": "https://x",
        "X-Tenant": "acme",
    }
    turn = {**chat.last, "request": {**chat.last["request"], "headers": added}}
    assert learn([curl(turn)]).overrides["request"]["headers"] == {"Authorization": None, "X-Tenant": "acme"}


@pytest.mark.parametrize("chat", UNKNOWN, ids=str)
def test_no_secret_is_in_what_is_written_and_each_is_named(chat: Chat) -> None:
    turn = json.loads(json.dumps(chat.last))
    turn["request"]["headers"] |= {
        "Authorization": f"Bearer {KEY}",
        "X-Api-Key": f"{KEY}-2",
        "X-Csrf-Token": f"{KEY}-3",
    }
    for text in (har({**chat.data, "turns": [turn]}), *([] if turn.get("frames") else [curl(turn)])):
        made = learn([text])
        assert KEY not in json.dumps(made.as_dict()) + repr(made)
        if not turn.get("frames"):
            assert "csrf_token" in made.secrets and len(made.secrets) >= 3
