"""From Options to what a run is made of: target, scenarios, load. Raises BadUsage; sends and records nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from connectors.mapping import CompiledTarget
from connectors.params import lacks_param
from connectors.spec import SpecError, TargetSpec, build_target_spec
from metrics.thresholds import ThresholdError, parse_threshold
from runs.engine.spec import Load, parse_load
from runs.planner import check_shares
from scenarios.importers import load_scenario, prompt_scenario
from scenarios.spec import ScenarioError, ScenarioSpec
from tokenburn_site.burn.errors import BadUsage
from tokenburn_site.burn.options import Options
from tokenburn_site.burn.stored import stored_scenario

NAME_LIMIT = 60


class Parts(NamedTuple):
    target: TargetSpec
    scenarios: list[tuple[float, ScenarioSpec]]
    load: Load


def check_thresholds(options: Options) -> None:
    """Raises BadUsage for the first that does not parse."""
    for text in options.thresholds:
        try:
            parse_threshold(text)
        except ThresholdError as exc:
            raise BadUsage(f"--threshold: {exc}") from exc


def build_load(options: Options) -> Load:
    """The load that the options ask for, sharable by --processes."""
    data: dict[str, Any] = {"duration_s": options.duration_s, "conversations": options.conversations}
    data |= {"stages": options.stages, "max_turns_per_s": options.max_turns_per_s}
    data |= {"warm_up_s": options.warm_up_s, "cool_down_s": options.cool_down_s, **options.load_parts}
    if options.users is not None:
        data |= {"kind": "closed", "users": options.users, "start_jitter_s": options.start_jitter_s}
    else:
        data |= {"kind": "open", "rate_per_s": options.rate_per_s, "arrivals": options.arrivals}
    try:
        load = parse_load(data)
        check_shares(load, options.processes)
    except SpecError as exc:
        raise BadUsage(str(exc)) from exc
    return load


def adhoc_target(options: Options, secrets: Mapping[str, str]) -> TargetSpec:
    """The target of --url and --preset."""
    url, preset = options.url or "", options.preset or ""
    try:
        spec = build_target_spec(
            name=url[:NAME_LIMIT],
            url=url,
            preset=preset,
            stream=options.stream,
            params=options.params,
            overrides=options.overrides,
            secrets=secrets,
            stamp=options.stamp,
        )
        CompiledTarget(spec)
    except SpecError as exc:
        raise BadUsage(str(exc)) from exc
    check_params(spec, options.params)
    return spec


def check_params(spec: TargetSpec, given: Mapping[str, Any]) -> None:
    """Raises BadUsage for a --param that nothing of `spec` names: a typing error would pass unseen."""
    for name in given:
        if why := lacks_param(spec, name):
            raise BadUsage(f"--param {name}: {why}")


def build_scenarios(options: Options) -> list[tuple[float, ScenarioSpec]]:
    """(weight, scenario) pairs; several --scenario make an even mix, whatever each of them holds. Raises BadUsage."""
    mix: list[tuple[float, ScenarioSpec]] = []
    try:
        if options.prompt is not None:
            return [(1.0, prompt_scenario(options.prompt))]
        for name in options.scenarios:
            stored = stored_scenario(name)
            found = [stored] if stored else load_scenario(name)
            mix += [(1.0 / len(found), spec) for spec in found]
    except ScenarioError as exc:
        raise BadUsage(f"--{'prompt' if options.prompt is not None else 'scenario'}: {exc}") from exc
    _refuse_twins([spec.name for _, spec in mix])
    return mix


def _refuse_twins(names: list[str]) -> None:
    """Results are told apart by a scenario's name."""
    for name in names:
        if names.count(name) > 1:
            raise BadUsage(f"--scenario: two scenarios are named {name!r}: leave one out, or rename it")
