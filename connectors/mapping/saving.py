"""`save`, compiled: the values that an answer gives to later requests. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connectors.content.heads import AnswerHead
from connectors.mapping.paths import Getter, compile_path
from connectors.spec import Source

Conceal = Callable[[Any], Any]
"""Puts tokens where a target repeats its secrets: what is saved must not show them to templates."""


class Saving:
    """`paths` read the decoded answer; everything else is found by `beside`. Raises SpecError when built."""

    def __init__(self, save: Mapping[str, str | Source], where: str) -> None:
        self.places = {name: repr(at) if isinstance(at, str) else at.place for name, at in save.items()}
        """What each value is looked for at, for messages."""
        self.optional = {name for name, at in save.items() if isinstance(at, Source) and not at.required}
        self.paths: list[tuple[str, Getter]] = [
            (name, compile_path(at, f"{where}.{name}")) for name, at in save.items() if isinstance(at, str)
        ]
        self.sources = [(name, at) for name, at in save.items() if isinstance(at, Source)]
        self.needs_head = bool(self.sources)

    def beside(self, head: AnswerHead, conceal: Conceal | None) -> dict[str, str]:
        """What the head of an answer gives; what is not there is left out."""
        found = {}
        for name, source in self.sources:
            value = head.header(source.header) if source.header is not None else head.cookie(source.cookie or "")
            if value is not None:
                found[name] = value if conceal is None else conceal(value)
        return found
