"""Changing a run's load: refusals with reasons, and the stored changes."""

from __future__ import annotations

import time
from typing import Any

import pytest

from metrics.models import Window
from runs import live_stream
from runs.db_clock import DbNow
from runs.lifecycle import load_changes
from runs.lifecycle.load_changes import AHEAD_S, LEAST_AHEAD_S, MOST_CHANGES, SteeringError, level_now
from runs.lifecycle.transitions import move_run
from runs.load.profile import parse_load
from runs.models import Run, RunStatus, Shard
from runs.services import change_load
from tests.support.runs import a_run

pytestmark = pytest.mark.django_db

CLOSED = {"kind": "closed", "users": 50, "duration_s": 60}
OPEN = {"kind": "open", "rate_per_s": 5, "duration_s": 60}
TRACE = {"kind": "trace", "arrivals_s": [0, 1, 2, 3]}


def going(load: dict[str, Any], since_s: float = 10.0, processes: int = 2) -> Run:
    """A run whose load began `since_s` ago."""
    run = a_run(processes, parse_load(load))
    move_run(run.pk, RunStatus.STARTING)
    move_run(run.pk, RunStatus.RUNNING, start_at=DbNow(-since_s))
    run.refresh_from_db()
    return run


def test_changes_are_kept_in_their_order_a_little_ahead(any_database: str) -> None:
    run = going(CLOSED)
    first, second = change_load(run, 200, by="ann"), change_load(run.pk, 0, by="ben", name="users")
    run.refresh_from_db()
    assert run.load_changes == [first, second]
    assert (first["level"], first["by"], second["level"], second["by"]) == (200, "ann", 0, "ben")
    assert 10 + AHEAD_S <= first["at_s"] <= second["at_s"] < 10 + AHEAD_S + 5


@pytest.mark.parametrize("back_s", [20.0, 600.0, 90 * 86_400.0])
def test_a_clock_that_was_put_back_puts_no_change_into_the_past(back_s: float) -> None:
    run = going(CLOSED, since_s=30.0 - back_s)
    Window.objects.create(run=run, shard=run.shards.earliest("pk"), second=29, ledger_offset=0, data={})
    assert 29 + AHEAD_S <= change_load(run, 200)["at_s"] < 29 + AHEAD_S + 5


def test_a_request_that_had_to_wait_is_not_put_off_by_as_much_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_changes, "_check_files", lambda *_: time.sleep(AHEAD_S))
    run = going(CLOSED)
    begin = time.monotonic()
    change = change_load(run, 200)
    waited_s = time.monotonic() - begin
    assert 10 + AHEAD_S + LEAST_AHEAD_S <= change["at_s"] < 10 + waited_s + AHEAD_S


@pytest.mark.parametrize(
    ("load", "level", "name", "code", "says"),
    [
        (CLOSED, 2.5, None, "load_invalid", "users: 2.5 is not a whole number"),
        (CLOSED, -1, None, "load_invalid", "is not from 0 to 1,000,000"),
        (CLOSED, float("nan"), None, "load_invalid", "is not from 0"),
        (CLOSED, 5, "rate_per_s", "load_invalid", "is set by users, not by rate_per_s"),
        (OPEN, 5, "users", "load_invalid", "is set by rate_per_s, not by users"),
        (OPEN, float("inf"), None, "load_invalid", "is not from 0"),
        (TRACE, 2000, "speed", "load_invalid", "is not from 0 to 1,000"),
        (CLOSED, 9000, None, "local_resources", "4,500 connections for each of 2 engines, and far allows 4,000"),
    ],
)
def test_a_level_that_cannot_be_says_why(load: dict[str, Any], level: float, name: str, code: str, says: str) -> None:
    run = going(load)
    Shard.objects.filter(run=run).update(connections=5000, host="near")
    Shard.objects.filter(run=run, index=1).update(connections=4000, host="far")
    with pytest.raises(SteeringError, match=says) as caught:
        change_load(run, level, name=name)
    assert caught.value.code == code
    run.refresh_from_db()
    assert run.load_changes == []


def test_only_a_running_load_that_goes_on_can_be_changed() -> None:
    waiting = a_run()
    with pytest.raises(SteeringError, match=f"run {waiting.pk} is queued: only a running load") as caught:
        change_load(waiting, 3)
    assert caught.value.code == "not_running"
    with pytest.raises(SteeringError, match="its load ends within") as caught:
        change_load(going(CLOSED, since_s=59.9), 3)
    assert caught.value.code == "too_late"


def test_changes_come_to_an_end() -> None:
    run = going(OPEN)
    Run.objects.filter(pk=run.pk).update(load_changes=[{"at_s": 1.0, "level": 1, "by": ""}] * MOST_CHANGES)
    with pytest.raises(SteeringError, match="1,000 times already"):
        change_load(run, 3)


def test_a_clock_that_was_put_back_changes_nothing_in_the_past() -> None:
    run = going(OPEN)
    Run.objects.filter(pk=run.pk).update(load_changes=[{"at_s": 40.0, "level": 1, "by": ""}])
    assert change_load(run, 3)["at_s"] == 40.0


def test_pages_hear_of_it(valkey: str) -> None:
    live_stream._publisher.cache_clear()  # which may keep off after a test without a broker
    run = going(OPEN)
    change = change_load(run, 7.5, by="a\x1b[31mnn")
    assert change["by"] == "a [31mnn"
    assert [(entry.kind, entry.data) for entry in live_stream.read_since(run.pk)][-1] == ("load", change)


def test_a_form_knows_the_level_of_now() -> None:
    run = going({"kind": "closed", "users": 3, "stages": [{"duration_s": 60, "to": 30}]})
    assert level_now(run) == {"name": "users", "label": "Users", "most": "1000000", "step": "1", "level": "3"}
    change_load(run, 12)
    run.refresh_from_db()
    assert (level_now(run) or {})["level"] == "12"
