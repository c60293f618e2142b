"""From Options to what is said: weighted scenarios, with the data that was given for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from scenarios.data import DataPool
from scenarios.importers import Sample, Wanted, attach, library_names, load_pool, load_scenario, prompt_scenario
from scenarios.render import check_scenario
from scenarios.spec import ScenarioError, ScenarioSpec
from scenarios.synthetic import synthetic_scenario
from tokenburn_site.burn.errors import BadUsage
from tokenburn_site.burn.options import Options
from tokenburn_site.burn.stored import stored_scenario

_WEIGHTED = re.compile(r"(.+)=(\d+(?:\.\d+)?)")


class Said(NamedTuple):
    """(weight, scenario) pairs; `notes` say what of the files was left out."""

    mix: list[tuple[float, ScenarioSpec]]
    notes: list[str]


def build_scenarios(options: Options) -> Said:
    """Several --scenario make a mix, even but for their weights, whatever each of them holds. Raises BadUsage."""
    sample = Sample(options.limit, options.seed or 0)
    wanted = Wanted(data=_pools(options, sample), sample=sample)
    mix: list[tuple[float, ScenarioSpec]] = []
    option = "prompt" if options.prompt is not None else "synthetic" if options.synthetic else "scenario"
    try:
        if options.prompt is not None:
            mix = [(1.0, prompt_scenario(options.prompt, wanted.data))]
        elif options.synthetic is not None:
            mix = [(1.0, check_scenario(attach(synthetic_scenario(options.synthetic), wanted.data)))]
        for ref in options.scenarios:
            weight, found = _found(ref, wanted)
            mix += [(weight / len(found), spec) for spec in found]
    except ScenarioError as exc:
        raise BadUsage(f"--{option}: {exc}") from exc
    _refuse_twins([spec.name for _, spec in mix])
    _refuse_unused(wanted.data, mix)
    return Said(mix, wanted.notes)


def _pools(options: Options, sample: Sample) -> dict[str, DataPool]:
    try:
        return {file.name: load_pool(file.path, file.use, sample) for file in options.data}
    except ScenarioError as exc:
        raise BadUsage(f"--data: {exc}") from exc


def _found(ref: str, wanted: Wanted) -> tuple[float, list[ScenarioSpec]]:
    """The weight of `ref` and what it names. Whatever has that name as it is goes before a weight at its end."""
    if (stored := stored_scenario(ref, wanted.data)) is not None:
        return 1.0, [stored]
    weighted = _WEIGHTED.fullmatch(ref)
    if weighted is None or ref in library_names() or _exists(ref):
        return 1.0, load_scenario(ref, wanted=wanted)
    weight = float(weighted[2])
    if not weight:
        raise ScenarioError(f"{ref}: a weight must be above 0")
    stored = stored_scenario(weighted[1], wanted.data)
    return weight, [stored] if stored else load_scenario(weighted[1], wanted=wanted)


def _exists(ref: str) -> bool:
    try:
        return Path(ref).expanduser().exists()
    except (OSError, ValueError):
        return False


def _refuse_twins(names: list[str]) -> None:
    """Results are told apart by a scenario's name."""
    for name in names:
        if names.count(name) > 1:
            raise BadUsage(f"--scenario: two scenarios are named {name!r}: leave one out, or rename it")


def _refuse_unused(pools: Mapping[str, DataPool], mix: list[tuple[float, ScenarioSpec]]) -> None:
    """A typing error would pass unseen."""
    for name in pools:
        if not any(name in spec.data for _, spec in mix):
            raise BadUsage(f"--data {name}: nothing that is said uses it: write {{{{ data.{name} }}}} where it belongs")
