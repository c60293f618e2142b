"""Text for load changes during a run, for terminal, HTML file and Markdown summary."""

from __future__ import annotations

from typing import Final, NamedTuple

from metrics.number_format import NOTHING, counted, exact
from metrics.report_schema import RunReport

LINES_SHOWN: Final = 10
SEARCH: Final = "search"
"""The `by` of changes that a search makes: its levels have a table of their own."""


class Change(NamedTuple):
    """As in "93.4 s", "200 users", "alice"."""

    at: str
    level: str
    by: str


def change_rows(report: RunReport) -> list[Change]:
    """Every change that somebody made, in the order of time."""
    load = report["run"]["load"]
    changes = report.get("load_changes") or ()  # a report of an earlier version has none
    return [
        Change(
            f"{exact(round(change['at_s'], 1))} s", _level(load.get("kind"), change["level"]), change["by"] or NOTHING
        )
        for change in changes
        if not (load.get("search") and change["by"] == SEARCH)
    ]


def change_lines(report: RunReport) -> list[str]:
    """For example "200 users from 93.4 s on, by alice"; the first LINES_SHOWN, and how many more there are."""
    rows = change_rows(report)
    lines = [f"{row.level} from {row.at} on, by {row.by}" for row in rows[:LINES_SHOWN]]
    return lines + ([f"and {counted(len(rows) - LINES_SHOWN, 'more change')}"] if len(rows) > LINES_SHOWN else [])


def _level(kind: str | None, level: float) -> str:
    if kind == "closed":
        return counted(round(level), "user")
    return f"{exact(level)} times its speed" if kind == "trace" else f"{exact(level)}/s"
