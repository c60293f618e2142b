"""Reports that an earlier version stored, as today's readers expect them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from metrics.earlier_names import BUDGET, RATES, SESSIONS, present_code
from metrics.end_codes import end_code_of
from metrics.report_schema import RunReport

_PATIENCE: Final = {"doubled": "hedged"}
_WHOLE: Final = {"uncounted_turns": "excluded_turns"}
_ENDED_BY: Final = {**BUDGET, "only_errors": "no_success"}


def present_report(report: Mapping[str, Any]) -> RunReport:
    """The report with today's keys beside earlier ones, which stay until 1.0. `run.end_code` is None where nothing says
    how the run ended."""
    found = _with_names(report, _WHOLE)
    run = report["run"]
    found["run"] = {"end_code": end_code_of("", run.get("reason") or "") or None, **run}
    found |= _figures(report)
    for part in ("groups", "models"):
        found |= {part: [{**each, **_figures(each)} for each in report[part]]} if report.get(part) else {}
    found |= dict(_parts(report))
    return cast("RunReport", found)


def _figures(part: Mapping[str, Any]) -> dict[str, Any]:
    """Sessions and rates of the whole run, a group or a model."""
    names = {"sessions": SESSIONS, "rates": RATES}
    return {name: _with_names(part[name], renamed) for name, renamed in names.items() if part.get(name)}


def _parts(report: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if errors := report.get("errors"):
        yield "errors", {present_code(code): number for code, number in errors.items()}
    if patience := report.get("patience"):
        yield "patience", _with_names(patience, _PATIENCE)
    if budget := report.get("budget"):
        ended_by = budget.get("ended_by")
        yield "budget", {**_with_names(budget, BUDGET), "ended_by": _ENDED_BY.get(ended_by, ended_by)}
    if cost := report.get("cost"):
        yield "cost", {**cost, "by_model": [_with_names(each, BUDGET) for each in cost.get("by_model", ())]}


def _with_names(part: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {**{new: part[old] for old, new in names.items() if old in part}, **part}
