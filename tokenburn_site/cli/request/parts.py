"""Builds the parts of a run from Options: target, scenarios, load. Raises BadUsage; sends and records nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from connectors.mapping.params import lacks_param
from connectors.preset_info import OPTIONAL, preset_info
from connectors.spec import SpecError, TargetSpec, build_target_spec, preset_names
from connectors.target import CompiledTarget
from runs.load.profile import Load, parse_load
from runs.planning.run_request import RunRequest
from scenarios.definition.spec import ScenarioSpec
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options.burn_options import Options, spelled
from tokenburn_site.cli.secrets import PREFIX

NAME_LIMIT = 60


class Parts(NamedTuple):
    target: TargetSpec
    scenarios: list[tuple[float, ScenarioSpec]]
    load: Load
    notes: Sequence[str] = ()
    """Notes for the user about what was read."""


def run_request(options: Options, parts: Parts) -> RunRequest:
    """The parts of a run that the options request."""
    return RunRequest(
        parts.target,
        parts.scenarios,
        parts.load,
        options.thresholds,
        options.abort_on_fail,
        options.processes,
        options.regions,
        options.seed,
    )


def build_load(options: Options) -> Load:
    """The load that the options request."""
    try:
        return parse_load(options.load)
    except SpecError as exc:
        raise BadUsage(spelled(str(exc))) from exc


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
        raise BadUsage(f"{exc}{_lacking(preset, options.params, secrets)}") from exc
    check_params(spec, options.params)
    return spec


def _lacking(preset: str, given: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    """What to add, if a param or a secret is missing without which the preset makes no target."""
    if preset not in preset_names():
        return ""
    info = preset_info(preset)
    missing = [f"--param {name}={example}" for name, example in info.needs.items() if name not in given]
    missing += [
        f"{PREFIX}{name.upper()} in the environment"
        for name, what in info.secrets.items()
        if name not in secrets and not what.startswith(OPTIONAL)
    ]
    return f"; the preset needs {', '.join(missing)}: see probe --presets --preset {preset}" if missing else ""


def check_params(spec: TargetSpec, given: Mapping[str, Any]) -> None:
    """Raises BadUsage for a --param that is not used in `spec`: a typo would go unnoticed."""
    for name in given:
        if why := lacks_param(spec, name):
            raise BadUsage(f"--param {name}: {why}")
