"""Detects answers that repeat a message of the conversation other than their own question. Pure.

This only works for targets that repeat what they were sent.
"""

from __future__ import annotations

from collections import deque
from typing import Final

SHORTEST: Final = 6
"""Minimum length of a message that an answer does not contain by chance."""
REMEMBERED: Final = 3
"""Number of earlier messages to compare: an answer that is one or two turns late repeats one of them."""


IN_A_ROW: Final = 8
"""Number of consecutive answers that contain the message of the same earlier position and not their own: with so many,
chance is ruled out even for short messages."""


class Echoes:
    """The messages of one conversation at a time."""

    def __init__(self) -> None:
        self._earlier: deque[str] = deque(maxlen=REMEMBERED)
        self._back = 0
        self._in_a_row = 0

    def begin(self) -> None:
        """Begin a new conversation."""
        self._earlier.clear()

    def is_anothers(self, message: str, answer: str) -> bool:
        """Whether the answer to `message` repeats exactly one of the messages before it, and not `message`."""
        earlier = list(self._earlier)
        self._earlier.append(message)
        if _holds(answer, message):
            self._in_a_row = 0
            return False
        always = self._is_always_behind(earlier, answer)
        if len(message) < SHORTEST:
            return always
        long = {text for text in earlier if len(text) >= SHORTEST and not _holds(message, text)}
        return always or sum(_holds(answer, text) for text in long) == 1

    def _is_always_behind(self, earlier: list[str], answer: str) -> bool:
        """Whether answers keep repeating the message this many positions before their own."""
        if not earlier or len(earlier) < self._back:
            return False
        held = [back for back, text in enumerate(reversed(earlier), 1) if _holds(answer, text)]
        if len(held) != 1:
            self._in_a_row = 0
            return False
        if held[0] != self._back:
            self._back, self._in_a_row = held[0], 0
        self._in_a_row += 1
        return self._in_a_row > IN_A_ROW


def _holds(text: str, part: str) -> bool:
    """Whether `part` occurs in `text` as whole words: "question 1" does not occur in "question 10"."""
    at = text.find(part)
    while at >= 0:
        before, behind = text[at - 1 : at], text[at + len(part) : at + len(part) + 1]
        if not before.isalnum() and not behind.isalnum():
            return True
        at = text.find(part, at + 1)
    return False
