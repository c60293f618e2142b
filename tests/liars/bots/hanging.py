"""They do not answer."""

from __future__ import annotations

import asyncio

from tests.liars.chat import Chat, reply_to
from tests.liars.table import ALL, EVERY, STREAMED, TIMEOUTS, conversation_of, liar, turn_of

# --- it does not answer ----------------------------------------------------------------------------------------------


@liar(*EVERY, seen_as=TIMEOUTS)
async def never_answers(chat: Chat) -> None:
    await chat.hang()


@liar(*EVERY, seen_as=TIMEOUTS)
async def hangs_at_the_third(chat: Chat) -> None:
    if turn_of(chat) == 3:
        await chat.hang()
    await chat.answer()


@liar(*EVERY, seen_as=TIMEOUTS)
async def hangs_in_every_other_conversation(chat: Chat) -> None:
    if conversation_of(chat) % 2:
        await chat.hang()
    await chat.answer()


@liar(*STREAMED, seen_as=TIMEOUTS)
async def hangs_after_a_piece(chat: Chat) -> None:
    await chat.piece("You said")
    await chat.hang()


@liar(*STREAMED, seen_as=TIMEOUTS)
async def hangs_before_the_end_mark(chat: Chat) -> None:
    await chat.say(reply_to(chat.question))
    await chat.hang()


PATIENT = {"timeouts": {"connect": 5, "first_byte": 60, "idle": 60, "total": 60}}


@liar(
    *ALL,
    seen_as=frozenset({"unanswered", "hang_not_judged"}),  # on a busy machine it begins too late to be judged
    target=PATIENT,
    load={"users": 3, "conversations": None, "duration_s": 3.0, "grace_s": 0.5},
)
async def hangs_from_the_sixth_question_to_the_end(chat: Chat) -> None:
    if len(chat.book.truths) > 6:
        await chat.hang()
    await chat.answer()


@liar(
    *STREAMED,
    seen_as=frozenset({"unanswered", "hang_not_judged"}),
    target=PATIENT,
    load={"users": 3, "conversations": None, "duration_s": 3.0, "grace_s": 0.5},
)
async def drips_for_ever_from_the_sixth_question(chat: Chat) -> None:
    while len(chat.book.truths) > 6:
        await chat.piece("and ")
        await asyncio.sleep(0.1)
    await chat.answer()


@liar(
    *STREAMED,
    seen_as=frozenset({"unanswered", "hang_not_judged"}),  # a busy machine may hold a piece back for over a second
    target=PATIENT,
    load={"users": 2, "conversations": None, "duration_s": 1.5, "grace_s": 0.5},
)
async def drips_for_ever_from_the_start(chat: Chat) -> None:
    while True:
        await chat.piece("and ")
        await asyncio.sleep(0.1)


@liar(
    *ALL,
    seen_as=frozenset({"unanswered", "no_ok_turns"}),
    target=PATIENT,
    load={"users": 3, "conversations": None, "duration_s": 1.0, "grace_s": 0.5},
)
async def hangs_from_the_start_to_the_end(chat: Chat) -> None:
    await chat.hang()
