"""Options of `burn`: scenarios and data."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args

from attachments.attachment import AttachmentError
from attachments.generated import MAKERS
from scenarios.definition.data import Use
from scenarios.definition.files import FileSpec, file_of
from scenarios.definition.spec import ScenarioError
from scenarios.definition.synthetic import Synthetic, parse_synthetic
from scenarios.importers import given_file
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options import values
from tokenburn_site.cli.options.declare import Group, own

USES: tuple[Use, ...] = get_args(Use)
HINT = "see burn --help"


class DataFile(NamedTuple):
    """One --data: the pool's name, its file, and how rows are used."""

    name: str
    path: Path
    use: Use


def data_file(text: str) -> DataFile:
    """`NAME=FILE`, or `NAME=FILE:once`; a file whose own name ends like that is written with the use after it."""
    name, equals, rest = text.partition("=")
    path, _, last = rest.rpartition(":")
    use = next((use for use in USES if path and use == last), None)
    if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name) or not rest:
        raise ArgumentTypeError(f"{text!r} is not of the form NAME=FILE, for example customers=customers.csv:once")
    return DataFile(name, Path(path if use else rest).expanduser(), use or "in_turn")


def synthetic(text: str) -> Synthetic:
    """`input=512,sd=64,output=128,turns=3,shared_prefix=1000` or `from-trace`."""
    try:
        return parse_synthetic(text)
    except ScenarioError as exc:
        raise ArgumentTypeError(str(exc)) from exc


def attached_file(text: str) -> FileSpec:
    """`photo.png`, or `png:200000`: a generated file of that size."""
    try:
        return file_of(given_file(text))
    except (AttachmentError, ScenarioError) as exc:
        hint = f"give a file, or the size of a generated one: {', '.join(f'{kind}:200000' for kind in MAKERS)}"
        raise ArgumentTypeError(f"{exc}; {hint}") from exc


@dataclass(frozen=True, kw_only=True)
class ScenarioOptions(Group):
    title = "scenario (--prompt, --scenario or --synthetic)"

    prompt: str | None = own("one message per conversation", metavar="TEXT")
    attach: tuple[FileSpec, ...] = own(
        "image, sound or file that goes with --prompt, or a generated one of so many bytes; repeatable",
        attached_file,
        "FILE|png:BYTES",
        action="append",
    )
    scenarios: tuple[str, ...] = own(
        "name of a scenario, or file or folder of scenarios or conversations; repeatable, with weights",
        metavar="NAME|FILE|DIR[=WEIGHT]",
        flag="--scenario",
        action="append",
    )
    synthetic: Synthetic | None = own(
        "generated texts by length in tokens: input=512,sd=64,output=128,turns=3,shared_prefix=1000", synthetic, "S"
    )
    data: tuple[DataFile, ...] = own(
        "rows for {{ data.NAME.field }} from CSV, JSONL or JSON; repeatable",
        data_file,
        "NAME=FILE[:once|in_turn|random]",
        action="append",
    )
    limit: int | None = own("sample at most N rows or conversations per file", values.positive, "N")


def check_scenario(given: Mapping[str, Any]) -> None:
    named = [name for name in ("prompt", "scenarios", "synthetic") if given[name] is not None]
    if len(named) > 1:
        raise BadUsage(f"give only one of --prompt, --scenario and --synthetic; {HINT}")
    if not named:
        raise BadUsage(f"no scenario: give --prompt TEXT or --scenario NAME; {HINT}")
    if given["prompt"] is not None and not given["prompt"].strip():
        raise BadUsage("--prompt is empty: give a text")
    if given["attach"] and given["prompt"] is None:
        raise BadUsage("--attach belongs to --prompt: in a scenario, give a message `attachments`")
    names = [file.name for file in given["data"] or ()]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadUsage(f"--data {twice} is given twice: leave one out")
    made = given["synthetic"]
    if made is not None and made.input is None and given["trace"] is None and "trace" not in names:
        raise BadUsage("--synthetic from-trace needs a trace: give --trace FILE or --data trace=FILE")
