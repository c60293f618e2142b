"""Their counts are not to be believed."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.liars.chat import Chat, reply_to
from tests.liars.protocol_chats import EventChat, WholeChat
from tests.liars.table import JSON, liar

# --- its counts are not to be believed --------------------------------------------------------------------------------


def _counts(name: str, usage: dict[str, Any]) -> None:
    async def speak(chat: Chat) -> None:
        await asyncio.sleep(0.01)
        text = reply_to(chat.question)
        chat.honest(text)
        if isinstance(chat, WholeChat):
            await chat.frame({"response": text, "usage": usage})
            return
        await chat.say(text)
        if isinstance(chat, EventChat):
            await chat.frame({"event": "done", "response": text, "usage": usage})
            return
        await chat.frame({"usage": usage})
        await chat.finish(text)

    speak.__name__ = name
    liar(*JSON, "socketio", seen_as=frozenset(), tokens_told=False)(speak)


_counts("counts_nothing", {"input_tokens": 0, "output_tokens": 0})
_counts("counts_below_nothing", {"input_tokens": -3, "output_tokens": -9})
_counts("counts_the_question_alone", {"input_tokens": 12, "output_tokens": None})
