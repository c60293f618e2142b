from __future__ import annotations

import math
from typing import Any

import orjson
import pytest

from metrics.analysis.totals import MAX_POINTS, Aggregate, merge
from metrics.ingest.batch import parse
from metrics.report.build import RunFacts, build_report, witness_of
from tests.support.ledgers import LedgerMaker, ledger_bytes
from tests.unit.metrics.made import MS, aggregate, batch, failed, generator, head, tail, turn

FACTS = RunFacts(7, "completed", "mock", "flood", {"kind": "closed", "users": 5}, "2026-11-21T10:00:00+00:00")
PROMISED = {
    "run": {"id", "status", "target", "scenario", "load", "started_at", "duration_s"},
    "sessions": {"started", "completed", "failed", "lost"},
    "turns": {"sent", "ok", "error", "timeout", "aborted", "unknown"},
    "rates": {"turns_per_s", "completed_sessions_per_min", "sessions_per_min", "output_tokens_per_s"},
    "tokens": {"input", "output", "source"},
    "generator": {"processes", "cpu_s", "cpu_us_per_turn", "timestamps", "send_lag_ms", "loop_lag_ms", "rss_mb"},
    "verdict": {"trusted", "reasons", "notes"},
}
STATS = {"count", "mean", "min", "p50", "p90", "p95", "p99", "p999", "max"}
METRICS = {
    "ttfb_ms", "ttfc_ms", "ttft_ms", "e2e_ms", "e2e_planned_ms", "icl_ms", "tpot_ms", "handshake_connect_ms",
    "handshake_tls_ms", "send_lag_ms", "arrival_error_ms",
}  # fmt: skip


@pytest.mark.parametrize("found", [Aggregate(), aggregate(head(), turn(), tail(1))], ids=["nothing", "one turn"])
def test_the_report_has_the_promised_keys_whatever_was_measured(found: Aggregate) -> None:
    report = build_report(FACTS, found, ["ttft_ms.p95<500"])
    parts: dict[str, Any] = {**report}
    for key, below in PROMISED.items():
        assert below <= parts[key].keys(), key
    assert {"dropped_arrivals", "errors", "metrics", "thresholds"} <= report.keys()
    assert report["metrics"].keys() >= METRICS
    bounded = {"e2e_planned_ms": STATS | {"censored", "high"}}
    assert all(values.keys() == bounded.get(name, STATS) for name, values in report["metrics"].items())
    assert set(report["thresholds"][0]) == {"expr", "value", "passed"}
    assert set(report["generator"]["send_lag_ms"]) == {"p50", "p99", "max"}
    assert set(report["generator"]["loop_lag_ms"]) == {"p99", "max"}
    assert orjson.loads(orjson.dumps(report)) == report


def test_a_witness_of_enough_turns_is_heard_and_one_of_few_is_not() -> None:
    load = aggregate(head(), *(turn(n) for n in range(200)), tail(200))  # e2e 90 ms
    slower = [turn(n, ft=250 * MS, lc=280 * MS, done=300 * MS) for n in range(30)]
    for heard, words in ((slower, ["witness_disagrees"]), (slower[:9], [])):
        report = build_report(FACTS, load, witness=witness_of(aggregate(*heard)))
        reasons = [reason.partition(":")[0] for reason in report["verdict"]["reasons"]]
        assert [code for code in reasons if code.startswith("witness")] == words
        assert report["witness"] is not None
        assert report["witness"]["turns"]["sent"] == len(heard)
        assert report["turns"]["sent"] == 200


def test_a_metric_that_was_not_measured_is_null_and_counted_zero() -> None:
    values = build_report(FACTS, aggregate(turn()))["metrics"]["handshake_tls_ms"]
    assert values == {**dict.fromkeys(STATS), "count": 0}


@pytest.mark.parametrize(("turns", "known"), [(999, False), (1000, True)])
def test_p999_needs_a_thousand_values(turns: int, known: bool) -> None:
    values = build_report(FACTS, aggregate(*(turn(n) for n in range(turns))))["metrics"]["e2e_ms"]
    assert (values["p999"] is not None) is known
    assert values["p99"] == 90.0


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["usage", "split"], ("usage", "usage", "usage")),
        (["mixed"], ("mixed", "estimate", "usage")),
        (["mixed_in", "doubt_to"], ("mixed", "usage", "estimate")),
        (["estimate", "doubted", "none"], ("estimate", "estimate", "estimate")),
        (["usage", "estimate"], ("mixed", "mixed", "mixed")),
    ],
)
def test_each_side_of_the_tokens_has_its_source(sources: list[str], expected: tuple[str, ...]) -> None:
    lines = [turn(number, ts=source, tr=number) for number, source in enumerate(sources)]
    tokens = build_report(FACTS, aggregate(*lines))["tokens"]
    assert (tokens["source"], tokens["input_source"], tokens["output_source"]) == expected
    assert tokens["reasoning"] == sum(range(len(sources)))


