"""Conditions other than thresholds that fail a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from metrics.report_schema import RunReport

_HEAD: Final = "stopped_answering: "


def stopped_answering(report: RunReport | None) -> str:
    """How the target of this report stopped answering before the load ended, and never came back; empty: it did not. In
    a closed loop each user sends only one more message to a target that hangs, so the error rate does not show it."""
    verdict = report.get("verdict") if report else None
    return of_reasons(verdict.get("reasons") or ()) if verdict else ""


def of_reasons(reasons: Iterable[object]) -> str:
    """The same, of the reasons of a report's verdict."""
    return next((str(reason).removeprefix(_HEAD) for reason in reasons if str(reason).startswith(_HEAD)), "")
