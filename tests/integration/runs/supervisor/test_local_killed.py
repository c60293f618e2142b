"""What commands that were killed leave, and who stores and ends it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from runs.completion import orphans
from runs.completion.reaper import reap_lost
from runs.load.profile import ClosedLoad
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.supervisor import local
from runs.workers.leases import (
    REAPER,
    claim_shard,
    host_name,
    mark_ready,
    renew_lease,
)
from tests.integration.runs.conftest import Counting, check_invariants, verdict_codes
from tests.integration.runs.supervisor.run_local import RUN_LOCAL
from tests.support.processes import ROOT, child_env
from tests.support.runs import a_run, shards, until
from tokenburn_site.local.process_groups import ProcessGroups

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.usefixtures("any_database")
def test_the_very_next_command_stores_and_ends_what_one_that_was_killed_left(
    counting: Counting, family: ProcessGroups
) -> None:
    """The second one did: the first found the lease alive, and only marked it."""
    run = counting.run(2)
    child = family.start((sys.executable, "-c", RUN_LOCAL, str(run.pk)), cwd=ROOT, env=child_env())
    until(lambda: run.turns.count() > 200, 60)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(5)
    assert local.store_orphans() == [run.pk]
    assert check_invariants(run, counting)["ok"] > 200
    assert run.status == RunStatus.FAILED
    assert run.reason.startswith("shard 1 of 2 lost: its command was killed; the engine stopped by itself")
    assert {shard.status for shard in shards(run)} == {ShardStatus.LOST}
    assert verdict_codes(run) >= {"load_missing"}
    assert local.store_orphans() == []
    assert not orphans._path(run.uid).exists()


KILLED_WHERE = """
import os, sys, django; django.setup()
from runs.supervisor import load_follower, supervisor
from runs.supervisor.local import run_local
from runs.models import Run
place, name = {"rest": (load_follower.LedgerIngest, "rest"), "finish": (supervisor, "finalize_run")}[sys.argv[2]]
setattr(place, name, lambda *_: os.kill(os.getpid(), 9))
run_local(Run.objects.get(pk=sys.argv[1]))
"""


@pytest.mark.parametrize("moment", ["rest", "finish"])
def test_a_run_that_was_over_when_its_command_was_killed_is_completed(
    moment: str, counting: Counting, family: ProcessGroups
) -> None:
    """It was `failed`, though its engine said `done` and everything was stored."""
    run = counting.run(1, ClosedLoad(users=5, conversations=20))
    child = family.start((sys.executable, "-c", KILLED_WHERE, str(run.pk), moment), cwd=ROOT, env=child_env())
    assert child.wait(60) == -signal.SIGKILL
    assert local.store_orphans() == [run.pk]
    assert check_invariants(run, counting) == {"ok": 100}
    assert (run.status, run.reason) == (RunStatus.COMPLETED, "")
    assert {shard.status for shard in shards(run)} == {ShardStatus.DONE}


def as_killed(run: Run, host: str = "") -> Path:
    """The file of its command, as one that was killed leaves it."""
    path = orphans._path(run.uid)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(host or host_name())
    return path


@pytest.mark.usefixtures("any_database")
def test_a_command_that_was_killed_before_the_start_leaves_nothing_that_waits() -> None:
    queued, claimed, ready = a_run(), a_run(2), a_run(2)
    for run in (claimed, ready):
        shard = claim_shard(shards(run)[0].pk, "gone")
        assert shard is not None
        assert run is claimed or mark_ready(shard, 1)
    for run in (queued, claimed, ready):
        as_killed(run)
    assert local.store_orphans() == [run.pk for run in (queued, claimed, ready)]
    for run in (queued, claimed, ready):
        run.refresh_from_db()
        assert (run.status, run.reason) == (RunStatus.FAILED, "its command was killed before the start")


def test_a_run_whose_command_lives_here_or_on_another_host_is_left_alone(
    counting: Counting, family: ProcessGroups
) -> None:
    run = counting.run()
    child = family.start((sys.executable, "-c", RUN_LOCAL, str(run.pk)), cwd=ROOT, env=child_env())
    until(lambda: run.turns.count() > 20, 60)
    elsewhere, unknown = a_run(), a_run()  # now: they have 30 s to begin
    path = as_killed(elsewhere, "another-host")
    assert local.store_orphans() == []
    reap_lost()
    for other in (elsewhere, unknown):
        other.refresh_from_db()
        assert other.status == RunStatus.QUEUED
    assert path.exists()
    child.terminate()
    assert child.wait(60) == 42
    check_invariants(run, counting)
    assert run.status == RunStatus.STOPPED
    assert not orphans._path(run.uid).exists()


def test_a_run_that_another_stores_at_this_moment_is_left_to_it(counting: Counting) -> None:
    run = a_run()
    shard = claim_shard(shards(run)[0].pk, f"{REAPER} elsewhere/1")
    assert shard is not None
    as_killed(run)
    orphans.forsake_orphans()
    assert renew_lease(shard)
    assert Shard.objects.filter(pk=shard.pk, suspect_since=None).exists()


def test_a_command_that_ends_without_its_run_is_known_to_have_ended() -> None:
    """Interrupted twice, or its database was away at the end."""
    run, never = a_run(), uuid4()
    with pytest.raises(KeyboardInterrupt), orphans.commanded(run.uid), orphans.commanded(never):
        with orphans.commanded(run.uid):
            assert orphans.forsake_orphans() == []
        raise KeyboardInterrupt
    assert orphans._path(run.uid).exists(), "until the process is gone, and longer"
    assert not orphans._path(never).exists(), "there is no such run"
