"""Repeats the message exactly, so that a client can check each answer."""

from __future__ import annotations

from collections.abc import Iterator

from mock_chatbot.behaviours.text import Turn, split


def reply(turn: Turn) -> Iterator[str]:
    """As long as the message, whatever `--tokens` says."""
    return iter(split(turn.message))
