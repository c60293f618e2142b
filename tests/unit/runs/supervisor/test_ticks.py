from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from metrics.end_codes import EndCode
from metrics.ingest.batch import parse
from metrics.models import Window
from metrics.storage.aggregate import aggregate_run
from runs import live_stream
from runs.completion import ingest
from runs.completion.ingest import LedgerIngest
from runs.load.profile import parse_load
from runs.models import Run, Shard, ShardStatus
from runs.reporting.page import group_names
from runs.reporting.report import collect, report_of
from runs.supervisor.line_sample import sample
from runs.supervisor.ticks import GROUPS_A_TICK, LINES_A_TICK, RunTotals, Ticker, TickInfo
from runs.workers.leases import claim_shard
from tests.support.ledgers import LedgerMaker, ledger_bytes
from tests.support.runs import a_run, shards, talk

pytestmark = pytest.mark.django_db


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[tuple[live_stream.Kind, live_stream.Payload]]:
    entries: list[tuple[live_stream.Kind, live_stream.Payload]] = []

    def publish(_run: int, new: list[tuple[live_stream.Kind, live_stream.Payload]]) -> bool:
        entries.extend(new)
        return True

    monkeypatch.setattr(live_stream, "publish", publish)
    return entries


def claimed(run: Run, path: Path, turns: int = 300, groups: int = 1) -> list[Shard]:
    """The run's shards, each with a whole ledger that nothing of is stored yet."""
    found = []
    for shard in shards(run):
        mine = claim_shard(shard.pk, "me")
        assert mine is not None
        mine.ledger_path = str(path / f"{shard.index}.jsonl")
        maker = LedgerMaker(turns, run.pk, shard.pk, seed=shard.index, turns_per_s=100, groups=groups)
        data = ledger_bytes(maker)
        Path(mine.ledger_path).write_bytes(data)
        found.append(mine)
    return found


def test_totals_that_were_merged_bit_by_bit_equal_the_aggregate_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "CHUNK_BYTES", 20_000)
    run = a_run(2)
    totals, readers = RunTotals(run), [LedgerIngest(shard) for shard in claimed(run, tmp_path)]
    more = True
    while more:
        more = [reader for reader in readers if reader.step() is not None] != []
        totals.update()
    assert totals._aggregate.from_turns() == aggregate_run(run.pk).from_turns()
    tick = totals.tick()
    assert tick["counters"]["ok"] + tick["counters"]["error"] > 500
    assert tick["metrics"]["e2e_ms"]["count"] == tick["counters"]["ok"]
    assert tick["active"] == 0  # both have ended
    counters = tick["counters"]
    ends = ("completed", "failed", "lost", "truncated")
    assert sum(counters[f"sessions_{word}"] for word in ends) == counters["sessions_ended"] > 0


def test_one_of_the_shards_gives_the_tick_and_each_gives_its_lines(
    tmp_path: Path, published: list[tuple[live_stream.Kind, live_stream.Payload]]
) -> None:
    run, seen = a_run(2), list[TickInfo]()
    first, second = (Ticker(shard, seen.append) for shard in claimed(run, tmp_path))
    first.tick("running")
    second.tick("running")
    assert [info.tick is None for info in seen] == [False, True]
    Shard.objects.filter(run=run, index=0).update(status=ShardStatus.DONE)
    second.tick("running")
    assert seen[-1].tick is not None
    assert [kind for kind, _ in published] == ["status", "tick", "tick"]
    Shard.objects.filter(run=run, index=1).update(status=ShardStatus.DONE)
    second.tick("finalizing")
    assert seen[-1].tick is not None, "the last tick is missing"


def test_what_is_not_shown_is_counted(
    tmp_path: Path, published: list[tuple[live_stream.Kind, live_stream.Payload]]
) -> None:
    (shard,) = claimed(a_run(), tmp_path)
    ticker, batch = Ticker(shard, None), LedgerIngest(shard).step()
    assert batch is not None
    ticker.note(batch)
    ticker.tick("running")
    ticker.tick("running")
    lines: list[Any] = [data for kind, data in published if kind == "lines"]
    assert len(lines) == 1
    assert len(lines[0]["items"]) == LINES_A_TICK
    assert lines[0]["held_back"] == 300 - LINES_A_TICK


