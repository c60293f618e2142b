"""Changes of the load while a run went on, in words: for a terminal, the HTML file and a summary in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from metrics.words import NOTHING, counted

LINES_SHOWN: Final = 10
SEARCH: Final = "search"
"""By whom a search changes its run's load: its levels are a table of their own."""


class Change(NamedTuple):
    """As in "93.4 s", "200 users", "alice"."""

    at: str
    level: str
    by: str


def change_rows(report: Mapping[str, Any]) -> list[Change]:
    """Every change that somebody made, in the order of time."""
    load = report["run"]["load"]
    changes = report.get("load_changes") or ()  # a report of an earlier version has none
    return [
        Change(f"{change['at_s']:,.1f} s", _level(load.get("kind"), change["level"]), change["by"] or NOTHING)
        for change in changes
        if not (load.get("search") and change["by"] == SEARCH)
    ]


def change_lines(report: Mapping[str, Any]) -> list[str]:
    """For example "200 users from 93.4 s on, by alice"; the first LINES_SHOWN, and how many more there are."""
    rows = change_rows(report)
    lines = [f"{row.level} from {row.at} on, by {row.by}" for row in rows[:LINES_SHOWN]]
    return lines + ([f"and {counted(len(rows) - LINES_SHOWN, 'more change')}"] if len(rows) > LINES_SHOWN else [])


def _level(kind: str | None, level: float) -> str:
    if kind == "closed":
        return f"{level:,.0f} user{'' if level == 1 else 's'}"
    return f"{level:,.10g} times its speed" if kind == "trace" else f"{level:,.10g}/s"
