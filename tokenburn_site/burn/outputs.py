"""The files that `burn` writes: tried before the run, so that no result is lost to a missing folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from metrics.junit import junit_xml
from metrics.markdown import summary_md
from tokenburn_site.burn.contract import contract
from tokenburn_site.burn.errors import BadUsage
from tokenburn_site.burn.html import report_html
from tokenburn_site.burn.options import STDOUT, Options


def check_writable(options: Options) -> None:
    """Raises BadUsage for a result that could not be written at the end. Leaves no file behind."""
    named: dict[Path, str] = {}
    for option, text in _asked(options):
        if text == STDOUT:
            continue
        _try(option, Path(text))
        other = named.setdefault(Path(text).resolve(), option)
        if other != option:
            raise BadUsage(f"{other} and {option} name the same file {text!r}: give each its own")


def _asked(options: Options) -> list[tuple[str, str]]:
    found = {name: getattr(options, name) for name in WRITERS}
    return [(f"--{name}", text) for name, text in found.items() if text]


def _try(option: str, path: Path) -> None:
    if path.is_dir():
        raise BadUsage(f"{option} {str(path)!r} is a folder: name a file in it")
    if path.exists():
        if not os.access(path, os.W_OK):
            raise BadUsage(f"{option} {str(path)!r} may not be written: choose another file")
        return
    if not path.parent.is_dir():
        raise BadUsage(f"{option} {str(path)!r}: there is no folder {str(path.parent)!r}: create it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise BadUsage(f"{option} {str(path)!r}: the folder may not be written: choose another one")


def write_results(options: Options, report: Mapping[str, Any]) -> None:
    """Every result that was asked for, to its file, or for `-` to stdout. Raises OSError."""
    for option, where in _asked(options):
        data = WRITERS[option.removeprefix("--")](report)
        if where == STDOUT:
            sys.stdout.write(data.decode())
            sys.stdout.flush()
        else:
            Path(where).write_bytes(data)


def _json(report: Mapping[str, Any]) -> bytes:
    return orjson.dumps(contract(report), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


WRITERS: Mapping[str, Callable[[Mapping[str, Any]], bytes]] = {
    "json": _json,
    "html": lambda report: report_html(report).encode(),
    "junit": junit_xml,
    "markdown": lambda report: summary_md(report).encode(),
}
"""By the name of the option."""


def written(options: Options) -> list[tuple[str, str]]:
    """The option's name and the path of each file."""
    return [(option.removeprefix("--"), where) for option, where in _asked(options) if where != STDOUT]
