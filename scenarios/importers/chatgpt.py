"""ChatGPT's export: a conversation is a tree of messages, of which one path is used. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_SAID: Final = ("text", "multimodal_text")
"""Kinds of content that a person or the assistant wrote; the others are code for a tool, a tool's result, thoughts and
context."""
_FOR_ALL: Final = (None, "", "all")


def messages_of_tree(mapping: Mapping[str, Any], current: Any) -> list[dict[str, Any]]:
    """The messages from the root to the node `current`, with `role` and `content`; where it is missing, to the newest
    leaf. What went to a tool or came from one has the role `tool`."""
    return [message for node in _path(mapping, current) if (message := _message(node.get("message"))) is not None]


def _path(mapping: Mapping[str, Any], current: Any) -> list[Mapping[str, Any]]:
    if not isinstance(current, str) or current not in mapping:
        current = _newest_leaf(mapping)
    found: dict[str, Mapping[str, Any]] = {}
    while isinstance(current, str) and current not in found and isinstance(node := mapping.get(current), Mapping):
        found[current] = node
        current = node.get("parent")
    return list(reversed(found.values()))


def _newest_leaf(mapping: Mapping[str, Any]) -> str | None:
    leaves = [name for name, node in mapping.items() if isinstance(node, Mapping) and not node.get("children")]
    return max(leaves, key=lambda name: _written(mapping[name]), default=None)


def _written(node: Mapping[str, Any]) -> float:
    """The time in s; 0 if unknown."""
    at_s = _at(node, "message", "create_time")
    return at_s if isinstance(at_s, int | float) else 0.0


def _message(message: Any) -> dict[str, Any] | None:
    """None: the node has no message."""
    if not isinstance(message, Mapping) or _is_hidden(message):
        return None
    role = _at(message, "author", "role")
    if role == "tool" or message.get("recipient") not in _FOR_ALL:
        return {"role": "tool", "content": ""}
    if _at(message, "content", "content_type") not in _SAID:
        return None
    parts = [*_parts(message)]
    if role != "user" and not any(parts):
        return None  # the root, and answers that were cancelled immediately
    return {"role": role, "content": parts}


def _is_hidden(message: Mapping[str, Any]) -> bool:
    return bool(_at(message, "metadata", "is_visually_hidden_from_conversation"))


def _parts(message: Mapping[str, Any]) -> Iterator[Any]:
    parts = _at(message, "content", "parts")
    yield from parts if isinstance(parts, list) else ()


def _at(value: Mapping[str, Any], *keys: str) -> Any:
    found: Any = value
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found
