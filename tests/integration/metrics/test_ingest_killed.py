"""Ingest is exactly-once: killed with -9 at random points and started again, it ends as if nothing had happened."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from metrics.aggregate import aggregate_rows, aggregate_run
from metrics.ingest import parse
from metrics.models import SessionMetric
from metrics.totals import merge
from metrics.turns import ROW_FIELDS
from runs.models import Session
from tests.support.ledgers import LedgerMaker, write_ledger
from tests.support.processes import child_env
from tests.support.runs import a_run, shards
from tokenburn_site.local.family import Family

TURNS = 6000
CHUNK_BYTES = 60_000
KILLS = 6


def start(family: Family, shard_id: int, **popen: Any) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "tests.support.ingest_child", str(shard_id), str(CHUNK_BYTES)]
    child: subprocess.Popen[str] = family.start(
        argv, env=child_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen
    )
    return child


@pytest.mark.parametrize("seed", [1])
def test_killed_at_random_points_it_stores_every_turn_once(
    any_database: str, family: Family, tmp_path: Path, seed: int
) -> None:
    run = a_run()
    (shard,) = shards(run)
    path = tmp_path / "ledger.jsonl"
    write_ledger(path, LedgerMaker(TURNS, run.pk, shard.pk, streamed=0.2, turns_per_s=500))
    shard.ledger_path = str(path)
    shard.save()
    rng = random.Random(seed)
    stored = []
    for _ in range(KILLS):
        child = start(family, shard.pk)
        assert child.stdout is not None
        for _ in range(rng.randrange(1, 5)):  # the next batch is on its way when the last of these lines is read
            assert child.stdout.readline().strip().isdigit()
        family.kill(child)
        stored.append(SessionMetric.objects.count())
    assert 0 < stored[0] < stored[-1] < TURNS, "it was never killed half-way"
    last = start(family, shard.pk)
    output, errors = last.communicate(timeout=60)
    assert output.splitlines()[-1] == "end", errors

    whole = parse(path.read_bytes(), run.pk, shard.pk)
    plain = [name for name in ROW_FIELDS if name not in {"icl_us", "arrival_error_ns", "handshake"}]
    expected = list(zip(*(whole.turns.row(name) for name in plain), strict=True))
    assert list(SessionMetric.objects.order_by("pk").values_list(*plain)) == sorted(expected)
    assert aggregate_run(run.pk).from_turns() == merge(whole.windows.values()).from_turns()
    assert aggregate_rows(run.pk).from_turns() == aggregate_run(run.pk).from_turns()
    ended = {close.id: (close.outcome, close.turns) for close in whole.closes}
    assert {pk: (out, turns) for pk, out, turns in Session.objects.values_list("pk", "outcome", "turns")} == ended
    shard.refresh_from_db()
    assert shard.ledger_offset == path.stat().st_size
