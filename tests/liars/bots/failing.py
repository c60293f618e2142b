"""They fail and say so beside the answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.liars.chat import Chat
from tests.liars.protocol_chats import ChunkedChat, SseChat, StandingChat
from tests.liars.table import ERROR, FRAMES, JSON, NO_TEXT, SHIFTED, liar, turn_of

# --- it fails and says so beside the answer --------------------------------------------------------------------------

DIED = "the engine died"


def _errs(name: str, message: dict[str, Any], *, after_a_piece: bool, then_ends: bool) -> None:
    async def speak(chat: Chat) -> None:
        await asyncio.sleep(0.01)
        if after_a_piece:
            await chat.piece("You said")
        await chat.frame(message)
        if then_ends:
            await chat.finish()
        elif isinstance(chat, ChunkedChat) and not isinstance(chat, StandingChat):
            await chat.end_body()

    speak.__name__ = name
    protocols = FRAMES if after_a_piece or then_ends else JSON
    liar(*protocols, seen_as=ERROR | NO_TEXT if not after_a_piece else ERROR)(speak)


_errs("fails_with_an_error", {"error": {"message": DIED}}, after_a_piece=False, then_ends=False)
_errs("fails_after_a_piece_and_ends_well", {"error": {"message": DIED}}, after_a_piece=True, then_ends=True)
_errs("fails_with_errors", {"errors": [{"message": DIED}]}, after_a_piece=True, then_ends=True)
_errs("fails_with_an_object", {"object": "error", "message": DIED, "code": 500}, after_a_piece=True, then_ends=True)
_errs("fails_with_a_code", {"error_code": 500, "error_msg": DIED}, after_a_piece=True, then_ends=True)
_errs("fails_with_a_type", {"type": "error", "message": DIED}, after_a_piece=True, then_ends=True)
_errs(
    "fails_as_json_rpc",
    {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": DIED}},
    after_a_piece=True,
    then_ends=True,
)


@liar("sse", "split", seen_as=ERROR)
async def fails_in_a_named_event(chat: Chat) -> None:
    assert isinstance(chat, SseChat)
    await chat.piece("You said")
    await chat.chunk(b"event: error\ndata: " + json.dumps({"message": DIED}).encode() + b"\n\n")
    await chat.finish()


@liar(*JSON, seen_as=ERROR)
async def says_in_the_words_of_an_answer_that_it_failed(chat: Chat) -> None:
    """200 OK, and the text is where texts are."""
    await chat.frame({"response": DIED, "delta": DIED, "success": False, "done": True})
    if isinstance(chat, ChunkedChat) and not isinstance(chat, StandingChat):
        await chat.end_body()


@liar("websocket", "socketio", "split", "split-websocket", "ndjson", seen_as=SHIFTED)
async def greets_in_a_piece_of_each_answer(chat: Chat) -> None:
    """The first text of each answer is none, as the whole text at its end shows."""
    await chat.piece("Welcome! ")
    await chat.answer(after_s=0.1)


@liar(*JSON, seen_as=ERROR)
async def fails_every_other_time(chat: Chat) -> None:
    if turn_of(chat) % 2:
        await chat.answer()
        return
    await chat.frame({"error": DIED})
    if isinstance(chat, ChunkedChat) and not isinstance(chat, StandingChat):
        await chat.end_body()


@liar("socketio", seen_as=ERROR)
async def fails_in_an_event(chat: Chat) -> None:
    await chat.piece("You said")
    await chat.frame({"event": "error", "message": DIED})
    await chat.finish()
