"""Shares of a load over n engines. Each engine computes its own share from (total, index, n); there is no coordinator.
Pure.

Shares differ by at most one and their union is the whole. User `i` belongs to share `i % n`.
"""

from __future__ import annotations

from connectors.spec import SpecError
from runs.load.profile import ClosedLoad, Load


def share_numbers(total: int, index: int, of: int) -> range:
    """The numbers of 0..total-1 (users, conversations) that belong to share `index` of `of`."""
    if not 0 <= index < of:
        raise ValueError(f"share {index} of {of} does not exist")
    return range(index, total, of)


def share_count(total: int, index: int, of: int) -> int:
    """How many of `total` things belong to share `index` of `of`."""
    return len(share_numbers(total, index, of))


def check_shares(load: Load, processes: int) -> None:
    """Raises SpecError if one of the `processes` engines, at least one, would have nothing to do."""
    if isinstance(load, ClosedLoad):
        _enough(load.peak, "user", processes)
    else:
        _enough(load.max_sessions, "session", processes)
    if load.conversations is not None:
        _enough(load.conversations, "conversation", processes)
    for what, total in (("token", load.budget.tokens), ("turn", load.budget.turns)):
        if total is not None:
            _enough(total, what, processes, "budget")


def _enough(total: int, what: str, processes: int, of: str = "load") -> None:
    if share_count(total, processes - 1, processes) == 0:
        things = f"{total} {what}" + ("" if total == 1 else "s")
        raise SpecError(f"a {of} of {things} cannot be shared by {processes} processes: give at most {total}")
