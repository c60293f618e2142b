"""How a target writes the attachments of a message."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Self

from pydantic import Field, model_validator

from attachments.attachment import CONTENT, FIELDS
from attachments.content_types import KINDS
from connectors.spec.base import Frozen
from connectors.template_text import expressions_in, naming

PLACEHOLDER: Final = re.compile(r"\$([a-z_][a-z0-9_]*)")
_names_them: Final = naming("attachments", "attachment_parts")
_carries_them: Final = naming("messages", "history", "attachments", "attachment_parts")


class AttachmentsSpec(Frozen):
    """The part that a dialect makes of each kind of attachment, as JSON with `$base64`, `$data_url`, `$text`, `$name`,
    `$type`, `$kind`, `$format`, `$stem`, `$size` in its strings; a kind without one is refused, but text without `text`
    is a `file`. In `messages` the content of a message with attachments is the list of its text, written as `message`,
    and the parts; with `beside` its content remains a text, and the parts are a list under this key beside it."""

    message: Any = None
    beside: str | None = Field(None, min_length=1)
    image: Any = None
    audio: Any = None
    video: Any = None
    text: Any = None
    file: Any = None

    @model_validator(mode="after")
    def _has_effect(self) -> Self:
        parts = {kind: part for kind in KINDS if (part := getattr(self, kind)) is not None}
        if not parts:
            raise ValueError(f"give the part of at least one kind: {', '.join(KINDS)}")
        for kind, part in parts.items():
            named = _placeholders(kind, part, FIELDS)
            if not named & CONTENT:
                raise ValueError(f"{kind}: needs one of $base64, $data_url and $text: the file itself")
        if self.message is not None:
            if self.beside is not None:
                raise ValueError("message has no effect with `beside`: the content of a message remains its text")
            if not _placeholders("message", self.message, ("message",)):
                raise ValueError("message: needs $message: its text")
        return self

    def part_of(self, kind: str) -> Any:
        """The part for attachments of `kind`; None: they are refused."""
        found = getattr(self, kind)
        return self.file if found is None and kind == "text" else found

    @property
    def kinds(self) -> list[str]:
        return [kind for kind in KINDS if self.part_of(kind) is not None]


def _placeholders(where: str, part: Any, known: tuple[str, ...]) -> set[str]:
    """Names in its strings. Raises ValueError."""
    found = {name for text in _texts(part) for name in PLACEHOLDER.findall(text)}
    if next(expressions_in(json.dumps(part)), None) is not None:
        raise ValueError(
            f"{where}: a part is the same in each turn: use placeholders such as ${known[0]}, no {{{{ }}}}"
        )
    for name in sorted(found - set(known)):
        raise ValueError(f"{where}: ${name} is not known: known are {', '.join(f'${name}' for name in known)}")
    return found


def _texts(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, Mapping):
        for value in part.values():
            yield from _texts(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _texts(value)


def attachments_problem(target: str, spec: AttachmentsSpec | None, in_turns: str, kinds: Mapping[str, str]) -> str:
    """Why a target cannot be sent attachments of `kinds` ("": any), by where they stand; empty: it can. `in_turns`: all
    that is rendered in a turn, as JSON."""
    if spec is None:
        if _names_them(in_turns):
            return ""
        how = "give `attachments` (docs/targets.md), or name `attachments` in a template of its request"
        return f"the target {target!r} takes no attachments: {how}"
    if not _carries_them(in_turns):
        what = "no template of its request names messages, history, attachments or attachment_parts"
        return f"the target {target!r} takes no attachments: {what}"
    for kind, where in kinds.items():
        if kind and kind not in spec.kinds:
            return f"{where}: the target {target!r} takes no attachment of kind {kind}, only {', '.join(spec.kinds)}"
    return ""
