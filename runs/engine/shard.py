"""Runs a shard's load: its users or arrivals, from the common start to the last answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from itertools import count
from typing import Any, Final

from connectors.base import BaseConnector
from connectors.errors import Aborted, TurnError, Unanswered
from connectors.handshake.farewell import Parting
from connectors.registry import connector_class, register
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from metrics.end_codes import TARGET_ENDS, EndCode
from runs.engine.core.budget_meter import BudgetMeter
from runs.engine.core.context import VirtualUser
from runs.engine.core.session import Session
from runs.engine.core.shard_spec import ShardSpec
from runs.engine.core.turn_cap import TurnCap
from runs.engine.core.waiting import Waits
from runs.engine.drivers import new_driver
from runs.engine.fail_fast import FailFast
from runs.engine.late_messages import LateMessageListener
from runs.engine.load_tasks import LoadTasks
from runs.engine.recording.ledger import Ledger, Line
from runs.engine.recording.turn_record import TurnLines, names_history, sends_history
from runs.engine.self_metrics import SelfMetrics
from runs.engine.session_source import SessionSource
from runs.engine.users.factory import user_class
from runs.load.groups import groups_of, own_model
from scenarios.definition.spec import ScenarioError

STOP_GRACE_S: Final = 2.0


class Shard:
    """`target` and `scenarios` are compiled before the start; raises SpecError or ScenarioError if they cannot be.

    It fulfils the contracts of `runs.engine.core.context` for the parts that it puts together.
    """

    ledger: Ledger
    lines: TurnLines

    def __init__(self, spec: ShardSpec) -> None:
        self.spec = spec
        load, users = spec.load, spec.load.user_profile
        self.target = CompiledTarget(spec.target, params_vary=users.draws_params)
        self.reuse_connections = spec.target.reuse_connections
        self.names_history = names_history(spec.target)
        register(spec.connectors)
        self._connector_class = connector_class(spec.target.protocol)
        self._sessions = SessionSource(spec)
        self.attaches = self._sessions.attaches
        # Bound once: called for every conversation and turn, without a frame in between.
        self.new_session = self._sessions.new_session
        self._user_class = user_class(users)
        self.grouped = len(groups_of([item.scenario for item in spec.scenarios], users)) > 1
        """Whether lines contain their group; not needed with one group."""
        self._varies = self.grouped or users.draws_params
        self._tasks = LoadTasks(self._crashed)
        self._id_base = spec.id_base
        self._turn_ids = count(spec.id_base)
        self.new_turn_id = self._turn_ids.__next__
        self._fail_fast = FailFast()
        self.turn_cap = None if load.max_turns_per_s is None else TurnCap(load.max_turns_per_s, spec.of)
        self.budget = self._new_budget()
        """None if the budget has no limit that an engine counts."""
        self.late_listener = None if self.target.correlates else LateMessageListener(self)
        """None if answers are assigned to questions by id."""
        within_s = spec.answer_within_s
        self.waits = Waits(None if within_s is None else int(within_s * 1e9))
        self.driver = new_driver(self)
        self.active = self.dropped = 0
        self.stopping = False
        self.end_code, self.reason, self._run_code = EndCode.DONE, "done", ""  # the last one: why the run was stopped
        self.t0_ns = 0
        self._ended_ns: int | None = None
        """When the load ended (monotonic); None: it has not, or it ended with its last conversation."""

    @property
    def user_stamps(self) -> bool:
        """Whether arrivals are stamped by a library, not by the kernel."""
        return self._connector_class.user_stamps

    @property
    def crash(self) -> BaseException | None:
        """The exception of a bug."""
        return self._tasks.crash

    @property
    def in_flight(self) -> int:
        return self._tasks.in_flight

    def prepare(self) -> None:
        """Load what its connections need; nothing is dialled."""
        self._connector_class.prepare(self.target)

    async def run(self, t0_ns: int, ledger: Ledger) -> None:
        """Run the load from `t0_ns` (monotonic) to its end. The ledger stays open, complete with its last line."""
        spec, load = self.spec, self.spec.load
        self.t0_ns = t0_ns
        self.ledger = ledger
        counts_history = sends_history(spec.target)
        self.lines = TurnLines(self.target.redact, spec.record_chars, counts_history=counts_history, t0_ns=t0_ns)
        metrics = SelfMetrics(self)  # from here on, because the start of the process is not part of the load
        loop = asyncio.get_running_loop()
        beats = loop.create_task(metrics.beat())
        if load.duration_s is not None:
            end_s = (t0_ns - time.monotonic_ns()) / 1e9 + load.duration_s
            loop.call_later(end_s, self.end, EndCode.DONE, "done", load.grace_s)
        self.driver.start()
        await self._tasks.wait()
        if self.late_listener is not None:
            await self.late_listener.end()
        beats.cancel()
        metrics.write_tail(self.reason, self.new_turn_id() - self._id_base, self._sessions.made, self._load_ns())

    def end(
        self,
        code: EndCode,
        reason: str,
        grace_s: float = STOP_GRACE_S,
        *,
        finish_reserved: bool = False,
        run_code: str = "",
    ) -> None:
        """No new turn from now on. Turns in flight get `grace_s`, then they are ended (see `unanswered`); with
        `finish_reserved` so do those that the budget has counted and that still connect. May be called again, to hurry
        or to give a weightier reason than DONE: the load's own end behind a stop gives nobody more time. `run_code`:
        why the whole run was stopped."""
        if not self.stopping or self.end_code == EndCode.DONE:
            self.end_code, self.reason, self._run_code = code, self.target.redact.error(reason), run_code
        if not self.stopping:
            self.dropped += self.driver.missed()
            self._ended_ns = time.monotonic_ns()
        self.stopping = True
        self._tasks.end(grace_s, lambda user: user.in_flight or (finish_reserved and user.budget_reserved))

    def _crashed(self, crash: BaseException) -> None:
        self.end(EndCode.ENGINE_ERROR, f"aborted: engine_error: {crash!r}", 0.0)

    def _new_budget(self) -> BudgetMeter | None:
        spec = self.spec
        if not spec.load.budget.bounds_engines:
            return None
        return BudgetMeter(spec.load.budget, spec.index, spec.of, own_model(spec.target.params), self._out_of_budget)

    def _out_of_budget(self, code: EndCode, reason: str, wait: bool) -> None:
        if not self.stopping:
            self.end(code, reason, self.spec.load.grace_s if wait else STOP_GRACE_S, finish_reserved=wait)

    def _load_ns(self) -> int | None:
        """When the load ended, in ns since its start; None: with its last answer."""
        if self._ended_ns is not None:
            return self._ended_ns - self.t0_ns
        end_s = self.driver.arrivals_end_s()
        return None if end_s is None else int(end_s * 1e9)

    # --- what users and drivers need ------------------------------------------------------------------------

    def new_connector(self) -> BaseConnector:
        return self._connector_class(self.target, allow_private=self.spec.allow_private)

    def new_user(self, number: int) -> VirtualUser:
        return self._user_class(self, number)

    def start(self, work: Coroutine[Any, Any, None], user: VirtualUser | None) -> asyncio.Task[None]:
        return self._tasks.start(work, user)

    # --- what users report ----------------------------------------------------------------------------------

    def opened(self, session: Session, user: int, planned_ns: int) -> int:
        """It begins now, or at `planned_ns` (monotonic) if that is a moment later. Returns when, in ns since the
        shard's start."""
        self.active += 1
        now_ns = time.monotonic_ns()
        at = (now_ns if now_ns > planned_ns else planned_ns) - self.t0_ns  # `max` costs as much as a dozen lines
        line = {"k": "open", "id": session.id, "user": user, "scenario": session.scenario.name, "at": at}
        if self._varies:
            self._note_draws(line, session)
        self.ledger.append(line)
        return at

    def _note_draws(self, line: Line, session: Session) -> None:
        if self.grouped:
            line["group"] = session.group
        if session.model:
            line["model"] = session.model
        if session.params is not None:
            line["params"] = session.params

    def closed(
        self,
        session: Session,
        began: int,
        outcome: str,
        code: str | None,
        turns: int,
        parting: Parting | None = None,
    ) -> None:
        self.active -= 1
        at = time.monotonic_ns() - self.t0_ns
        line = {"k": "close", "id": session.id, "at": at, "out": outcome, "turns": turns, "code": code, "began": began}
        if self.grouped:
            line["g"] = session.group
        if parting is not None:
            line["bye"] = parting.took_ns
            if parting.failure is not None and not isinstance(parting.failure, Aborted):
                line["bye_code"] = parting.failure.code
        self.ledger.append(line)

    def took_failure(self, failure: TurnError) -> None:
        """Record a failed turn; end the run if the target refuses everything."""
        if not self.waits.longest_ns and (reason := self._fail_fast.reason(failure)) and not self.stopping:
            blocked = failure.code == EndCode.ADDRESS_BLOCKED
            self.end(EndCode.ADDRESS_BLOCKED if blocked else EndCode.TARGET_REFUSES, reason)

    def scenario_failed(self, exc: ScenarioError) -> None:
        """A template that cannot be rendered is a mistake in the scenario, not the target's: it ends the run."""
        if not self.stopping:
            self.end(EndCode.SCENARIO_INVALID, f"aborted: scenario_invalid: {exc}")

    # --- which waits have failed ------------------------------------------------------------------------------

    def unanswered(self, timeline: Timeline) -> Unanswered | None:
        if not self.stopping:
            return None
        by_target = self.end_code in TARGET_ENDS or self._run_code in TARGET_ENDS
        return self.waits.unanswered(timeline, time.monotonic_ns(), self.end_code, by_target=by_target)

    def overdue(self) -> tuple[int, int]:
        now_ns = time.monotonic_ns()
        return self.waits.overdue(self._tasks.users, now_ns, now_ns - int(self.spec.load.grace_s * 1e9))

    def lower_bounds(self) -> list[list[int]]:
        from_ns, to_ns = self.spec.load.counted_ns
        counted = self.t0_ns + from_ns, None if to_ns is None else self.t0_ns + to_ns
        return self.waits.bounds(self._tasks.users, time.monotonic_ns(), counted)

    def end_vain_grace(self) -> None:
        if not self.stopping or self.end_code != EndCode.DONE or not self._tasks.users:
            return
        patience = self.spec.load.grace_s, self.spec.thresholds_wait_s
        if self.waits.nobody_will_be_answered(self._tasks.users, time.monotonic_ns(), *patience):
            self._tasks.abort()
