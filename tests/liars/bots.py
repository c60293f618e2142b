"""The liars: each misbehaves in one way. What it says of itself is not believed; the book has what it did."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.liars.chat import Bot, Chat, reply_to
from tests.liars.serve import ChunkedChat, DirectLineChat, EventChat, SseChat, StandingChat, WholeChat

LASTING = ("websocket", "socketio", "split", "split-websocket", "grpc")
WITH_ID = ("websocket", "split", "split-websocket", "socketio")
"""Where a message and its request may have an id."""
BODIES = ("sse", "ndjson")
STREAMED = (*LASTING, *BODIES)
ALL = (*STREAMED, "http")
EVERY = (*ALL, "directline")
JSON = ("websocket", "split", "split-websocket", "sse", "ndjson", "http")
"""Where a message may have any keys."""
FRAMES = ("websocket", "split", "split-websocket", "sse", "ndjson")


@dataclass(frozen=True)
class Liar:
    """`seen_as`: the codes of turns, or of reasons of the verdict, by which a run may name it."""

    speak: Bot
    protocols: tuple[str, ...]
    seen_as: frozenset[str]
    greet: Bot | None = None
    target: Mapping[str, Any] = field(default_factory=dict)
    load: Mapping[str, Any] = field(default_factory=dict)
    expects: bool = False
    """Whether the scenario says what an answer holds: only so can a wrong text be known."""
    tokens_told: bool = True
    """False: answers are fine, and the counts of tokens beside them are not to be taken for the target's."""


LIARS: dict[str, Liar] = {}


def name_of(bot: Bot) -> str:
    return str(getattr(bot, "__name__", ""))


TIMEOUTS = frozenset({"first_byte_timeout", "idle_timeout", "total_timeout", "grpc_deadline_exceeded"})
SHIFTED = frozenset({"answers_may_be_shifted"})
NO_TEXT = frozenset({"answer_empty", "answer_unmatched"})
ERROR = frozenset({"target_error"})
CUT = frozenset(
    {
        "connection_reset",
        "connection_closed",
        "connection_reused_closed",
        "stream_incomplete",
        "body_truncated",
        "ws_closed_1000",
        "ws_closed_1005",
        "ws_closed_1006",
        "grpc_unavailable",
        "grpc_malformed",
        "json_invalid",
        "http_malformed",
    }
)
WRONG = frozenset({"expect_failed"})


def liar(*protocols: str, seen_as: frozenset[str], **more: Any) -> Callable[[Bot], Bot]:
    """Put the decorated bot into the table, by its name."""

    def register(speak: Bot) -> Bot:
        LIARS[name_of(speak)] = Liar(speak, protocols, seen_as, **more)
        return speak

    return register


def turn_of(chat: Chat) -> int:
    """Which message of its conversation the question is, from 1."""
    return int(chat.question.split()[1])


def conversation_of(chat: Chat) -> int:
    return int(chat.question.rsplit("-", 1)[1])


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
