"""From Options to what a run is made of: target, scenarios, load. Raises BadUsage; sends and records nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from connectors.mapping import CompiledTarget
from connectors.params import lacks_param
from connectors.spec import SpecError, TargetSpec, build_target_spec
from metrics.thresholds import ThresholdError, parse_all
from runs.engine.spec import Load, parse_load
from runs.planner import check_shares
from scenarios.spec import ScenarioSpec
from tokenburn_site.burn.errors import BadUsage
from tokenburn_site.burn.options import Options

NAME_LIMIT = 60


class Parts(NamedTuple):
    target: TargetSpec
    scenarios: list[tuple[float, ScenarioSpec]]
    load: Load
    notes: Sequence[str] = ()
    """What the user should know of what was read."""


def check_thresholds(options: Options) -> None:
    """Raises BadUsage for the first that does not parse."""
    try:
        parse_all(options.thresholds)
    except ThresholdError as exc:
        raise BadUsage(f"--threshold: {exc}") from exc


def build_load(options: Options) -> Load:
    """The load that the options ask for, sharable by --processes."""
    data: dict[str, Any] = {"duration_s": options.duration_s, "conversations": options.conversations}
    data |= {"stages": options.stages, "max_turns_per_s": options.max_turns_per_s}
    data |= {"warm_up_s": options.warm_up_s, "cool_down_s": options.cool_down_s, **options.load_parts}
    if options.grace_s is not None:
        data |= {"grace_s": options.grace_s}
    if options.users is not None:
        data |= {"kind": "closed", "users": options.users, "start_jitter_s": options.start_jitter_s}
    elif options.rate_per_s is not None:
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
