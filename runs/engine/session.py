"""One virtual user's conversations: say, wait, say, with at most one turn in flight."""

from __future__ import annotations

import asyncio
import time
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from connectors.base import BaseConnector
from connectors.errors import Aborted, BadAnswer, Refused, TurnError
from connectors.timeline import Timeline
from connectors.unset import explained
from connectors.wire.clock import not_before
from runs.engine.clock import sleep_until
from runs.engine.purse import SpentError
from runs.engine.record import turn_line
from scenarios.render import CompiledScenario, SayAction, Walk
from scenarios.spec import ScenarioError

if TYPE_CHECKING:
    from runs.engine.overhearing import Overhearing
    from runs.engine.shard import Shard

BACKOFF_S: Final = 0.05
BACKOFF_MAX_S: Final = 1.0


class LazyRandom:
    """A `random.Random` seeded when first used: seeding costs more than a turn of a scenario that draws nothing."""

    def __init__(self, *seed: int | str) -> None:
        self._seed = seed

    def __getattr__(self, name: str) -> Any:
        rng = Random(":".join(map(str, self._seed)))  # noqa: S311 - repeatable on purpose
        for draw in _DRAWS:
            self.__dict__[draw] = getattr(rng, draw)
        return getattr(rng, name)


_DRAWS = ("random", "choice", "choices", "randrange", "randint", "uniform", "expovariate", "getrandbits", "sample")


class Session(NamedTuple):
    """One conversation: its id in the ledger, what is said, and what templates may know of it."""

    id: int
    scenario: CompiledScenario
    rng: LazyRandom
    info: dict[str, Any]
    group: int = 0
    """Its number (see `runs.engine.groups`)."""
    model: str = ""
    params: dict[str, Any] | None = None
    """What was drawn for it (see `runs.engine.draws`): its model, and other params of its requests."""
    messages: int = 0
    """After so many of them it is over; 0: when the scenario is."""


