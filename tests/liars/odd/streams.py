"""Honest bots with odd habits of how their answers are told apart, and of how the bytes come."""

from __future__ import annotations

import asyncio
import gzip
import json

from tests.liars.bots.answering_another import greeting
from tests.liars.bots.breaking_agreements import BY_ID, replied
from tests.liars.chat import Chat, reply_to
from tests.liars.protocol_chats import (
    ChunkedChat,
    DirectLineChat,
    HttpChat,
    SseChat,
    StandingChat,
    WholeChat,
)
from tests.liars.table import BODIES, LASTING, WITH_ID, odd

# --- how answers are told apart ---------------------------------------------------------------------------------------


@odd(*LASTING, greet=greeting, target={"greeting": {"count": 1}})
async def greets_as_agreed(chat: Chat) -> None:
    await chat.answer()


@odd("websocket", "split", "split-websocket", "grpc", target={"response": {"quiet_ms": 400}})
async def says_it_in_two_messages(chat: Chat) -> None:
    text = reply_to(chat.question)
    await chat.finish(text)
    chat.honest(f"{text}\nAnything else?")
    await chat.finish("Anything else?")


@odd(*WITH_ID[:-1], target=BY_ID, greet=greeting)
async def says_whom_it_answers(chat: Chat) -> None:
    await asyncio.sleep(0.01)
    await replied(chat, "Something else.", "another")
    await replied(chat, "Nothing of anybody.", None)
    text = reply_to(chat.question)
    chat.honest(text)
    await replied(chat, text, str(chat.id))
    await replied(chat, "Late.", "another")


@odd("directline", greet=greeting)
async def speaks_direct_line(chat: Chat) -> None:
    """A greeting, the user's own activity, a reply to somebody else, the answer, and one thing more."""
    assert isinstance(chat, DirectLineChat)
    await asyncio.sleep(0.01)
    await chat.activity(chat.question, None, sender="dl_me")
    await chat.frame({"activities": [{"type": "typing", "from": {"id": "bot"}}]})
    await chat.activity("Not for you.", "another")
    text = reply_to(chat.question)
    chat.honest(text)
    await chat.activity(text, chat.asked_id)
    await chat.activity("And one thing more.", chat.asked_id)


@odd("directline")
async def sends_nothing_now_and_then(chat: Chat) -> None:
    assert isinstance(chat, DirectLineChat)
    await chat.raw(b"")
    await chat.answer()


# --- how the bytes come -----------------------------------------------------------------------------------------------


@odd("sse", "split")
async def keeps_alive_by_comments(chat: Chat) -> None:
    assert isinstance(chat, SseChat)
    await chat.chunk(b": keep-alive\n\n")
    await chat.answer()
    if isinstance(chat, StandingChat):
        await chat.chunk(b": keep-alive\n\n")


@odd("sse")
async def numbers_its_events(chat: Chat) -> None:
    assert isinstance(chat, SseChat)
    await chat.chunk(b"retry: 1000\nid: 1\n\n")
    text = reply_to(chat.question)
    await chat.chunk(b"id: 2\r\ndata: " + json.dumps({"delta": text}).encode() + b"\r\n\r\n")
    chat.honest(text)
    await chat.finish(text)


@odd("sse")
async def spaces_its_end_mark(chat: Chat) -> None:
    assert isinstance(chat, SseChat)
    text = reply_to(chat.question)
    await chat.say(text)
    chat.honest(text)
    await chat.chunk(b"data:  [DONE] \n\n")
    await chat.end_body()


@odd("ndjson")
async def keeps_alive_by_blank_lines(chat: Chat) -> None:
    assert isinstance(chat, ChunkedChat)
    await chat.chunk(b"\n")
    await chat.answer()


@odd("http", *BODIES)
async def calls_it_plain_text(chat: Chat) -> None:
    assert isinstance(chat, HttpChat)
    chat.content_type = "text/plain"
    await chat.answer()


@odd("http", *BODIES)
async def closes_after_each_answer(chat: Chat) -> None:
    assert isinstance(chat, HttpChat)
    chat.headers.append("Connection: close")
    await chat.answer()
    chat.ended = False


@odd("http", *BODIES)
async def hints_early(chat: Chat) -> None:
    assert isinstance(chat, HttpChat)
    await chat.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
    await chat.answer()


@odd("http")
async def compresses(chat: Chat) -> None:
    assert isinstance(chat, WholeChat)
    text = reply_to(chat.question)
    chat.headers.append("Content-Encoding: gzip")
    chat.honest(text)
    await chat.raw(gzip.compress(json.dumps({"response": text}).encode()))


@odd("http")
async def marks_its_byte_order(chat: Chat) -> None:
    text = reply_to(chat.question)
    chat.honest(text)
    await chat.raw(b"\xef\xbb\xbf" + json.dumps({"response": text}).encode())


@odd("http")
async def has_no_number(chat: Chat) -> None:
    text = reply_to(chat.question)
    chat.honest(text)
    await chat.raw(b'{"score": NaN, "response": ' + json.dumps(text).encode() + b"}")


@odd("http")
async def speaks_latin(chat: Chat) -> None:
    assert isinstance(chat, WholeChat)
    text = f"\u00fcber: {chat.question}"
    chat.content_type = "application/json; charset=iso-8859-1"
    chat.honest(text)
    await chat.raw(json.dumps({"response": text}, ensure_ascii=False).encode("latin-1"))
