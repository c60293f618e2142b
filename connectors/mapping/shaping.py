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
    """Converts each message to another shape, in which `$role`, `$content` and `$index` (from 0; alone it is a number)
    are placeholders; `roles` renames roles:
    `messages | shaped({'role': '$role', 'parts': [{'text': '$content'}]}, {'assistant': 'model'})`."""
    names = roles or {}
    _check(messages, shape, names)
    return [
        _filled(shape, names.get(said["role"], said["role"]), said["content"], index)
        if said["content"].__class__ is str
        else _with_parts(shape, names.get(said["role"], said["role"]), said["content"], index)
        for index, said in enumerate(messages)
    ]


class Parts(list[Any]):
    """The content of a message with attachments: its text and them, as parts. `attached` are those without the text."""

    __slots__ = ("attached", "text")

    def __init__(self, text: str, attached: list[Any], whole: list[Any]) -> None:
        super().__init__(whole)
        self.text = text
        self.attached = attached

    def __str__(self) -> str:
        raise LimitError("a message with attachments is no text: use it as a list, or without them")


class Alone(str):
    """The content of a message whose attachments stand beside it."""

    __slots__ = ()


def text_of(content: Any) -> str:
    return content.text if isinstance(content, Parts) else content


def _check(messages: Any, shape: Any, names: Mapping[str, str]) -> None:
    text = shape if isinstance(shape, str) else repr(shape)
    contents, roles = text.count("$content"), text.count("$role") + text.count("$index")
    if contents + roles <= _FEW and len(text) <= 1000 and not any(len(name) > 100 for name in names.values()):
        return
    if not isinstance(messages, list | tuple):
        raise LimitError("`shaped` works on messages")
    said = sum(len(text_of(message["content"])) for message in messages)
    given = (*names.values(), *(message["role"] for message in messages), len(messages))
    named = max((len(str(name)) for name in given), default=0)
    bounded_chars(contents * said + len(messages) * (len(text) + roles * named), MAX_CHARS)


def _filled(shape: Any, role: str, content: str, index: int) -> Any:
    if isinstance(shape, str):
        if shape == "$index":
            return index
        # The content comes last, because it may contain a placeholder itself.
        text = shape.replace("$index", str(index)).replace("$role", role)
        return "".join(content if part == "$content" else part for part in _CONTENT.split(text))
    if isinstance(shape, Mapping):
        return {key: _filled(value, role, content, index) for key, value in shape.items()}
    if isinstance(shape, list | tuple):
        return [_filled(value, role, content, index) for value in shape]
    return shape


def _with_parts(shape: Any, role: str, content: Any, index: int) -> Any:
    """The same for a message with attachments. Raises LimitError if the shape has no place for them."""
    if not isinstance(content, Parts):
        raise LimitError("`shaped` leaves out what stands beside the content of a message: send `messages` as they are")
    if not _has_place(shape):
        raise LimitError("the shape has no place for attachments: give a list around `$content`, or `$content` alone")
    return _filled_parts(shape, role, content, index)


def _filled_parts(shape: Any, role: str, content: Parts, index: int) -> Any:
    """Attachments follow the text in the innermost list around `$content`; a `$content` in none is the list of all
    parts."""
    if isinstance(shape, Mapping):
        return {key: _filled_parts(value, role, content, index) for key, value in shape.items()}
    if isinstance(shape, list | tuple):
        out: list[Any] = []
        for item in shape:
            inner = _has_list(item)
            out.append(_filled_parts(item, role, content, index) if inner else _filled(item, role, content.text, index))
            if not inner and "$content" in repr(item):
                out += content.attached
        return out
    return list(content) if shape == "$content" else _filled(shape, role, content.text, index)


def _has_list(shape: Any) -> bool:
    """Whether `$content` stands in a list of it."""
    if isinstance(shape, Mapping):
        return any(map(_has_list, shape.values()))
    return isinstance(shape, list | tuple) and "$content" in repr(shape)


def _has_place(shape: Any) -> bool:
    if isinstance(shape, Mapping):
        return any(map(_has_place, shape.values()))
    return shape == "$content" or _has_list(shape)
