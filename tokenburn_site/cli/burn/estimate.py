"""`burn --estimate`, and the line before a run that costs money."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from runs.planning.errors import RequestError
from runs.planning.plan_estimate import estimate_line, estimate_lines, estimate_request
from tokenburn_site.cli.errors import EXIT_DONE, BadUsage, CannotRun
from tokenburn_site.cli.options.burn_options import Options, spelled
from tokenburn_site.cli.options.results import STDOUT
from tokenburn_site.cli.request.parts import Parts, run_request
from tokenburn_site.config.private_files import write_as_user


def show(options: Options, parts: Parts, console: Console) -> int:
    """Print the estimate and write it to --json; nothing is sent. Raises BurnError."""
    found = _estimate(options, parts)
    for line in estimate_lines(found):
        _print(console, line)
    data = orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if options.json == STDOUT:
        sys.stdout.write(data.decode())
    elif options.json:
        try:
            write_as_user(Path(options.json), data)
        except OSError as exc:
            raise CannotRun(f"{options.json} could not be written: {exc.strerror}") from exc
    return EXIT_DONE


def show_cost(options: Options, parts: Parts, console: Console) -> None:
    """On a terminal, before a run whose tokens have a price. Raises BurnError."""
    if console.is_terminal and parts.load.budget.prices:
        _print(console, f"estimate: {estimate_line(_estimate(options, parts))}; all of it: --estimate")


def _estimate(options: Options, parts: Parts) -> dict[str, Any]:
    try:
        return estimate_request(run_request(options, parts)).data()
    except RequestError as exc:
        raise BadUsage(spelled(str(exc))) from exc


def _print(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
