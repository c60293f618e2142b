"""What admin, API, schedule and command line call: request a run, stop it. No other place starts or stops one.

A load is changed while it goes on next door, in `runs.steering`.

The farm's side of a run is next door: `runs.leases` (claim to finish of a shard), `runs.reaper`, `runs.finalize`.
Their functions are named here too, so that one import shows the whole way of a run.
"""

from __future__ import annotations

import secrets as random_secrets
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction
from django.db.models import Q

from connectors.spec import SpecError, TargetSpec, parse_target_spec
from metrics.thresholds import ThresholdError, check_choices, highest_limit_s, longest_wait_s, parse_all
from runs import dispatch, live
from runs.casting import ModelsUnavailableError, cast
from runs.dbclock import DbNow
from runs.engine.budget import check_prices
from runs.engine.groups import Group, groups_of, own_model
from runs.engine.search import conditions_of
from runs.engine.spec import Load, ShardSpec, WeightedScenario, parse_load
from runs.finalize import finalize_run
from runs.leases import READY_WITHIN_LOCAL_S, READY_WITHIN_S, claim_shard, finish_shard, renew_lease
from runs.lifecycle import RUN_STOPPABLE, move_run, move_shards
from runs.models import Run, RunStatus, Shard, ShardStatus, TestPlan
from runs.outcome import aborts
from runs.planner import check_shares
from runs.reaper import reap_lost
from runs.regions import regions_problem, shard_regions
from runs.rows import used_once, within_rows
from runs.slots import shortage
from runs.steering import change_load
from runs.witness import worth_while
from scenarios.render import check_scenario
from scenarios.spec import ScenarioError, ScenarioSpec
from targets.secrets import SecretsError
from targets.services import target_spec

__all__ = [
    "RequestError",
    "abort_run",
    "change_load",
    "claim_shard",
    "finalize_run",
    "finish_shard",
    "reap_lost",
    "renew_lease",
    "request_adhoc_run",
    "request_run",
    "shard_spec",
    "stop_run",
]


SEED_BITS = 53  # what JSON readers with float numbers still read exactly


