"""Whether an answer repeats another message of its conversation than the one that it follows. Pure.

Only a target that repeats what it was sent can be checked like this. Of another one nothing is said.
"""

from __future__ import annotations

from collections import deque
from typing import Final

SHORTEST: Final = 6
"""Characters of a message that an answer does not hold by chance."""
REMEMBERED: Final = 3
"""Messages before the last one: an answer that is one turn late, or two, repeats one of them."""


IN_A_ROW: Final = 8
"""Answers one after another that hold a message of the same place before their own, and none its own: however short
the messages are, that is no chance."""


class Echoes:
    """The messages of one conversation after another."""

    def __init__(self) -> None:
        self._earlier: deque[str] = deque(maxlen=REMEMBERED)
        self._back = 0
        self._in_a_row = 0

    def begin(self) -> None:
        """A new conversation: nothing has been said in it."""
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
        """Whether answers keep repeating the message that came so many before their own."""
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
    """Whether `part` stands in `text` as words of its own: "question 1" does not stand in "question 10"."""
    at = text.find(part)
    while at >= 0:
        before, behind = text[at - 1 : at], text[at + len(part) : at + len(part) + 1]
        if not before.isalnum() and not behind.isalnum():
            return True
        at = text.find(part, at + 1)
    return False
