"""What a run came to: everything that is stored of it, added up; and the report of that."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from connectors.proxy import is_left_out
from metrics.aggregate import Aggregate, aggregate_run
from metrics.models import SessionMetric
from metrics.report import RunFacts, build_report
from metrics.totals import Engine
from runs.capacity import curve_of
from runs.engine.groups import frozen_groups
from runs.engine.trace import shown_load
from runs.lifecycle import RUN_TERMINAL
from runs.models import Run


def collect(run: Run) -> Aggregate:
    """The sum of the run's windows by now."""
    return aggregate_run(run.pk)


def failure_example(run: Run, found: Aggregate) -> str:
    """The text of one turn with the most frequent error code; empty if there is none."""
    if not found.codes:
        return ""
    (code, _), *_ = found.codes.most_common(1)
    texts = SessionMetric.objects.filter(run=run, code=code).exclude(detail=None).order_by("pk")
    return texts.values_list("detail", flat=True).first() or ""


def _shards(run: Run, found: Aggregate) -> list[dict[str, Any]]:
    """`stored`: all that the shard's ledger holds is in the report; `turns`, `end`, `at_s`: by its own last line, None
    without one."""
    fields = ("pk", "index", "region", "host", "version", "status", "reason", "ledger_complete")
    return [
        {
            **dict(zip(fields[1:-1], row[1:-1], strict=True)),
            "stored": row[-1],
            **_last_line(found.engines.get(row[0])),
        }
        for row in run.shards.order_by("index").values_list(*fields)
    ]


def _last_line(engine: Engine | None) -> dict[str, Any]:
    tail = engine.tail if engine is not None else {}
    at_ns = tail.get("at")
    at_s = None if at_ns is None else round(at_ns / 1e9, 3)
    return {"turns": tail.get("turns"), "end": tail.get("reason"), "at_s": at_s}


def _proxy(target: Mapping[str, Any]) -> str:
    """The address of the proxy before a run's target; empty: it was reached directly."""
    proxy = target.get("proxy")
    if not proxy or is_left_out(urlsplit(target["url"]).hostname or "", proxy["no_proxy"]):
        return ""
    return str(proxy["url"])


def report_of(run: Run, found: Aggregate, status: str, reason: str) -> dict[str, Any]:
    """The run's report with this status, which may be about to be written."""
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
        reason=reason,
        proxy=_proxy(run.target_spec),
        finished=finished,
        shards=_shards(run, found),
        version=run.version,
        groups=frozen_groups(run.scenario_specs, run.load, run.target_spec),
        load_curve=curve.levels,
        capacity=curve.capacity,
    )
    return build_report(facts, found, run.thresholds, run.witness)
