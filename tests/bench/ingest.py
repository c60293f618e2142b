"""How fast ledgers become rows: `python -m tests.bench.ingest [--turns N]`, into the configured database.

Makes a run with one shard and its ledger, stores it the way a supervisor does, prints rows/s and takes it all away
again (`--keep` leaves it).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenburn_site.settings")
django.setup()

from django.core.management import call_command
from django.db import connection

from metrics.ingest.batch import parse
from metrics.models import SessionMetric, Window
from metrics.storage.aggregate import aggregate_run
from runs.completion.ingest import CHUNK_BYTES, LedgerIngest
from runs.models import Run, Session, Shard
from tests.support.ledgers import LedgerMaker, write_ledger


@dataclass
class Took:
    wall_s: float = 0.0
    cpu_s: float = 0.0


@contextmanager
def timed() -> Iterator[Took]:
    took, wall, cpu = Took(), time.perf_counter(), time.process_time()
    yield took
    took.wall_s, took.cpu_s = time.perf_counter() - wall, time.process_time() - cpu


def parsed(path: Path, groups: int) -> int:
    """Read the ledger without storing it; returns the number of turns."""
    offset = turns = 0
    previous: dict[int, str] = {}
    with path.open("rb") as file:
        while data := file.read(CHUNK_BYTES):
            batch = parse(data, 1, 1, offset, previous, groups=groups)
            offset, previous, turns = batch.end_offset, dict(batch.last_answers), turns + len(batch.turns)
            file.seek(offset)
    return turns


def show(what: str, turns: int, took: Took) -> None:
    print(f"{what:<28}{turns / took.wall_s:>12,.0f} turns/s {took.wall_s:>9.1f} s {took.cpu_s:>9.1f} s CPU here")


def measure(shard: Shard, path: Path, groups: int) -> None:
    with timed() as took:
        turns = parsed(path, groups)
    show("parse and windows", turns, took)
    ingest = LedgerIngest(shard, path)
    with timed() as took:
        while ingest.step() is not None:
            pass
    show(f"stored in {connection.vendor}", turns, took)
    with timed() as took:
        aggregate = aggregate_run(shard.run_id)
    show("aggregate from windows", turns, took)
    rows = SessionMetric.objects.filter(run=shard.run_id).count()
    assert rows == turns == aggregate.turns, (rows, turns, aggregate.turns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=1_000_000)
    parser.add_argument("--streamed", type=float, default=0.1, help="share of the turns")
    parser.add_argument("--groups", type=int, default=1, help="scenarios that are told apart")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    run = Run.objects.create(
        name="bench: ingest",
        target_spec={"name": "none"},
        scenario_specs=[{"weight": 1, "scenario": {"name": f"talk {number}"}} for number in range(options.groups)],
        load={"kind": "closed", "users": 1, "duration_s": 1},
        seed=1,
        local=True,
    )
    shard = Shard.objects.create(run=run, index=0)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "ledger.jsonl"
            maker = LedgerMaker(options.turns, run.pk, shard.pk, streamed=options.streamed, groups=options.groups)
            size = write_ledger(path, maker)
            print(f"{options.turns:,} turns, {size / 1e6:,.0f} MB of ledger, {options.streamed:.0%} streamed")
            measure(shard, path, options.groups)
    finally:
        if not options.keep:
            for model in (SessionMetric, Window, Session, Shard):
                model._base_manager.filter(run=run.pk)._raw_delete("default")
            run.delete()


if __name__ == "__main__":
    main()
