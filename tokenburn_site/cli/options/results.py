"""Options of `burn`: thresholds and output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options.declare import Group, own

STDOUT = "-"


@dataclass(frozen=True, kw_only=True)
class ResultOptions(Group):
    title = "results"

    thresholds: tuple[str, ...] = own(
        "exit with 1 if missed: 'ttft_ms.p95<500', 'error_rate{model=gpt-4o}<1%'; repeatable",
        metavar="EXPR",
        flag="--threshold",
        action="append",
    )
    abort_on_fail: bool = own("end the run as soon as a threshold is missed", action="store_true")
    json: str | None = own("write the report as JSON; -: to stdout, everything else to stderr", metavar="FILE|-")
    per_user: bool = own("print a table of the users after the report", action="store_true")
    html: str | None = own("write the report as one self-contained page", metavar="FILE")
    junit: str | None = own("write run, thresholds and verdict as JUnit XML", metavar="FILE")
    markdown: str | None = own(
        "write a short summary, for example to $GITHUB_STEP_SUMMARY; -: to stdout", metavar="FILE|-"
    )


def check_results(given: Mapping[str, Any]) -> None:
    if given["abort_on_fail"] and not given["thresholds"]:
        raise BadUsage("--abort-on-fail needs a threshold: add --threshold 'error_rate<1%'")
    for name in ("json", "html", "junit", "markdown"):
        if given[name] == "":
            raise BadUsage(f"--{name} is empty: give a file name")
    for name in ("html", "junit"):
        if given[name] == STDOUT:
            raise BadUsage(f"--{name} cannot write to stdout: give a file; only --json and --markdown can")
    if given["json"] == given["markdown"] == STDOUT:
        raise BadUsage("--json - and --markdown - cannot both write to stdout: give one of them a file")
