"""They answer another question."""

from __future__ import annotations

import asyncio

from tests.liars.chat import Chat, reply_to
from tests.liars.table import EVERY, LASTING, SHIFTED, WRONG, liar, turn_of

# --- it answers another question -------------------------------------------------------------------------------------


async def greeting(chat: Chat) -> None:
    await chat.say("Welcome, how can I help?")
    await chat.finish("Welcome, how can I help?")


async def greeting_twice(chat: Chat) -> None:
    await greeting(chat)
    await greeting(chat)


@liar(*LASTING, seen_as=SHIFTED, greet=greeting)
async def greets(chat: Chat) -> None:
    await chat.answer(after_s=0.1)


@liar(*LASTING, seen_as=SHIFTED, greet=greeting_twice)
async def greets_twice(chat: Chat) -> None:
    await chat.answer(after_s=0.1)


@liar(*LASTING, seen_as=SHIFTED)
async def greets_when_it_is_asked(chat: Chat) -> None:
    if turn_of(chat) == 1:
        await asyncio.sleep(0.01)
        await greeting(chat)
    await chat.answer(after_s=0.1)


@liar(*LASTING, seen_as=SHIFTED)
async def answers_twice(chat: Chat) -> None:
    await chat.answer()
    await chat.say("Anything else?")
    await chat.finish("Anything else?")


@liar(*LASTING, seen_as=SHIFTED)
async def says_that_it_thinks_first(chat: Chat) -> None:
    await chat.say("One moment, please.")
    await chat.finish("One moment, please.")
    await chat.answer(after_s=0.1)


@liar(*LASTING, seen_as=SHIFTED)
async def adds_a_piece_after_the_end(chat: Chat) -> None:
    await chat.answer()
    await chat.piece(" And one thing more.")


@liar(*EVERY, seen_as=WRONG, expects=True)
async def answers_what_came_before(chat: Chat) -> None:
    await asyncio.sleep(0.01)
    await chat.say("You said: what came before.")
    await chat.finish("You said: what came before.")


@liar(*EVERY, seen_as=WRONG, expects=True)
async def repeats_its_first_answer(chat: Chat) -> None:
    if turn_of(chat) == 1:
        await chat.answer()
        return
    text = "You said: question 1 of nobody."
    await asyncio.sleep(0.01)
    await chat.say(text)
    await chat.finish(text)


@liar(*EVERY, seen_as=WRONG, expects=True)
async def answers_somebody_else(chat: Chat) -> None:
    other = next(iter(chat.book.truths))
    if other == chat.question:
        await chat.answer()
        return
    await asyncio.sleep(0.01)
    await chat.say(reply_to(other))
    await chat.finish(reply_to(other))


@liar(*LASTING, seen_as=SHIFTED)
async def is_one_behind(chat: Chat) -> None:
    """Slower than any connection takes to close: what it still owes comes long after the conversation."""
    if turn_of(chat) == 1:
        await greeting(chat)
    await chat.answer(after_s=0.4)


@liar(*EVERY, seen_as=WRONG, expects=True)
async def echoes_what_it_was_asked_first(chat: Chat) -> None:
    text = f"You said: question 1 of {chat.question.split()[-1]}."
    await asyncio.sleep(0.01)
    if turn_of(chat) == 1:
        chat.honest(text)
    await chat.say(text)
    await chat.finish(text)
