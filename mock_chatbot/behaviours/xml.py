"""Answers in XML, well-formed unless max_tokens cuts it."""

from __future__ import annotations

from collections.abc import Iterator

from mock_chatbot.behaviours.text import Turn, sentences


def reply(turn: Turn) -> Iterator[str]:
    """`<reply><point>..</point>..</reply>`. Tags stick to words, so that the count of tokens stays the words'."""
    points = list(sentences(turn.rng, turn.tokens))
    for number, words in enumerate(points):
        opening = "<reply><point>" if number == 0 else "<point>"
        closing = "</point></reply>" if number == len(points) - 1 else "</point>"
        for place, word in enumerate(words):
            first, last = place == 0, place == len(words) - 1
            yield (opening if first else " ") + word + (closing if last else "")
