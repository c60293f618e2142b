"""Recorded conversations as other tools write them, as messages of `role` and `content`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from scenarios.spec import ScenarioError

_ROLES: Final = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant", "model", "chatgpt", "bot"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
}


class Talk(NamedTuple):
    """`messages` is whatever stands where the messages should be: `scenarios.replay` judges it."""

    id: str | None
    messages: Any


def talk_of(value: Any) -> Talk | None:
    """The conversation that `value` is, whoever wrote it; None if it is none.

    - ours and fine-tuning lines: `{"messages": [{"role", "content"}]}`
    - ShareGPT: `{"conversations": [{"from": "human", "value": "..."}]}`
    - batch lines: `{"custom_id", "body": {"messages"}}`, or `body.input`
    - a single prompt: `{"prompt": "..."}`
    """
    if not isinstance(value, Mapping):
        return None
    told = value.get("conversation_id", value.get("id", value.get("custom_id")))
    name = str(told) if isinstance(told, str | int) and str(told) else None
    body = value.get("body")
    if "messages" in value:
        return Talk(name, _messages(value["messages"]))
    if "conversations" in value:
        return Talk(name, _messages(value["conversations"]))
    if isinstance(body, Mapping) and ("messages" in body or "input" in body):
        said = body.get("messages", body.get("input"))
        return Talk(name, _prompt(said) if isinstance(said, str) else _messages(said))
    if isinstance(value.get("prompt"), str):
        return Talk(name, _prompt(value["prompt"]))
    return None


def _prompt(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def _messages(found: Any) -> Any:
    return [_message(message) for message in found] if isinstance(found, list) else found


def _message(message: Any) -> Any:
    """`message` with `role` and `content`; as it is where that cannot be."""
    if not isinstance(message, Mapping):
        return message
    role = message.get("role", message.get("from"))
    content = message.get("content", message.get("value"))
    return {"role": _ROLES.get(role, role) if isinstance(role, str) else role, "content": _content(content)}


def _content(content: Any) -> Any:
    """A text, also where it comes in parts; parts that are no text (pictures, sound) cannot be replayed."""
    if not isinstance(content, list):
        return content
    texts = [part["text"] for part in content if isinstance(part, Mapping) and isinstance(part.get("text"), str)]
    return "".join(texts) if texts and len(texts) == len(content) else None


def refusal(exc: ScenarioError) -> str:
    """Why a conversation is left out, without its place in the file: to be counted."""
    return str(exc).rpartition("]: ")[2].removeprefix("messages: ")
