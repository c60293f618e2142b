"""Estimates of a plan or of the parts of a run, using the target's last run."""

from __future__ import annotations

from typing import Any

from connectors.spec import TargetSpec
from metrics.analysis.spending import source_of
from metrics.number_format import load_s_of, number
from policy.limits import User
from runs.models import Run, RunStatus, TestPlan
from runs.planning.errors import RequestError
from runs.planning.estimate import UNKNOWN, Assumption, Estimate, estimate_run, known_answers
from runs.planning.run_request import RunRequest, plan_request
from scenarios.definition.spec import ScenarioError

ENOUGH_TURNS = 20
"""Minimum number of good turns of a run whose answers serve for an estimate."""
LOOKED_AT = 20
ANSWERED_BY = (
    *("protocol", "request", "then", "standing", "response", "greeting"),
    *("hello", "before", "auto_replies", "reply_to", "params", "tool_results"),
)
"""Parts of a target that decide how it answers."""


def estimate_plan(plan: TestPlan, user: User = None) -> Estimate:
    """The estimate for a run of the plan by `user`. Raises RequestError, as a run would."""
    return estimate_request(plan_request(plan, user))


def estimate_request(request: RunRequest) -> Estimate:
    """The estimate for a run without a plan. Raises RequestError."""
    valid = request.validate()
    try:
        seed, assumption = request.seed or 1, last_answers(valid.target)
        return estimate_run(valid.target, valid.scenarios, valid.load, seed=seed, assumption=assumption)
    except ScenarioError as exc:
        raise RequestError("scenario_invalid", str(exc)) from exc


def last_answers(target: TargetSpec) -> Assumption | None:
    """The target's answers in its last suitable run that asked in the same way; None if there is none."""
    frozen = target.frozen_dict()
    runs = Run.objects.filter(target_spec__url=target.url, status__in=[RunStatus.COMPLETED, RunStatus.STOPPED])
    for run in runs.order_by("-pk").only("pk", "start_at", "report", "target_spec")[:LOOKED_AT]:
        report = run.report
        if report is None or not _asked_alike(run.target_spec, frozen):
            continue
        if (answered := report["turns"]["ok"]) < ENOUGH_TURNS:
            continue
        seconds = (report["metrics"]["e2e_ms"]["mean"] or 0.0) / 1000
        per_s, lasted_s = report["rates"]["output_tokens_per_s"] or 0.0, load_s_of(report["run"])
        is_known = source_of(report["tokens"], "output") != "none"
        tokens = per_s * lasted_s / answered if is_known else UNKNOWN.likely.tokens
        return known_answers(seconds, tokens, f"as in run {run.pk}")
    return None


def _asked_alike(stored: dict[str, Any], frozen: dict[str, Any]) -> bool:
    """Runs of earlier versions lack fields that are empty mostly."""
    return all((stored.get(name) or None) == (frozen[name] or None) for name in ANSWERED_BY)


def estimate_lines(found: dict[str, Any]) -> list[str]:
    """`Estimate.data()` as text: one line per amount with its range, then the assumptions."""
    names = ("conversations", "turns", "tokens_in", "tokens_out", "cost", "duration_s")
    lines = [_line(name, found[name]) for name in names if found[name] is not None]
    if found["ended_by"]["likely"]:
        lines.append(f"the budget's limit on {found['ended_by']['likely']} ends it")
    return [*lines, *(f"assumed: {text}" for text in found["assumptions"])]


def _line(name: str, three: dict[str, float]) -> str:
    least, most = number(_rounded(min(three.values()))), number(_rounded(max(three.values())))
    label = "seconds" if name == "duration_s" else name.replace("_", " ")
    return f"{label}: about {number(_rounded(three['likely']))}" + (f" ({least} to {most})" if least != most else "")


def _rounded(value: float) -> float:
    """Three significant digits, because an estimate is not more precise."""
    return float(f"{value:.3g}") if isinstance(value, float) else int(float(f"{value:.3g}"))


def estimate_line(found: dict[str, Any]) -> str:
    """The same in one line, without the assumptions."""
    return ", ".join(_line(name, found[name]) for name in ("turns", "tokens_in", "tokens_out", "cost") if found[name])
