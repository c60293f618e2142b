"""Timelines that are told the head of their answer. Others are not, which costs a lane nothing."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from connectors.content.decoding import plain_text
from connectors.content.heads import AnswerHead
from connectors.mapping.answers.saving import Conceal, Saving
from connectors.timeline.base import Timeline
from connectors.timeline.named import NamedTimeline


class HeadTimeline(Timeline):
    """A lane calls `head` as soon as the headers are whole; again for each redirect that it follows."""

    __slots__ = ()

    @abstractmethod
    def head(self, head: AnswerHead) -> None:
        """Look at the head, or keep it."""


class SavingTimeline(HeadTimeline):
    """Of a target that saves values of the heads of its answers, or by patterns. `conceal` is for what they save."""

    def __init__(self, *args: Any, saving: Saving, conceal: Conceal | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._saving = saving
        self._conceal = conceal

    def head(self, head: AnswerHead) -> None:
        if 300 <= head.status < 400:
            head = head._replace(headers={})  # on the way to an answer only cookies are given
        self._found(self._saving.of_head(head, self._conceal))

    def event(self, ns: int, data: bytes) -> None:
        super().event(ns, data)
        self._search(data)

    def answer(self, ns: int, data: bytes) -> None:
        super().answer(ns, data)
        self._search(data)

    def _search(self, data: bytes) -> None:
        """As it came: a text or XML is no JSON here, and escapes nothing."""
        if not self._saving.needs_text or self._is_mark(data):
            return
        body = data if self._decode is None else self._decode(data)
        self._found(self._saving.of_text(plain_text(body, self.charset), self._conceal))

    def _found(self, values: dict[str, str]) -> None:
        if values:
            self.saved = {**(self.saved or {}), **values}


class _NamedSaving(SavingTimeline, NamedTimeline):
    pass


def saving_class(*, named: bool) -> type[SavingTimeline]:
    """`named`: of a mapping that tells events apart by their names."""
    return _NamedSaving if named else SavingTimeline
