"""Compares the engines' figures with the witness's, and the run's end with its beginning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from metrics.analysis.verdict.codes import MAIN_METRIC, RISE_MS, RISE_SHARE, WITNESS_MS, WITNESS_SHARE, Remark
from metrics.report_schema import DriftPart


class Witness(NamedTuple):
    """Medians (ms) of one metric by the independent session and by the engines, over the same time. With few turns
    a median is a matter of luck: the witness's true one lies between `low_ms` and `high_ms` (99 of 100 times)."""

    metric: str
    witness_ms: float
    engine_ms: float
    low_ms: float
    high_ms: float


def witness_disagrees(witness: Witness) -> Iterator[Remark]:
    apart = max(witness.low_ms - witness.engine_ms, witness.engine_ms - witness.high_ms)
    if apart > max(WITNESS_MS, WITNESS_SHARE * witness.witness_ms):
        yield Remark(
            "witness_disagrees",
            f"An independent client measured {witness.metric} p50 {witness.witness_ms:.1f} ms, "
            f"the engines {witness.engine_ms:.1f} ms.",
        )


def slower_later(drift: Mapping[str, DriftPart] | None) -> Iterator[Remark]:
    found = (drift or {}).get(MAIN_METRIC)
    if found is None or found["rise"] <= RISE_SHARE or found["last_ms"] - found["first_ms"] <= RISE_MS:
        return
    yield Remark(
        "slower_later",
        f"{MAIN_METRIC} p50 rose from {found['first_ms']:.0f} ms in the first third of the run to "
        f"{found['last_ms']:.0f} ms in the last: the target did not hold its pace, or the conversations grew longer.",
    )
