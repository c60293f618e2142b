"""Repeats one of three sentences, so that its turns repeat each other too."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice

from mock_chatbot.behaviours.text import Turn

SENTENCES = (
    "I am sorry, I can not help with that.",
    "Please restart the device and try again.",
    "Your request is important to us, please hold on.",
)


def reply(turn: Turn) -> Iterator[str]:
    words = turn.rng.choice(SENTENCES).split()
    for number, word in enumerate(islice(cycle(words), turn.tokens)):
        yield f" {word}" if number else word
