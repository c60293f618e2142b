"""Turns whose tool calls get results: request after request, until an answer calls no tool. Used by both lanes."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from connectors.content.tool_calls import STEP, Round, ToolCalls
from connectors.errors import TurnError
from connectors.handshake.runner import of_step
from connectors.mapping.request import RenderedRequest
from connectors.timeline import Timeline
from connectors.tools.reply import ToolReply

ANY: Final = frozenset({"any"})
OF_THE_TURN: Final = frozenset(
    {"planned_ns", "sent_ns", "bytes_in", "bytes_out", "handshake_ns", "saved", "tools", "expected", "arrival_errors"}
    | {"_decode"}
)
"""What a timeline keeps from one answer of its turn to the next."""


class Owner(Protocol):
    """The connector."""

    turn_context: Mapping[str, Any]
    results: Sequence[RenderedRequest] | None
    saved: dict[str, Any]
    timeline: Callable[[int], Timeline]

    @property
    def ready(self) -> bool: ...

    def connect(self) -> Awaitable[None] | None: ...

    def render(self, context: dict[str, Any]) -> RenderedRequest: ...

    def send_message(self, request: RenderedRequest, timeline: Timeline) -> Awaitable[None] | None: ...

    def render_results(self, make: Callable[[RenderedRequest], RenderedRequest]) -> RenderedRequest: ...

    def packed(self, request: RenderedRequest) -> RenderedRequest: ...

    def keep_saved(self, timeline: Timeline) -> None: ...

    def conceal(self, value: Any) -> Any: ...


class ToolTalk:
    """Stands in the place of a connector's `render` and `send_message`. What was said about tools in earlier turns of a
    conversation is part of its later requests."""

    def __init__(self, owner: Owner, reply: ToolReply) -> None:
        self.owner = owner
        self.reply = reply
        self._render = owner.render
        self.send = owner.send_message
        self._saved: dict[str, Any] | None = None
        self._said: list[tuple[Any, int, str | None, list[Any]]] = []
        """Behind which message of the conversation, the number of that one, the answer that is part of what was said
        there (None: none is), and that."""

    def render(self, context: dict[str, Any]) -> RenderedRequest:
        """Raises BadRequest."""
        request = self._render(context)
        if self._saved is not self.owner.saved:  # it is another conversation's
            self._saved, self._said = self.owner.saved, []
        if not (added := self.earlier()):
            return request
        return self.owner.render_results(lambda own: self.reply.with_messages(own, added))

    def earlier(self) -> list[tuple[int, int, list[Any]]]:
        """What was said in turns that are still part of the conversation."""
        messages: Sequence[Any] = self.owner.turn_context.get("messages", ())
        return [
            (len(messages) - 1 - at, int(messages[at + 1]["content"] == answer), said)
            for message, at, answer, said in self._said
            if at < len(messages) - 1 and messages[at]["content"] == message["content"]
        ]

    def keep(self, said: list[Any], answer: str | None) -> None:
        """It was said behind the last message. `answer`: the text that is part of it; None: the answer is apart."""
        messages: Sequence[Any] = self.owner.turn_context.get("messages", ())
        if messages and said:
            self._said.append((messages[-1], len(messages) - 1, answer, said))

    def send_message(self, request: RenderedRequest, timeline: Timeline) -> Awaitable[None] | None:
        """Blocks and returns None, or returns what is to be awaited, as the connector's own does."""
        rounds = _Rounds(self, timeline)
        pending = self.send(request, timeline)
        if pending is not None:
            return self._awaited(pending, rounds)
        while (following := rounds.next()) is not None:
            with rounds.of_one():
                if not self.owner.ready:
                    self.owner.connect()
                self.send(following, timeline)
        rounds.end()
        return None

    async def _awaited(self, pending: Awaitable[None], rounds: _Rounds) -> None:
        await pending
        while (following := rounds.next()) is not None:
            with rounds.of_one():
                if not self.owner.ready and (connecting := self.owner.connect()) is not None:
                    await connecting
                if (sending := self.send(following, rounds.timeline)) is not None:
                    await sending
        rounds.end()


