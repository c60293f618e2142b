"""ShardSpec, the order that an engine process receives on stdin. Frozen."""

from __future__ import annotations

from pydantic import Field

from connectors.security.guard import AllowPrivate
from connectors.spec import Frozen, TargetSpec
from runs.load.profile import LoadProfile
from scenarios.definition.spec import ScenarioSpec


class WeightedScenario(Frozen):
    weight: float = Field(1.0, gt=0)
    scenario: ScenarioSpec


class ShardSpec(Frozen):
    """One engine's whole order: share `index` of `of`.

    `id_base` is added to the engine's own counters, so that a session or turn has one id everywhere:
    id = id_base + number, id_base = shard id * 2**32.
    """

    run_id: int
    shard_id: int
    index: int = Field(ge=0)
    of: int = Field(ge=1)
    seed: int
    id_base: int
    ledger_path: str
    target: TargetSpec
    scenarios: tuple[WeightedScenario, ...] = Field(min_length=1)
    load: LoadProfile
    record_chars: int = Field(4000, ge=0)
    """Characters of each message and answer that the ledger keeps."""
    allow_private: AllowPrivate = True
    """Which private and loopback addresses may be dialled (see `connectors.security.guard`)."""
    connectors: dict[str, str] = Field(default_factory=dict)
    """Connectors of the user's own: protocol and `module:Class`."""
    answer_within_s: float | None = Field(None, gt=0)
    """The longest wait that the run's thresholds allow any turn; None: they do not say."""
    thresholds_wait_s: float = Field(0.0, ge=0)
    """The highest limit of the run's thresholds on the time until a whole answer; 0: they have none."""
    source_addresses: tuple[str, ...] = ()
    """Of this host: connections leave from them in turn (see `connectors.wire.transport.sources`)."""
