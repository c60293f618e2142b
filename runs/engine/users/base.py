"""A simulated user's conversations: say, wait, say, with at most one turn in flight."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from connectors.base import BaseConnector
from connectors.errors import Aborted, Refused
from connectors.handshake.farewell import Parting
from runs.backoff import Backoff
from runs.engine.core.budget_meter import SpentError
from runs.engine.core.clock import sleep_until
from runs.engine.core.context import Listener, UserContext
from runs.engine.core.session import Session
from runs.engine.recording.turn_record import TurnRecord
from runs.engine.users.turns import Ending, TurnRunner
from scenarios.definition.spec import ScenarioError
from scenarios.render.walk import SayAction, Walk

BACKOFF: Final = Backoff(0.05, 1.0)


class User(TurnRunner):
    """Holds one conversation after another over one connector."""

    def __init__(self, shard: UserContext, number: int) -> None:
        super().__init__(shard)
        self.number = number
        self.group = 0
        """The random numbers of the conversation."""
        self.leaving = False
        """The user is to leave: a conversation in progress ends before its next turn."""
        self._connector = shard.new_connector()
        self._says_goodbye = bool(shard.spec.target.handshake.goodbye)
        self._failures = 0
        """Number of consecutive failed conversations."""
        self.needs_rest = False
        """Conversations fail repeatedly: do not overload a dead target."""

    async def converse(self, planned_ns: int, session: Session) -> int:
        """Hold one conversation, planned to begin at `planned_ns` (monotonic); return when it ended.

        Whatever happens, it is closed in the ledger.
        """
        outcome, code = "truncated", None
        parting: Parting | None = None
        self._recorded = self._longest_ns = 0
        self.group = session.group
        began = self.shard.opened(session, self.number, planned_ns)
        try:
            outcome, code, planned_ns = await self._hold(session, planned_ns)
            was_cut_off = outcome != "failed" and code is not None
            if self._says_goodbye and self._recorded and not was_cut_off:
                parting = await self._part()
        finally:
            if self._close(session, began, outcome, code, parting):
                await self.leave()
        return planned_ns

    async def _hold(self, session: Session, planned_ns: int) -> tuple[str, str | None, int]:
        """All turns: how they ended, with which code, and when. A turn that is refused and taken again is a turn of its
        own."""
        shard = self.shard
        try:
            self._connector.begin(session.info)
            walk = self._walk(session)
            while (action := walk.next_action()) is not None and not shard.stopping:
                if not isinstance(action, SayAction):
                    await sleep_until(planned_ns := planned_ns + int(action.seconds * 1e9))
                    continue
                if self.leaving:
                    return "truncated", None, planned_ns
                if shard.turn_cap is not None:
                    planned_ns = await shard.turn_cap.slot(planned_ns)
                failure, planned_ns = await self._turn(session, walk, action, planned_ns)
                if failure is None:
                    continue
                if isinstance(failure, Refused) and self._connector.refresh(failure.status):
                    failure, planned_ns = await self._turn(session, walk, action, planned_ns)
                if failure is not None:
                    return ("truncated" if isinstance(failure, Aborted) else "failed"), failure.code, planned_ns
        except SpentError:
            return "truncated", None, planned_ns  # as by any other end
        except ScenarioError as exc:
            shard.scenario_failed(exc)
            return "failed", "scenario_invalid", planned_ns
        return ("completed" if action is None else "truncated"), None, planned_ns

    async def _part(self) -> Parting | None:
        """The target's requests at the end of a conversation."""
        return await farewell(self._connector)

    def _turn(self, session: Session, walk: Walk, action: SayAction, planned_ns: int) -> Awaitable[Ending]:
        """Send one message and wait for its answer."""
        connector = self._connector
        new_timeline = connector.timeline
        return self._take_turn(session, walk, TurnRecord(new_timeline(planned_ns), session.id, action), connector)

    def _close(self, session: Session, began: int, outcome: str, code: str | None, parting: Parting | None) -> bool:
        """Record how the conversation ended. Returns whether its connection must be closed."""
        shard, connector = self.shard, self._connector
        if outcome == "failed":
            self._failures += 1
            self.needs_rest = self._failures >= 2
        elif self._failures:
            self._end_failures()
        shard.closed(session, began, outcome, code, self._recorded, parting)
        if shard.late_listener is not None and self._keeps_listening(shard.late_listener, session):
            return False
        return not shard.reuse_connections or connector.persistent  # such a connection is the conversation

    def _keeps_listening(self, late_listener: Listener, session: Session) -> bool:
        """Whether the connection stays open for a while, to detect late messages; the user then gets another one."""
        connector = self._connector
        if not connector.lasting or self._recorded == 0:
            return False
        if not late_listener.take(connector, session, self._longest_ns):
            return False
        self._connector = self.shard.new_connector()
        return True

    def _walk(self, session: Session) -> Walk:
        return Walk(session.scenario, session.rng, session.info)  # type: ignore[arg-type] # LazyRandom is one

    def _end_failures(self) -> None:
        self._failures = 0
        self.needs_rest = False

    async def rest(self, ended_ns: int) -> int:
        """Pause, longer with each failure; return when the next conversation is planned (monotonic ns)."""
        ended_ns += int(BACKOFF.pause_s(self._failures - 1) * 1e9)
        await sleep_until(ended_ns)
        return ended_ns

    async def leave(self) -> None:
        """Close the connection."""
        if (closing := self._connector.disconnect()) is not None:
            await closing


async def farewell(connector: BaseConnector) -> Parting | None:
    said = connector.say_farewell()
    return await said if isinstance(said, Awaitable) else said
