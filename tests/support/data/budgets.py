"""What ledgers say of a budget of tokens that their engines shared."""

from __future__ import annotations

from collections.abc import Sequence

from runs.load.shares import share_count
from tests.support.engines import Line, Share

TALK = {
    "name": "talk",
    "steps": [{"do": "repeat", "times": 3, "steps": [{"do": "say", "text": "Tell me more of it, please."}]}],
}
LOAD = {"kind": "closed", "users": 40, "duration_s": 20}


def tokens(turns: Sequence[Line]) -> int:
    return sum((turn["ti"] or 0) + (turn["to"] or 0) for turn in turns)


def overshoot(shares: Sequence[Share], ceiling: int) -> tuple[int, int]:
    """By how many tokens the ceiling was passed (below zero: by how many it was not reached), and how many were in
    flight in those engines whose share was used up, at that moment.

    Raises AssertionError if an engine sent anything after its share was used up.
    """
    in_flight = 0
    for index, share in enumerate(shares):
        allowed = share_count(ceiling, index, len(shares))
        turns, used = share.turns, 0
        for number, turn in enumerate(turns):
            used += tokens([turn])
            if used >= allowed:
                rest = turns[number:]
                # A user has one turn in flight: two of the same user would mean that one was sent afterwards.
                users = [share.users[one["s"]] for one in rest]
                assert len(users) == len(set(users)), "a turn was sent after the share was used up"
                in_flight += tokens(rest)
                break
    return tokens([turn for share in shares for turn in share.turns]) - ceiling, in_flight
