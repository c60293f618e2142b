"""What a supervisor tells its engine: the frozen run, and whether it may start at all."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from connectors.spec import parse_target_spec
from metrics.analysis.threshold_checks import highest_limit_s, longest_wait_s
from metrics.analysis.thresholds import parse_all
from runs.engine.core.shard_spec import ShardSpec, WeightedScenario
from runs.load.profile import parse_load
from runs.models import Run, Shard
from runs.planning.credentials import check_credential_of_run
from runs.planning.still_permitted import check_policy_of_run


def shard_spec(shard: Shard) -> ShardSpec:
    """The engine's order, including secrets: it is only written to the engine's stdin. Raises
    `sealing.secrets.SecretsError` if the run's secrets cannot be decrypted on this host, and RequestError if the policy
    forbids the run by now, or if whoever asked for it may not use its credential any more."""
    run = shard.run
    check_policy_of_run(run)
    check_credential_of_run(run)
    thresholds = parse_all(run.thresholds)
    return ShardSpec(
        run_id=run.pk,
        shard_id=shard.pk,
        index=shard.index,
        of=run.shards.count(),
        seed=run.seed,
        id_base=shard.pk << 32,
        ledger_path=shard.ledger_path,
        target=parse_target_spec(run.target_spec | _apart(run)),
        scenarios=tuple(WeightedScenario.model_validate(part) for part in run.scenario_specs),
        load=parse_load(run.load),
        allow_private=settings.ALLOW_PRIVATE,
        connectors=settings.CONNECTORS,
        source_addresses=settings.SOURCE_ADDRESSES,
        record_chars=settings.RECORD_CHARS,
        answer_within_s=longest_wait_s(thresholds),
        thresholds_wait_s=highest_limit_s(thresholds),
    )


def _apart(run: Run) -> dict[str, Any]:
    """What a run's frozen target does not hold. Nowhere else than now: the credential may have lost an origin since."""
    origins = run.secret_origins
    if run.credential is not None and origins is not None:
        origins = [origin for origin in origins if origin in run.credential.origins]
    return {"secrets": run.get_secrets(), "secret_origins": origins}
