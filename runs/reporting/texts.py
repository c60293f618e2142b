"""What a run says without the texts of its conversations, for those who may not read them.

Messages and answers stand in turns and in the live stream. Besides, the reason of a run that failed may quote an error
body of the target, and a frozen scenario says what users say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from metrics.end_codes import plain_reason
from metrics.report_schema import RunReport, ShardPart
from runs.live_stream import Entry, Line, Lines, Status
from runs.models import Run


def without_texts(run: Run) -> Run:
    """The same row for reading; not to be saved."""
    report = run.report
    run.reason = plain_reason(run.end_code, run.reason)
    run.scenario_specs = plain_scenarios(run.scenario_specs)
    run.report = None if report is None else plain_report(report, run.end_code)
    return run


def plain_scenarios(specs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Only what names and groups them."""
    kept = ("name", "tags")
    return [
        {**part, "scenario": {key: part["scenario"][key] for key in kept if key in part["scenario"]}} for part in specs
    ]


def plain_report(report: RunReport, end_code: str | None) -> RunReport:
    """`end_code`: the run's, for a report that has none."""
    ran = report.get("run", {})
    shown: dict[str, Any] = {**report}
    if "reason" in ran:
        shown["run"] = {**ran, "reason": plain_reason(ran.get("end_code") or end_code, ran["reason"] or "")}
    if "shards" in report:
        shown["shards"] = [_plain_shard(shard) for shard in report["shards"]]
    return cast("RunReport", shown)


def _plain_shard(shard: ShardPart) -> dict[str, Any]:
    quotes = {name: shard.get(name) for name in ("reason", "end")}
    plain = {name: plain_reason(shard.get("end_code"), str(text)) for name, text in quotes.items() if text}
    return {**shard, **plain}


def plain_entry(entry: Entry) -> Entry:
    """An entry of the live stream."""
    if entry.kind == "lines":
        items: list[Line] = [{**line, "message": "", "answer": ""} for line in cast("Lines", entry.data)["items"]]
        return entry._replace(data={**cast("Lines", entry.data), "items": items})
    if entry.kind == "status":  # what the page says of it comes from the database
        return entry._replace(data={**cast("Status", entry.data), "reason": ""})
    return entry
