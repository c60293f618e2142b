"""Ingest is exactly-once: killed with -9 at random points and started again, it ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from metrics.analysis.totals import merge
from metrics.ingest.batch import parse
from metrics.ingest.turns import ROW_FIELDS
from metrics.models import SessionMetric
from metrics.storage.aggregate import aggregate_rows, aggregate_run
from runs.models import Session
from tests.support.ledgers import LedgerMaker, write_ledger
from tests.support.processes import child_env
from tests.support.runs import a_run, shards
from tokenburn_site.local.process_groups import ProcessGroups

TURNS = 3000
CHUNK_BYTES = 30_000
KILLS = 6


class Storing:
    """Processes that store the shard's ledger, one after the other."""

    def __init__(self, family: ProcessGroups, shard_id: int, stderr: Path) -> None:
        argv = [sys.executable, "-m", "tests.support.ingest_child", str(shard_id), str(CHUNK_BYTES)]
        pipe = subprocess.PIPE
        with stderr.open("wb") as log:
            child = family.start(argv, env=child_env(), stdin=pipe, stdout=pipe, stderr=log, text=True, bufsize=1)
        assert child.stdin is not None and child.stdout is not None
        self._stdin, self._stdout = child.stdin, child.stdout

    def start(self) -> int:
        """The process's number."""
        self._stdin.write("start\n")
        return int(self.line())

    def line(self) -> str:
        return str(self._stdout.readline().strip())

    def rest(self) -> list[str]:
        """What it still says until its end, and how that was."""
        lines = [self.line()]
        while lines[-1] and not lines[-1].startswith("exit "):
            lines.append(self.line())
        return lines

    def close(self) -> None:
        self._stdin.close()
        self._stdout.close()


@pytest.mark.parametrize("seed", [1])
def test_killed_at_random_points_it_stores_every_turn_once(
    any_database: str, family: ProcessGroups, tmp_path: Path, seed: int
) -> None:
    run = a_run()
    (shard,) = shards(run)
    path = tmp_path / "ledger.jsonl"
    write_ledger(path, LedgerMaker(TURNS, run.pk, shard.pk, streamed=0.2, turns_per_s=500))
    shard.ledger_path = str(path)
    shard.save()
    rng = random.Random(seed)
    stored = []
    with closing(Storing(family, shard.pk, tmp_path / "stderr.log")) as storing:
        for _ in range(KILLS):
            pid = storing.start()
            for _ in range(rng.randrange(1, 5)):  # the next batch is on its way when the last of these lines is read
                assert storing.line().isdigit()
            os.kill(pid, signal.SIGKILL)
            assert storing.rest()[-1] == f"exit {-signal.SIGKILL}"
            stored.append(SessionMetric.objects.count())
        assert 0 < stored[0] < stored[-1] < TURNS, "it was never killed half-way"
        storing.start()
        assert storing.rest()[-2:] == ["end", "exit 0"], (tmp_path / "stderr.log").read_text()

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
