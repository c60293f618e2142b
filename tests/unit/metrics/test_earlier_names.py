"""What ledgers, windows and thresholds of an earlier version call otherwise is read under today's names."""

from __future__ import annotations

import pytest

from metrics import earlier_names
from metrics.analysis.counts import _SUMS, Counts
from metrics.analysis.figures import figures
from metrics.analysis.threshold_values import value_of
from metrics.analysis.thresholds import parse_threshold
from metrics.ingest.lines import session_close
from metrics.report.advice import advice

CLOSE = {"k": "close", "id": 1, "at": 9, "turns": 2, "code": None, "began": 1}


@pytest.fixture(autouse=True)
def nothing_warned_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(earlier_names, "_told", set())


@pytest.mark.parametrize("outcome", ["truncated", "cut"])
def test_a_session_that_the_end_of_the_run_ended_is_truncated(outcome: str) -> None:
    assert session_close({**CLOSE, "out": outcome}, 1).outcome == "truncated"


def test_no_other_outcome_is_known() -> None:
    with pytest.raises(ValueError, match="ends in another way"):
        session_close({**CLOSE, "out": "cutoff"}, 1)


def test_windows_of_both_versions_add_up_and_a_report_has_both_names() -> None:
    counts = Counts()
    counts.add_part({"closed": {"cut": 2, "completed": 3}})
    counts.add_part({"closed": {"truncated": 4}})
    found = figures(counts, 60.0)
    assert found["sessions"] == {"started": 0, "completed": 3, "failed": 0, "lost": 0, "truncated": 6, "cut": 6}
    rates = found["rates"]
    assert rates["completed_sessions_per_min"] == rates["sessions_per_min"] == 3
    assert rates["ended_sessions_per_min"] == rates["conversations_per_min"] == 9


def test_earlier_error_codes_count_under_their_present_names() -> None:
    counts = Counts()
    part = {"out": [0, 0, 0, 3, 0], "sources": [3, 0, 0], "first": 0, "last": 1, **dict.fromkeys(_SUMS, 0)}
    counts.add_part({**part, "codes": {"user_doubled": 2, "http_500": 1}})
    counts.add_part({**part, "codes": {"user_hedged": 1}})
    assert counts.codes == {"user_hedged": 3, "http_500": 1}
    assert session_close({**CLOSE, "out": "failed", "code": "user_doubled"}, 1).code == "user_hedged"
    assert earlier_names.names_of_code("user_doubled") == earlier_names.names_of_code("user_hedged")
    assert advice("user_doubled") == advice("user_hedged") != ""


def test_a_threshold_on_an_earlier_name_means_todays_and_warns_once(capsys: pytest.CaptureFixture[str]) -> None:
    counts = Counts()
    counts.add_part({"closed": {"completed": 3, "failed": 1}})
    found = figures(counts, 60.0)
    for earlier, now, value in (
        ("sessions_per_min", "completed_sessions_per_min", 3),
        ("conversations_per_min", "ended_sessions_per_min", 4),
    ):
        for _ in range(2):
            threshold = parse_threshold(f"{earlier}>1")
            assert (threshold.name, threshold.expr) == (now, f"{earlier}>1")
            assert value_of(threshold, found) == value_of(parse_threshold(f"{now}>1"), found) == (value, value)
        line = f"Token-Burn: the threshold {earlier} is now {now}; the old name works until 1.0\n"
        assert capsys.readouterr().err == line
