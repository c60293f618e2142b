"""Names from before 1.0: they still work and warn once."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final, TypeVar

Code = TypeVar("Code", str, str | None)
UNTIL: Final = "1.0"
RATES: Final = {
    "sessions_per_min": "completed_sessions_per_min",
    "conversations_per_min": "ended_sessions_per_min",
}
"""Earlier and present names of rates, in reports and thresholds."""
BUDGET: Final = {"money": "cost"}
"""Earlier and present names of a budget's ceilings, in loads and reports."""
CODES: Final = {"user_doubled": "user_hedged"}
"""Earlier and present error codes, in ledgers, windows, rows and reports."""
TRUNCATED: Final = "truncated"
"""Outcome of a session that the end of the run ended."""
SESSIONS: Final = {"cut": TRUNCATED}
"""Earlier and present outcomes of sessions, in ledgers, windows, rows and reports."""
_told: set[str] = set()


def session_end(outcome: str) -> str:
    """The present name of a session's outcome."""
    return SESSIONS.get(outcome, outcome)


def present_code(code: Code) -> Code:
    """The present name of an error code, which may be None."""
    return code if code is None else CODES.get(code, code)


def names_of_code(code: str) -> list[str]:
    """All names under which the error code `code` (present or earlier) may be stored."""
    present = present_code(code)
    return [present, *(old for old, new in CODES.items() if new == present)]


def present_budget(budget: Mapping[str, Any] | None) -> dict[str, Any]:
    """A budget of a stored load or report, each ceiling under its present name only."""
    found = dict(budget or {})
    for old, new in BUDGET.items():
        if old in found:
            found.setdefault(new, found.pop(old))
    return found


def warn_renamed(old: str, new: str) -> None:
    """Say on stderr, once in the life of this process, that `old` is now called `new`."""
    if old not in _told:
        _told.add(old)
        sys.stderr.write(f"Token-Burn: {old} is now {new}; the old name works until {UNTIL}\n")
