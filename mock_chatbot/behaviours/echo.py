"""Says what it was told, to the letter: a client can check each answer against its own message."""

from __future__ import annotations

from collections.abc import Iterator

from mock_chatbot.text import Turn, split


def reply(turn: Turn) -> Iterator[str]:
    """As long as the message, whatever `--tokens` says."""
    return iter(split(turn.message))
