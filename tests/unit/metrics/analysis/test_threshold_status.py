"""The state of a threshold during a run."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.analysis.figures import figures, of_choice
from metrics.analysis.threshold_status import JUDGED_FROM_S, threshold_statuses
from metrics.analysis.thresholds import parse_thresholds
from metrics.analysis.totals import Aggregate, merge
from metrics.groups import Group
from metrics.report.bound_words import missed_words
from tests.unit.metrics.made import MS, batch, failed, turn

GROUPS = (Group("quick"), Group("slow"))
LATE = JUDGED_FROM_S + 1


def so_far(good: int, bad: int = 0, **changes: Any) -> Aggregate:
    """Good turns take 90 ms; the first is of the group "slow"."""
    lines = [turn(number, g=int(number == 0), **changes) for number in range(good)]
    return merge(batch(*lines, *(failed(good + number, g=0) for number in range(bad)), groups=2).windows.values())


def state(text: str, found: Aggregate, counted_s: float = LATE) -> str:
    (one,) = threshold_statuses(parse_thresholds(text), figures(found), of_choice(found, GROUPS), counted_s)
    return one["state"]


@pytest.mark.parametrize(
    ("text", "good", "expected"),
    [
        ("e2e_ms.p95<50", 20, "missed"),
        ("e2e_ms.p95<50", 19, "early"),
        ("e2e_ms.p95<500", 20, "kept"),
        ("e2e_ms.p50<50", 2, "missed"),
        ("e2e_ms.p99<50", 99, "early"),
        ("e2e_ms.mean<50", 19, "early"),
        ("e2e_ms.mean<50", 20, "missed"),
        ("handshake_tls_ms.p95<50", 200, "early"),
        ("e2e_ms{scenario=slow}.p50<50", 200, "early"),
        ("e2e_ms{scenario=quick}.p50<50", 200, "missed"),
        ("turns_per_s>1e6", 5, "missed"),
        ("turns_per_s>1", 5, "kept"),
    ],
)
def test_a_percentile_a_mean_or_a_rate_waits_for_its_samples(text: str, good: int, expected: str) -> None:
    assert state(text, so_far(good)) == expected


@pytest.mark.parametrize("text", ["e2e_ms.p95<50", "e2e_ms.p95<500", "error_rate<50%", "turns_per_s>1e6"])
def test_the_first_seconds_decide_nothing_that_may_still_change(text: str) -> None:
    assert state(text, so_far(50, 50), JUDGED_FROM_S - 0.1) == "early"


@pytest.mark.parametrize(
    ("text", "good", "bad", "expected"),
    [
        ("turns_ok>=10", 9, 0, "early"),
        ("turns_ok>=10", 10, 0, "kept"),
        ("turns_ok<10", 9, 0, "kept"),
        ("turns_ok<10", 10, 0, "missed"),
        ("turns_ok==10", 9, 0, "early"),
        ("turns_ok==10", 10, 0, "kept"),
        ("turns_ok==10", 11, 0, "missed"),
        ("turns_failed<=0", 5, 1, "missed"),
        ("e2e_ms.count>=10", 5, 0, "early"),
        ("e2e_ms.max<50", 1, 0, "missed"),
        ("e2e_ms.max<500", 1, 0, "kept"),
        ("e2e_ms.max>500", 1, 0, "early"),
        ("e2e_ms.min>500", 1, 0, "missed"),
        ("e2e_ms.min<50", 1, 0, "early"),
    ],
)
def test_what_only_grows_is_decided_at_once_or_at_the_end(text: str, good: int, bad: int, expected: str) -> None:
    assert state(text, so_far(good, bad), 0.1) == expected


@pytest.mark.parametrize(
    ("text", "good", "bad", "expected"),
    [
        ("error_rate<10%", 10, 9, "early"),
        ("error_rate<10%", 10, 10, "missed"),
        ("error_rate<1%", 90, 9, "early"),
        ("error_rate<1%", 90, 10, "missed"),
        ("error_rate<1%", 100, 0, "kept"),
        ("error_rate==0", 19, 1, "missed"),
    ],
)
def test_an_error_rate_waits_until_one_failure_does_not_decide(text: str, good: int, bad: int, expected: str) -> None:
    assert state(text, so_far(good, bad)) == expected


def test_nothing_measured_is_too_early_and_never_a_reason() -> None:
    assert state("e2e_ms.p95<50", Aggregate()) == "early"
    assert state("error_rate<1%", Aggregate()) == "early"
    assert missed_words([]) == ""


def test_the_reason_names_each_missed_one_with_its_value() -> None:
    found = so_far(40, done=610 * MS)
    texts = parse_thresholds("e2e_ms.p95<50 and turns_ok>=5 and e2e_ms{scenario=quick}.max<400")
    assert missed_words(threshold_statuses(texts, figures(found), of_choice(found, GROUPS), LATE)) == (
        "e2e_ms.p95<50 is 500, e2e_ms{scenario=quick}.max<400 is 500"
    )
