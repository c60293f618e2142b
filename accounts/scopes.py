"""What a token may do. It never gives its user more than the user's own rights."""

from __future__ import annotations

from typing import Any, Final

READ, RUN, EDIT = "read", "run", "edit"
SCOPES: Final = {
    READ: "Read: look at everything that the user may see",
    RUN: "Run: start, stop and steer runs, and probe targets",
    EDIT: "Edit: create, change and delete everything else",
}
SAFE: Final = {"GET", "HEAD", "OPTIONS"}


def ordered(scopes: Any) -> list[str]:
    """Every token may read. Raises ValueError for an unknown scope."""
    if unknown := sorted(set(map(str, scopes)) - set(SCOPES)):
        raise ValueError(f"unknown scope {unknown[0]!r}: choose from {', '.join(SCOPES)}")
    return [scope for scope in SCOPES if scope == READ or scope in scopes]


def needed(method: str | None, view: Any) -> list[str]:
    """The scopes for a request. A view names those of its actions that only run something by `run_actions`, and those
    that edit what starts runs by itself by `starting_actions`; whatever else writes edits."""
    if method in SAFE:
        return [READ]
    action = getattr(view, "action", None)
    if action in getattr(view, "run_actions", ()):
        return [RUN]
    return [EDIT, RUN] if action in getattr(view, "starting_actions", ()) else [EDIT]
