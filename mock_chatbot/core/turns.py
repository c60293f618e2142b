"""A turn on a face that exchanges messages (WebSocket, Socket.IO, gRPC, an event stream), without its format.

The pace is that of mock_chatbot.core.responses: absolute deadlines, so that lateness of one token does not move the
next.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from mock_chatbot.core.chatbot import Chatbot, Headers
from mock_chatbot.core.errors import Failure, InvalidInput, invalid_request
from mock_chatbot.core.reply import Ask, Plan, Reply
from mock_chatbot.core.responses import sleep_until

BUSY = invalid_request("An answer is still under way: wait for its end.", status=409, code="busy")


class Voice(ABC):
    """The format of one turn on a face. Each call hands one message to the transport; an exception ends the turn."""

    @abstractmethod
    async def delta(self, token: str, index: int) -> None:
        """One token of a streamed answer."""

    @abstractmethod
    async def whole(self, reply: Reply) -> None:
        """The end: the whole answer."""

    @abstractmethod
    async def failure(self, failure: Failure) -> None:
        """The end: an error."""


class Turn:
    """One message and its answer. A turn is counted before its last message is sent."""

    def __init__(self, chatbot: Chatbot, voice: Voice, headers: Headers, *, is_request: bool = True) -> None:
        """`headers`: those of the connection. `is_request`: False if HTTP has counted the request already."""
        self._chatbot, self._voice, self._headers, self._is_request = chatbot, voice, headers, is_request
        self._open = False
        self._due_s = 0.0  # deadline of the last sent message

    async def take(self, read: Callable[[], Ask]) -> bool:
        """Answers the input of `read`, or reports what is wrong with it (InvalidInput); True if it was answered."""
        self.begin()
        try:
            now_s = time.monotonic()
            try:
                ask = read()
                planned, _ = self._chatbot.plan(ask, self._headers)
            except InvalidInput as exc:
                await self._fail(exc.failure())
                return False
            places = self._chatbot.concurrency
            if places is None:
                return await self._serve(planned, ask, now_s)
            self._due_s = now_s + await places.take()
            try:
                return await self._serve(planned, ask, self._due_s)
            finally:
                places.give(min(self._due_s, time.monotonic()))  # sooner if the client left
        finally:
            self._end(0)

    async def _serve(self, planned: Plan, ask: Ask, begin_s: float) -> bool:
        reply = planned.reply
        self._due_s = begin_s + reply.delay_s
        await sleep_until(self._due_s)
        if planned.failure:
            await self._fail(planned.failure)
            return False
        await self._answer(reply, self._due_s, streamed=ask.stream)
        return True

    async def refuse(self, failure: Failure) -> None:
        """Answers immediately, without random delays or errors."""
        self.begin()
        try:
            await self._fail(failure)
        finally:
            self._end(0)

    def begin(self) -> None:
        """Counts the turn; `take` and `refuse` do it unless it is done."""
        if not self._open:
            self._open = True
            self._chatbot.stats.requests += self._is_request
            self._chatbot.stats.chat_begins()

    async def _fail(self, failure: Failure) -> None:
        self._end(failure.status)
        await self._voice.failure(failure)

    async def _answer(self, reply: Reply, deadline_s: float, *, streamed: bool) -> None:
        stats, voice = self._chatbot.stats, self._voice
        stats.input_tokens += reply.input_tokens
        if streamed:
            for index, token in enumerate(reply.tokens):
                await sleep_until(deadline_s)
                self._due_s = deadline_s
                stats.chunks += 1
                stats.events += 1
                stats.output_tokens += 1
                await voice.delta(token, index)
                deadline_s += reply.itl_s
            stats.events += 1
            stats.output_tokens += len(reply.reasoning)  # the usage includes it, although these faces do not send it
        else:
            stats.output_tokens += reply.output_tokens
        self._end(200)
        await voice.whole(reply)

    def _end(self, status: int) -> None:
        """`status` 0: the client disconnected first, if the turn has not ended."""
        if self._open:
            self._open = False
            stats = self._chatbot.stats
            stats.chat_ends(answered=status == 200, failed=status >= 400)
            if status:
                stats.count_status(status)
