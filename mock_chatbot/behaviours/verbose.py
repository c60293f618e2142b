"""Answers in paragraphs of `--tokens` words."""

from __future__ import annotations

from collections.abc import Iterator

from mock_chatbot.behaviours.text import Turn, sentences

PARAGRAPH = 5
"""Sentences of a paragraph."""


def reply(turn: Turn) -> Iterator[str]:
    for number, sentence in enumerate(sentences(turn.rng, turn.tokens)):
        gap = "" if number == 0 else " " if number % PARAGRAPH else "\n\n"
        yield gap + sentence[0]
        yield from (f" {word}" for word in sentence[1:])
