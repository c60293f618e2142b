"""Executes a user's turn: connect, render, send, record."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from connectors.base import BaseConnector
from connectors.errors import Aborted, BadAnswer, TurnError
from connectors.mapping.request import RenderedRequest
from connectors.mapping.unset import explained
from connectors.timeline import Timeline
from connectors.wire.transport.clock import not_before
from runs.engine.core.context import UserContext
from runs.engine.core.session import Session
from runs.engine.recording.turn_record import TurnRecord
from scenarios.render.walk import Walk

Ending = tuple[TurnError | None, int]
"""The failure of a turn, and when it ended (monotonic ns)."""


class TurnRunner:
    """Takes the turns of one user, at most one at a time, and records each of them.

    This runs for every turn of a load: it awaits only what has to wait, and passes locals on.
    """

    def __init__(self, shard: UserContext) -> None:
        self.shard = shard
        self.in_flight = False
        self.budget_reserved = False
        self.waits_for: Timeline | None = None
        self._takes_one_answer = False
        """Several requests carry the same message: the first answer counts."""
        self._recorded = 0
        """Number of turns in this conversation."""
        self._longest_ns = 0
        """The longest good turn of this conversation."""

    async def _take_turn(self, session: Session, walk: Walk, turn: TurnRecord, connector: BaseConnector) -> Ending:
        """One turn over `connector`, recorded.

        A turn that is cancelled before anything of it was sent never was: CancelledError goes on. Raises SpentError if
        the budget has no turn left, ScenarioError.
        """
        shard, timeline = self.shard, turn.timeline
        if shard.budget is not None:
            shard.budget.reserve(self)
        self.waits_for = timeline
        if walk.expect_text is not None:
            timeline.expected = walk.expect_text
        try:
            if not connector.ready:
                not_before(timeline.planned_ns)
                if (connecting := connector.connect()) is not None:
                    await connecting
            request = self._render(walk, turn, connector)
            if (sending := connector.send_message(request, timeline)) is not None:
                await sending
            connector.finish_turn(timeline)
            turn.text = text = timeline.text
            if self._takes_one_answer:
                self._take_answer()
            if (why := walk.answer(text)) is not None:
                turn.failure = BadAnswer("expect_failed", why)
        except (TurnError, asyncio.CancelledError) as exc:
            turn.failure = self._failure_of(exc, timeline, connector)
            if turn.id < 0:
                turn.id = self.shard.new_turn_id()
        finally:
            self.in_flight = False
            self.waits_for = None
        return self._record(session, walk, turn, connector)

    def _render(self, walk: Walk, turn: TurnRecord, connector: BaseConnector) -> RenderedRequest:
        """The request of a turn, which is in flight from now on."""
        shard = self.shard
        context: dict[str, Any] = {
            "message": turn.message,
            "messages": walk.messages,
            "turn": turn.number,
            "vars": walk.variables,
        }
        if shard.names_history:
            context["history"] = walk.history
        if shard.attaches:
            connector.target.attach(context, turn.attachments)
        request = connector.render(context)
        new_turn_id = shard.new_turn_id
        turn.id = turn_id = new_turn_id()
        t0_ns = shard.t0_ns
        planned_ns, now_ns = turn.timeline.planned_ns - t0_ns, time.monotonic_ns() - t0_ns
        turn.slot = shard.ledger.flight.take(turn_id, turn.session, turn.number, planned_ns, now_ns)
        self.in_flight = True
        return request

    def _take_answer(self) -> None:
        """This turn's answer goes to the conversation. Raises LostPatience if another turn has given it one."""

    def _record(self, session: Session, walk: Walk, turn: TurnRecord, connector: BaseConnector) -> Ending:
        """Write the line of a finished turn, and count it."""
        shard, timeline, failure = self.shard, turn.timeline, turn.failure
        done_ns = timeline.done_ns
        turn.ended_ns = ended_ns = time.monotonic_ns() if failure is not None or done_ns is None else done_ns
        line = shard.lines.line(turn, walk.messages)
        if shard.grouped:
            line["g"] = session.group
        strayed = timeline.has_unsolicited_text
        if (connector.unsolicited or strayed) and (unsolicited := connector.new_unsolicited() + strayed):
            line["uns"] = unsolicited
        shard.ledger.append(line, turn.slot)
        self._recorded += 1
        if shard.budget is not None:
            shard.budget.record_usage(line, session.model, self)
        if failure is not None:
            shard.took_failure(failure)
            return failure, ended_ns
        ended_ns += timeline.quiet_ns  # its end was not known before
        waits = shard.waits
        waits.answers += 1
        if (took_ns := ended_ns - timeline.planned_ns) > self._longest_ns:
            self._longest_ns = took_ns
            if took_ns > waits.longest_ns:  # noqa: PLR1730 - `max` costs as much as a dozen lines
                waits.longest_ns = took_ns
        return None, ended_ns

    def _failure_of(
        self, exc: TurnError | asyncio.CancelledError, timeline: Timeline, connector: BaseConnector
    ) -> TurnError:
        """The failure of a turn that ended with `exc`. Raises CancelledError again: nothing was sent, and the user had
        not waited for long."""
        if isinstance(exc, Aborted | asyncio.CancelledError):
            unanswered = self.shard.unanswered(timeline)
            if unanswered is not None:
                return unanswered
        if isinstance(exc, TurnError):
            return explained(exc, connector.target.unset_secrets)
        raise exc
