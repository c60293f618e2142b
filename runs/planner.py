"""Shares of a load over n engines. Pure: each engine computes its own share from (load, index, n).

Shares differ by at most one and their union is the whole: users are numbered over the whole run, share i holds a
contiguous block, and the first `total % n` shares hold one more.
"""

from __future__ import annotations

from typing import NamedTuple

from connectors.spec import SpecError
from runs.engine.spec import ClosedLoad, OpenLoad


class Share(NamedTuple):
    """Share `index` of `of`. `users` are user numbers (closed loop) or session slots (open loop)."""

    users: range
    conversations: range | None
    """Conversation numbers over the whole run; None: as many as the duration allows."""


def block(total: int, index: int, of: int) -> range:
    """Share `index` of `of` of the numbers 0..total-1."""
    if not 0 <= index < of:
        raise ValueError(f"share {index} of {of} does not exist")
    size, extra = divmod(total, of)
    start = index * size + min(index, extra)
    return range(start, start + size + (index < extra))


def share(load: ClosedLoad | OpenLoad, index: int, of: int) -> Share:
    """What engine `index` of `of` does. Check with `check_shares` first: a share may be empty otherwise."""
    users = load.users if isinstance(load, ClosedLoad) else load.max_sessions
    conversations = None if load.conversations is None else block(load.conversations, index, of)
    return Share(block(users, index, of), conversations)


def check_shares(load: ClosedLoad | OpenLoad, processes: int) -> None:
    """Raises SpecError if some engine would have nothing to do."""
    if processes < 1:
        raise SpecError(f"processes: {processes} is not a number of processes: give 1 or more")
    if isinstance(load, ClosedLoad):
        _enough(load.users, "user", processes)
    else:
        _enough(load.max_sessions, "session", processes)
    if load.conversations is not None:
        _enough(load.conversations, "conversation", processes)


def _enough(total: int, what: str, processes: int) -> None:
    if total < processes:
        things = f"{total} {what}" + ("" if total == 1 else "s")
        raise SpecError(f"a load of {things} cannot be shared by {processes} processes: give at most {total}")
