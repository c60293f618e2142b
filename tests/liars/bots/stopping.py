"""They stop in the middle of an answer."""

from __future__ import annotations

import asyncio

from tests.liars.chat import Chat
from tests.liars.protocol_chats import ChunkedChat, WholeChat
from tests.liars.table import CUT, EVERY, FRAMES, STREAMED, liar, turn_of

# --- it stops ---------------------------------------------------------------------------------------------------------


@liar(*STREAMED, seen_as=CUT)
async def dies_after_a_piece(chat: Chat) -> None:
    await chat.piece("You said")
    await asyncio.sleep(0.01)
    await chat.close(hard=True)


@liar(*EVERY, seen_as=CUT)
async def dies_at_the_third(chat: Chat) -> None:
    if turn_of(chat) == 3:
        await chat.close(hard=True)
    await chat.answer()


@liar("sse", "ndjson", seen_as=CUT)
async def ends_the_body_before_the_answer(chat: Chat) -> None:
    assert isinstance(chat, ChunkedChat)
    await chat.piece("You said")
    await chat.end_body()


@liar("websocket", "socketio", seen_as=CUT)
async def closes_politely_before_the_end(chat: Chat) -> None:
    await chat.piece("You said")
    await chat.close()


@liar("http", seen_as=CUT)
async def sends_half_of_the_body(chat: Chat) -> None:
    assert isinstance(chat, WholeChat)
    await chat.part(b'{"response": "You said', of=200)
    await chat.close()


@liar(*FRAMES, seen_as=CUT)
async def sends_half_of_a_message(chat: Chat) -> None:
    await chat.raw(b'{"delta": "You sa')
    await chat.finish()
