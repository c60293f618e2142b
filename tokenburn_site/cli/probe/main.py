"""`probe` from start to end: build the target as `burn` does, send the messages, print the result."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson
from django.conf import settings

from connectors.preset_info import PresetInfo, preset_info, preset_infos
from connectors.spec import SpecError, TargetSpec
from plain_text.visible import visible
from policy.limits import limits_for
from policy.panic import closed
from policy.targets import NotAllowedError, check_target
from targets.learning.proposal import Proposal
from targets.probe import probe
from targets.probe_result import Probe
from tokenburn_site.cli.advice import advice
from tokenburn_site.cli.console import say
from tokenburn_site.cli.database import ensure_database
from tokenburn_site.cli.errors import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, BadUsage, BurnError, CannotRun
from tokenburn_site.cli.probe.learning import options_of, proposal_lines, proposed, secrets_of, write
from tokenburn_site.cli.probe.options import ProbeOptions, check, check_learning
from tokenburn_site.cli.probe.presets import preset_lines, preset_table
from tokenburn_site.cli.probe.text import lines
from tokenburn_site.cli.probe.waiting import said_to_wait
from tokenburn_site.cli.proxy import with_proxy
from tokenburn_site.cli.request.parts import adhoc_target, check_params
from tokenburn_site.cli.request.stored import stored_target
from tokenburn_site.cli.secrets import from_environment as secrets_from

__all__ = ["main"]


def main(given: Mapping[str, Any]) -> int:
    """Send the messages and print the result. Returns the exit code; bad usage is one line on stderr."""
    try:
        if given["presets"] or _asks_about_a_preset(given):
            return _list_presets(given["preset"], as_json=given["json"])
        secrets = secrets_from(os.environ)
        if given["learn"]:
            proposal = _learn(given)
            if not given["try_it"]:
                return EXIT_FAILED if proposal.untold else EXIT_DONE
            given, secrets = options_of(proposal, given), secrets_of(proposal, secrets)
        options = check(given)
        spec, note = with_proxy(_target(options, secrets), options.target.proxy, os.environ)
        if note:
            say("probe", note)
        found = _probe(spec, options)
    except BurnError as exc:
        say("probe", str(exc))
        return exc.exit_code
    except KeyboardInterrupt:
        say("probe", "interrupted")
        return EXIT_INTERRUPTED
    if options.json:
        _write_json(found.as_dict())
    else:
        _write(lines(found, _preset(options)))
    return EXIT_DONE if found.ok else EXIT_FAILED


def _asks_about_a_preset(given: Mapping[str, Any]) -> bool:
    """Whether a preset is named and nothing else that a test takes."""
    return bool(given["preset"]) and not any(
        given[name] for name in ("url", "target", "target_file", "prompts", "learn", "message", "write", "try_it")
    )


def _list_presets(name: str | None, *, as_json: bool) -> int:
    try:
        infos = preset_infos() if name is None else [preset_info(name)]
    except SpecError as exc:
        raise BadUsage(str(exc)) from exc
    if as_json:
        _write_json([info.as_dict() for info in infos])
    else:
        _write(preset_table(infos) if name is None else preset_lines(infos[0]))
    return EXIT_DONE


def _write_json(found: Any) -> None:
    sys.stdout.write(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n")


def _write(rows: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{visible(row)}\n" for row in rows))


def _learn(given: Mapping[str, Any]) -> Proposal:
    """The proposal, which is printed and, if requested, written."""
    check_learning(given)
    found = proposed(given)
    if given["write"]:
        write(found, given["write"])
    if not given["try_it"] and given["json"]:
        _write_json(found.as_dict())
    elif not given["json"]:
        _write(proposal_lines(found))
    return found


def _target(options: ProbeOptions, secrets: Mapping[str, str]) -> TargetSpec:
    if options.target.target is None:
        return adhoc_target(options.target, secrets)
    ensure_database()
    spec = stored_target(options.target)
    if why := closed():
        raise CannotRun(why)
    try:
        check_target(spec, limits_for(None))
    except NotAllowedError as exc:
        raise CannotRun(str(exc)) from exc
    check_params(spec, options.target.params)
    return spec


def _preset(options: ProbeOptions) -> PresetInfo | None:
    name = options.target.preset
    return None if name is None else preset_info(name)


def _probe(spec: TargetSpec, options: ProbeOptions) -> Probe:
    if options.attached and (problem := spec.attachments_problem({one.kind: one.name for one in options.attached})):
        raise BadUsage(f"--attach: {problem}")
    try:
        with said_to_wait(spec, _preset(options)):
            found = probe(
                spec,
                options.prompts,
                attached=options.attached,
                lane=options.lane,
                allow_private=settings.ALLOW_PRIVATE,
            )
    except SpecError as exc:
        raise BadUsage(str(exc)) from exc
    stored = options.target.target is not None
    for turn in found.turns:
        if turn.error is not None and not turn.error.advice:
            turn.error = replace(turn.error, advice=advice(turn.error.code, spec.frozen_dict(), stored=stored))
    return found
