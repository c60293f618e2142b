"""A shard's load: its users or arrivals, from the agreed start to the last answer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Final

from connectors.base import BaseConnector
from connectors.errors import TurnError
from connectors.mapping import CompiledTarget
from connectors.registry import connector_class, register
from runs.engine.arrivals import jitter_ns, share
from runs.engine.clock import sleep_until
from runs.engine.ledger import Ledger
from runs.engine.levels import Level
from runs.engine.session import LazyRandom, Session, User
from runs.engine.spec import ClosedLoad, OpenLoad, ShardSpec
from runs.engine.vitals import Vitals
from scenarios.render import CompiledScenario, compile_scenario
from scenarios.spec import ScenarioError

START_GAP_NS: Final = 1_000_000
"""Between the starts of a closed loop's users: nobody's users come in the same instant, and no loop can serve that."""
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
        self.target = CompiledTarget(spec.target)
        self.redact = self.target.redact
        self.reuse_connections = spec.target.reuse_connections
        self.record_chars = spec.record_chars
        # Read for every conversation, and a plain attribute costs half of what a field of a pydantic model does.
        self._seed, self._index, self._of = spec.seed, spec.index, spec.of
        self._id_base, self._name_base = spec.id_base, f"tb-{spec.run_id}-"
        register(spec.connectors)
        self._connector_class = connector_class(spec.target.protocol)
        self.user_stamps = self._connector_class.user_stamps
        self._scenarios: list[CompiledScenario] = [compile_scenario(item.scenario) for item in spec.scenarios]
        self._weights = [item.weight for item in spec.scenarios]
        self._tasks: dict[asyncio.Task[None], User | None] = {}
        self._idle: list[User] = []
        self._turns = 0
        self._sessions = 0
        self._good_turns = 0
        self._failures: Counter[str] = Counter()
        self._over = asyncio.Event()
        self._abort: asyncio.TimerHandle | None = None
        cap = spec.load.max_turns_per_s
        self.turn_gap_ns = 0 if cap is None else int(spec.of * 1e9 / cap)
        self._next_turn_ns = 0
        self.active = 0
        self.dropped = 0
        self.stopping = False
        self.reason = "done"
        self.crash: BaseException | None = None
        self.t0_ns = 0
        self.ledger: Ledger

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
        if isinstance(load, ClosedLoad):
            self._start_users(load)
        else:
            self._start(self._arrive(load), None)
        await self._over.wait()
        beats.cancel()
        vitals.last_words(self.reason, self._turns, self._sessions)

    def end(self, reason: str, grace_s: float = STOP_GRACE_S) -> None:
        """No new turn from now on. Turns in flight get `grace_s`, then they are aborted. May be called again, to
        hurry or to give a weightier reason than "done"."""
        if not self.stopping or self.reason == "done":
            self.reason = self.redact.error(reason)
        self.stopping = True
        for task, user in list(self._tasks.items()):
            if user is None or not user.in_flight:
                task.cancel()
        loop = asyncio.get_running_loop()
        if self._abort is not None:
            self._abort.cancel()
        self._abort = loop.call_later(grace_s, self._abort_all)
        if not self._tasks:
            self._over.set()

    # --- users ----------------------------------------------------------------------------------------------

    def _start_users(self, load: ClosedLoad) -> None:
        index, of = self.spec.index, self.spec.of
        total = load.conversations
        self._left = None if total is None else total // of + (index < total % of)
        for number in range(index, load.peak, of):
            user = User(self, number)
            begin_ns = self.t0_ns + number // of * START_GAP_NS + jitter_ns(load, self._seed, number)
            if load.stages:
                spans = Level(load.users, load.stages).times_above(number)
                self._start(self._come_and_go(user, begin_ns, spans), user)
            else:
                self._start(self._hold_conversations(user, begin_ns), user)
        if not self._tasks:
            self.end("done")

    async def _come_and_go(self, user: User, begin_ns: int, spans: list[tuple[float, float]]) -> None:
        """A user of a load in stages: there while the level is above the user's number."""
        for from_s, to_s in spans:
            user.leaves_ns = self.t0_ns + int(to_s * 1e9)
            planned_ns = max(begin_ns, self.t0_ns + int(from_s * 1e9))
            if planned_ns < user.leaves_ns:
                await self._hold_conversations(user, planned_ns)

    async def _hold_conversations(self, user: User, planned_ns: int) -> None:
        await sleep_until(planned_ns)
        try:
            while not self.stopping and planned_ns < user.leaves_ns and self._take_conversation():
                planned_ns = await user.converse(planned_ns, self._new_session(user.number))
                if user.needs_rest:
                    planned_ns = await user.rest(planned_ns)
        finally:
            await user.leave()

    def _take_conversation(self) -> bool:
        if self._left is None:
            return True
        self._left -= 1
        return self._left >= 0

    async def _arrive(self, load: OpenLoad) -> None:
        limit = max(1, load.max_sessions // self.spec.of)
        for number, at_ns in share(load, self.spec.seed, self.spec.index, self.spec.of):
            planned_ns = self.t0_ns + at_ns
            await sleep_until(planned_ns)
            if self.active >= limit:
                self.dropped += 1
                continue
            user = self._idle.pop() if self._idle else User(self, number)
            user.number = number
            self._start(self._hold_one(user, planned_ns), user)
        if load.duration_s is not None:
            await sleep_until(self.t0_ns + int(load.duration_s * 1e9))

    async def _hold_one(self, user: User, planned_ns: int) -> None:
        try:
            await user.converse(planned_ns, self._new_session(user.number, user.number))
        except asyncio.CancelledError:
            await user.leave()
            raise
        self._idle.append(user)

    def _start(self, work: Coroutine[Any, Any, None], user: User | None) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = user
        task.add_done_callback(self._ended)

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

    def _new_session(self, user: int, number: int | None = None) -> Session:
        local = self._sessions
        self._sessions += 1
        whole = number if number is not None else self._index + local * self._of
        rng = LazyRandom(self._seed, whole)
        scenario = self._scenarios[0]
        if len(self._scenarios) > 1:
            scenario = rng.choices(self._scenarios, self._weights)[0]
        session_id = self._id_base + local
        info = {"id": f"{self._name_base}{session_id}", "number": whole, "user": user}
        return Session(session_id, scenario, rng, info)

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

    def opened(self, session: Session, user: int) -> None:
        self.active += 1
        at = time.monotonic_ns() - self.t0_ns
        self.ledger.append({"k": "open", "id": session.id, "user": user, "scenario": session.scenario.name, "at": at})

    def closed(self, session: Session, outcome: str, code: str | None, turns: int) -> None:
        self.active -= 1
        at = time.monotonic_ns() - self.t0_ns
        self.ledger.append({"k": "close", "id": session.id, "at": at, "out": outcome, "turns": turns, "code": code})

    def took_turn(self, failure: TurnError | None) -> None:
        """Count a turn; end the run when the target refuses everything."""
        if failure is None:
            self._good_turns += 1
            return
        if self._good_turns or failure.code not in HOPELESS:
            return
        self._failures[failure.code] += 1
        if self._failures.total() >= GIVE_UP_AFTER and not self.stopping:
            parts = [failure.code, failure.detail, failure.advice]
            self.end("aborted: " + ": ".join(part for part in parts if part))

    def scenario_failed(self, exc: ScenarioError) -> None:
        """A template that cannot be rendered is our user's mistake, not the target's: it ends the run."""
        if not self.stopping:
            self.end(f"aborted: scenario_invalid: {exc}")

    @property
    def in_flight(self) -> int:
        return sum(user is not None and user.in_flight for user in self._tasks.values())
