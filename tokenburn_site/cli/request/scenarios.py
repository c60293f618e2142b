"""Builds weighted scenarios with their data from Options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from connectors.spec import TargetSpec
from scenarios.definition.data import DataPool, fields_of
from scenarios.definition.spec import ScenarioError, ScenarioSpec
from scenarios.definition.synthetic import Synthetic, synthetic_scenario
from scenarios.importers import (
    Sample,
    Wanted,
    check_attached,
    library_names,
    load_pool,
    load_scenario,
    prompt_scenario,
    trace_pool,
)
from scenarios.render.cells import gaps
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options.burn_options import Options
from tokenburn_site.cli.request.stored import stored_scenario

TRACE, OUTPUT_LENGTH = "trace", "output_length"
_WEIGHTED = re.compile(r"(.+)=(\d+(?:\.\d+)?)")


class Scenarios(NamedTuple):
    """(weight, scenario) pairs; `notes` say what was left out of the files."""

    mix: list[tuple[float, ScenarioSpec]]
    notes: list[str]


def build_scenarios(options: Options) -> Scenarios:
    """Several --scenario make a mix with equal weights unless given, whatever their content. Raises BadUsage."""
    sample = Sample(options.limit, options.seed or 0)
    pools, why_no_trace = _pools(options, sample)
    wanted = Wanted(data=pools, sample=sample)
    mix: list[tuple[float, ScenarioSpec]] = []
    option = "prompt" if options.prompt is not None else "synthetic" if options.synthetic else "scenario"
    try:
        if options.prompt is not None:
            mix = [(1.0, prompt_scenario(options.prompt, wanted.data, options.attach))]
        elif options.synthetic is not None:
            mix = [(1.0, _synthetic(options.synthetic, wanted))]
        for ref in options.scenarios:
            weight, found = _found(ref, wanted)
            mix += [(weight / len(found), spec) for spec in found]
    except ScenarioError as exc:
        hint = f" (--trace: {why_no_trace})" if why_no_trace else ""
        raise BadUsage(f"--{option}: {exc}{hint}") from exc
    _refuse_twins([spec.name for _, spec in mix])
    _refuse_unused(wanted.data, mix)
    places = {name: pool.places for name, pool in pools.items()}
    return Scenarios(mix, [*wanted.notes, *(line for _, spec in mix for line in gaps(spec, places))])


def _pools(options: Options, sample: Sample) -> tuple[dict[str, DataPool], str]:
    """The data of --data, and of --trace everything besides the times; and why there is nothing more."""
    try:
        pools = {file.name: load_pool(file.path, file.use, sample) for file in options.data}
    except ScenarioError as exc:
        raise BadUsage(f"--data: {exc}") from exc
    if options.trace is None or TRACE in pools:
        return pools, ""
    try:
        return {**pools, TRACE: trace_pool(options.trace, options.load.get("conversations"))}, ""
    except ScenarioError as exc:
        return pools, str(exc)


def with_output_lengths(target: TargetSpec, scenarios: Scenarios) -> TargetSpec:
    """`target` that requests answers as long as the trace says, if generated texts follow a trace with lengths and the
    request has the parameter max_tokens."""
    if not any(OUTPUT_LENGTH in spec.variables for _, spec in scenarios.mix):
        return target
    told = target.request.model_dump(mode="json")
    asking = {**told, "body": _replaced(told.get("body"), "{{ params.max_tokens }}", f"{{{{ vars.{OUTPUT_LENGTH} }}}}")}
    return target.model_copy(update={"request": type(target.request).model_validate(asking)})


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, old, new) for item in value]
    return new if value == old else value


def _synthetic(asked: Synthetic, wanted: Wanted) -> ScenarioSpec:
    data = synthetic_scenario(asked)
    trace = wanted.data.get(TRACE)
    if (
        asked.input is None
        and asked.output is None
        and trace is not None
        and OUTPUT_LENGTH in (fields_of(trace.rows) or ())
    ):
        data["variables"] = {OUTPUT_LENGTH: f"{{{{ data.{TRACE}.{OUTPUT_LENGTH} | int }}}}"}
    return check_attached(data, wanted.data)


def _found(ref: str, wanted: Wanted) -> tuple[float, list[ScenarioSpec]]:
    """The weight of `ref` and what it names. A name that matches as it is takes precedence over a weight at its end."""
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
    """Results are distinguished by the scenario's name."""
    for name in names:
        if names.count(name) > 1:
            raise BadUsage(f"--scenario: two scenarios are named {name!r}: leave one out, or rename it")


def _refuse_unused(pools: Mapping[str, DataPool], mix: list[tuple[float, ScenarioSpec]]) -> None:
    """A typo would go unnoticed."""
    for name in pools.keys() - {TRACE}:
        if not any(name in spec.data for _, spec in mix):
            raise BadUsage(f"--data {name}: no scenario uses it: write {{{{ data.{name} }}}} where it belongs")
