"""A database outage during a run: the engine continues, the ledger keeps everything, nothing is stored twice."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from runs.completion.reaper import reap_lost
from runs.load.profile import ClosedLoad
from runs.models import Run, RunStatus
from runs.services import stop_run
from runs.workers.leases import LEASE_S
from tests.integration.runs.conftest import USERS, Counting, check_invariants
from tests.support.processes import ROOT, child_env, database_url
from tests.support.runs import shards, until
from tests.support.servers.proxy import Proxy
from tokenburn_site.local.process_groups import ProcessGroups

SUPERVISE = (
    "import sys, django; django.setup(); from runs.supervisor.supervisor import supervise; supervise(int(sys.argv[1]))"
)
pytestmark = pytest.mark.usefixtures("postgres_database")


@pytest.fixture
def answer_s() -> float:
    return 0.5


@pytest.mark.parametrize("outage_s", [3.0, LEASE_S + 3])
def test_a_database_that_comes_back_finds_the_run_going_and_gets_everything(
    outage_s: float, counting: Counting, family: ProcessGroups, tmp_path: Path
) -> None:
    here = urlsplit(database_url())
    assert here.hostname and here.port
    run = counting.run(1, ClosedLoad(users=USERS, duration_s=150))
    log = tmp_path / "supervisor.log"
    with Proxy(here.hostname, here.port) as proxy, log.open("wb") as stderr:
        url = here._replace(netloc=f"{here.username}@127.0.0.1:{proxy.port}").geturl()
        argv = (sys.executable, "-c", SUPERVISE, str(shards(run)[0].pk))
        child = family.start(argv, cwd=ROOT, env=child_env() | {"DATABASE_URL": url}, stderr=stderr)
        until(lambda: run.turns.count() > USERS)
        proxy.cut()
        stored, received = run.turns.count(), counting.count()
        end = time.monotonic() + outage_s
        while time.monotonic() < end:
            reap_lost()  # the others still reach the database, and must not take the shard too early
            time.sleep(0.5)
        assert child.poll() is None, log.read_text("utf-8")
        assert run.turns.count() == stored
        until(lambda: counting.count() > received + USERS, 30, "the engine's going on without it")
        proxy.mend()
        until(lambda: run.turns.count() > stored, 30, "the ingest after the outage")
        stop_run(run, "seen enough")
        until(lambda: Run.objects.get(pk=run.pk).ended_at is not None, 30, "the run's end")
        family.stop(child)
    assert check_invariants(run, counting)["ok"] > 2 * USERS
    assert (run.status, run.reason) == (RunStatus.STOPPED, "seen enough")
