"""Output files of `burn`, checked before the run so that no result is lost to a missing folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import orjson

from metrics.report.html.page import report_html
from metrics.report.junit import junit_xml
from metrics.report.markdown import summary_md
from metrics.report_schema import RunReport
from runs.reporting.formatting import load_text, moment_text
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options.burn_options import Options
from tokenburn_site.cli.options.results import STDOUT
from tokenburn_site.cli.report.contract import contract
from tokenburn_site.config.private_files import write_as_user


def check_writable(options: Options) -> None:
    """Raises BadUsage for a result that cannot be written at the end. Leaves no file behind."""
    named: dict[Path, str] = {}
    for option, text in _asked(options):
        if text == STDOUT:
            continue
        _try(option, Path(text))
        other = named.setdefault(Path(text).resolve(), option)
        if other != option:
            raise BadUsage(f"{other} and {option} name the same file {text!r}: give each a different file")


def _asked(options: Options) -> list[tuple[str, str]]:
    found = {name: getattr(options, name) for name in WRITERS}
    return [(f"--{name}", text) for name, text in found.items() if text]


def _try(option: str, path: Path) -> None:
    if path.is_dir():
        raise BadUsage(f"{option} {str(path)!r} is a folder: give a file")
    if path.exists():
        if not os.access(path, os.W_OK):
            raise BadUsage(f"{option} {str(path)!r} is not writable: choose another file")
        return
    if not path.parent.is_dir():
        raise BadUsage(f"{option} {str(path)!r}: the folder {str(path.parent)!r} does not exist: create it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise BadUsage(f"{option} {str(path)!r}: the folder is not writable: choose another one")


def write_results(options: Options, report: RunReport) -> None:
    """Write every requested result to its file, or for `-` to stdout. Raises OSError."""
    for option, where in _asked(options):
        data = WRITERS[option.removeprefix("--")](report)
        if where == STDOUT:
            sys.stdout.write(data.decode())
            sys.stdout.flush()
        else:
            write_as_user(Path(where), data)


def _json(report: RunReport) -> bytes:
    return orjson.dumps(contract(report), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _html(report: RunReport) -> bytes:
    run = report["run"]
    started = datetime.fromisoformat(run["started_at"]) if run["started_at"] else None
    return report_html(report, load_text(run["load"]), moment_text(started)).encode()


WRITERS: Mapping[str, Callable[[RunReport], bytes]] = {
    "json": _json,
    "html": _html,
    "junit": junit_xml,
    "markdown": lambda report: summary_md(report).encode(),
}
"""By the name of the option."""


def written(options: Options) -> list[tuple[str, str]]:
    """The option's name and the path of each file."""
    return [(option.removeprefix("--"), where) for option, where in _asked(options) if where != STDOUT]
