"""Decides whether a witness is useful for a load. Pure."""

from __future__ import annotations

from typing import Final

from runs.load.profile import Load

SHORTEST_S: Final = 10.0
FEWEST_CONVERSATIONS: Final = 100


def witness_is_useful(load: Load) -> bool:
    """No witness for short runs with only a few turns, or for users who leave when an answer is late, because only fast
    answers would remain."""
    if load.user_profile.patience is not None:
        return False
    if load.duration_s is not None:
        return load.duration_s >= SHORTEST_S
    return load.conversations is not None and load.conversations >= FEWEST_CONVERSATIONS
