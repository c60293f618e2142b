"""Runs a search for the capacity step by step, in the run's leading supervisor (`runs.supervisor.ticks`).

How far it has come stands in `Run.search`. A step and the change of the load that goes with it are one transaction,
which only one of several supervisors can make; whoever leads next goes on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q

from metrics.groups import Group
from metrics.storage.aggregate import windows_between
from runs.capacity.search_state import BY_HAND, LOST, Load, Seen, State, Step, begin, look, placed, sweep_words, words
from runs.lifecycle.load_changes import SteeringError, change_load
from runs.lifecycle.transitions import SHARD_TERMINAL
from runs.load.groups import frozen_groups
from runs.load.profile import TraceLoad, parse_load
from runs.models import Run, RunStatus, Shard, ShardStatus

logger = logging.getLogger(__name__)
BY = "search"


class Searcher:
    """One supervisor's part in the search of its run, whose `load` must have a search."""

    def __init__(self, run: Run, load: Load) -> None:
        self.grace_s = load.grace_s
        self._run_id = run.pk
        self._load = load
        self._groups: Sequence[Group] = frozen_groups(run.scenario_specs, run.load, run.target_spec)

    def is_over(self) -> bool:
        """Whether the engines may end."""
        state = self._stored()
        return state is not None and bool(state.over)

    def lead(self, complete_s: float, active: int) -> None:
        """Do the next step, as the leading supervisor. Everything that ended before `complete_s` is stored."""
        before = self._stored()
        state = before or begin(self._load)
        if (why := self._void()) and not state.over:
            found: Step | None = Step(state.model_copy(update={"over": why, "step": state.step + 1}), None)
        else:
            found = look(self._load, state, Seen(complete_s, active, self._read, self._groups))
        if found is not None and not self._take(before, found):
            logger.info("search_overtaken: run %s: another supervisor made the step", self._run_id)

    def _take(self, before: State | None, found: Step) -> bool:
        """Make the step unless another process has made it. Returns whether this call made it."""
        unchanged = Q(search__isnull=True) if before is None else Q(search__step=before.step)
        with transaction.atomic():
            state = self._changed(found)
            running = Run.objects.filter(unchanged, pk=self._run_id, status=RunStatus.RUNNING)
            made = running.update(search=state.model_dump(mode="json")) == 1
            transaction.set_rollback(not made)
        return made

    def _changed(self, found: Step) -> State:
        """The state after the step changed the load. A change that is impossible ends the search."""
        if found.change is None:
            return found.state
        try:
            change = change_load(self._run_id, found.change, by=BY, planned=True)
        except SteeringError as exc:
            return found.state.model_copy(update={"over": str(exc), "draining": False})
        if found.state.draining:
            return found.state.model_copy(update={"set_s": change["at_s"]})
        return placed(self._load, found.state, change["at_s"])

    def _void(self) -> str:
        """Why the load differs from what the search has set; empty: it does not."""
        if Shard.objects.filter(run=self._run_id, status__in=SHARD_TERMINAL - {ShardStatus.DONE}).exists():
            return LOST
        changes = Run.objects.values_list("load_changes", flat=True).get(pk=self._run_id)
        return BY_HAND if any(change["by"] != BY for change in changes) else ""

    def _read(self, from_s: int, to_s: int) -> list[dict[str, Any]]:
        return windows_between(self._run_id, from_s, to_s)

    def _stored(self) -> State | None:
        return stored(self._run_id)


def stored(run_id: int) -> State | None:
    """Progress of the run's search; None: it has not begun, or there is none."""
    found = Run.objects.values_list("search", flat=True).get(pk=run_id)
    return None if found is None else State.model_validate(found)


def searcher_of(run: Run) -> Searcher | None:
    """None for a run that does not search."""
    load = parse_load(run.load)
    return Searcher(run, load) if not isinstance(load, TraceLoad) and load.search is not None else None


def doing_of(run: Run) -> Callable[[float], str] | None:
    """What a run with a search or sweep does at a time since its start, as text; None for other runs."""
    load = parse_load(run.load)
    if isinstance(load, TraceLoad):
        return None
    if load.search is not None:
        searching, run_id = load, run.pk
        return lambda at_s: words(searching, stored(run_id) or begin(searching), at_s)
    if load.sweep is not None:
        return partial(sweep_words, load, load.sweep)
    return None
