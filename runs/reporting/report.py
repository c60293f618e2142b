"""Aggregates everything stored about a run, and builds its report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from connectors.http.proxy import is_left_out
from metrics.analysis.engines import Engine
from metrics.end_codes import end_code_of, tail_code
from metrics.models import SessionMetric
from metrics.report.build import RunFacts, build_report
from metrics.report_schema import RunReport, ShardPart
from metrics.storage.aggregate import Aggregate, aggregate_run
from runs.capacity.curve import curve_of
from runs.lifecycle.transitions import RUN_TERMINAL
from runs.load.groups import frozen_groups
from runs.load.trace import shown_load
from runs.models import Run, Shard

SHARD_FIELDS = ("index", "region", "host", "version", "status", "reason", "end_code", "ledger_complete")


def collect(run: Run) -> Aggregate:
    """The sum of the run's windows so far."""
    return aggregate_run(run.pk)


def failure_example(run: Run, found: Aggregate) -> str:
    """The text of one turn with the most frequent error code; empty if there is none."""
    if not found.codes:
        return ""
    (code, _), *_ = found.codes.most_common(1)
    texts = SessionMetric.objects.filter(run=run, code=code).exclude(detail=None).order_by("pk")
    return texts.values_list("detail", flat=True).first() or ""


def _shards(run: Run, found: Aggregate) -> list[ShardPart]:
    rows = run.shards.order_by("index").only(*SHARD_FIELDS)
    return [_shard(shard, found.engines.get(shard.pk)) for shard in rows]


def _shard(shard: Shard, engine: Engine | None) -> ShardPart:
    """`stored`: the whole ledger of the shard is in the report; `turns`, `end`, `at_s`: from its last line, None
    without one; `end_code`: from that line too, otherwise the shard's."""
    tail = engine.tail if engine is not None else {}
    at_ns = tail.get("at")
    return {
        "index": shard.index,
        "region": shard.region,
        "host": shard.host,
        "version": shard.version,
        "status": shard.status,
        "reason": shard.reason,
        "stored": shard.ledger_complete,
        "turns": tail.get("turns"),
        "end": tail.get("reason"),
        "end_code": tail_code(tail) or end_code_of(shard.end_code, shard.reason),
        "at_s": None if at_ns is None else round(at_ns / 1e9, 3),
    }


def _proxy(target: Mapping[str, Any]) -> str:
    """The address of the proxy before a run's target; empty: no proxy."""
    proxy = target.get("proxy")
    if not proxy or is_left_out(urlsplit(target["url"]).hostname or "", proxy["no_proxy"]):
        return ""
    return str(proxy["url"])


def report_of(run: Run, found: Aggregate, status: str, reason: str, end_code: str = "") -> RunReport:
    """The run's report with this status, code and reason, which the run may not have yet."""
    finished = status in RUN_TERMINAL
    hung = finished and found.codes["unanswered"]
    curve = curve_of(run, found.last_answer_s if hung else math.inf)
    facts = RunFacts(
        id=run.pk,
        status=str(status),
        target=run.target_spec["name"],
        scenario=", ".join(part["scenario"]["name"] for part in run.scenario_specs),
        load=shown_load(run.load),
        load_changes=run.load_changes,
        started_at=run.start_at.isoformat() if run.start_at else None,
        end_code=str(end_code_of(end_code, reason)),
        reason=reason,
        proxy=_proxy(run.target_spec),
        finished=finished,
        shards=_shards(run, found),
        version=run.version,
        lacks_witness=run.with_witness and run.witness is None,
        groups=frozen_groups(run.scenario_specs, run.load, run.target_spec),
        load_curve=curve.levels,
        capacity=curve.capacity,
    )
    return build_report(facts, found, run.thresholds, run.witness)
