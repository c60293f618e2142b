"""Honest bots with odd habits of when they say what, and of what stands beside it."""

from __future__ import annotations

import asyncio
import zlib
from typing import Any

from tests.liars.chat import Chat, reply_to
from tests.liars.protocol_chats import (
    ChunkedChat,
    EventChat,
    SocketChat,
    WholeChat,
)
from tests.liars.table import ALL, FRAMES, JSON, STREAMED, odd

# --- time -------------------------------------------------------------------------------------------------------------


@odd(*ALL)
async def thinks_long(chat: Chat) -> None:
    await chat.answer(after_s=0.25)


@odd(*ALL)
async def thinks_now_and_then(chat: Chat) -> None:
    await chat.answer(after_s=0.3 if zlib.crc32(chat.question.encode()) % 5 == 0 else 0.005)


@odd(*ALL)
async def answers_at_once(chat: Chat) -> None:
    await chat.answer(after_s=0)


@odd(*STREAMED)
async def drips(chat: Chat) -> None:
    text = reply_to(chat.question)
    for letter in text[:8]:
        await chat.piece(letter)
        await asyncio.sleep(0.005)
    await chat.piece(text[8:])
    chat.honest(text)
    await chat.finish(text)


@odd("sse", "ndjson")
async def begins_its_body_early(chat: Chat) -> None:
    assert isinstance(chat, ChunkedChat)
    await chat.head("Transfer-Encoding: chunked")
    await chat.answer(after_s=0.05)


# --- texts ------------------------------------------------------------------------------------------------------------


def _says(name: str, text: str) -> None:
    async def speak(chat: Chat) -> None:
        await chat.answer(text)

    speak.__name__ = name
    odd(*ALL)(speak)


_says("says_one_letter", "k")
_says("says_the_same_every_time", "I do not know.")
_says("says_a_long_text", "word " * 4000)
_says("says_error", "error: this is what the message says, and I explain it")
_says("says_json", '{"error": "this is an example", "response": null}')
_says("says_an_end_mark", "[DONE]")
_says("says_emoji", "\U0001f600 \u00fc\u00df \u4f60\u597d \U0001f468\u200d\U0001f469\u200d\U0001f467")
_says("says_line_breaks", "one\n\ntwo\r\nthree\u2028four")
_says("says_markup", '<b>bold</b> & "quoted" \\ \'')


@odd(*ALL)
async def says_the_question_back(chat: Chat) -> None:
    await chat.answer(chat.question)


@odd(*FRAMES)
async def cuts_an_emoji_in_two(chat: Chat) -> None:
    text = "Hi \U0001f600 there"
    for piece in ('{"delta": "Hi \\ud83d"}', '{"delta": "\\ude00 there"}'):
        await chat.raw(piece.encode())
    chat.honest(text)
    await chat.finish(text)


# --- what stands beside the text --------------------------------------------------------------------------------------


def _beside(name: str, extra: dict[str, Any]) -> None:
    async def speak(chat: Chat) -> None:
        text = reply_to(chat.question)
        await asyncio.sleep(0.01)
        chat.honest(text)
        if isinstance(chat, WholeChat):
            await chat.frame({"response": text, **extra})
            return
        await chat.frame({"delta": text[:5], **extra})
        await chat.frame({"delta": text[5:], **extra})
        await chat.finish(text)

    speak.__name__ = name
    odd(*JSON)(speak)


_beside("says_that_there_is_no_error", {"error": None})
_beside("says_that_the_error_is_blank", {"error": ""})
_beside("says_that_there_are_no_errors", {"errors": []})
_beside("says_that_the_code_is_zero", {"code": 0, "error_code": 0})
_beside("says_that_all_is_well", {"success": True, "status": "ok", "status_code": 200})
_beside("says_that_it_warns", {"warnings": ["the model is old"], "detail": "long", "message_id": "m1"})
_beside("says_much_beside", {"meta": {"error": None, "nested": [{"deep": [1, 2, {"x": None}]}]}, "t": 1.5e300})
_beside("says_that_usage_is_unknown", {"usage": None})
_beside("gives_usage_without_numbers", {"usage": {"input_tokens": None, "output_tokens": None}})


@odd(*JSON)
async def gives_its_usage_as_text(chat: Chat) -> None:
    text = reply_to(chat.question)
    usage = {"input_tokens": "12", "output_tokens": "9"}
    await asyncio.sleep(0.01)
    chat.honest(text)
    if isinstance(chat, WholeChat):
        await chat.frame({"response": text, "usage": usage})
        return
    await chat.say(text)
    await chat.frame({"usage": usage})
    await chat.finish(text)


@odd(*FRAMES)
async def sends_empty_pieces(chat: Chat) -> None:
    await chat.frame({"delta": ""})
    await chat.answer()


@odd(*FRAMES)
async def sends_its_role_first(chat: Chat) -> None:
    await chat.frame({"role": "assistant", "delta": ""})
    await chat.answer()


@odd(*FRAMES, "socketio")
async def shows_that_it_types(chat: Chat) -> None:
    typing = {"event": "typing", "on": True} if isinstance(chat, EventChat) else {"type": "typing", "on": True}
    for _ in range(3):
        await chat.frame(typing)
        await asyncio.sleep(0.005)
    await chat.answer()


async def _ready(chat: Chat) -> None:
    await chat.frame({"event": "ready"} if isinstance(chat, EventChat) else {"type": "ready", "session": "s1"})


@odd("websocket", "socketio", "split", "split-websocket", greet=_ready)
async def says_that_it_is_ready(chat: Chat) -> None:
    await chat.answer()


@odd("websocket", "socketio", "split", "split-websocket")
async def confirms_after_the_end(chat: Chat) -> None:
    await chat.answer()
    await chat.frame({"event": "read", "up_to": 3} if isinstance(chat, EventChat) else {"type": "read", "up_to": 3})


@odd("websocket")
async def pings(chat: Chat) -> None:
    assert isinstance(chat, SocketChat)
    await chat.connection.ping()
    await chat.answer()
    await chat.connection.ping()