class RequestError(ValueError):
    """A run that cannot be started as asked. `code` names the part; the message says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _How(NamedTuple):
    """How a run is carried out, whatever it asks."""

    seed: int | None
    processes: int
    witness: bool
    regions: Sequence[str] = ()
    abort_on_fail: bool = False


class _Frozen(NamedTuple):
    """The validated parts of a run."""

    name: str
    target: TargetSpec
    secrets: Mapping[str, str]
    scenarios: Sequence[tuple[float, ScenarioSpec]]
    load: Load
    thresholds: list[str]
    abort_on_fail: bool
    seed: int
    regions: Sequence[str]
    """Of each shard; empty: anywhere."""
    witness: bool


def request_run(plan: TestPlan, user: AbstractBaseUser | AnonymousUser | None = None, local: bool = False) -> Run:
    """Freeze `plan` into a queued Run with its shards; engines start after the commit (unless `local`).

    Raises RequestError: target_invalid, secrets_unreadable, scenario_invalid, load_invalid, models_unavailable,
    threshold_invalid, regions_invalid, slots_missing.
    """
    try:
        spec, values = target_spec(plan.target), plan.target.get_secrets()
    except SpecError as exc:
        raise RequestError("target_invalid", str(exc)) from exc
    except SecretsError as exc:
        raise RequestError("secrets_unreadable", f"target {plan.target.name!r}: {exc}") from exc
    mix = [(part.weight, part.scenario.spec) for part in plan.mix.select_related("scenario").order_by("pk")]
    how = _How(plan.seed, plan.processes, plan.witness, plan.regions, plan.abort_on_fail)
    return _create(
        _freeze(plan.name, spec, values, mix, plan.load, plan.thresholds, how),
        plan=plan,
        user=user,
        local=local,
    )


def request_adhoc_run(  # noqa: PLR0913  the parts of a run, each by its keyword
    *,
    target: TargetSpec,
    scenarios: Iterable[tuple[float, ScenarioSpec | Mapping[str, Any]]],
    load: Load | Mapping[str, Any],
    thresholds: Sequence[str] = (),
    abort_on_fail: bool = False,
    seed: int | None = None,
    processes: int = 1,
    regions: Sequence[str] = (),
    witness: bool = True,
    name: str = "",
    local: bool = False,
    user: AbstractBaseUser | AnonymousUser | None = None,
    uid: UUID | None = None,
) -> Run:
    """The same without a plan, from parts: `target` with its secrets, (weight, scenario) pairs, a load. `uid`: the
    run's, where somebody has to know it before (`runs.orphans`).

    Raises RequestError as `request_run` does.
    """
    values = {key: value.get_secret_value() for key, value in target.secrets.items()}
    how = _How(seed, processes, witness, regions, abort_on_fail)
    frozen = _freeze(name, target, values, scenarios, load, thresholds, how)
    return _create(frozen, plan=None, user=user, local=local, uid=uid)


def _freeze(
    name: str,
    target: TargetSpec,
    values: Mapping[str, str],
    mix: Iterable[tuple[float, ScenarioSpec | Mapping[str, Any]]],
    load: Load | Mapping[str, Any],
    thresholds: Sequence[str],
    how: _How,
) -> _Frozen:
    parsed = [(weight, _scenario(spec)) for weight, spec in mix]
    if not parsed:
        raise RequestError("scenario_invalid", "there is no scenario: give at least one, or a prompt")
    try:
        profile = cast(load if isinstance(load, Load) else parse_load(load), target, values)
        check_shares(profile, how.processes)
        check_prices(profile.budget, profile.people.models or (own_model(target.params),))
    except SpecError as exc:
        raise RequestError("load_invalid", str(exc)) from exc
    except ModelsUnavailableError as exc:
        raise RequestError("models_unavailable", str(exc)) from exc
    groups = groups_of([spec for _, spec in parsed], profile.people, own_model(target.params))
    _check_thresholds([*thresholds, *conditions_of(profile)], groups)
    if how.abort_on_fail and not thresholds:
        raise RequestError("threshold_invalid", "to abort on a missed threshold, give at least one threshold")
    if problem := regions_problem(how.regions, how.processes):
        raise RequestError("regions_invalid", problem)
    seed = random_secrets.randbits(SEED_BITS) if how.seed is None else how.seed
    try:
        profile = within_rows(profile, parsed, seed, how.processes)
    except SpecError as exc:
        raise RequestError("scenario_invalid", str(exc)) from exc
    witness = how.witness and worth_while(profile) and not used_once(parsed)  # it would use a row a second time
    name = name or f"{target.name}: {parsed[0][1].name}"
    asked = (list(thresholds), how.abort_on_fail)
    regions = shard_regions(how.regions, how.processes)
    return _Frozen(name[:200], target, values, parsed, profile, *asked, seed, regions, witness)


def _check_thresholds(texts: Sequence[str], groups: Sequence[Group]) -> None:
    """Raises RequestError for one that does not parse, or that asks for what the run does not have."""
    try:
        check_choices(parse_all(texts), groups)
    except ThresholdError as exc:
        raise RequestError("threshold_invalid", str(exc)) from exc


def _scenario(spec: ScenarioSpec | Mapping[str, Any]) -> ScenarioSpec:
    if isinstance(spec, ScenarioSpec):
        return spec
    try:
        return check_scenario(spec)
    except ScenarioError as exc:
        raise RequestError("scenario_invalid", str(exc)) from exc


def _create(
    parts: _Frozen,
    *,
    plan: TestPlan | None,
    user: AbstractBaseUser | AnonymousUser | None,
    local: bool,
    uid: UUID | None = None,
) -> Run:
    if local and any(parts.regions):
        raise RequestError(
            "regions_invalid", "a run on this machine alone has no regions: leave them out, or use workers"
        )
    if not local and (short := shortage(parts.regions)):
        raise RequestError("slots_missing", short)
    run = Run(
        uid=uid or uuid4(),
        plan=plan,
        name=parts.name,
        target_spec=parts.target.frozen_dict(),
        scenario_specs=[{"weight": w, "scenario": s.model_dump(mode="json")} for w, s in parts.scenarios],
        load=parts.load.model_dump(mode="json"),
        thresholds=parts.thresholds,
        abort_on_fail=parts.abort_on_fail,
        seed=parts.seed,
        with_witness=parts.witness,
        local=local,
        version=settings.VERSION,
        requested_by_id=user.pk if user is not None and user.is_authenticated else None,
    )
    run.set_secrets(dict(parts.secrets))
    with transaction.atomic():
        run.save(force_insert=True)
        ready_within_s = READY_WITHIN_LOCAL_S if local else READY_WITHIN_S
        Run.objects.filter(pk=run.pk).update(ready_by=DbNow(ready_within_s))
        shards = [Shard(run=run, index=index, region=region) for index, region in enumerate(parts.regions)]
        Shard.objects.bulk_create(shards)
        if not local:
            transaction.on_commit(partial(dispatch.nudge, run.pk))
    run.refresh_from_db()
    return run


def stop_run(run: Run | int, reason: str = "stopped on request") -> bool:
    """Ask a run to stop: engines send nothing new within about 2 s. False if it was stopping or over already.

    Shards that nobody has claimed end here; the others are ended by their supervisors.
    """
    run_id = run if isinstance(run, int) else run.pk
    with transaction.atomic():
        moved = move_run(run_id, RunStatus.STOPPING, reason=reason[:1000], stop_requested_at=DbNow())
        if moved:
            move_shards(Q(run_id=run_id, status=ShardStatus.QUEUED), ShardStatus.STOPPED, reason=reason[:1000])
    if moved:
        live.publish_status(run_id, RunStatus.STOPPING, reason)
        finalize_run(run_id)
    return moved


def abort_run(run: Run | int, reason: str) -> bool:
    """Stop a run because of what its target does: it becomes `aborted`. `reason` begins as in `runs.outcome.ABORTING`.

    False if it was stopping or over already.
    """
    if not aborts(reason):
        raise ValueError(f"{reason!r} is no reason to abort a run: see runs.outcome.ABORTING")
    return stop_run(run, reason)


def can_stop(run: Run) -> bool:
    """Whether `stop_run` would do anything now."""
    return run.status in RUN_STOPPABLE


def shard_spec(shard: Shard) -> ShardSpec:
    """The engine's order, secrets included: it goes to the engine's stdin and nowhere else.

    Raises `targets.secrets.SecretsError` if the run's secrets cannot be opened on this host.
    """
    run = shard.run
    thresholds = parse_all(run.thresholds)
    return ShardSpec(
        run_id=run.pk,
        shard_id=shard.pk,
        index=shard.index,
        of=run.shards.count(),
        seed=run.seed,
        id_base=shard.pk << 32,
        ledger_path=shard.ledger_path,
        target=parse_target_spec(run.target_spec | {"secrets": run.get_secrets()}),
        scenarios=tuple(WeightedScenario.model_validate(part) for part in run.scenario_specs),
        load=parse_load(run.load),
        allow_private=settings.ALLOW_PRIVATE,
        connectors=settings.CONNECTORS,
        source_addresses=settings.SOURCE_ADDRESSES,
        record_chars=settings.RECORD_CHARS,
        answer_within_s=longest_wait_s(thresholds),
        thresholds_wait_s=highest_limit_s(thresholds),
    )
