"""The files that `burn` writes: tried before the run, so that no result is lost to a missing folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from tokenburn_site.burn.contract import contract
from tokenburn_site.burn.errors import BadUsage
from tokenburn_site.burn.html import report_html
from tokenburn_site.burn.options import STDOUT, Options


def check_writable(options: Options) -> None:
    """Raises BadUsage for a --json or --html that could not be written at the end. Leaves no file behind."""
    files = [(name, text) for name, text in (("--json", options.json), ("--html", options.html)) if text]
    for name, text in files:
        if text != STDOUT:
            _try(name, Path(text))
    if len(files) == 2 and options.json != STDOUT and Path(files[0][1]).resolve() == Path(files[1][1]).resolve():
        raise BadUsage(f"--json and --html name the same file {files[0][1]!r}: give each its own")


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


def write_json(where: str, report: Mapping[str, Any]) -> None:
    """To the file, or for `-` to stdout. Raises OSError."""
    data = orjson.dumps(contract(report), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if where == STDOUT:
        sys.stdout.write(data.decode())
        sys.stdout.flush()
    else:
        Path(where).write_bytes(data)


def write_html(where: str, report: Mapping[str, Any]) -> None:
    """One page that needs nothing else. Raises OSError."""
    Path(where).write_text(report_html(report), encoding="utf-8")
