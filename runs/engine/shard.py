"""A shard's load: its users or arrivals, from the agreed start to the last answer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Final

from connectors.base import BaseConnector
from connectors.errors import TurnError, Unanswered
from connectors.mapping import CompiledTarget
from connectors.registry import connector_class, register
from connectors.timeline import Timeline
from runs.engine.clock import sleep_until
from runs.engine.draws import new_draws
from runs.engine.groups import first_numbers, groups_of, own_model
from runs.engine.ledger import Ledger
from runs.engine.loads import new_driver
from runs.engine.mix import Numbers
from runs.engine.overhearing import Overhearing
from runs.engine.purse import Purse
from runs.engine.record import names_history, sends_history
from runs.engine.session import LazyRandom, Session, User
from runs.engine.spec import ShardSpec
from runs.engine.users import user_class
from runs.engine.vitals import Vitals
from runs.engine.waiting import TARGET_ENDS, Waits
from scenarios.render import CompiledScenario, compile_scenario
from scenarios.spec import ScenarioError

GIVE_UP_AFTER: Final = 20
"""Turns that fail, with no good one between them, before a run against a target that refuses everything ends."""
HOPELESS: Final = frozenset(
    {
        "connect_refused",
        "connect_unreachable",
        "dns_failed",
        "tls_failed",
        "address_blocked",
        "local_resources",
        "request_invalid",
        "http_401",
        "http_403",
        "http_404",
        "grpc_unimplemented",
        "grpc_unauthenticated",
        "grpc_permission_denied",
    }
)
STOP_GRACE_S: Final = 2.0


class Shard:
    """`target` and `scenarios` are compiled before the start; raises SpecError or ScenarioError if they cannot be."""

    def __init__(self, spec: ShardSpec) -> None:
        self.spec = spec
        people = spec.load.people
        self.target = CompiledTarget(spec.target, params_vary=people.draws_params)
        self.redact = self.target.redact
        self.reuse_connections = spec.target.reuse_connections
        self.record_chars = spec.record_chars
        self.sends_history = sends_history(spec.target)
        self.names_history = names_history(spec.target)
        # Read for every conversation, and a plain attribute costs half of what a field of a pydantic model does.
        self._seed, self._index, self._of = spec.seed, spec.index, spec.of
        self._id_base, self._name_base = spec.id_base, f"tb-{spec.run_id}-"
        register(spec.connectors)
        self._connector_class = connector_class(spec.target.protocol)
        self.user_stamps = self._connector_class.user_stamps
        self._scenarios: list[CompiledScenario] = [compile_scenario(item.scenario) for item in spec.scenarios]
        self._weights = [item.weight for item in spec.scenarios]
        told = [item.scenario for item in spec.scenarios]
        self._choices = range(len(told))
        counted = len(told) > 1 and any(scenario.counts for scenario in self._scenarios)
        self._numbers = Numbers(spec.seed, self._weights) if counted else None
        self._draws = new_draws(people, spec.seed)
        self._user_class = user_class(people)
        self._groups = first_numbers(told, people)
        self.grouped = len(groups_of(told, people)) > 1
        """Whether lines say which group they belong to: with one group there is nothing to say."""
        self._tasks: dict[asyncio.Task[None], User | None] = {}
        self._turns = self._failed_turns = 0
        self._sessions = 0
        self._failures: Counter[str] = Counter()
        self._over = asyncio.Event()
        self._abort: asyncio.TimerHandle | None = None
        cap = spec.load.max_turns_per_s
        self.turn_gap_ns = 0 if cap is None else int(spec.of * 1e9 / cap)
        self._next_turn_ns = 0
        self.purse = self._new_purse()
        """None where no ceiling of the budget is an engine's to count."""
        self.overhearing = None if self.target.correlates else Overhearing(self)
        """None where no answer can be taken for another's."""
        within_s = spec.answer_within_s
        self.waits = Waits(None if within_s is None else int(within_s * 1e9))
        self.driver = new_driver(self)
        """Of open sessions, ns since the start."""
        self.active = self.dropped = 0
        self.stopping = False
        self.reason = "done"
        self.crash: BaseException | None = None
        self.t0_ns = 0
        self.ended_ns: int | None = None
        """When the load ended (monotonic); None: it has not, or it ended with its last conversation."""
        self.ledger: Ledger

    def prepare(self) -> None:
        """Load what its connections need; nothing is dialled."""
        self._connector_class.prepare(self.target)

    async def run(self, t0_ns: int, ledger: Ledger) -> None:
        """Hold the load from `t0_ns` (monotonic) to its end; leaves the ledger with its last line, open."""
        self.t0_ns = t0_ns
        self.ledger = ledger
        vitals = Vitals(self)  # from here on: what starting the process cost is not the load's
        loop = asyncio.get_running_loop()
        load = self.spec.load
        beats = loop.create_task(vitals.beat())
        if load.duration_s is not None:
            end_s = (t0_ns - time.monotonic_ns()) / 1e9 + load.duration_s
            loop.call_later(end_s, self.end, "done", load.grace_s)
        self.driver.start()
        await self._over.wait()
        if self.overhearing is not None:
            await self.overhearing.end()
        beats.cancel()
        vitals.last_words(self.reason, self._turns, self._sessions, self._load_ns())

    def end(self, reason: str, grace_s: float = STOP_GRACE_S, *, finish_paid: bool = False) -> None:
        """No new turn from now on. Turns in flight get `grace_s`, then they are ended (see `unanswered`); with
        `finish_paid` so do those that the budget has counted and that still connect. May be called again, to hurry or
        to give a weightier reason than "done"."""
        if not self.stopping or self.reason == "done":
            self.reason = self.redact.error(reason)
        if not self.stopping:
            self.dropped += self.driver.missed()
            self.ended_ns = time.monotonic_ns()
        self.stopping = True
        for task, user in list(self._tasks.items()):
            if user is None or not (user.in_flight or (finish_paid and user.paid)):
                task.cancel()
        loop = asyncio.get_running_loop()
        if self._abort is not None:
            self._abort.cancel()
        self._abort = loop.call_later(grace_s, self._abort_all)
        if not self._tasks:
            self._over.set()

    def _new_purse(self) -> Purse | None:
        budget, target = self.spec.load.budget, self.spec.target
        if not budget.bounds_engines:
            return None
        return Purse(budget, self._index, self._of, own_model(target.params), self._out_of_budget)

    def _out_of_budget(self, reason: str, wait: bool) -> None:
        if not self.stopping:
            self.end(reason, self.spec.load.grace_s if wait else STOP_GRACE_S, finish_paid=wait)

    # --- tasks ----------------------------------------------------------------------------------------------

    def start(self, work: Coroutine[Any, Any, None], user: User | None) -> asyncio.Task[None]:
        """A task of the load; `user` is whose conversation it holds. The last one to end ends the load."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = user
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not task.cancelled() and (crash := task.exception()) is not None and self.crash is None:
            self.crash = crash
            self.end(f"aborted: engine_error: {crash!r}", 0.0)
        if not self._tasks:
            self._over.set()

    def _abort_all(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    # --- what users need ------------------------------------------------------------------------------------

    def new_connector(self) -> BaseConnector:
        return self._connector_class(self.target, allow_private=self.spec.allow_private)

    def new_user(self, number: int) -> User:
        return self._user_class(self, number)

    def new_session(self, user: int, number: int | None = None) -> Session:
        local = self._sessions
        self._sessions += 1
        whole = number if number is not None else self._index + local * self._of
        rng = LazyRandom(self._seed, whole)
        which = rng.choices(self._choices, self._weights)[0] if len(self._choices) > 1 else 0
        scenario = self._scenarios[which]
        if self._numbers is not None and scenario.counts:
            scenario = scenario.numbered(self._numbers.of(whole, which))
        session_id = self._id_base + local
        info = {"id": f"{self._name_base}{session_id}", "number": whole, "user": user}
        if self._draws is None:
            # From its parts in order: half of what calling the class costs.
            return tuple.__new__(Session, (session_id, scenario, rng, info, self._groups[which], "", None, 0))
        drawn = self._draws.of(whole)
        group = self._groups[which] + drawn.place
        return Session(session_id, scenario, rng, info, group, drawn.model, drawn.params, drawn.messages)

    async def turn_slot(self, planned_ns: int) -> int:
        """When a turn may be sent under the load's cap: `planned_ns`, or later. Waits until then."""
        planned_ns = max(planned_ns, self._next_turn_ns)
        self._next_turn_ns = planned_ns + self.turn_gap_ns
        await sleep_until(planned_ns)
        return planned_ns

    def new_turn_id(self) -> int:
        self._turns += 1
        return self._id_base + self._turns - 1

    # --- what users report ----------------------------------------------------------------------------------

    def opened(self, session: Session, user: int, planned_ns: int) -> int:
        """It begins now, or at `planned_ns` (monotonic) if that is a moment later. Returns when, in ns since the
        shard's start."""
        self.active += 1
        now_ns = time.monotonic_ns()
        at = (now_ns if now_ns > planned_ns else planned_ns) - self.t0_ns  # `max` costs as much as a dozen lines
        line = {"k": "open", "id": session.id, "user": user, "scenario": session.scenario.name, "at": at}
        if self.grouped:
            line["group"] = session.group
        if session.model:
            line["model"] = session.model
        if session.params is not None:
            line["params"] = session.params
        self.ledger.append(line)
        return at

    def closed(self, session: Session, began: int, outcome: str, code: str | None, turns: int) -> None:
        self.active -= 1
        at = time.monotonic_ns() - self.t0_ns
        line = {"k": "close", "id": session.id, "at": at, "out": outcome, "turns": turns, "code": code, "began": began}
        if self.grouped:
            line["g"] = session.group
        self.ledger.append(line)

    def took_failure(self, failure: TurnError) -> None:
        """Count a failed turn; end the run when the target refuses everything."""
        self._failed_turns += 1
        if self.waits.longest_ns or failure.code not in HOPELESS:
            return
        self._failures[failure.code] += 1
        if self._failures.total() >= GIVE_UP_AFTER and not self.stopping:
            parts = [failure.code, failure.detail, failure.advice]
            self.end("aborted: " + ": ".join(part for part in parts if part))

    def unanswered(self, timeline: Timeline) -> Unanswered | None:
        """What a turn failed of that is ended now without an answer. None: it was stopped, and nobody can say more.

        Only the load's own end shows a hang, or an end for which the target itself is the reason.
        """
        if not self.stopping:
            return None
        now_ns, waits = time.monotonic_ns(), self.waits
        if self.reason == "done":
            too_long = waits.is_unexplained(timeline, now_ns, self.answers)
            waits.unjudged += not too_long and waits.goes_on_for_long(timeline, now_ns)
        else:
            too_long = self.reason.removeprefix("stopped: ").startswith(TARGET_ENDS) and waits.has_failed(
                timeline, now_ns, self.answers
            )
        if not too_long:
            return None
        last_ns = timeline.last_content_ns
        silent_s = None if last_ns is None else (now_ns - last_ns) / 1e9
        return Unanswered((now_ns - timeline.planned_ns) / 1e9, waits.longest_ns / 1e9, silent_s=silent_s)

    def _load_ns(self) -> int | None:
        """When the load ended, in ns since its start; None: with its last answer."""
        if self.ended_ns is not None:
            return self.ended_ns - self.t0_ns
        end_s = self.driver.arrivals_end_s()
        return None if end_s is None else int(end_s * 1e9)

    def scenario_failed(self, exc: ScenarioError) -> None:
        """A template that cannot be rendered is our user's mistake, not the target's: it ends the run."""
        if not self.stopping:
            self.end(f"aborted: scenario_invalid: {exc}")

    def overdue(self) -> tuple[int, int]:
        """Turns that wait for their answers longer than the run's own answers explain, and how many of them did so a
        `grace_s` ago already."""
        now_ns, waits, answers = time.monotonic_ns(), self.waits, self.answers
        before_ns = now_ns - int(self.spec.load.grace_s * 1e9)
        found = [
            user.waits_for
            for user in self._tasks.values()
            if user is not None and user.waits_for is not None and waits.is_overdue(user.waits_for, now_ns, answers)
        ]
        return len(found), sum(waits.is_overdue(timeline, before_ns, answers) for timeline in found)

    def lower_bounds(self) -> list[list[int]]:
        """Of the waits in flight that no answer can make good again (see `Waits.bounds`)."""
        from_ns, to_ns = self.spec.load.counted_ns
        counted = self.t0_ns + from_ns, None if to_ns is None else self.t0_ns + to_ns
        return self.waits.bounds(self._tasks.values(), time.monotonic_ns(), self.answers, counted)

    def end_vain_grace(self) -> None:
        """End the grace behind the load's end once nobody in flight will be answered any more."""
        if not self.stopping or self.reason != "done" or not self._tasks:
            return
        patience = self.spec.load.grace_s, self.spec.thresholds_wait_s
        if self.waits.nobody_will_be_answered(self._tasks.values(), time.monotonic_ns(), self.answers, *patience):
            self._abort_all()

    @property
    def answers(self) -> int:
        """Whole ones by now."""
        return self._turns - self._failed_turns - self.ledger.flight.taken

    @property
    def in_flight(self) -> int:
        return sum(user is not None and user.in_flight for user in self._tasks.values())
