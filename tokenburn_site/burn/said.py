"""From Options to what is said: weighted scenarios, with the data that was given for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from connectors.spec import TargetSpec
from scenarios.cells import gaps
from scenarios.data import DataPool, fields_of
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
from scenarios.spec import ScenarioError, ScenarioSpec
from scenarios.synthetic import Synthetic, synthetic_scenario
from tokenburn_site.burn.errors import BadUsage
from tokenburn_site.burn.options import Options
from tokenburn_site.burn.stored import stored_scenario

TRACE, OUTPUT_LENGTH = "trace", "output_length"
_WEIGHTED = re.compile(r"(.+)=(\d+(?:\.\d+)?)")


class Said(NamedTuple):
    """(weight, scenario) pairs; `notes` say what of the files was left out."""

    mix: list[tuple[float, ScenarioSpec]]
    notes: list[str]


def build_scenarios(options: Options) -> Said:
    """Several --scenario make a mix, even but for their weights, whatever each of them holds. Raises BadUsage."""
    sample = Sample(options.limit, options.seed or 0)
    pools, why_no_trace = _pools(options, sample)
    wanted = Wanted(data=pools, sample=sample)
    mix: list[tuple[float, ScenarioSpec]] = []
    option = "prompt" if options.prompt is not None else "synthetic" if options.synthetic else "scenario"
    try:
        if options.prompt is not None:
            mix = [(1.0, prompt_scenario(options.prompt, wanted.data))]
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
    return Said(mix, [*wanted.notes, *(line for _, spec in mix for line in gaps(spec, places))])


def _pools(options: Options, sample: Sample) -> tuple[dict[str, DataPool], str]:
    """Of --data, and of --trace what is more than times; and why there is nothing more."""
    try:
        pools = {file.name: load_pool(file.path, file.use, sample) for file in options.data}
    except ScenarioError as exc:
        raise BadUsage(f"--data: {exc}") from exc
    if options.trace is None or TRACE in pools:
        return pools, ""
    try:
        return {**pools, TRACE: trace_pool(options.trace, options.conversations)}, ""
    except ScenarioError as exc:
        return pools, str(exc)


def with_output_lengths(target: TargetSpec, said: Said) -> TargetSpec:
    """`target` asking for answers as long as the trace says, where made-up texts follow one that says it and the
    request has the parameter max_tokens."""
    if not any(OUTPUT_LENGTH in spec.variables for _, spec in said.mix):
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
    for name in pools.keys() - {TRACE}:
        if not any(name in spec.data for _, spec in mix):
            raise BadUsage(f"--data {name}: nothing that is said uses it: write {{{{ data.{name} }}}} where it belongs")
