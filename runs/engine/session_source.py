"""The conversations of one shard: scenario, random numbers and drawn model of each."""

from __future__ import annotations

from typing import Any

from runs.engine.core.session import Session
from runs.engine.core.shard_spec import ShardSpec
from runs.load.draws.lazy_random import LazyRandom
from runs.load.draws.sampling import new_draws
from runs.load.draws.scenario_mix import Numbers
from runs.load.groups import first_numbers
from scenarios.render.before_run import prepare
from scenarios.render.walk import CompiledScenario, compile_scenario

_new = object.__new__


def _session(number: int, scenario: CompiledScenario, rng: LazyRandom, info: dict[str, Any], group: int) -> Session:
    """A session without draws. Calling the class costs twice as much."""
    session = _new(Session)
    session.id = number
    session.scenario = scenario
    session.rng = rng
    session.info = info
    session.group = group
    session.model = ""
    session.params = None
    session.messages = 0
    return session


class SessionSource:
    """Compiles the scenarios, then makes one session after another. Raises ScenarioError."""

    def __init__(self, spec: ShardSpec) -> None:
        # Read for every conversation, and a plain attribute costs half of what a field of a pydantic model does.
        self._seed, self._index, self._of = spec.seed, spec.index, spec.of
        self._id_base, self._name_base = spec.id_base, f"tb-{spec.run_id}-"
        told = [item.scenario for item in spec.scenarios]
        self._scenarios: list[CompiledScenario] = [compile_scenario(scenario) for scenario in told]
        self.attaches = sum(map(prepare, self._scenarios)) > 0
        """Whether attachments go with some messages."""
        self._weights = [item.weight for item in spec.scenarios]
        self._choices = range(len(told))
        self._is_alone = len(told) == 1
        self._first = self._scenarios[0]
        counted = len(told) > 1 and any(scenario.counts for scenario in self._scenarios)
        self._numbers = Numbers(spec.seed, self._weights) if counted else None
        self._draws = new_draws(spec.load.user_profile, spec.seed)
        self._groups = first_numbers(told, spec.load.user_profile)
        self.made = 0
        """Number of sessions so far."""

    def _chosen(self, rng: LazyRandom, whole: int) -> tuple[int, CompiledScenario]:
        which = rng.choices(self._choices, self._weights)[0]
        scenario = self._scenarios[which]
        if self._numbers is not None and scenario.counts:
            scenario = scenario.numbered(self._numbers.of(whole, which))
        return which, scenario

    def new_session(self, user: int, number: int | None = None) -> Session:
        """The next conversation of `user`. `number` is its number in the whole run; None: the shard's next one."""
        local = self.made
        self.made += 1
        whole = number if number is not None else self._index + local * self._of
        rng = LazyRandom(self._seed, whole)
        which, scenario = (0, self._first) if self._is_alone else self._chosen(rng, whole)
        session_id = self._id_base + local
        info = {"id": f"{self._name_base}{session_id}", "number": whole, "user": user}
        if self._draws is None:
            return _session(session_id, scenario, rng, info, self._groups[which])
        drawn = self._draws.of(whole)
        group = self._groups[which] + drawn.place
        return Session(session_id, scenario, rng, info, group, drawn.model, drawn.params, drawn.messages)
