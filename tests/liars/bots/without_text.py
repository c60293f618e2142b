"""They say nothing, or something else than text."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.liars.chat import Chat, reply_to
from tests.liars.protocol_chats import WholeChat
from tests.liars.table import ALL, FRAMES, JSON, NO_TEXT, liar, turn_of

# --- it says nothing -------------------------------------------------------------------------------------------------


@liar(*ALL, seen_as=NO_TEXT)
async def says_nothing(chat: Chat) -> None:
    await asyncio.sleep(0.01)
    await chat.finish()


@liar(*JSON, seen_as=NO_TEXT)
async def says_an_empty_text(chat: Chat) -> None:
    if not isinstance(chat, WholeChat):
        await chat.frame({"delta": ""})
    await chat.finish()


@liar(*JSON, seen_as=NO_TEXT)
async def says_white_space(chat: Chat) -> None:
    await chat.frame({"response": " \n"} if isinstance(chat, WholeChat) else {"delta": " "})
    if not isinstance(chat, WholeChat):
        await chat.frame({"delta": "\u200b\n"})
    await chat.finish()


@liar(*JSON, seen_as=NO_TEXT)
async def says_null(chat: Chat) -> None:
    await chat.frame({"response": None} if isinstance(chat, WholeChat) else {"delta": None})
    if not isinstance(chat, WholeChat):
        await chat.finish()


@liar(*JSON, seen_as=NO_TEXT)
async def says_it_where_nobody_looks(chat: Chat) -> None:
    await chat.frame({"utterance": reply_to(chat.question)})
    if not isinstance(chat, WholeChat):
        await chat.finish()


@liar(*FRAMES, seen_as=NO_TEXT)
async def says_its_role_alone(chat: Chat) -> None:
    await chat.frame({"role": "assistant"})
    await chat.finish()


@liar(*ALL, seen_as=NO_TEXT)
async def says_nothing_every_other_time(chat: Chat) -> None:
    if turn_of(chat) % 2:
        await chat.answer()
    else:
        await chat.finish()


# --- it says something else than text ---------------------------------------------------------------------------------


def _types(name: str, value: Any) -> None:
    async def speak(chat: Chat) -> None:
        await chat.frame({"response": value} if isinstance(chat, WholeChat) else {"delta": value})
        if not isinstance(chat, WholeChat):
            await chat.finish()

    speak.__name__ = name
    liar(*JSON, seen_as=NO_TEXT)(speak)


_types("says_a_number", 42)
_types("says_a_list", ["You", "said"])
_types("says_an_object", {"text": "You said"})
_types("says_true", True)


@liar(*JSON, seen_as=frozenset({"json_invalid"}))
async def says_no_json(chat: Chat) -> None:
    await chat.raw(b"You said <something>")


@liar("http", seen_as=frozenset({"json_invalid", "answer_unmatched"}))
async def shows_a_login_page(chat: Chat) -> None:
    assert isinstance(chat, WholeChat)
    chat.content_type = "text/html"
    await chat.raw(b"<!doctype html><html><body><form>Log in</form></body></html>")
