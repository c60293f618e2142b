"""The webhook message about a run: a JSON object or a Slack message. See docs/schedules.md for the keys."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

import orjson
from django.conf import settings
from django.urls import reverse

from metrics.end_codes import plain_reason
from metrics.number_format import counted, number
from metrics.report.gates import of_reasons
from metrics.report.verdict_words import verdict_words
from plain_text.visible import visible
from runs.models import Run, RunStatus, WebhookDelivery, WebhookKind

SIGNATURE: Final = "X-Token-Burn-Signature"
DELIVERY: Final = "X-Token-Burn-Delivery"
EVENT: Final = "X-Token-Burn-Event"
BAD_ENDS: Final = frozenset({RunStatus.FAILED, RunStatus.ABORTED})
METRICS: Final = ("ttft_ms", "e2e_ms", "tpot_ms")
SLACK_CHARS: Final = 2900
"""Slack refuses a block of more than 3000."""

Outcome = tuple[str, Any, Any]
"""A run's status, the thresholds of its report and the reasons of its verdict."""


def is_bad(outcome: Outcome) -> bool:
    """Whether a run failed, was aborted, or missed a threshold, or its target stopped answering."""
    status, *found = outcome
    rows, reasons = (part if isinstance(part, list) else [] for part in found)
    return status in BAD_ENDS or any(row.get("passed") is False for row in rows) or of_reasons(reasons) != ""


def message(delivery: WebhookDelivery) -> bytes:
    """The body of the delivery's request, as its webhook's kind has it."""
    facts = run_facts(delivery.run) if delivery.run else {}
    if delivery.webhook.kind == WebhookKind.SLACK:
        return orjson.dumps(slack(facts))
    event = {"event": event_of(delivery), "id": str(delivery.uid), "webhook": delivery.webhook.name}
    return orjson.dumps(event | (facts or {"text": "This is a test: your webhook works."}))


def event_of(delivery: WebhookDelivery) -> str:
    return "run.ended" if delivery.run_id else "test"


def headers(delivery: WebhookDelivery, body: bytes, key: str) -> dict[str, str]:
    """Who sends what; signed if there is a key, by HMAC-SHA-256 of the body."""
    found = {"User-Agent": "Token-Burn", EVENT: event_of(delivery), DELIVERY: str(delivery.uid)}
    if key:
        found[SIGNATURE] = "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    return found


def run_facts(run: Run) -> dict[str, Any]:
    """What became of the run, for machines."""
    report: Mapping[str, Any] = run.report or {}
    slot = getattr(run, "slot", None)
    return {
        "run": {
            "id": run.pk,
            "name": run.name,
            "plan": run.plan.name if run.plan else None,
            "target": run.target_spec.get("name"),
            "status": run.status,
            "end_code": run.end_code,
            "reason": plain_reason(run.end_code, run.reason),
            "load": run.load,
            "created_at": _iso(run.created_at),
            "started_at": _iso(run.start_at),
            "ended_at": _iso(run.ended_at),
            "duration_s": report.get("run", {}).get("duration_s"),
        },
        "ok": not is_bad((run.status, report.get("thresholds"), _reasons(report))),
        "schedule": {"name": str(slot.schedule), "slot_at": _iso(slot.slot_at)} if slot else None,
        "verdict": {"trusted": report.get("verdict", {}).get("trusted"), "reasons": _reasons(report)},
        "thresholds": report.get("thresholds", []),
        "turns": report.get("turns", {}),
        "errors": report.get("errors", {}),
        "session_errors": report.get("session_errors", {}),
        "metrics": {name: report["metrics"][name] for name in METRICS if name in report.get("metrics", {})},
        "links": links(run),
    }


def links(run: Run) -> dict[str, str]:
    """Addresses of its pages; without TOKENBURN_SITE_URL only their paths."""
    site = settings.SITE_URL.rstrip("/")
    pages = {"report": "runs:report", "live": "runs:live", "json": "runs:report-json"}
    return {name: site + reverse(view, args=[run.pk]) for name, view in pages.items()}


def slack(facts: Mapping[str, Any]) -> dict[str, Any]:
    """A message with a line for notifications and a block of details. No facts: a test."""
    if not facts:
        return {"text": "Token-Burn: this is a test, your webhook works."}
    run = facts["run"]
    sign = ":white_check_mark:" if facts["ok"] and run["status"] == RunStatus.COMPLETED else ":warning:"
    text = f"{sign} Run {run['id']} of {run['name']}: {run['status']}"
    missed = [row["expr"] for row in facts["thresholds"] if row.get("passed") is False]
    silence = of_reasons(facts["verdict"]["reasons"])
    lines = [
        f"*{_escaped(text)}*",
        *([_escaped(run["reason"])] if run["reason"] else []),
        *([f"Missed: {_escaped(', '.join(missed))}"] if missed else []),
        *([f"The target stopped answering: {_escaped(silence[0].lower() + silence[1:])}"] if silence else []),
        f"Target {_escaped(str(run['target']))}; {_turns(facts['turns'])}; verdict: {_verdict(facts['verdict'])}",
        *([_quantiles(facts["metrics"])] if facts["metrics"] else []),
        *([f"Schedule {_escaped(facts['schedule']['name'])}"] if facts["schedule"] else []),
    ]
    if (report := facts["links"]["report"]).startswith("http"):
        lines.append(f"<{report}|Report>")
    block = {"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(lines)[:SLACK_CHARS], "verbatim": True}}
    return {"text": _escaped(text), "blocks": [block]}


def _verdict(verdict: Mapping[str, Any]) -> str:
    """The word that the report has for it; none without a report."""
    if verdict["trusted"] is None:
        return "none"
    head = verdict_words({"trusted": verdict["trusted"], "reasons": verdict["reasons"], "notes": []}).head
    return f"{head[0].lower()}{head[1:]}"


def _turns(turns: Mapping[str, int]) -> str:
    bad = ", ".join(f"{number(count)} {word}" for word, count in turns.items() if word not in {"sent", "ok"} and count)
    return f"{number(turns.get('ok', 0))} of {counted(turns.get('sent', 0), 'turn')} ok" + (f" ({bad})" if bad else "")


def _quantiles(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    shown = (
        f"{name} p50 {number(stats.get('p50'))}, p95 {number(stats.get('p95'))}" for name, stats in metrics.items()
    )
    return "; ".join(shown)


def _reasons(report: Mapping[str, Any]) -> list[Any]:
    reasons: list[Any] = report.get("verdict", {}).get("reasons", [])
    return reasons


def _escaped(text: str) -> str:
    """On one line, and with what Slack asks to be escaped."""
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _iso(moment: Any) -> str | None:
    return moment.isoformat() if moment else None
