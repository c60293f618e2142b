"""Behaviours of the chatbot: functions from a Turn to the tokens of its answer, one line each in BEHAVIOURS."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mock_chatbot.behaviours import echo, repetitive, verbose, xml
from mock_chatbot.behaviours.text import Turn

Behaviour = Callable[[Turn], Iterator[str]]
"""Yields the answer's tokens, which are its text when joined. It ends by itself; max_tokens may end it earlier."""

BEHAVIOURS: dict[str, Behaviour] = {
    "verbose": verbose.reply,
    "xml": xml.reply,
    "repetitive": repetitive.reply,
    "echo": echo.reply,
}
