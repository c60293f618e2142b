"""Tool calls and their results in recorded conversations, which are not replayed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_ROLES: Final = frozenset(
    {"tool", "function", "observation", "ipython", "tool_call", "tool_response", "tool_result", "function_call"}
    | {"function_response"}
)
_CALLS: Final = ("tool_calls", "function_call")
_PART_KEYS: Final = frozenset({"functionCall", "functionResponse", "function_call", "function_response"})
_THOUGHTS: Final = ("thinking", "redacted_thinking", "reasoning")
"""Keys of a model's thoughts, which are not part of its answer."""


def is_item(value: Any) -> bool:
    """Whether `value` is a call, a result or a thought in the place of a message, and has no role."""
    kind = value.get("type") if isinstance(value, Mapping) and "role" not in value else None
    return isinstance(kind, str) and (kind.endswith(("_call", "_call_output")) or kind in _THOUGHTS)


def has_calls(message: Mapping[str, Any]) -> bool:
    return any(message.get(key) for key in _CALLS)


def without_tools(role: Any, message: Mapping[str, Any], content: Any) -> tuple[Any, int]:
    """The rest of a message's content, None if nothing is left, and the number of removed calls and results."""
    if is_item(message):
        return None, int(message.get("type") not in _THOUGHTS)
    if isinstance(role, str) and role.lower() in _ROLES:
        return None, 1
    calls = 0
    if has_calls(message):
        calls = len(found) if isinstance(found := message.get("tool_calls"), list) and found else 1
    if isinstance(content, list):
        said = [part for part in content if not (_is_tool(part) or _is_thought(part))]
        calls += sum(map(_is_tool, content))
        if len(said) < len(content):
            return said or None, calls
    if calls and (not content or (isinstance(content, str) and not content.strip())):
        return None, calls
    return content, calls


def _is_tool(part: Any) -> bool:
    if not isinstance(part, Mapping):
        return False
    kind = part.get("type")
    return (isinstance(kind, str) and "tool" in kind) or not _PART_KEYS.isdisjoint(part)


def _is_thought(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") in _THOUGHTS
