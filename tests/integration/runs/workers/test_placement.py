"""Shards over the free slots of two workers, as real processes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from runs.lifecycle.transitions import RUN_TERMINAL
from runs.load.profile import ClosedLoad
from runs.models import Run, RunStatus
from runs.workers import registry
from tests.integration.runs.conftest import Counting, Start, check_invariants, ledger_lines
from tests.support.processes import database_url
from tests.support.runs import shards, until
from tests.support.servers.proxy import Proxy
from tokenburn_site.local.ports import LOOPBACK

FAR_S = 0.03


@pytest.mark.usefixtures("postgres_database", "valkey")
def test_shards_spread_over_workers_regions_are_kept_and_a_slow_network_does_not_part_the_start(
    counting: Counting, start_worker: Start
) -> None:
    server = urlsplit(database_url())
    assert server.port is not None
    with Proxy(LOOPBACK, server.port, FAR_S) as far:
        there = server._replace(netloc=f"{server.username}@{LOOPBACK}:{far.port}").geturl()
        start_worker("load", "-c", "4", TOKENBURN_REGION="eu")
        start_worker("load", "-c", "4", TOKENBURN_REGION="us", DATABASE_URL=there)
        until(lambda: len([w for w in registry.workers() if w.slots]) == 2, 40, "two workers")
        check_two_runs(counting)


def check_two_runs(counting: Counting) -> None:
    by_pid = {worker.pid: worker.region for worker in registry.workers()}
    assert sorted(by_pid.values()) == ["eu", "us"]

    spread = counting.run(4, ClosedLoad(users=8, conversations=16), local=False)
    until(lambda: ended(spread), 40, "the run's end")
    check_invariants(spread, counting)
    assert Counter(by_pid[worker_of(shard.owner)] for shard in shards(spread)) == {"eu": 2, "us": 2}
    starts = [line["t0_mono_ns"] for line in ledger_lines(spread) if line["k"] == "head"]
    assert len(starts) == 4
    assert max(starts) - min(starts) < 50e6
    spread.refresh_from_db()
    assert spread.report is not None
    assert FAR_S * 1000 / 2 <= (spread.report["generator"]["start_error_ms"] or 0) < 50

    there = counting.run(2, ClosedLoad(users=2, conversations=2), local=False, regions=["us"])
    until(lambda: ended(there), 40, "the run's end")
    assert Run.objects.get(pk=there.pk).status == RunStatus.COMPLETED
    assert {by_pid[worker_of(shard.owner)] for shard in shards(there)} == {"us"}


def worker_of(owner: str) -> int:
    """The main process of the pool process that held a shard."""
    stat = Path(f"/proc/{owner.rpartition('/')[2]}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def ended(run: Run) -> bool:
    return Run.objects.values_list("status", flat=True).get(pk=run.pk) in RUN_TERMINAL
