"""`save`, compiled: the values that an answer gives to later requests. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from connectors.content.heads import AnswerHead
from connectors.content.patterns import compile_pattern
from connectors.mapping.answers.paths import Getter, compile_path
from connectors.spec import Source

Conceal = Callable[[Any], Any]
"""Puts tokens where a target repeats its secrets: what is saved must not show them to templates."""
SEARCHED_CHARS: Final = 128 * 1024
"""Of a text, for a pattern: pages have their tokens near the beginning."""


class Finder:
    """A Source, compiled."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._search = None if source.pattern is None else compile_pattern(source.pattern).search

    def in_head(self, head: AnswerHead) -> str | None:
        """What the head has of it, which `in_text` looks into."""
        source = self._source
        return head.header(source.header) if source.header is not None else head.cookie(source.cookie or "")

    def in_text(self, text: str) -> str | None:
        if self._search is None:
            return text
        found = self._search(text, 0, SEARCHED_CHARS)
        return None if found is None else found[1 if found.re.groups else 0]


class Saving:
    """`paths` read the decoded answer; everything else is found by `of_head` and `of_text`. Raises SpecError when
    built."""

    def __init__(self, save: Mapping[str, str | Source], where: str) -> None:
        self.places = {name: repr(at) if isinstance(at, str) else at.place for name, at in save.items()}
        """What each value is looked for at, for messages."""
        self.optional = {name for name, at in save.items() if isinstance(at, Source) and not at.required}
        self.paths: list[tuple[str, Getter]] = [
            (name, compile_path(at, f"{where}.{name}")) for name, at in save.items() if isinstance(at, str)
        ]
        sources = [(name, at, Finder(at)) for name, at in save.items() if isinstance(at, Source)]
        self._of_head = [(name, finder) for name, at, finder in sources if at.in_head]
        self._of_text = [(name, finder) for name, at, finder in sources if not at.in_head]
        self.in_head = {name for name, _ in self._of_head}
        self.needs_head = bool(self._of_head)
        self.needs_text = bool(self._of_text)

    def of_head(self, head: AnswerHead, conceal: Conceal | None) -> dict[str, str]:
        """What is not there is left out."""
        found = {}
        for name, finder in self._of_head:
            value = finder.in_head(head)
            if value is not None and (seen := finder.in_text(_concealed(value, conceal))) is not None:
                found[name] = seen
        return found

    def of_text(self, text: str, conceal: Conceal | None) -> dict[str, str]:
        """The same of a body."""
        if not self._of_text:
            return {}
        text = _concealed(text, conceal)
        given = ((name, finder.in_text(text)) for name, finder in self._of_text)
        return {name: value for name, value in given if value is not None}


def _concealed(text: str, conceal: Conceal | None) -> str:
    """Before a pattern looks into it: a part of a secret would not be known for one."""
    return text if conceal is None else str(conceal(text))
