"""The engines' figures beside those of the witness."""

from __future__ import annotations

import pytest

from metrics.analysis.verdict.comparison import Witness, slower_later, witness_disagrees
from metrics.report_schema import DriftPart
from tests.unit.metrics.analysis.verdict.made import GOOD, codes, verdict


@pytest.mark.parametrize(
    ("witness_ms", "spread_ms", "trusted"),
    [(90.0, 0, True), (98.0, 0, True), (103.0, 0, False), (70.0, 0, False), (103.0, 5.0, True), (120.0, 5.0, False)],
)
def test_a_witness_may_disagree_by_more_than_its_few_turns_explain(
    witness_ms: float, spread_ms: float, trusted: bool
) -> None:
    found = verdict(*GOOD, witness=Witness("e2e_ms", witness_ms, 90.0, witness_ms - spread_ms, witness_ms + spread_ms))
    assert codes(found) == ([] if trusted else ["witness_disagrees"])


@pytest.mark.parametrize(
    ("witness_ms", "engine_ms", "named"),
    [(20.0, 25.0, False), (20.0, 25.1, True), (200.0, 220.0, False), (200.0, 179.9, True)],
    ids=["by 5 ms", "by more than 5 ms", "by a tenth", "by more than a tenth"],
)
def test_a_witness_disagrees_beyond_5_ms_and_a_tenth(witness_ms: float, engine_ms: float, named: bool) -> None:
    found = witness_disagrees(Witness("e2e_ms", witness_ms, engine_ms, witness_ms, witness_ms))
    assert bool(list(found)) is named


@pytest.mark.parametrize(
    ("first_ms", "last_ms", "rise", "named"),
    [(500, 625, 0.25, True), (500, 600, 0.2, False), (80, 100, 0.25, False), (80, 101, 0.2625, True)],
    ids=["more", "by a fifth", "by 20 ms", "by 21 ms"],
)
def test_a_run_is_slower_later_if_it_rose_by_more_than_a_fifth_and_20_ms(
    first_ms: float, last_ms: float, rise: float, named: bool
) -> None:
    drift = DriftPart(first_ms=first_ms, last_ms=last_ms, rise=rise)
    assert [remark.code for remark in slower_later({"e2e_ms": drift})] == ["slower_later"] * named
    assert not list(slower_later({"ttft_ms": drift}))
    assert not list(slower_later(None))
