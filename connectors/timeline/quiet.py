"""Answers of several messages, which end when none has come for a while. No I/O; used by both lanes."""

from __future__ import annotations

from typing import Any

from connectors.timeline.base import Timeline
from connectors.timeline.odd_answers import endless_text


class QuietTimeline(Timeline):
    """An answer ends when no text and no end mark arrived for `quiet_ns`. If the mapping has an end mark, that time
    begins at one."""

    def __init__(self, *args: Any, quiet_ns: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"one_frame": False})
        self.quiet_ns = quiet_ns
        self._quiet_from_ns: int | None = None
        self._between = False

    def _compare_with_the_whole(self, said: str) -> None:
        """One answer has several messages, each of them whole."""

    def event(self, ns: int, data: bytes) -> None:
        last_ns = self.last_content_ns
        before = self._text.tell() if last_ns is not None else 0
        if self._between and last_ns is not None:
            has_new = self._another_message(ns, data, last_ns)
        else:
            super().event(ns, data)
            has_new = self.last_content_ns is not None and self._text.tell() > before
        if has_new:
            self._between = False
            self._quiet_from_ns = None if self.response.needs_done else ns
        if self.done_ns is not None or (has_new and not self.response.needs_done):
            self._quiet_from_ns = ns
            self._between = True
        self.done_ns = None

    def _another_message(self, ns: int, data: bytes, last_ns: int) -> bool:
        """Read an event after a complete message: it is read like the first, and its text begins a new line. Returns
        whether it has text."""
        text, first_ns, gaps, room = self._text, self.first_content_ns, self.gaps_ns, self._room
        self.last_content_ns = None
        try:
            super().event(ns, data)
        finally:
            new = self._text.getvalue() if self.last_content_ns is not None else ""
            self._text, self.first_content_ns, self.gaps_ns = text, first_ns, gaps
            self._room = room - len(new)
            if self.last_content_ns is None:
                self.last_content_ns = last_ns
        if new:
            text.write(f"\n{new}")
            gaps.append(ns - last_ns)
        if self._room < 0:
            raise endless_text()
        return bool(new)

    def look(self, ns: int) -> None:
        super().look(ns)
        if self._quiet_from_ns is not None and ns >= self._quiet_from_ns + self.quiet_ns:
            self.end(self._quiet_from_ns)

    def look_at_ns(self, now_ns: int) -> int | None:
        due_ns = super().look_at_ns(now_ns)
        if self._quiet_from_ns is None:
            return due_ns
        quiet_ns = self._quiet_from_ns + self.quiet_ns
        return quiet_ns if due_ns is None else min(due_ns, quiet_ns)

    def end(self, ns: int) -> None:
        self.done_ns = ns
        super().end(ns)