class User:
    """Holds one conversation after another over one connector."""

    def __init__(self, shard: Shard, number: int) -> None:
        self.shard = shard
        self.number = number
        self.in_flight = False
        self.paid = False
        """The budget has counted this user's next turn, which may still have to connect."""
        self.waits_for: Timeline | None = None
        """The turn whose answer the user waits for, from its planned time on."""
        self.group = 0
        """That of the conversation."""
        self.leaving = False
        """The user goes away: a conversation that goes on is cut before its next turn."""
        self._connector = shard.new_connector()
        self._failures = 0
        self._recorded = 0
        self._longest_ns = 0
        """Of this conversation's good turns."""

    async def converse(self, planned_ns: int, session: Session) -> int:
        """Hold one conversation, planned to begin at `planned_ns` (monotonic); return when it ended.

        Whatever happens, the conversation is closed in the ledger.
        """
        outcome, code = "cut", None
        self._recorded = self._longest_ns = 0
        self.group = session.group
        shard = self.shard
        began = shard.opened(session, self.number, planned_ns)
        try:
            self._connector.begin(session.info)
            walk = self._walk(session)
            while (action := walk.next_action()) is not None and not shard.stopping:
                if not isinstance(action, SayAction):
                    planned_ns += int(action.seconds * 1e9)
                    await sleep_until(planned_ns)
                    continue
                if self.leaving:
                    break
                if shard.turn_gap_ns:
                    planned_ns = await shard.turn_slot(planned_ns)
                failure, planned_ns = await self._turn(session, walk, action, planned_ns)
                if failure is None:
                    continue
                if isinstance(failure, Refused) and self._connector.refresh(failure.status):
                    # A turn of its own: what was refused stays in the record as refused.
                    failure, planned_ns = await self._turn(session, walk, action, planned_ns)
                if failure is not None:
                    outcome, code = ("cut" if isinstance(failure, Aborted) else "failed"), failure.code
                    break
            else:
                outcome = "completed" if action is None else "cut"
        except SpentError:
            pass  # cut, as by any other end
        except ScenarioError as exc:
            outcome, code = "failed", "scenario_invalid"
            shard.scenario_failed(exc)
        finally:
            self._failures = self._failures + 1 if outcome == "failed" else 0
            shard.closed(session, began, outcome, code, self._recorded)
            overheard = shard.overhearing is not None and self._is_overheard(shard.overhearing, session)
            if not overheard and (not shard.reuse_connections or self._connector.goes_on):
                await self.leave()  # such a connection is the conversation
        return planned_ns

    def _is_overheard(self, overhearing: Overhearing, session: Session) -> bool:
        """Whether the connection stays open for a while, to hear what still comes on it; another one follows then."""
        connector = self._connector
        if not connector.lasting or self._recorded == 0:
            return False
        if not overhearing.take(connector, session, self._longest_ns):
            return False
        self._connector = self.shard.new_connector()
        return True

    def _walk(self, session: Session) -> Walk:
        return Walk(session.scenario, session.rng, session.info)  # type: ignore[arg-type] # LazyRandom is one

    @property
    def needs_rest(self) -> bool:
        """Conversations fail one after another: a dead target is not to be hammered."""
        return self._failures >= 2

    async def rest(self, ended_ns: int) -> int:
        """Pause, longer with each failure; return when the next conversation is planned (monotonic ns)."""
        pause_s = min(BACKOFF_S * 2.0 ** (self._failures - 2), BACKOFF_MAX_S)
        ended_ns += int(pause_s * 1e9)
        await sleep_until(ended_ns)
        return ended_ns

    async def leave(self) -> None:
        """Close the connection."""
        if (closing := self._connector.disconnect()) is not None:
            await closing

    async def _turn(
        self, session: Session, walk: Walk, action: SayAction, planned_ns: int, connector: BaseConnector | None = None
    ) -> tuple[TurnError | None, int]:
        """One turn, recorded, over `connector` or the user's own. Returns its failure and when it ended (monotonic ns).

        A turn that is cancelled before anything of it was sent never was: CancelledError goes on.
        """
        shard = self.shard
        text, number = action
        connector = self._connector if connector is None else connector
        if shard.purse is not None:
            shard.purse.begin(self)
        self.waits_for = timeline = connector.timeline(planned_ns)
        if walk.expect_text is not None:
            timeline.expected = walk.expect_text
        failure: TurnError | None = None
        slot: int | None = None
        turn_id = -1
        answer: str | None = None
        try:
            if not connector.ready:
                not_before(planned_ns)
                if (connecting := connector.connect()) is not None:
                    await connecting
            context = {"message": text, "messages": walk.messages, "turn": number, "vars": walk.variables}
            if shard.names_history:
                context["history"] = walk.history
            request = connector.render(context)
            turn_id = shard.new_turn_id()
            slot = shard.ledger.flight.take(
                turn_id, session.id, number, planned_ns - shard.t0_ns, time.monotonic_ns() - shard.t0_ns
            )
            self.in_flight = True
            if (sending := connector.send_message(request, timeline)) is not None:
                await sending
            connector.took(timeline)
            answer = timeline.text
            if (why := walk.answer(answer)) is not None:
                failure = BadAnswer("expect_failed", why)
        except (TurnError, asyncio.CancelledError) as exc:
            failure = self._failure_of(exc, timeline)
        finally:
            self.in_flight = False
            self.waits_for = None
        ended_ns = time.monotonic_ns()
        line = turn_line(
            timeline,
            turn=turn_id if turn_id >= 0 else shard.new_turn_id(),
            session=session.id,
            number=number,
            t0_ns=shard.t0_ns,
            ended_ns=ended_ns,
            failure=failure,
            message=text,
            text=timeline.text if answer is None else answer,
            record_chars=shard.record_chars,
            redact=shard.redact,
            log=walk.messages if shard.sends_history else None,
        )
        if shard.grouped:
            line["g"] = session.group
        if connector.unsolicited and (unsolicited := connector.new_unsolicited()):
            line["uns"] = unsolicited
        shard.ledger.append(line, slot)
        self._recorded += 1
        if shard.purse is not None:
            shard.purse.spend(line, session.model, self)
        if failure is not None:
            shard.took_failure(failure)
            return failure, ended_ns
        return None, self._good_turn(timeline, planned_ns, ended_ns)

    def _good_turn(self, timeline: Timeline, planned_ns: int, ended_ns: int) -> int:
        """Count it; return when it ended (monotonic ns)."""
        if timeline.done_ns:
            ended_ns = timeline.done_ns + timeline.quiet_ns  # nobody could know before that it was over
        if (took_ns := ended_ns - planned_ns) > self._longest_ns:
            self._longest_ns = took_ns
            waits = self.shard.waits
            if took_ns > waits.longest_ns:  # noqa: PLR1730 - `max` costs as much as a dozen lines
                waits.longest_ns = took_ns
        return ended_ns

    def _failure_of(self, exc: TurnError | asyncio.CancelledError, timeline: Timeline) -> TurnError:
        """What a turn that ended with `exc` failed of. Raises CancelledError again: nothing was sent, and its user had
        not waited for long."""
        if isinstance(exc, Aborted | asyncio.CancelledError):
            unanswered = self.shard.unanswered(timeline)
            if unanswered is not None:
                return unanswered
        if isinstance(exc, TurnError):
            return explained(exc, self._connector.target.unset_secrets)
        raise exc
