"""The filter `shaped` of request templates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from bounds.templates import LimitError, bounded_chars

MAX_CHARS: Final = 4 * 1024 * 1024
"""Characters that one rendered string may have, and characters plus items of a value."""
_CONTENT: Final = re.compile(r"(\$content)")
_FEW: Final = 2
"""Placeholders of a shape that cannot make much of a history."""


def shaped(messages: Any, shape: Any, roles: Mapping[str, str] | None = None) -> list[Any]:
    """Converts each message to another shape, in which `$role` and `$content` are placeholders; `roles` renames roles:
    `messages | shaped({'role': '$role', 'parts': [{'text': '$content'}]}, {'assistant': 'model'})`."""
    names = roles or {}
    _check(messages, shape, names)
    return [_filled(shape, names.get(said["role"], said["role"]), said["content"]) for said in messages]


def _check(messages: Any, shape: Any, names: Mapping[str, str]) -> None:
    text = shape if isinstance(shape, str) else repr(shape)
    contents, roles = text.count("$content"), text.count("$role")
    if contents + roles <= _FEW and len(text) <= 1000 and not any(len(name) > 100 for name in names.values()):
        return
    if not isinstance(messages, list | tuple):
        raise LimitError("`shaped` works on messages")
    said = sum(len(message["content"]) for message in messages)
    named = max((len(str(name)) for name in (*names.values(), *(message["role"] for message in messages))), default=0)
    bounded_chars(contents * said + len(messages) * (len(text) + roles * named), MAX_CHARS)


def _filled(shape: Any, role: str, content: str) -> Any:
    if isinstance(shape, str):
        # The content comes last, because it may contain a placeholder itself.
        return "".join(content if part == "$content" else part for part in _CONTENT.split(shape.replace("$role", role)))
    if isinstance(shape, Mapping):
        return {key: _filled(value, role, content) for key, value in shape.items()}
    if isinstance(shape, list | tuple):
        return [_filled(value, role, content) for value in shape]
    return shape
