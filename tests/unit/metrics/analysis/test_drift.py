"""Whether a run became slower: medians of its thirds, the note, and the threshold."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.analysis.drift import drift_of, is_steady
from metrics.analysis.thresholds import ThresholdError, parse_threshold
from metrics.report.build import RunFacts, build_report
from metrics.report_schema import RunReport
from tests.unit.metrics.made import MS, aggregate, turn


def lines(*per_third_ms: int, each: int = 120, third_s: int = 4) -> list[dict[str, Any]]:
    """Turns over three thirds of a run, all as long as their third says."""
    found = []
    for third, e2e_ms in enumerate(per_third_ms):
        for number in range(each):
            sent = (third * third_s * 1000 + number * third_s * 1000 // each) * MS
            times = {"planned": sent, "sent": sent, "fb": sent + MS, "fc": sent + MS, "ft": sent + MS}
            done = sent + e2e_ms * MS
            found.append(turn(third * each + number, **times, lc=done, done=done, icl=None))
    return found


def report(*made: dict[str, Any], thresholds: tuple[str, ...] = (), **load: Any) -> RunReport:
    run = RunFacts(id=1, status="completed", target="t", scenario="s", load=load, started_at=None)
    return build_report(run, aggregate(*made), thresholds)


def codes(found: RunReport) -> list[str]:
    return [note.split(":")[0] for note in found["verdict"]["notes"]]


def test_the_rise_is_that_of_the_medians_of_first_and_last_third() -> None:
    found = drift_of(aggregate(*lines(100, 900, 150)))
    assert found is not None
    assert found["e2e_ms"]["first_ms"] == pytest.approx(100, rel=0.011)
    assert found["e2e_ms"]["last_ms"] == pytest.approx(150, rel=0.011)
    assert found["e2e_ms"]["rise"] == pytest.approx(0.5, abs=0.03)
    assert found["ttft_ms"]["rise"] == pytest.approx(0.0, abs=0.01)


def test_a_run_that_becomes_slower_has_a_note_and_one_that_does_not_has_none() -> None:
    assert "slower_later" in codes(report(*lines(100, 120, 150)))
    assert "slower_later" not in codes(report(*lines(100, 900, 110)))
    assert "slower_later" not in codes(report(*lines(10, 10, 20)))  # twice as long, and ten milliseconds
    assert "slower_later" not in codes(report(*lines(150, 120, 100)))


def test_a_load_that_changes_explains_a_drift_itself() -> None:
    rising = lines(100, 120, 150)
    found = report(*rising, stages=[{"duration_s": 10, "to": 5}])
    assert "slower_later" not in codes(found)
    assert found["drift"] is not None
    assert found["drift"]["e2e_ms"]["rise"] > 0.4
    assert not is_steady({}, changed=True)
    assert not is_steady({"kind": "trace"}, changed=False)


def test_too_few_turns_have_no_drift() -> None:
    assert drift_of(aggregate(*lines(100, 120, 150, each=49))) is None
    assert drift_of(aggregate(turn())) is None
    assert drift_of(aggregate()) is None


def test_a_threshold_can_ask_for_a_steady_pace() -> None:
    asked = ("drift<20%", "drift<0.6")
    assert [t["passed"] for t in report(*lines(100, 120, 150), thresholds=asked)["thresholds"]] == [False, True]
    assert [t["passed"] for t in report(turn(), thresholds=asked)["thresholds"]] == [False, False]
    with pytest.raises(ThresholdError, match="is of the whole run"):
        parse_threshold("drift{model=a}<20%")
