"""Invariant B: what the windows add up to is what the rows say, exactly."""

from __future__ import annotations

import pytest
from django.db import transaction

from metrics.ingest.batch import parse
from metrics.models import SessionMetric
from metrics.storage import store
from metrics.storage.aggregate import aggregate_rows, aggregate_run
from tests.support.ledgers import LedgerMaker, ledger_bytes


def ingest(maker: LedgerMaker, size: int) -> None:
    data = ledger_bytes(maker)
    offset: int = 0
    previous = store.last_answers(maker.shard_id)
    while offset < len(data):
        batch = parse(data[offset : offset + size], maker.run_id, maker.shard_id, offset, previous, groups=maker.groups)
        with transaction.atomic():
            store.write(batch)
        offset, previous = batch.end_offset, dict(batch.last_answers)


@pytest.mark.parametrize(("size", "groups"), [(40_000, 1), (1 << 22, 1), (40_000, 5)])
def test_windows_and_rows_give_the_same_aggregate(any_database: str, size: int, groups: int) -> None:
    for shard in (1, 2):
        maker = LedgerMaker(
            1500, 4, shard, seed=shard, streamed=0.3, stamped=True, failing=0.1, turns_per_s=500, groups=groups
        )
        ingest(maker, size)
    ingest(LedgerMaker(100, run_id=5, shard_id=3), size)
    windows, rows = aggregate_run(4), aggregate_rows(4, groups=groups)
    assert windows.from_turns() == rows.from_turns()
    assert windows.turns == 3000
    assert sorted(windows.groups) == ([] if groups == 1 else [0, 1, 2, 3, 4])
    assert set(windows.histograms) >= {"ttft_ms", "icl_ms", "tpot_ms", "repetition", "send_lag_ms", "arrival_error_ms"}
    assert [engine.head["timestamps"] for engine in windows.engines.values()] == ["kernel", "kernel"]
    assert windows.loop_lag.count > 0


def test_a_lost_row_is_noticed(any_database: str) -> None:
    ingest(LedgerMaker(200, run_id=4), 1 << 22)
    SessionMetric.objects.order_by("pk")[:1].get().delete()
    assert aggregate_run(4).from_turns() != aggregate_rows(4).from_turns()
