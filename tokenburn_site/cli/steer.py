"""Implements `manage.py load` and `manage.py stop`: control a running test from another terminal."""

from __future__ import annotations

import sys

from runs.lifecycle.load_changes import SteeringError
from runs.models import Run
from runs.services import change_load, stop_run
from runs.supervisor.local import store_orphans
from tokenburn_site.cli.console import own_messages, say
from tokenburn_site.cli.database import ensure_database
from tokenburn_site.cli.errors import EXIT_DONE, EXIT_USAGE, BadUsage, BurnError


@own_messages()
def change(run_id: int, name: str, level: float, who: str) -> int:
    """Set the load of a run. Returns the exit code; prints errors to stderr in one line."""
    try:
        found = _run(run_id)
        made = change_load(found, level, by=who, name=name)
    except (SteeringError, BurnError) as exc:
        return _say("load", str(exc))
    unit = {"users": " users", "rate_per_s": "/s", "speed": " times the trace's speed"}[name]
    sys.stdout.write(f"run {run_id}: {level:g}{unit} from {made['at_s']:.1f} s on\n")
    return EXIT_DONE


@own_messages()
def stop(run_id: int, who: str) -> int:
    """Stop a run. Returns the exit code; prints errors to stderr in one line."""
    try:
        found = _run(run_id)
    except BurnError as exc:
        return _say("stop", str(exc))
    if not stop_run(found, f"stopped by {who}"):
        found.refresh_from_db(fields=["status"])
        return _say("stop", f"run {run_id} is {found.status}: there is nothing to stop")
    sys.stdout.write(f"run {run_id} is stopping; its report is ready within seconds\n")
    return EXIT_DONE


def _run(run_id: int) -> Run:
    """Raises BurnError."""
    ensure_database()
    store_orphans()
    found = Run.objects.filter(pk=run_id).first()
    if found is None:
        raise BadUsage(f"there is no run {run_id} in this database")
    return found


def _say(command: str, line: str) -> int:
    say(command, line)
    return EXIT_USAGE
