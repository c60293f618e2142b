"""A user who does not wait for ever: leaves, sends the message again, or sends it twice.

Every request is a turn of its own with one outcome, and what was sent is never forgotten: a turn that its user did not
wait for is `aborted`, its code says why, and its connection is closed. Sending twice is the one exception to a user's
having one turn in flight.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, cast

from connectors.base import BaseConnector
from connectors.errors import USER_LEFT, Aborted, LostPatience, TurnError
from connectors.timeline import Timeline
from runs.engine.people import Patience
from runs.engine.person import Person
from runs.engine.purse import SpentError
from runs.engine.session import LazyRandom, Session
from scenarios.render import SayAction, Walk

if TYPE_CHECKING:
    from runs.engine.shard import Shard

LEFT: Final = USER_LEFT
RESENT: Final = "user_resent"
DOUBLED: Final = "user_doubled"
Ending = tuple[TurnError | None, int]
"""Of a turn: its failure, and when it ended."""


class _Watched:
    """A connector for one turn, which can be looked at while it goes on."""

    def __init__(self, connector: BaseConnector) -> None:
        self._connector = connector
        self.seen: Timeline | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connector, name)

    def timeline(self, planned_ns: int) -> Timeline:
        self.seen = self._connector.timeline(planned_ns)
        return self.seen


class _OneAnswer:
    """A conversation's walk that takes one answer to a message, and no second one."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self.taken_by: asyncio.Task[Any] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._walk, name)

    def answer(self, text: str) -> str | None:
        if self.taken_by is not None:
            raise LostPatience(DOUBLED)
        self.taken_by = asyncio.current_task()
        return self._walk.answer(text)