def test_tokens_of_one_side_only_leave_the_other_unknown() -> None:
    report = build_report(FACTS, aggregate(*(turn(number, ts="asked", ti=30, to=None) for number in range(4))))
    assert [report["tokens"][name] for name in ("input", "output", "total")] == [120, None, 120]
    assert (report["tokens"]["input_source"], report["tokens"]["output_source"]) == ("estimate", "none")
    assert report["rates"]["output_tokens_per_s"] is None
    assert (report["rates"]["tokens_per_s"] or 0) > 0


def test_unreported_tokens_are_not_zero() -> None:
    report = build_report(FACTS, aggregate(failed(0, ti=None), failed(1, ti=None)))
    assert [report["tokens"][name] for name in ("input", "output", "total", "reasoning")] == [None] * 4
    assert (report["rates"]["output_tokens_per_s"], report["rates"]["tokens_per_s"]) == (None, None)
    assert report["tokens"]["source"] == "none"


def test_connections_of_all_engines_are_counted_by_address() -> None:
    lines = [head(), turn(0), tail(1) | {"conns": {"10.0.0.1": 3, "10.0.0.2": 4}}]
    report = build_report(FACTS, aggregate(*lines))
    assert report["generator"]["connections"] == {"10.0.0.2": 4, "10.0.0.1": 3}
    assert build_report(FACTS, aggregate(head(), turn(0), tail(1)))["generator"]["connections"] == {}


def test_wrong_content_types_of_all_engines_are_one_note() -> None:
    lines = [head(), turn(0), tail(1) | {"types": {"text/html": 1200, "": 3}}]
    notes = [note for note in build_report(FACTS, aggregate(*lines))["verdict"]["notes"] if "content_type" in note]
    assert len(notes) == 1
    assert notes[0].startswith("content_type_wrong: 1,203 answers")
    assert "text/html (1,200)" in notes[0]
    assert "content_type" not in str(build_report(FACTS, aggregate(head(), turn(0), tail(1)))["verdict"])


def test_windows_of_before_know_three_sources_and_no_reasoning() -> None:
    data = next(iter(batch(turn(0), turn(1, ts="estimate")).windows.values()))
    assert (data["sources"], "tr" in data) == ([1, 1, 0], False)
    newer = next(iter(batch(turn(2, ts="split", tr=3)).windows.values()))
    assert (len(newer["sources"]), newer["tr"]) == (9, 3)
    tokens = build_report(FACTS, merge([data, newer]))["tokens"]
    assert (tokens["source"], tokens["reasoning"], tokens["output"]) == ("mixed", 3, 15)


def test_counts_rates_and_tokens_of_a_small_run() -> None:
    lines = [
        {"k": "open", "id": 1, "user": 1, "scenario": "s", "at": 0},
        {"k": "open", "id": 2, "user": 2, "scenario": "s", "at": 0},
        turn(0),
        turn(1, sent=1_000 * MS, planned=1_000 * MS, done=2_110 * MS, ts="estimate", to=10),
        failed(2, sent=None, code="connect_refused"),
        failed(3, "aborted", "stopped"),
        failed(4, "timeout", None, to=3, ts="usage"),
        {"k": "close", "id": 1, "at": 2_000 * MS, "out": "completed", "turns": 2, "code": None},
        {"k": "close", "id": 2, "at": 2_000 * MS, "out": "failed", "turns": 2, "code": "http_500"},
        generator(1, 100),
        tail(5),
    ]
    report = build_report(FACTS, aggregate(head(), *lines))
    outcomes = {"ok": 2, "error": 1, "timeout": 1, "aborted": 1, "unknown": 0}
    assert report["turns"] == {"sent": 4, **outcomes, "failed": 2}
    assert report["sessions"] == {"started": 2, "completed": 1, "failed": 1, "lost": 0, "truncated": 0, "cut": 0}
    assert report["errors"] == {"connect_refused": 1, "stopped": 1, "timeout": 1}
    assert report["tokens"] == {
        "input": 35, "output": 18, "output_ok": 15, "total": 53, "reasoning": None,
        "source": "mixed", "input_source": "mixed", "output_source": "mixed",
    }  # fmt: skip
    duration = 2.11 - 0.1  # the unsent turn was planned before the first was sent
    assert report["run"]["duration_s"] == pytest.approx(duration)
    assert report["rates"]["turns_per_s"] == pytest.approx(2 / duration, rel=1e-5)
    assert report["rates"]["completed_sessions_per_min"] == pytest.approx(60 / duration, rel=1e-5)
    assert report["rates"]["output_tokens_per_s"] == pytest.approx(15 / duration, rel=1e-5)
    assert report["rates"]["error_rate"] == 0.5
    assert report["generator"]["cpu_us_per_turn"] == 20_000
    assert report["generator"]["timestamps"] == "kernel"


