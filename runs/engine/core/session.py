"""One conversation of the load: its scenario and its user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runs.load.draws.lazy_random import LazyRandom
from scenarios.render.walk import CompiledScenario


@dataclass(slots=True)
class Session:
    """A conversation: its id in the ledger, its scenario, and what templates may use."""

    id: int
    scenario: CompiledScenario
    rng: LazyRandom
    info: dict[str, Any]
    group: int = 0
    """Number of its group (see `runs.load.groups`)."""
    model: str = ""
    params: dict[str, Any] | None = None
    """What was drawn for it (see `runs.load.draws.sampling`): its model, and other params of its requests."""
    messages: int = 0
    """It ends after this many messages; 0: when the scenario ends."""
