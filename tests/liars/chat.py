"""A bot's side of one conversation, the same in every protocol, and the record of what was really answered."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

PIECES = 4


class Gone(Exception):
    """The conversation is over: the client left, or the bot closed."""


@dataclass
class Truth:
    """Of one question, by the target's own clock (monotonic ns): when it came, and when its honest answer was whole."""

    received_ns: int
    answered_ns: int | None = None
    text: str = ""


class Book:
    """What really happened, by question; questions have unique texts."""

    def __init__(self, over: asyncio.Event) -> None:
        self.over = over
        """Set when the server stops."""
        self.truths: dict[str, Truth] = {}

    def received(self, question: str) -> None:
        self.truths[question] = Truth(time.monotonic_ns())


@dataclass
class Chat(ABC):
    """What a bot can do. `question` is the last message; `number` counts the conversation's messages from 0."""

    book: Book
    question: str = ""
    number: int = -1
    id: Any = None
    """What the request calls itself, if its mapping has it."""

    async def ask(self, bot: Bot, question: str) -> None:
        """Let `bot` answer the question."""
        self.question = question
        self.number += 1
        self.book.received(question)
        await bot(self)

    def honest(self, text: str | None = None) -> None:
        """The last question is answered, whole, with this text (default: what `answer` says)."""
        truth = self.book.truths[self.question]
        truth.answered_ns = time.monotonic_ns()
        truth.text = reply_to(self.question) if text is None else text

    async def say(self, text: str) -> None:
        """`text` in pieces, without an end."""
        size = max(1, -(-len(text) // PIECES))
        for at in range(0, len(text), size):
            await self.piece(text[at : at + size])

    async def answer(self, text: str | None = None, *, after_s: float = 0.02) -> None:
        """An honest answer to the last question."""
        await asyncio.sleep(after_s)
        said = reply_to(self.question) if text is None else text
        await self.say(said)
        self.honest(said)  # before the end leaves: the client must not be told earlier
        await self.finish(said)

    async def hang(self) -> None:
        """Until the server is stopped or the client leaves."""
        await self.book.over.wait()
        raise Gone

    @abstractmethod
    async def piece(self, text: str) -> None:
        """A piece of an answer."""

    @abstractmethod
    async def finish(self, text: str = "") -> None:
        """The end of an answer, with the whole text where the protocol repeats it."""

    @abstractmethod
    async def frame(self, message: dict[str, Any]) -> None:
        """One message as it is."""

    @abstractmethod
    async def close(self, *, hard: bool = False) -> None:
        """End the conversation's connection; `hard`: without a word. Raises Gone."""

    async def raw(self, data: bytes) -> None:
        """Bytes that are no JSON, as one message."""
        raise TypeError(f"{type(self).__name__} sends messages of a schema")


Bot = Callable[[Chat], Awaitable[None]]


def reply_to(question: str) -> str:
    return f"You said: {question}."