def test_errors_of_a_run_add_up_to_its_turns_that_are_not_ok() -> None:
    report = build_report(FACTS, merge(batch_of(2000).values()))
    turns = report["turns"]
    assert sum(report["errors"].values()) == sum(turns[word] for word in ("error", "timeout", "aborted", "unknown")) > 0


def batch_of(turns: int, **options: object) -> dict[int, dict[str, object]]:
    lines = ledger_bytes(LedgerMaker(turns, **options))  # type: ignore[arg-type]  # the maker's own options
    return dict(parse(lines, 1, 1).windows)


def test_adding_windows_in_another_order_changes_nothing() -> None:
    windows = list(batch_of(3000, turns_per_s=2).values())
    forward, backward = merge(windows), merge(reversed(windows))
    assert forward.from_turns() == backward.from_turns()
    assert forward.point_s == 4  # 1,500 s in 600 points at most
    assert build_report(FACTS, forward) == build_report(FACTS, backward)


def test_the_series_covers_the_run_in_a_bounded_number_of_points() -> None:
    series = build_report(FACTS, merge(batch_of(3000, turns_per_s=2).values()))["series"]
    lengths = {len(values) for values in series.values() if isinstance(values, list)}
    (length,) = lengths
    assert MAX_POINTS // 2 < length <= MAX_POINTS
    ok = sum(series["turns_per_s"]) * series["point_s"]
    assert math.isclose(ok, build_report(FACTS, merge(batch_of(3000, turns_per_s=2).values()))["turns"]["ok"])


def test_a_gap_in_the_series_is_zero_turns_and_no_latency() -> None:
    series = build_report(FACTS, merge(batch(turn(), turn(1, done=3_500 * MS)).windows.values()))["series"]
    assert series["turns_per_s"] == [1, 0, 0, 1]
    assert series["e2e_p50_ms"] == [90.0, None, None, 3390.0]


def test_turns_of_warm_up_and_cool_down_are_a_number_and_nothing_else() -> None:
    lines = [
        turn(n, planned=n * 100 * MS, sent=n * 100 * MS, done=(n * 100 + 50) * MS, icl=[7, 7, 7]) for n in range(100)
    ]
    lines += [failed(100, planned=50 * MS), failed(101, planned=9_900 * MS)]
    raw = b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in [head(), *lines, tail(102)])
    found = merge(parse(raw, 1, 1, counted=(2_000 * MS, 9_000 * MS)).windows.values())
    report = build_report(FACTS, found)
    assert report["excluded_turns"] == report["uncounted_turns"] == 32
    assert report["turns"]["sent"] == report["turns"]["ok"] == 70
    assert report["errors"] == {}
    assert report["metrics"]["icl_ms"]["count"] == 210
    assert (found.first_ns, found.last_ns) == (2_000 * MS, 8_950 * MS)
    assert not any(reason.startswith("ledger_incomplete") for reason in report["verdict"]["reasons"])


def test_transfer_rates_are_bytes_of_all_turns_over_the_runs_time() -> None:
    lines = [turn(0), turn(1, planned=1100 * MS, sent=1110 * MS, done=1110 * MS, **{"in": 700})]
    traffic = build_report(FACTS, aggregate(*lines))["traffic"]
    assert traffic == {
        "chunks": 6, "bytes_in": 1000, "bytes_out": 400, "bytes_in_per_s": 1000.0, "bytes_out_per_s": 400.0,
    }  # fmt: skip
    assert build_report(FACTS, Aggregate())["traffic"]["bytes_in_per_s"] is None
