"""A user with limited patience: gives up, resends the message, or sends it a second time.

Every request is a turn of its own with one outcome, and nothing that was sent is forgotten: a turn that its user did
not wait for is `aborted`, its code says why, and its connection is closed. Sending twice is the one exception to a
user's having one turn in flight.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, Final, cast

from connectors.base import BaseConnector
from connectors.errors import USER_LEFT, Aborted, LostPatience, TurnError
from connectors.handshake.farewell import Parting
from connectors.timeline import Timeline
from runs.engine.core.budget_meter import SpentError
from runs.engine.core.context import UserContext
from runs.engine.core.session import Session
from runs.engine.recording.turn_record import TurnRecord
from runs.engine.users.base import farewell
from runs.engine.users.paced import PacedUser
from runs.engine.users.turns import Ending
from runs.load.draws.lazy_random import LazyRandom
from runs.load.users import Patience
from scenarios.render.walk import SayAction, Walk

LEFT: Final = USER_LEFT
RESENT: Final = "user_resent"
HEDGED: Final = "user_hedged"


class ImpatientUser(PacedUser):
    def __init__(self, shard: UserContext, number: int) -> None:
        super().__init__(shard, number)
        self._patience = cast("Patience", shard.spec.load.user_profile.patience)
        self._rng = LazyRandom()
        self._is_patient = False
        self._ended_by: dict[asyncio.Task[Any], str] = {}
        """Why a task's turn is being ended."""
        self._second: BaseConnector | None = None
        self._second_begun = False
        self._walked_out = False
        self._answered_by: asyncio.Task[Any] | None = None
        """The turn whose answer was taken."""
        steps = shard.spec.target.handshake.steps
        self._from_handshake = frozenset(name for step in steps for name in step.save)

    async def converse(self, planned_ns: int, session: Session) -> int:
        patience = self._patience
        self._rng = LazyRandom("patience", self._seed, session.info["number"])
        self._is_patient = patience.share < 1 and self._rng.random() >= patience.share
        self._second_begun = self._walked_out = False
        ended_ns = await super().converse(planned_ns, session)
        if self._walked_out:
            self._end_failures()  # a user who left has already waited: no additional rest
        return ended_ns

    async def _part(self) -> Parting | None:
        parting = await super()._part()
        if self._second is not None and self._second_begun:
            await farewell(self._second)
        return parting

    async def leave(self) -> None:
        await super().leave()
        if self._second is not None and (closing := self._second.disconnect()) is not None:
            await closing

    def _turn(self, session: Session, walk: Walk, action: SayAction, planned_ns: int) -> Awaitable[Ending]:
        if self._is_patient:
            return super()._turn(session, walk, action, planned_ns)
        if self._patience.then == "hedge":
            return self._hedge(session, walk, action, planned_ns)
        return self._resend_or_leave(session, walk, action, planned_ns)

    # --- hooks of a turn --------------------------------------------------------------------------------------

    def _failure_of(
        self, exc: TurnError | asyncio.CancelledError, timeline: Timeline, connector: BaseConnector
    ) -> TurnError:
        code = self._ended_by.get(cast("asyncio.Task[Any]", asyncio.current_task()))
        is_over = code == RESENT and self.shard.stopping  # it is not resent, so the code must not say so
        if code is not None and not is_over and isinstance(exc, Aborted | asyncio.CancelledError):
            return LostPatience(code)
        return super()._failure_of(exc, timeline, connector)

    def _take_answer(self) -> None:
        if self._answered_by is not None:
            raise LostPatience(HEDGED)
        self._answered_by = asyncio.current_task()

    def _is_served(self, timeline: Timeline) -> bool:
        return timeline.done_ns is not None or (
            self._patience.until == "content" and timeline.first_content_ns is not None
        )

    # --- leaving, or sending again ----------------------------------------------------------------------------

    async def _resend_or_leave(self, session: Session, walk: Walk, action: SayAction, planned_ns: int) -> Ending:
        """Send the message as often as the user's patience allows; after the last resend the user gives up."""
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
            planned_ns = ended_ns if shard.turn_cap is None else await shard.turn_cap.slot(ended_ns)

    async def _limited(self, session: Session, walk: Walk, action: SayAction, planned_ns: int, code: str) -> Ending:
        """Take a turn, and end it with `code` when the user's patience is exhausted."""
        turn = TurnRecord(self._connector.timeline(planned_ns), session.id, action)
        task = cast("asyncio.Task[Any]", asyncio.current_task())

        def give_up() -> None:
            if not self._is_served(turn.timeline):
                self._end_turn(task, LEFT if self.leaving else code)

        timer = asyncio.get_running_loop().call_later(self._patience.within_s.draw(self._rng), give_up)
        try:
            return await self._take_turn(session, walk, turn, self._connector)
        finally:
            timer.cancel()
            if self._ended_by.pop(task, None) is not None:
                task.uncancel()

    def _end_turn(self, task: asyncio.Task[Any], code: str) -> None:
        self._ended_by[task] = code
        task.cancel()

    # --- sending twice ----------------------------------------------------------------------------------------

    async def _hedge(self, session: Session, walk: Walk, action: SayAction, planned_ns: int) -> Ending:
        """Send the message a second time if no answer arrives in time. The first complete answer counts; then the other
        request is ended, unless it has already failed."""
        self._takes_one_answer, self._answered_by = True, None
        first = TurnRecord(self._connector.timeline(planned_ns), session.id, action)
        start = asyncio.get_running_loop().create_task
        turns = [start(self._take_turn(session, walk, first, self._connector))]
        try:
            await asyncio.wait(turns, timeout=self._patience.within_s.draw(self._rng))
            if not (turns[0].done() or self._is_served(first.timeline) or self.shard.stopping or self.leaving):
                turns.append(start(self._again(session, walk, action)))
            return await self._first_answer(turns)
        except asyncio.CancelledError:
            for turn in turns:
                turn.cancel()
            await asyncio.wait(turns)
            ended = [turn.result() for turn in turns if not turn.cancelled()]
            if not ended:
                raise  # nothing was sent
            return ended[0][0] or Aborted(), time.monotonic_ns()
        finally:
            self._takes_one_answer = False
            for turn in turns:
                self._ended_by.pop(turn, None)
                turn.cancel()

    async def _first_answer(self, turns: list[asyncio.Task[Ending]]) -> Ending:
        """The ending of the turn whose answer was taken; if there is none, of the first turn."""
        going_on = set(turns)
        while going_on and self._answered_by is None:
            done, going_on = await asyncio.wait(going_on, return_when=asyncio.FIRST_COMPLETED)
            for turn in done:
                turn.result()  # raises only the exception of a bug or of an exhausted budget
            self.in_flight = bool(going_on)
        for other in going_on:
            self._end_turn(other, HEDGED)
        if going_on:
            await asyncio.wait(going_on)
        return next((turn for turn in turns if turn is self._answered_by), turns[0]).result()

    async def _again(self, session: Session, walk: Walk, action: SayAction) -> Ending:
        """The same message over a second connection."""
        connector, shard = self._second_connector(session), self.shard
        planned_ns = time.monotonic_ns()
        if shard.turn_cap is not None:
            planned_ns = await shard.turn_cap.slot(planned_ns)
        turn = TurnRecord(connector.timeline(planned_ns), session.id, action)
        try:
            ending = await self._take_turn(session, walk, turn, connector)
        except SpentError:
            return LostPatience(HEDGED), planned_ns  # the budget has no turn left: nothing was sent
        if ending[0] is None:
            self._connector.finish_turn(turn.timeline)
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
