"""Their mapping says how answers are told apart, and they do otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.liars.bots.answering_another import greeting_twice
from tests.liars.chat import Chat, reply_to
from tests.liars.protocol_chats import DirectLineChat, EventChat
from tests.liars.table import LASTING, SHIFTED, TIMEOUTS, WITH_ID, liar

# --- its mapping says how answers are told apart, and it does otherwise -----------------------------------------------

ONE_GREETING = {"greeting": {"count": 1, "within_s": 0.4}}
QUIET = {"response": {"quiet_ms": 120}}
BY_ID = {
    "reply_to": {"request": "id", "response": "reply_to"},
    "request": {"body": {"message": "{{ message }}", "id": "{{ session.id }}-{{ turn }}"}},
}
EVENT_ID = BY_ID | {"reply_to": {"request": "id", "response": "data.reply_to"}}


async def _nothing(_chat: Chat) -> None:
    return


@liar(*LASTING, seen_as=frozenset({"connect_timeout"}), greet=_nothing, target=ONE_GREETING)
async def does_not_greet_as_it_should(chat: Chat) -> None:
    await chat.answer()


@liar(*LASTING, seen_as=SHIFTED, greet=greeting_twice, target=ONE_GREETING)
async def greets_twice_where_once_was_agreed(chat: Chat) -> None:
    await chat.answer(after_s=0.1)


@liar(*LASTING, seen_as=SHIFTED, target=QUIET)
async def goes_on_after_it_was_quiet(chat: Chat) -> None:
    await chat.answer()
    await asyncio.sleep(0.3)
    await chat.say("Anything else?")
    await chat.finish("Anything else?")


def _with_id(name: str, speak: Callable[[Chat, str], Awaitable[None]], seen_as: frozenset[str]) -> None:
    """The same bot with the id where each protocol's mapping has it."""
    for protocols, target in ((WITH_ID[:-1], BY_ID), (("socketio",), EVENT_ID)):

        async def bot(chat: Chat) -> None:
            await asyncio.sleep(0.01)
            await speak(chat, str(chat.id))

        bot.__name__ = f"{name}{'_by_event' if target is EVENT_ID else ''}"
        liar(*protocols, seen_as=seen_as, target=target)(bot)


async def replied(chat: Chat, text: str, reply_to: str | None) -> None:
    """A whole answer in one message with an id."""
    message: dict[str, Any] = {"response": text, "done": True, "reply_to": reply_to}
    if isinstance(chat, EventChat):
        message = {"event": "done", "response": text, "reply_to": reply_to}
    await chat.frame({key: value for key, value in message.items() if value is not None})


async def _replies_to_another(chat: Chat, _id: str) -> None:
    await replied(chat, reply_to(chat.question), "another")


async def _replies_to_none(chat: Chat, _id: str) -> None:
    await replied(chat, reply_to(chat.question), None)


async def _replies_to_the_one_before(chat: Chat, own_id: str) -> None:
    session, _, turn = own_id.rpartition("-")
    await replied(chat, reply_to(chat.question), f"{session}-{int(turn) - 1}")


_with_id("replies_to_another", _replies_to_another, TIMEOUTS)
_with_id("replies_to_none", _replies_to_none, TIMEOUTS)
_with_id("replies_to_the_one_before", _replies_to_the_one_before, TIMEOUTS)


@liar("directline", seen_as=TIMEOUTS)
async def says_that_it_replies_to_another(chat: Chat) -> None:
    assert isinstance(chat, DirectLineChat)
    await chat.activity(reply_to(chat.question), "another")


@liar("directline", seen_as=TIMEOUTS)
async def replies_with_a_card(chat: Chat) -> None:
    assert isinstance(chat, DirectLineChat)
    await chat.activity(None, chat.asked_id)


@liar("directline", seen_as=frozenset({"json_invalid"}))
async def says_no_activity(chat: Chat) -> None:
    assert isinstance(chat, DirectLineChat)
    await chat.raw(b"You said something")
