"""Requests and stops runs, for admin, API, schedule and command line. No other code starts or stops one.

A load is changed while it goes on next door, in `runs.lifecycle.load_changes`.

The farm's side of a run is next door: `runs.workers.leases` (claim to finish of a shard), `runs.completion.reaper`,
`runs.completion.finalize`.
Their functions are named here too, so that one import shows the whole way of a run.
"""

from __future__ import annotations

import secrets as random_secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from audit.origin import current
from audit.services import record
from connectors.spec import TargetSpec
from metrics.end_codes import TARGET_ENDS, Cause, EndCode
from policy.limits import Limits, SiteLimits, User, limits_for, site_limits_for
from policy.lock import one_at_a_time
from runs import live_stream
from runs.completion.finalize import finalize_run
from runs.completion.reaper import reap_lost
from runs.db_clock import DbNow
from runs.lifecycle.load_changes import change_load
from runs.lifecycle.quota import Use, check_room, reserve_use
from runs.lifecycle.transitions import RUN_STOPPABLE, move_run, move_shards
from runs.load.profile import Load
from runs.load.witness_rule import witness_is_useful
from runs.models import Run, RunStatus, Shard, ShardStatus, TestPlan
from runs.planning.credentials import check_credential
from runs.planning.data_limits import used_once
from runs.planning.engine_order import shard_spec
from runs.planning.errors import RequestError
from runs.planning.models_from_target import load_with_models
from runs.planning.permission import ask_approval, needed_approval, permitted, refusals_recorded, refuse_if_closed
from runs.planning.reserve import reserve
from runs.planning.run_request import RunRequest, plan_request
from runs.workers import dispatch
from runs.workers.availability import shortage
from runs.workers.leases import READY_WITHIN_LOCAL_S, READY_WITHIN_S, claim_shard, finish_shard, renew_lease
from runs.workers.regions import shard_regions
from scenarios.definition.spec import ScenarioSpec
from sealing.secrets import SecretsError
from targets.binding import note_use
from targets.models import Credential

__all__ = [
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


SEED_BITS = 53  # the largest integer that JSON readers with float numbers read exactly


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
    use: Use
    limits: Limits
    site: SiteLimits


def request_run(plan: TestPlan, user: User = None, local: bool = False) -> Run:
    """Freeze `plan` into a queued Run with its shards; engines start after the commit (unless `local`).

    `user` is who asks, and must be allowed to use the target's credential if it has one; None: nobody, who may use
    none. Raises RequestError: target_invalid, secrets_unreadable, credential_refused, scenario_invalid, load_invalid,
    models_unavailable, threshold_invalid, regions_invalid, slots_missing, closed, target_not_allowed, load_not_allowed,
    quota_used, approval_needed.
    """
    with refusals_recorded(user, plan):
        check_credential(plan.target, user)
        request, credential = plan_request(plan, user), plan.target.credential
        try:
            values = plan.target.get_secrets()
        except SecretsError as exc:
            raise RequestError("secrets_unreadable", f"target {plan.target.name!r}: {exc}") from exc
        if credential is not None and request.target is not None:
            request = replace(
                request, target=request.target.model_copy(update={"secret_origins": tuple(credential.origins)})
            )
        frozen = _freeze(request, values, site_limits_for(user), name=plan.name, witness=plan.witness)
        note_use(credential)
        return _create(frozen, plan=plan, user=user, local=local, credential=credential)


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
    user: User = None,
    uid: UUID | None = None,
) -> Run:
    """The same without a plan, from parts: `target` with its secrets, (weight, scenario) pairs, a load. `uid`: the
    run's, where somebody has to know it before (`runs.completion.orphans`).

    Raises RequestError as `request_run` does.
    """
    values = {key: value.get_secret_value() for key, value in target.secrets.items()}
    mix = list(scenarios)
    asked = (thresholds, abort_on_fail, processes, regions, seed)
    request = RunRequest(target, mix, load, *asked, limits=limits_for(user))
    with refusals_recorded(user):
        frozen = _freeze(request, values, site_limits_for(user), name=name, witness=witness)
        return _create(frozen, plan=None, user=user, local=local, uid=uid)


