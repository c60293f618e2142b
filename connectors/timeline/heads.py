"""Timelines that are told the head of their answer. Others are not, which costs a lane nothing."""

from __future__ import annotations

from connectors.content.heads import AnswerHead
from connectors.timeline.base import Timeline


class HeadTimeline(Timeline):
    """A lane calls `head` as soon as the headers are whole; again for each redirect that it follows."""

    __slots__ = ()

    def head(self, head: AnswerHead) -> None:
        """Look at the head, or keep it."""
        raise NotImplementedError
