"""Limits a load with `once` data to the available rows. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.spec import SpecError
from runs.load.draws.scenario_mix import conversations_with_rows
from runs.load.profile import Load
from runs.load.shares import check_shares
from scenarios.definition.data import rows_for_all
from scenarios.definition.spec import ScenarioSpec

Mix = Sequence[tuple[float, ScenarioSpec]]


def used_once(mix: Mix) -> bool:
    """Whether a scenario has data whose rows are used once."""
    return any(rows_for_all(spec.data) is not None for _, spec in mix)


def cap_to_unique_rows(load: Load, mix: Mix, seed: int, processes: int) -> Load:
    """The load, limited to as many conversations as there are rows. Raises SpecError if an engine would have none."""
    if not used_once(mix):
        return load
    at_most = [rows_for_all(spec.data) for _, spec in mix]
    try:
        number = conversations_with_rows(at_most, [weight for weight, _ in mix], seed, load.conversations)
        bounded: Load = load.model_copy(update={"conversations": number})
        check_shares(bounded, processes)
    except ValueError as exc:
        raise SpecError(f"data that is used once: {exc}") from exc
    return bounded
