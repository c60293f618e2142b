"""A verdict in words: what went wrong, what is only missing, and what is merely to be known are told apart."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.report.markdown import summary_md
from metrics.report.terminal import report_text
from metrics.report.verdict_words import verdict_words
from tests.unit.metrics.made import failed, head, html_of, tail, turn
from tests.unit.metrics.report.test_terminal import report

FEW = [head(), *(turn(n, ts="estimate") for n in range(50)), tail(50)]
BROKEN = [
    head(),
    *(turn(n, ts="estimate") for n in range(99)),
    failed(99, "unknown", "engine_died", done=None),
    tail(100),
]


@pytest.mark.parametrize(
    ("verdict", "tone"),
    [
        ({"trusted": True, "reasons": [], "notes": ["few_dropped: x"]}, "good"),
        ({"trusted": False, "reasons": ["few_samples: x", "few_samples: y"], "notes": []}, "short"),
        ({"trusted": False, "reasons": ["few_samples: x", "send_lag: y"], "notes": []}, "bad"),
        ({"trusted": False, "reasons": [], "notes": []}, "bad"),
        ({}, "bad"),
    ],
)
def test_the_tone_is_that_of_the_worst_reason(verdict: Any, tone: str) -> None:
    assert verdict_words(verdict).tone == tone


@pytest.mark.parametrize("written", [report_text, summary_md, html_of])
def test_a_note_never_stands_below_the_reasons(written: Any) -> None:
    text = written(report(*BROKEN)).replace("\\", "")
    places = [text.lower().index(part) for part in ("not trusted", "turns_unknown", "notes:")]
    assert [*places, text.index("tokens_estimated")] == sorted([*places, text.index("tokens_estimated")])


@pytest.mark.parametrize("written", [report_text, summary_md, html_of])
def test_few_turns_alone_do_not_read_like_a_broken_run(written: Any) -> None:
    text = written(report(*FEW))
    assert "not trusted" not in text.lower()
    assert "too few turns" in text.lower()
    assert "the generator kept up" in text.lower()


@pytest.mark.parametrize("written", [report_text, summary_md, html_of])
@pytest.mark.parametrize("failures", [1, 25, 49])
@pytest.mark.parametrize("outcome", ["error", "timeout"])
def test_few_turns_of_which_some_failed_are_not_said_to_be_all_well(written: Any, failures: int, outcome: str) -> None:
    bad = [failed(n, outcome, "http_500", done=None) for n in range(failures)]
    good = [turn(n, ts="estimate") for n in range(failures, 50)]
    text = written(report(head(), *bad, *good, tail(50))).lower()
    assert "too few turns" in text
    assert "went wrong" not in text