class _Rounds:
    """Those of one turn."""

    def __init__(self, talk: ToolTalk, timeline: Timeline) -> None:
        self.timeline = timeline
        self._talk = talk
        self._said: list[Any] = []
        self._results: list[RenderedRequest] = []

    @contextmanager
    def of_one(self) -> Iterator[None]:
        """Connecting again is part of the wait for the answer."""
        owner = self._talk.owner
        steps, tools = self.timeline.handshake_ns, self.timeline.tools
        number = 1 if tools is None else 1 + len(tools.rounds)
        owner.results = self._results
        try:
            yield
        except TurnError as exc:
            raise of_step(f"tool round {number}", exc) from exc.__cause__
        finally:
            owner.results = None
            self.timeline.handshake_ns = steps

    def next(self) -> RenderedRequest | None:
        """The request with the results of what the last answer called; None: that answer is the turn's. Raises
        TurnError."""
        tools = self.timeline.tools
        if tools is None or len(tools.rounds) >= self._talk.reply.rounds or not self._has_results(tools):
            return None
        with self.of_one():
            if not self._is_good():
                return None
            request = self._request(tools)
        self._next_round(tools)
        return request

    def _has_results(self, tools: ToolCalls) -> bool:
        """Whether there is a result for all that the last answer calls."""
        return len(tools.calls) > tools.new and self._talk.reply.knows(tools.calls[tools.new :])

    def _is_good(self) -> bool:
        """Whether the answer asks for tools, and nothing else is the matter. Raises BadAnswer."""
        timeline = self.timeline
        expected, timeline.expected = timeline.expected, ANY
        try:
            timeline.settle()
        finally:
            timeline.expected = expected
        return timeline.kind == "tool_call"

    def _say(self, tools: ToolCalls) -> Mapping[str, Any]:
        """The results of what the last answer calls. Raises BadAnswer or BadRequest."""
        owner, reply = self._talk.owner, self._talk.reply
        owner.keep_saved(self.timeline)
        seen = reply.seen(owner.turn_context, tools.calls[tools.new :], self.timeline.text, owner.conceal)
        self._said += reply.messages(seen)
        return seen

    def _request(self, tools: ToolCalls) -> RenderedRequest:
        owner, reply = self._talk.owner, self._talk.reply
        seen = self._say(tools)
        added = [*self._talk.earlier(), (0, 0, self._said)]
        request = owner.render_results(lambda own: reply.request(own, seen, added))
        self._results = [owner.packed(result) for result in reply.first(request, seen)]
        return request

    def _next_round(self, tools: ToolCalls) -> None:
        timeline = self.timeline
        chars = len(timeline.text) + timeline.reasoning_chars
        chars += sum(len(call.arguments) + len(call.name or "") for call in tools.calls[tools.new :])
        told = timeline.told
        tools.next_round(Round(self._last_ns(tools), told.input, told.output, chars))
        begin_again(timeline, self._talk.owner.timeline(timeline.planned_ns))

    def _last_ns(self, tools: ToolCalls) -> int:
        """How long the last answer took: the rounds follow each other without a gap."""
        timeline = self.timeline
        began_ns = (timeline.sent_ns or 0) + sum(ended.took_ns for ended in tools.rounds)
        return (timeline.done_ns or time.monotonic_ns()) - began_ns

    def end(self) -> None:
        """The last answer is there."""
        timeline, tools = self.timeline, self.timeline.tools
        if tools is None:
            return
        answer = None
        if self._talk.reply.waits and self._has_results(tools) and self._is_good():
            self._say(tools)
            answer = timeline.text
        self._talk.keep(self._said, answer)
        if tools.rounds:
            self._note_rounds(tools)

    def _note_rounds(self, tools: ToolCalls) -> None:
        timeline = self.timeline
        took = [*(ended.took_ns for ended in tools.rounds), self._last_ns(tools)]
        steps = {f"{STEP}round_{number}": ns for number, ns in enumerate(took, 1)}
        timeline.handshake_ns = {**(timeline.handshake_ns or {}), **steps}


def begin_again(timeline: Timeline, fresh: Timeline) -> None:
    """Let the timeline of a turn be as `fresh` is, but for what belongs to the turn: another answer is to come."""
    for kind in type(fresh).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if name in OF_THE_TURN:
                continue
            if hasattr(fresh, name):
                setattr(timeline, name, getattr(fresh, name))
            elif hasattr(timeline, name):  # it is not there before the first piece of an answer
                delattr(timeline, name)
    if hasattr(fresh, "__dict__"):
        vars(timeline).update(vars(fresh))
