"""An emergency stop that is killed between its steps, or undone meanwhile: its undo undoes what was done, and its row
says that."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policy.models import Panic
from runs import panic
from runs.models import PlanSchedule, Run, RunStatus
from runs.schedules.services import create_schedule
from runs.services import stop_run
from tests.integration.web import made_up
from tests.support.processes import child_env
from tests.support.runs import a_run
from tokenburn_site.local.process_groups import ProcessGroups

CHILD = """
import os, signal, django
django.setup()
from runs import panic
stop, stopped = panic.stop_run, []

def stop_one_and_die(*args, **kwargs):
    if stopped:
        os.kill(os.getpid(), signal.SIGKILL)
    stopped.append(stop(*args, **kwargs))

panic.stop_run = stop_one_and_die
panic.begin(by="boss")
"""


class Killed(BaseException):
    """As kill -9: nothing handles it, and open transactions are rolled back."""


def kill(*_: Any, **__: Any) -> None:
    raise Killed


def after_one(then: Callable[..., Any]) -> Callable[..., bool]:
    """Stops one run, and does this instead of stopping the next."""
    stopped: list[bool] = []

    def work(*args: Any, **kwargs: Any) -> bool:
        if stopped:
            then()
        stopped.append(stop_run(*args, **kwargs))
        return stopped[-1]

    return work


def schedules() -> list[PlanSchedule]:
    """One that is going, and one that is paused."""
    every_minute = {"every": 1, "period": "minutes"}
    return [create_schedule(name=f"s{on}", plan=made_up.plan(), when=every_minute, enabled=on) for on in (True, False)]


def enabled(rows: list[PlanSchedule]) -> list[bool]:
    tasks = dict(PlanSchedule.objects.values_list("pk", "task__enabled"))
    return [tasks[row.pk] for row in rows]


def statuses(runs: list[Run]) -> list[str]:
    found = dict(Run.objects.values_list("pk", "status"))
    return [found[run.pk] for run in runs]


def check_undo(runs: list[Run], rows: list[PlanSchedule], *, stopped: int) -> None:
    """Of an emergency stop that reached this many of the runs."""
    ends = [RunStatus.STOPPED] * stopped + [RunStatus.QUEUED] * (len(runs) - stopped)
    assert statuses(runs) == ends
    undone = panic.undo(by="boss")
    assert undone is not None
    assert undone.stopped_runs == [run.pk for run in runs[:stopped]]
    panic.enforce()  # a pass of the reaper
    assert (statuses(runs), enabled(rows)) == (ends, [True, False])
    assert a_run().status == RunStatus.QUEUED


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("step", "death", "paused", "stopped"),
    [
        ("_pause", kill, False, 0),
        ("stop_run", kill, True, 0),
        ("_note", kill, True, 0),
        ("stop_run", after_one(kill), True, 1),
    ],
)
def test_killed_between_its_steps(
    step: str, death: Callable[..., Any], paused: bool, stopped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, rows = [a_run(), a_run()], schedules()
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(panic, step, death)
        panic.begin(by="boss")
    assert enabled(rows) == [not paused, False]
    check_undo(runs, rows, stopped=stopped)


@pytest.mark.django_db(transaction=True)
def test_killed_for_good(family: ProcessGroups, tmp_path: Path) -> None:
    runs, rows = [a_run(), a_run()], schedules()
    with (tmp_path / "log").open("wb") as log:
        child = family.start([sys.executable, "-c", CHILD], env=child_env(), stdout=log, stderr=log)
    assert child.wait(60) == -signal.SIGKILL, (tmp_path / "log").read_text()
    assert enabled(rows) == [False, False]
    check_undo(runs, rows, stopped=1)


@pytest.mark.usefixtures("any_database")
def test_undone_while_it_stops_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    runs, rows = [a_run(), a_run()], schedules()
    monkeypatch.setattr(panic, "stop_run", after_one(lambda: panic.undo(by="ann")))
    panic.begin(by="boss")
    assert statuses(runs) == [RunStatus.STOPPED, RunStatus.QUEUED]
    assert enabled(rows) == [True, False]
    assert Panic.objects.get().stopped_runs == [runs[0].pk]


@pytest.mark.django_db
def test_a_run_that_cannot_be_finalized_does_not_keep_the_others_going(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [a_run(), a_run()]
    monkeypatch.setattr("runs.services.finalize_run", lambda _: 1 / 0)
    panic.begin(by="boss")
    assert statuses(runs) == [RunStatus.STOPPING] * 2


@pytest.mark.django_db
def test_the_undo_says_what_it_resumed() -> None:
    rows = schedules()
    panic.begin(by="boss")
    rows[0].task.delete()
    undone = panic.undo(by="boss")
    assert undone is not None and undone.paused_tasks == []
