"""Estimates for people: of a plan or of the parts of a run, with what is known of the target from its last run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.spec import SpecError, TargetSpec
from metrics.words import number
from runs.engine.budget import check_prices
from runs.engine.groups import own_model
from runs.engine.spec import Load, parse_load
from runs.estimate import UNKNOWN, Assumption, Estimate, estimate_run, known_answers
from runs.models import Run, RunStatus, TestPlan
from runs.services import RequestError
from scenarios.render import check_scenario
from scenarios.spec import ScenarioError, ScenarioSpec
from targets.services import target_spec

ENOUGH_TURNS = 20
"""Good turns from which on a run says how the target answers."""
LOOKED_AT = 20


def estimate_plan(plan: TestPlan) -> Estimate:
    """What a run of it would come to. Raises RequestError: target_invalid, load_invalid, scenario_invalid."""
    try:
        spec = target_spec(plan.target)
    except SpecError as exc:
        raise RequestError("target_invalid", str(exc)) from exc
    parts = plan.mix.select_related("scenario").order_by("pk")
    try:
        mix = [(part.weight, check_scenario(part.scenario.spec)) for part in parts]
        load = parse_load(plan.load)
    except ScenarioError as exc:
        raise RequestError("scenario_invalid", str(exc)) from exc
    except SpecError as exc:
        raise RequestError("load_invalid", str(exc)) from exc
    if not mix:
        raise RequestError("scenario_invalid", "there is no scenario: give at least one")
    return estimate_parts(spec, mix, load, seed=plan.seed)


def estimate_parts(
    target: TargetSpec, scenarios: Sequence[tuple[float, ScenarioSpec]], load: Load, *, seed: int | None = None
) -> Estimate:
    """The same of a run without a plan. Raises RequestError: load_invalid, scenario_invalid."""
    try:
        check_prices(load.budget, load.people.models or (own_model(target.params),))
        return estimate_run(target, scenarios, load, seed=seed or 1, assumption=last_answers(target))
    except SpecError as exc:
        raise RequestError("load_invalid", str(exc)) from exc
    except ScenarioError as exc:
        raise RequestError("scenario_invalid", str(exc)) from exc


def last_answers(target: TargetSpec) -> Assumption | None:
    """How the target answered in its last run with the same params that says enough; None if there is none."""
    runs = Run.objects.filter(target_spec__url=target.url, status__in=[RunStatus.COMPLETED, RunStatus.STOPPED])
    for run in runs.order_by("-pk").only("pk", "start_at", "report", "target_spec")[:LOOKED_AT]:
        report: dict[str, Any] = run.report or {}
        answered = report.get("turns", {}).get("ok", 0)
        if run.target_spec.get("params") != target.frozen_dict()["params"] or answered < ENOUGH_TURNS:
            continue
        seconds = report["metrics"]["e2e_ms"]["mean"] / 1000
        per_s, lasted_s = report["rates"]["output_tokens_per_s"] or 0.0, report["run"]["duration_s"]
        told = report["tokens"]
        is_known = told.get("output_source", told["source"]) != "none"  # a report of before has one for both sides
        tokens = per_s * lasted_s / answered if is_known else UNKNOWN.likely.tokens
        return known_answers(seconds, tokens, f"as in run {run.pk}")
    return None


def estimate_lines(found: dict[str, Any]) -> list[str]:
    """`Estimate.data()` for people, a line each: the amounts with their range, then what was assumed."""
    names = ("conversations", "turns", "tokens_in", "tokens_out", "money", "duration_s")
    lines = [_line(name, found[name]) for name in names if found[name] is not None]
    if found["ended_by"]["likely"]:
        lines.append(f"it ends by its budget of {found['ended_by']['likely']}")
    return [*lines, *(f"assumed: {text}" for text in found["assumptions"])]


def _line(name: str, three: dict[str, float]) -> str:
    least, most = number(_rounded(min(three.values()))), number(_rounded(max(three.values())))
    label = {"duration_s": "seconds"}.get(name, name.replace("_", " "))
    return f"{label}: about {number(_rounded(three['likely']))}" + (f" ({least} to {most})" if least != most else "")


def _rounded(value: float) -> float:
    """Three significant digits: an estimate has no more."""
    return float(f"{value:.3g}") if isinstance(value, float) else int(float(f"{value:.3g}"))


def estimate_line(found: dict[str, Any]) -> str:
    """The same in one line, without what was assumed."""
    return ", ".join(_line(name, found[name]) for name in ("turns", "tokens_in", "tokens_out", "money") if found[name])
