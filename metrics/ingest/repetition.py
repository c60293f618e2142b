"""Similarity of an answer to the previous answer of its session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from rapidfuzz.distance import Indel
from rapidfuzz.process import cpdist

from metrics.columns import MISSING, REPETITION_SCALE, Ints

COMPARED_CHARS = 512
"""Of each text: comparing costs by the square of the length, and a hostile target chooses the length."""


def repetitions(
    sessions: Sequence[int],
    usable: Sequence[bool],
    answers: Sequence[str | None],
    previous: Mapping[int, str],
) -> tuple[Ints, dict[int, str]]:
    """Each turn's similarity to its session's last usable answer before it, in 1 / REPETITION_SCALE, else MISSING.

    The turns stand in the order of the ledger, in which those of one session follow each other; `usable` says
    which are ok. `previous` holds the last answers from before this batch. Returned beside the column: the last
    answers after it, for the next batch.
    """
    last = dict(previous)
    rows: list[int] = []
    before: list[str] = []
    after: list[str] = []
    for row, (session, good, answer) in enumerate(zip(sessions, usable, answers, strict=True)):
        if good and answer:
            head = answer[:COMPARED_CHARS]
            earlier = last.get(session)
            if earlier is not None:
                rows.append(row)
                before.append(earlier)
                after.append(head)
            last[session] = head
    column = np.full(len(sessions), MISSING, dtype=np.int64)
    if rows:
        similar = cpdist(before, after, scorer=Indel.normalized_similarity, dtype=np.float64)
        column[rows] = np.rint(similar * REPETITION_SCALE).astype(np.int64)
    return column, last
