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


class Echoes:
    """The messages of one conversation."""

    def __init__(self) -> None:
        self._earlier: deque[str] = deque(maxlen=REMEMBERED)

    def is_anothers(self, message: str, answer: str) -> bool:
        """Whether the answer to `message` repeats exactly one of the messages before it, and not `message`."""
        earlier = {text for text in self._earlier if len(text) >= SHORTEST and not _holds(message, text)}
        self._earlier.append(message)
        if len(message) < SHORTEST or _holds(answer, message):
            return False
        return sum(_holds(answer, text) for text in earlier) == 1


def _holds(text: str, part: str) -> bool:
    """Whether `part` stands in `text` as words of its own: "question 1" does not stand in "question 10"."""
    at = text.find(part)
    while at >= 0:
        before, behind = text[at - 1 : at], text[at + len(part) : at + len(part) + 1]
        if not before.isalnum() and not behind.isalnum():
            return True
        at = text.find(part, at + 1)
    return False