def _freeze(request: RunRequest, secrets: Mapping[str, str], site: SiteLimits, *, name: str, witness: bool) -> _Frozen:
    """Draws the seed and fetches the target's list of models if necessary. Raises RequestError."""
    refuse_if_closed()
    seed = random_secrets.randbits(SEED_BITS) if request.seed is None else request.seed
    request = replace(request, seed=seed, limits=request.granted)
    valid = request.validate()
    if valid.load.user_profile.models_from_target:
        load = load_with_models(valid.load, valid.target, secrets)
        valid = replace(request, scenarios=valid.scenarios, load=load).validate()
    target, mix, asked = valid
    limits, processes = request.granted, request.processes or 1
    load, use = permitted(lambda: reserve(target, mix, asked, seed, limits, site))
    return _Frozen(
        (name or f"{target.name}: {mix[0][1].name}")[:200],
        target,
        secrets,
        mix,
        load,
        list(request.thresholds),
        request.abort_on_fail,
        seed,
        shard_regions(request.regions, processes),
        witness and witness_is_useful(load) and not used_once(mix),  # it would use a row a second time
        use,
        limits,
        site,
    )


def _create(
    parts: _Frozen,
    *,
    plan: TestPlan | None,
    user: User,
    local: bool,
    uid: UUID | None = None,
    credential: Credential | None = None,
) -> Run:
    if local and any(parts.regions):
        raise RequestError(
            "regions_invalid", "a run on this machine alone has no regions: leave them out, or use workers"
        )
    if not local and (short := shortage(parts.regions)):
        raise RequestError("slots_missing", short)
    why = needed_approval(parts.load, parts.limits, local=local)
    run = _row(parts, local=local)
    run.uid, run.plan, run.credential = uid or uuid4(), plan, credential
    run.requested_by_id = user.pk if user is not None and user.is_authenticated else None
    run.set_secrets(dict(parts.secrets))
    with one_at_a_time():
        refuse_if_closed()  # again: it may have been switched on since
        permitted(lambda: check_room(parts.use, run.requested_by_id, parts.limits, parts.site))
        run.save(force_insert=True)
        reserve_use(run, parts.use)
        if why:
            ask_approval(run, why)
        ready_within_s = READY_WITHIN_LOCAL_S if local else READY_WITHIN_S
        Run.objects.filter(pk=run.pk).update(ready_by=DbNow(ready_within_s))
        shards = [Shard(run=run, index=index, region=region) for index, region in enumerate(parts.regions)]
        Shard.objects.bulk_create(shards)
        record("run.start", user=user, on=run, details={"plan": plan.pk if plan else None, "target": parts.target.name})
        if not (local or why):
            transaction.on_commit(partial(dispatch.nudge, run.pk))
    run.refresh_from_db()
    return run


def _row(parts: _Frozen, *, local: bool) -> Run:
    """The frozen parts as a row that is not stored yet."""
    return Run(
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
        secret_origins=parts.target.secret_origins,
    )


def stop_run(
    run: Run | int,
    reason: str = "stopped on request",
    code: EndCode = EndCode.STOPPED,
    also: Callable[[int], object] = lambda _: None,
) -> bool:
    """Ask a run to stop: engines send nothing new after about 2 s. False if it was already stopping or terminal.

    Shards that nobody has claimed end here; the others are ended by their supervisors. `also`: what has to be written
    if and only if this call stopped it; if it raises, the run goes on.
    """
    run_id = run if isinstance(run, int) else run.pk
    with transaction.atomic():
        moved = move_run(run_id, RunStatus.STOPPING, end_code=code, reason=reason[:1000], stop_requested_at=DbNow())
        if moved:
            also(run_id)
            unclaimed = Q(run_id=run_id, status=ShardStatus.QUEUED)
            move_shards(unclaimed, ShardStatus.STOPPED, end_code=EndCode.STOPPED, reason=reason[:1000])
            if current() is not None:  # else the site itself stops it, and the run says why
                record("run.stop", on=("run", run_id, f"Run {run_id}"))
    if moved:
        live_stream.publish_status(run_id, RunStatus.STOPPING, reason)
        finalize_run(run_id)
    return moved


def abort_run(run: Run | int, cause: Cause) -> bool:
    """Stop a run because of the target's behaviour: it becomes `aborted`. The cause's code must be one of TARGET_ENDS.
    Returns False if the run was already stopping or over."""
    if cause.code not in TARGET_ENDS:
        raise ValueError(f"{cause.code} does not abort a run: see metrics.end_codes.TARGET_ENDS")
    return stop_run(run, cause.reason, cause.code)


def can_stop(run: Run) -> bool:
    """Whether `stop_run` would do anything now."""
    return run.status in RUN_STOPPABLE
