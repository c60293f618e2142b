"""Changes a run's load during the run.

A change is one more entry of `Run.load_changes`, a little ahead in time: every supervisor reads the run's row four
times a second and tells its engine all entries, so that all engines change at the same moment, whichever heard first.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db.models import Max

from audit.services import record
from connectors.spec import SpecError
from metrics.models import Window
from policy.limits import User
from policy.lock import one_at_a_time
from policy.targets import NotAllowedError
from runs import live_stream
from runs.db_clock import now
from runs.engine.fd_limits import ADVICE
from runs.lifecycle.steering_policy import permit
from runs.live_stream import LoadChange
from runs.load.profile import ClosedLoad, Load, TraceLoad, parse_load
from runs.models import Run, RunStatus

AHEAD_S: Final = 0.75
"""Time from the request to the change: enough for each supervisor to check twice."""
LEAST_AHEAD_S: Final = 0.35
"""Minimum time from when the database accepted the request, which may wait for it: enough for one check."""
MOST_CHANGES: Final = 1000
HIGHEST: Final = {"users": 1_000_000.0, "rate_per_s": 1_000_000.0, "speed": 1000.0}
LABELS: Final = {"users": "Users", "rate_per_s": "Conversations per second", "speed": "Speed of the trace"}


class SteeringError(ValueError):
    """The change is impossible. `code`: not_running, load_invalid, too_late, too_many, local_resources,
    not_allowed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def level_name(load: Load) -> str:
    """The name of this load's level: users, rate_per_s, or speed."""
    if isinstance(load, ClosedLoad):
        return "users"
    return "speed" if isinstance(load, TraceLoad) else "rate_per_s"


def change_load(
    run: Run | int, level: float, *, by: str = "", name: str | None = None, user: User = None, planned: bool = False
) -> LoadChange:
    """From AHEAD_S from now on the run has this `level`, until the load ends or the next change. Remaining stages are
    dropped. `name`: the caller's name of the level (see `level_name`). `planned`: the load's own search asks, whose
    highest level the policy knows. Raises SteeringError."""
    run_id = run if isinstance(run, int) else run.pk
    asked = now()
    with one_at_a_time():
        fields = ("status", "load", "load_changes", "start_at", "requested_by")
        found = Run.objects.select_for_update().only(*fields).get(pk=run_id)
        load = parse_load(found.load)
        _check_level(load, level, name)
        if found.status != RunStatus.RUNNING or found.start_at is None:
            raise SteeringError("not_running", f"run {run_id} is {found.status}: only a running load can be changed")
        _check_files(found, load, level)
        if not planned:
            _permit(found, load, level, user)
        at = max(asked + timedelta(seconds=AHEAD_S), now() + timedelta(seconds=LEAST_AHEAD_S))
        at_s = max(0.0, (at - found.start_at).total_seconds(), _stored_until_s(run_id) + AHEAD_S)
        if load.duration_s is not None and at_s >= load.duration_s:
            raise SteeringError("too_late", f"run {run_id}: its load ends within {AHEAD_S:g} s")
        if len(found.load_changes) >= MOST_CHANGES:
            raise SteeringError("too_many", f"run {run_id}: its load was changed {MOST_CHANGES:,} times already")
        change: LoadChange = {"at_s": round(at_s, 3), "level": level, "by": live_stream.safe_text(by, 100)}
        if found.load_changes:  # the database's clock may be put back
            change["at_s"] = max(change["at_s"], found.load_changes[-1]["at_s"])
        Run.objects.filter(pk=run_id).update(load_changes=[*found.load_changes, change])
        record("run.steer", on=("run", run_id, f"Run {run_id}"), details={level_name(load): f"{level:g}"})
    live_stream.publish(run_id, [("load", change)])
    return change


def _permit(run: Run, load: Load, level: float, user: User) -> None:
    try:
        permit(run, load, level, user)
    except NotAllowedError as exc:
        raise SteeringError("not_allowed", str(exc)) from exc


def _stored_until_s(run_id: int) -> float:
    """The newest stored second of the load: the run is at least there, even if the database's clock was put back."""
    newest: int | None = Window.objects.filter(run=run_id).aggregate(newest=Max("second"))["newest"]
    return float(newest or 0)


def level_now(run: Run) -> dict[str, Any] | None:
    """For a form that changes the load: label, bounds, and the current or first level."""
    try:
        load = parse_load(run.load)
    except SpecError:  # of an older version
        return None
    name = level_name(load)
    level = run.load_changes[-1]["level"] if run.load_changes else load.begins_at
    step = "1" if name == "users" else "any"
    return {"name": name, "label": LABELS[name], "most": f"{HIGHEST[name]:.0f}", "step": step, "level": f"{level:g}"}


def _check_level(load: Load, level: float, name: str | None) -> None:
    own = level_name(load)
    if name is not None and name != own:
        raise SteeringError("load_invalid", f"the load of this run is set by {own}, not by {name}")
    if not 0 <= level <= HIGHEST[own]:  # not a number: neither
        raise SteeringError("load_invalid", f"{own}: {level:g} is not from 0 to {HIGHEST[own]:,.0f}")
    if own == "users" and level != int(level):
        raise SteeringError("load_invalid", f"users: {level:g} is not a whole number")


def _check_files(run: Run, load: Load, level: float) -> None:
    """Each engine has reported how many connections it may open."""
    if not isinstance(load, ClosedLoad):
        return
    shards = list(run.shards.values_list("host", "connections"))
    share = -(-int(level) // len(shards)) * load.user_profile.connections
    for host, connections in shards:
        if connections is not None and share > connections:
            raise SteeringError(
                "local_resources",
                f"{level:,.0f} users are {share:,} connections for each of {len(shards)} engines, and {host} allows "
                f"{connections:,}: {ADVICE}",
            )
