"""What somebody asks a run to be, and everything that can be wrong with it before anything is sent.

Admin, API, estimates, schedules and the command line all ask here, so that nothing can be saved that a run would refuse
for what stands in it. What only shows when a run is requested (the target's list of models, free slots) is asked then,
in `runs.services`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from connectors.security.guard import never_allowed
from connectors.spec import SpecError, TargetSpec
from metrics.analysis.threshold_checks import check_choices, check_limits
from metrics.analysis.thresholds import Threshold, ThresholdError, parse_all
from policy.limits import Limits, User, limits_for
from policy.targets import NotAllowedError, check_target
from runs.load.budget import check_prices
from runs.load.groups import groups_of, own_model
from runs.load.profile import ClosedLoad, Load, OpenLoad, TraceLoad, parse_load
from runs.load.search import conditions_of
from runs.load.shares import check_shares
from runs.models import TestPlan
from runs.planning.data_limits import cap_to_unique_rows
from runs.planning.errors import RequestError
from runs.planning.models_from_target import named_models
from runs.planning.within import within
from runs.workers.regions import regions_problem
from scenarios.definition.spec import ScenarioError, ScenarioSpec
from scenarios.render.before_run import sent_kinds
from scenarios.render.walk import check_scenario
from targets.models import Target
from targets.services import target_spec

LOAD_EXAMPLE: Final = 'give a JSON object, for example {"kind": "closed", "users": 50, "duration_s": 30}'
THRESHOLDS_EXAMPLE: Final = 'give a list of texts, for example ["ttft_ms.p95<500"]'
NOTHING_TO_MISS: Final = 'to abort on a missed threshold, give at least one threshold, for example ["error_rate<1%"]'
NO_TARGET: Final = "the target is no valid one: change it, or choose another"
NO_SCENARIO: Final = "there is no scenario: give at least one, or a prompt"
T = TypeVar("T")
Given = tuple[float, ScenarioSpec | Mapping[str, Any]]
Mix = list[tuple[float, ScenarioSpec]]


class ValidRun(NamedTuple):
    """The parsed parts. `load` is bounded by the rows of data that is used once, and by the policy."""

    target: TargetSpec
    scenarios: Mix
    load: Load


@dataclass(frozen=True)
class RunRequest:
    """None as `target` or `processes`: that part is wrong, and reported elsewhere. `limits`: what whoever asks may do;
    None: the default policy."""

    target: TargetSpec | None
    scenarios: Iterable[Given]
    load: Any
    thresholds: Any = ()
    abort_on_fail: bool = False
    processes: int | None = 1
    regions: Any = ()
    seed: int | None = None
    limits: Limits | None = None

    def validate(self) -> ValidRun:
        """Raises RequestError: target_invalid, scenario_invalid, load_invalid, threshold_invalid, processes_invalid,
        regions_invalid, target_not_allowed, load_not_allowed; its `field` names the part."""
        valid, problems = self._examine()
        if valid is None:
            raise problems[0] if problems else RequestError("target_invalid", NO_TARGET, "target")
        return valid

    def problems(self) -> dict[str, str]:
        """What is wrong, by field of a plan; empty: nothing."""
        found: dict[str, str] = {}
        for problem in self._examine()[1]:
            found.setdefault(problem.field, str(problem))
        return found

    def _examine(self) -> tuple[ValidRun | None, list[RequestError]]:
        check = _Check()
        check("target", "target_invalid", self._address)
        check("processes", "processes_invalid", self._some_process)
        mix = check("scenarios", "scenario_invalid", self._mix)
        load = check("load", "load_invalid", self._load)
        thresholds = check("thresholds", "threshold_invalid", self._thresholds)
        if load is not None:
            conditions = check("load", "threshold_invalid", partial(_conditions, load))
            for field, texts in (("thresholds", thresholds), ("load", conditions)):
                if mix is not None and texts is not None:
                    check(field, "threshold_invalid", partial(self._check_choices, texts, mix, load))
        if self.abort_on_fail and not self.thresholds:
            check.problems.append(RequestError("threshold_invalid", NOTHING_TO_MISS, "abort_on_fail"))
        if problem := regions_problem(self.regions, self._engines):
            check.problems.append(RequestError("regions_invalid", problem, "regions"))
        if mix is not None and self.target is not None:
            check("scenarios", "scenario_invalid", partial(_check_attachments, mix, self.target))
        if mix is not None and load is not None and not check.problems:
            load = check("scenarios", "scenario_invalid", partial(self._within_rows, load, mix))
        if load is not None and not check.problems:
            load = self._permitted(check, load)
        if self.target is None or mix is None or load is None or check.problems:
            return None, check.problems
        return ValidRun(self.target, mix, load), []

    @property
    def granted(self) -> Limits:
        """What whoever asks may do."""
        return limits_for(None) if self.limits is None else self.limits

    @property
    def _engines(self) -> int | None:
        """Their number, if it is one."""
        return self.processes if self.processes is not None and self.processes > 0 else None

    def _permitted(self, check: _Check, load: Load) -> Load | None:
        """The load within the policy; asked last, because what is wrong in itself needs no policy."""
        limits, target = self.granted, self.target
        if target is not None:
            check("target", "target_not_allowed", lambda: check_target(target, limits))
        return check("load", "load_not_allowed", lambda: within(load, limits))

    def _address(self) -> None:
        if self.target is not None and (refused := never_allowed(self.target.url)):
            raise SpecError(refused)

    def _some_process(self) -> None:
        if self.processes is not None and self.processes < 1:
            raise SpecError(f"{self.processes} is not a number of processes: give 1 or more")

    def _mix(self) -> Mix:
        given = list(self.scenarios)
        if not given:
            raise ScenarioError(NO_SCENARIO)
        return [(weight, _own_scenario(spec, alone=len(given) == 1)) for weight, spec in given]

    def _load(self) -> Load:
        if isinstance(self.load, ClosedLoad | OpenLoad | TraceLoad):
            load: Load = self.load
        elif isinstance(self.load, Mapping):
            load = parse_load(self.load)
        else:
            raise SpecError(LOAD_EXAMPLE)
        if self.target is not None:
            load = named_models(load, self.target)
        if self._engines is not None:
            check_shares(load, self._engines)
        if self.target is not None and not load.user_profile.models_from_target:
            check_prices(load.budget, load.user_profile.models or (own_model(self.target.params),))
        return load

    def _thresholds(self) -> list[Threshold]:
        given = self.thresholds
        if not isinstance(given, list | tuple) or not all(isinstance(text, str) for text in given):
            raise ThresholdError(THRESHOLDS_EXAMPLE)
        return _parsed(given)

    def _check_choices(self, thresholds: Sequence[Threshold], mix: Mix, load: Load) -> None:
        """Whether the run has the groups that the thresholds choose. Raises ThresholdError."""
        if self.target is not None and not load.user_profile.models_from_target:
            check_choices(
                thresholds, groups_of([spec for _, spec in mix], load.user_profile, own_model(self.target.params))
            )

    def _within_rows(self, load: Load, mix: Mix) -> Load:
        """If the seed is not drawn yet, the number of rows may differ by a few; it is checked again later."""
        return load if self.processes is None else cap_to_unique_rows(load, mix, self.seed or 0, self.processes)


def _own_scenario(spec: ScenarioSpec | Mapping[str, Any], *, alone: bool) -> ScenarioSpec:
    """Raises ScenarioError, which among several scenarios says whose error it is."""
    if isinstance(spec, ScenarioSpec):
        return spec
    try:
        return check_scenario(spec)
    except ScenarioError as exc:
        if alone:
            raise
        raise ScenarioError(f"scenario {str(spec.get('name', ''))[:60]!r}: {exc}") from exc


def _check_attachments(mix: Mix, target: TargetSpec) -> None:
    """Raises ScenarioError for what the target cannot be sent."""
    for _, spec in mix:
        sent = sent_kinds(spec)
        if sent and (problem := target.attachments_problem(sent)):
            raise ScenarioError(f"scenario {spec.name!r}: {problem}")


def _conditions(load: Load) -> list[Threshold]:
    """For a load with a search or a sweep. Raises ThresholdError."""
    return _parsed(conditions_of(load))


def _parsed(texts: Iterable[str]) -> list[Threshold]:
    """Raises ThresholdError."""
    found = parse_all(texts)
    check_limits(found)
    return found


class _Check:
    """Checks each part, and collects the errors."""

    def __init__(self) -> None:
        self.problems: list[RequestError] = []

    def __call__(self, field: str, code: str, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except (SpecError, ScenarioError, ThresholdError, NotAllowedError) as exc:
            problem = RequestError(code, str(exc), field)
            problem.__cause__ = exc
            self.problems.append(problem)
            return None


def stored_spec(target: Target) -> TargetSpec | None:
    """The spec of a stored target, for a plan that is about to be saved; None: the target is wrong, and reports it
    itself."""
    try:
        return target_spec(target)
    except SpecError:
        return None


def plan_request(plan: TestPlan, user: User = None) -> RunRequest:
    """The request of `user` for a run of the stored plan. Raises RequestError: target_invalid."""
    try:
        target = target_spec(plan.target)
    except SpecError as exc:
        raise RequestError("target_invalid", str(exc), "target") from exc
    asked = (plan.thresholds, plan.abort_on_fail, plan.processes, plan.regions, plan.seed)
    return RunRequest(target, plan.scenario_mix(), plan.load, *asked, limits=limits_for(user))
