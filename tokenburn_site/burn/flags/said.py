"""Options of `burn`: what the simulated users say."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

from scenarios.data import Use
from scenarios.spec import ScenarioError
from scenarios.synthetic import Synthetic, parse_synthetic
from tokenburn_site.burn import values
from tokenburn_site.burn.errors import BadUsage

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


def add(parser: ArgumentParser) -> None:
    said = parser.add_argument_group("what is said (--prompt, --scenario or --synthetic)")
    said.add_argument("--prompt", metavar="TEXT", help="one message, in each conversation")
    said.add_argument(
        "--scenario",
        dest="scenarios",
        action="append",
        default=[],
        metavar="NAME|FILE|DIR[=WEIGHT]",
        help="a scenario by name, or a file or folder of scenarios or conversations; repeated: a mix, by weight",
    )
    said.add_argument(
        "--synthetic",
        metavar="S",
        help="made-up texts by their length in tokens: input=512,sd=64,output=128,turns=3,shared_prefix=1000",
    )
    said.add_argument(
        "--data",
        action="append",
        default=[],
        type=data_file,
        metavar="NAME=FILE[:once|in_turn|random]",
        help="rows for {{ data.NAME.field }}, from CSV, JSONL or JSON; may be repeated",
    )
    said.add_argument("--limit", type=values.positive, metavar="N", help="of each file, N rows or conversations, drawn")


def said(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was found, as fields of Options. Raises BadUsage."""
    named = [name for name in ("prompt", "scenarios", "synthetic") if given[name] not in (None, [])]
    if len(named) > 1:
        raise BadUsage(f"give --prompt, --scenario or --synthetic, not both; {HINT}")
    if not named:
        raise BadUsage(f"say what the users say: --prompt TEXT or --scenario NAME; {HINT}")
    if given["prompt"] is not None and not given["prompt"].strip():
        raise BadUsage("--prompt is empty: give it a text")
    names = [file.name for file in given["data"]]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadUsage(f"--data {twice} is given twice: once is enough")
    return {
        "prompt": given["prompt"],
        "scenarios": tuple(given["scenarios"]),
        "synthetic": _synthetic(given),
        "data": tuple(given["data"]),
        "limit": given["limit"],
        "trace": None if given.get("trace") is None else Path(given["trace"]).expanduser(),
    }


def _synthetic(given: Mapping[str, Any]) -> Synthetic | None:
    if given["synthetic"] is None:
        return None
    try:
        found = parse_synthetic(given["synthetic"])
    except ScenarioError as exc:
        raise BadUsage(f"--synthetic: {exc}") from exc
    if found.input is None and given.get("trace") is None and not any(f.name == "trace" for f in given["data"]):
        raise BadUsage("--synthetic from-trace takes the lengths from a trace: give --trace FILE, or --data trace=FILE")
    return found