class ImpatientPerson(Person):
    def __init__(self, shard: Shard, number: int) -> None:
        super().__init__(shard, number)
        self._patience = cast("Patience", shard.spec.load.people.patience)
        self._rng = LazyRandom()
        self._is_patient = False
        self._ended_by: dict[asyncio.Task[Any], str] = {}
        """Why the turn of a task is being ended."""
        self._second: BaseConnector | None = None
        self._second_begun = False
        self._walked_out = False
        steps = shard.spec.target.handshake.steps
        self._from_handshake = frozenset(name for step in steps for name in step.save)

    async def converse(self, planned_ns: int, session: Session) -> int:
        patience = self._patience
        self._rng = LazyRandom("patience", self._seed, session.info["number"])
        self._is_patient = patience.share < 1 and self._rng.random() >= patience.share
        self._second_begun = self._walked_out = False
        ended_ns = await super().converse(planned_ns, session)
        if self._walked_out:
            self._failures = 0  # who left has waited already: no rest on top of that
        return ended_ns

    async def leave(self) -> None:
        await super().leave()
        if self._second is not None and (closing := self._second.disconnect()) is not None:
            await closing

    async def _turn(
        self,
        session: Session,
        walk: Walk,
        action: SayAction,
        planned_ns: int,
        connector: BaseConnector | None = None,
    ) -> Ending:
        if self._is_patient:
            return await super()._turn(session, walk, action, planned_ns, connector)
        if self._patience.then == "double":
            return await self._double(session, walk, action, planned_ns)
        return await self._insist(session, walk, action, planned_ns)

    def _failure_of(self, exc: TurnError | asyncio.CancelledError, timeline: Timeline) -> TurnError:
        code = self._ended_by.get(cast("asyncio.Task[Any]", asyncio.current_task()))
        is_over = code == RESENT and self.shard.stopping  # it is not sent again, and not for want of patience
        if code is not None and not is_over and isinstance(exc, Aborted | asyncio.CancelledError):
            return LostPatience(code)
        return super()._failure_of(exc, timeline)

    def _is_served(self, timeline: Timeline | None) -> bool:
        if timeline is None:
            return False
        return timeline.done_ns is not None or (
            self._patience.until == "content" and timeline.first_content_ns is not None
        )

    # --- leaving, or sending again ----------------------------------------------------------------------------

    async def _insist(self, session: Session, walk: Walk, action: SayAction, planned_ns: int) -> Ending:
        shard = self.shard
        resends = self._patience.times if self._patience.then == "resend" else 0
        while True:
            failure, ended_ns = await self._limited(session, walk, action, planned_ns, RESENT if resends else LEFT)
            self._walked_out = isinstance(failure, LostPatience)
            if not (self._walked_out and resends):
                return failure, ended_ns
            if shard.stopping:
                return Aborted(), ended_ns
            if self.leaving:
                return failure, ended_ns
            resends -= 1
            planned_ns = await shard.turn_slot(ended_ns) if shard.turn_gap_ns else ended_ns

    async def _limited(self, session: Session, walk: Walk, action: SayAction, planned_ns: int, code: str) -> Ending:
        """A turn, given up with `code` when the user's patience is over."""
        watched = _Watched(self._connector)
        task = cast("asyncio.Task[Any]", asyncio.current_task())

        def give_up() -> None:
            if not self._is_served(watched.seen):
                self._end_turn(task, LEFT if self.leaving else code)

        timer = asyncio.get_running_loop().call_later(self._patience.within_s.draw(self._rng), give_up)
        try:
            return await super()._turn(session, walk, action, planned_ns, cast("BaseConnector", watched))
        finally:
            timer.cancel()
            if self._ended_by.pop(task, None) is not None:
                task.uncancel()

    def _end_turn(self, task: asyncio.Task[Any], code: str) -> None:
        self._ended_by[task] = code
        task.cancel()

    # --- sending twice ----------------------------------------------------------------------------------------

    async def _double(self, session: Session, walk: Walk, action: SayAction, planned_ns: int) -> Ending:
        """The first whole answer counts. The other request is ended then, unless it has failed by itself."""
        once = _OneAnswer(walk)
        shared = cast("Walk", once)
        watched = _Watched(self._connector)
        start = asyncio.get_running_loop().create_task
        first = start(super()._turn(session, shared, action, planned_ns, cast("BaseConnector", watched)))
        turns = [first]
        try:
            await asyncio.wait(turns, timeout=self._patience.within_s.draw(self._rng))
            if not (first.done() or self._is_served(watched.seen) or self.shard.stopping or self.leaving):
                turns.append(start(self._again(session, shared, action)))
            return await self._first_answer(turns, once)
        except asyncio.CancelledError:
            for turn in turns:
                turn.cancel()
            await asyncio.wait(turns)
            ended = [turn.result() for turn in turns if not turn.cancelled()]
            if not ended:
                raise  # nothing was sent
            return ended[0][0] or Aborted(), time.monotonic_ns()
        finally:
            for turn in turns:
                self._ended_by.pop(turn, None)
                turn.cancel()

    async def _first_answer(self, turns: list[asyncio.Task[Ending]], once: _OneAnswer) -> Ending:
        """Of the turn that took the answer; if none did, of the first one."""
        going_on = set(turns)
        while going_on and once.taken_by is None:
            done, going_on = await asyncio.wait(going_on, return_when=asyncio.FIRST_COMPLETED)
            for turn in done:
                turn.result()  # raises what only a bug, or a budget that is spent, can raise
            self.in_flight = bool(going_on)
        for other in going_on:
            self._end_turn(other, DOUBLED)
        if going_on:
            await asyncio.wait(going_on)
        return next((turn for turn in turns if turn is once.taken_by), turns[0]).result()

    async def _again(self, session: Session, walk: Walk, action: SayAction) -> Ending:
        """The same message over a second connection."""
        connector, shard = self._second_connector(session), self.shard
        planned_ns = time.monotonic_ns()
        if shard.turn_gap_ns:
            planned_ns = await shard.turn_slot(planned_ns)
        watched = _Watched(connector)
        try:
            ending = await super()._turn(session, walk, action, planned_ns, cast("BaseConnector", watched))
        except SpentError:
            return LostPatience(DOUBLED), planned_ns  # the budget has no turn left for it: nothing was sent
        if ending[0] is None and watched.seen is not None:
            self._connector.took(watched.seen)
        return ending

    def _second_connector(self, session: Session) -> BaseConnector:
        if self._second is None:
            self._second = self.shard.new_connector()
        second = self._second
        second.target = self._connector.target
        if not self._second_begun:
            self._second_begun = True
            second.begin(session.info)
        own = {name: value for name, value in second.saved.items() if name in self._from_handshake}
        second.saved = {**self._connector.saved, **own}
        return second