def test_lines_that_redis_did_not_take_are_counted_with_the_next(
    tmp_path: Path, published: list[tuple[live_stream.Kind, live_stream.Payload]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (shard,) = claimed(a_run(), tmp_path)
    ticker, batch = Ticker(shard, None), LedgerIngest(shard).step()
    assert batch is not None
    with monkeypatch.context() as away:
        away.setattr(live_stream, "publish", lambda *_: False)
        ticker.note(batch)
        ticker.tick("running")
    ticker.tick("running")
    assert published[-1] == ("lines", {"items": [], "held_back": 300})


def test_a_sample_prefers_failures_keeps_the_order_and_is_safe_to_show() -> None:
    batch = parse(ledger_bytes(LedgerMaker(500, failing=0.02)), 1, 1)
    failed = sum(outcome != "ok" for outcome in batch.turns.row("outcome"))
    lines = sample(batch, 20)
    assert len(lines) == 20
    assert sum(line["outcome"] != "ok" for line in lines) == min(failed, 20)
    assert [line["at_ms"] for line in lines] == sorted(line["at_ms"] for line in lines)
    assert sample(batch, 0) == []
    assert len(sample(batch, 10_000)) == 500


def test_a_leader_says_why_a_run_must_end_from_what_all_engines_stored(tmp_path: Path) -> None:
    run = a_run(2, parse_load({"kind": "closed", "users": 8, "duration_s": 60, "budget": {"errors": 5, "tokens": 9}}))
    first, second = claimed(run, tmp_path)
    ours, theirs = Ticker(first, None), Ticker(second, None)
    LedgerIngest(first).step()
    ours.tick("running")
    alone = run.turns.filter(outcome__in=["error", "timeout"]).count()
    assert 0 < alone < 5
    assert ours.why_abort() is None
    LedgerIngest(second).step()
    ours.tick("running")
    theirs.tick("running")
    both = run.turns.filter(outcome__in=["error", "timeout"]).count()
    why = ours.why_abort()
    assert why is not None
    assert why.code == EndCode.BUDGET_ERRORS
    assert why.reason.startswith(f"budget: errors: {both} turns failed, the budget allows 5; most often ")
    assert theirs.why_abort() is None  # it is the first shard's to say


def test_a_tick_says_what_is_used_of_the_budget(tmp_path: Path) -> None:
    run = a_run(1, parse_load({"kind": "closed", "users": 8, "duration_s": 60, "budget": {"turns": 500}}))
    (shard,) = claimed(run, tmp_path)
    LedgerIngest(shard).step()
    totals = RunTotals(run)
    totals.update()
    assert totals.tick()["budget"] == {"turns": {"ceiling": 500, "used": 300}}


def test_a_tick_says_of_each_group_what_the_report_will(tmp_path: Path) -> None:
    names = [f"talk {number}" for number in range(GROUPS_A_TICK + 5)]
    run = a_run(2, scenarios=[(1.0, talk(name=name)) for name in names])
    for shard in claimed(run, tmp_path, 2000, len(names)):
        LedgerIngest(shard).step()
    totals = RunTotals(run)
    assert totals.tick()["groups"] == {"rows": [], "more": 0}
    totals.update()
    groups = totals.tick()["groups"]
    assert (len(groups["rows"]), groups["more"]) == (GROUPS_A_TICK, 5)
    parts = report_of(run, collect(run), run.status, "")["groups"]
    assert sum((part["error_rate"] or 0) > 0 for part in parts) > 5
    assert group_names(run) == {"heads": ("scenario",), "rows": [(part["scenario"],) for part in parts]}
    for number, (row, part) in enumerate(zip(groups["rows"], parts[:GROUPS_A_TICK], strict=True)):
        times = (round(part["metrics"][name]["p95"] or 0, 3) for name in ("ttft_ms", "e2e_ms"))
        assert row[:2] == (number, sum(part["turns"][word] for word in ("ok", "error", "timeout")))
        assert row[2] == pytest.approx(part["error_rate"], abs=1e-6)
        assert row[3:] == tuple(times)


def test_a_run_with_one_group_has_none_in_its_ticks(tmp_path: Path) -> None:
    run = a_run()
    LedgerIngest(claimed(run, tmp_path)[0]).step()
    totals = RunTotals(run)
    totals.update()
    assert "groups" not in totals.tick()
    assert group_names(run) is None


def test_engines_are_judged_up_to_where_all_that_work_have_stored(tmp_path: Path) -> None:
    run = a_run(3)
    totals = RunTotals(run)
    for shard, seconds, ended in zip(claimed(run, tmp_path), (9, 5, 3), (False, False, True), strict=True):
        gen = {"second": 0, "shard": shard.pk, "v": 1, "gen": [[seconds * 10**9, 0, 0, 1, 1, 0]]}
        data = {**gen, "tail": {"at": seconds * 10**9}} if ended else gen
        Window.objects.create(run=run, shard=shard, second=0, ledger_offset=1, data=data)
    totals.update()
    assert totals.complete_s == 5.0
