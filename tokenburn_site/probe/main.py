"""`probe` from end to end: build the target as `burn` does, say it, show what came."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
from django.conf import settings

from connectors.spec import SpecError, TargetSpec
from targets.probe import Probe, probe
from tokenburn_site.burn import secrets
from tokenburn_site.burn.advice import advice
from tokenburn_site.burn.database import ensure_database
from tokenburn_site.burn.errors import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, BadUsage, BurnError
from tokenburn_site.burn.parts import adhoc_target, check_params
from tokenburn_site.burn.proxy import with_proxy
from tokenburn_site.burn.stored import stored_target
from tokenburn_site.probe.options import ProbeOptions, check
from tokenburn_site.probe.text import lines

__all__ = ["main"]


def main(given: Mapping[str, Any]) -> int:
    """Say and show what the parsed options ask for. Returns the exit code; misuse is said on stderr in one line."""
    try:
        options = check(given)
        spec, note = with_proxy(_target(options), options.target.proxy, os.environ)
        if note:
            sys.stderr.write(f"probe: {note}\n")
        found = _probe(spec, options)
    except BurnError as exc:
        sys.stderr.write(f"probe: {exc}\n")
        return exc.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("probe: interrupted\n")
        return EXIT_INTERRUPTED
    if options.json:
        sys.stdout.write(orjson.dumps(found.as_dict(), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines(found)))
    return EXIT_DONE if found.ok else EXIT_FAILED


def _target(options: ProbeOptions) -> TargetSpec:
    if options.target.target is None:
        return adhoc_target(options.target, secrets.from_environment(os.environ))
    ensure_database()
    spec = stored_target(options.target)
    check_params(spec, options.target.params)
    return spec


def _probe(spec: TargetSpec, options: ProbeOptions) -> Probe:
    try:
        found = probe(spec, options.prompts, lane=options.lane, allow_private=settings.ALLOW_PRIVATE)
    except SpecError as exc:
        raise BadUsage(str(exc)) from exc
    stored = options.target.target is not None
    for turn in found.turns:
        if turn.error is not None and not turn.error.advice:
            turn.error = replace(turn.error, advice=advice(turn.error.code, spec.frozen_dict(), stored=stored))
    return found
