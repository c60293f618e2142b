from __future__ import annotations

from typing import Any

import pytest

from metrics.report import RunFacts, build_report
from metrics.thresholds import EXAMPLE, RATES, ThresholdError, evaluate, parse_threshold
from tests.unit.metrics.made import aggregate, failed, turn

FACTS = RunFacts(1, "completed", "target", "scenario", {}, None)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ttft_ms.p95<500", ("ttft_ms", "p95", "<", 500)),
        (" e2e_ms.max  <= 1.5e3 ", ("e2e_ms", "max", "<=", 1500)),
        ("icl_ms.count>=10", ("icl_ms", "count", ">=", 10)),
        ("handshake_login_ms.p50<20", ("handshake_login_ms", "p50", "<", 20)),
        ("error_rate<1%", ("error_rate", None, "<", 0.01)),
        ("turns_per_s>10", ("turns_per_s", None, ">", 10)),
        ("dropped_arrivals==0", ("dropped_arrivals", None, "==", 0)),
        ("arrival_error_ms.min>-1", ("arrival_error_ms", "min", ">", -1)),
    ],
)
def test_what_parses(text: str, parts: tuple[Any, ...]) -> None:
    threshold = parse_threshold(text)
    assert (threshold.name, threshold.stat, threshold.op) == parts[:3]
    assert threshold.limit == pytest.approx(parts[3])


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", f"for example '{EXAMPLE}'"),
        ("ttft<500", "did you mean 'ttft_ms.p95<500'?"),
        ("tftt_ms.p95<500", "did you mean 'ttft_ms.p95<500'?"),
        ("ttft_ms<500", "did you mean 'ttft_ms.p95<500'?"),
        ("ttft_ms.p98<500", "did you mean 'ttft_ms.p9"),
        ("ttft_ms.avg<500", "(count, mean, min, p50, p90, p95, p99, p999, max)"),
        ("error_rat<1%", "did you mean 'error_rate<1%'?"),
        ("error_rate.p95<0.1", "did you mean 'error_rate<0.1'?"),
        ("ttft_ms.p95<500ms", "times are in ms"),
        ("ttft_ms.p95<nan", "not a plain number"),
        ("ttft_ms.p95<5%", "takes no %"),
        ("ttft_ms.p95=500", "< <= > >= =="),
        ("xyz.p95<1", "there are ttfb_ms"),
        ("a\nb", "for example"),
        ("x" * 5000, "for example"),
    ],
)
def test_what_does_not_parse_says_in_one_line_how_to_write_it(text: str, hint: str) -> None:
    with pytest.raises(ThresholdError) as caught:
        parse_threshold(text)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("value", [None, 5, {"a": 1}])
def test_what_is_no_text_is_refused_like_one(value: Any) -> None:
    with pytest.raises(ThresholdError):
        parse_threshold(value)


def test_the_example_parses() -> None:
    assert parse_threshold(EXAMPLE).expr == EXAMPLE


def test_values_come_from_the_report_and_unmeasured_ones_are_missed() -> None:
    report = build_report(FACTS, aggregate(turn(), turn(1), failed(2), failed(3, "timeout", "idle_timeout")))
    expressions = [
        "e2e_ms.p50<=90", "e2e_ms.p50<90", "error_rate==0.5", "turns_ok==2", "turns_failed>2", "dropped_arrivals<1",
        "e2e_ms.p999<1000", "handshake_tls_ms.max<1000", "handshake_tls_ms.count==0", "handshake_other_ms.max<5",
    ]  # fmt: skip
    found = evaluate(expressions, report)
    assert [result["passed"] for result in found] == [
        True, False, True, True, False, True, False, False, True, False,
    ]  # fmt: skip
    assert found[0] == {"expr": "e2e_ms.p50<=90", "value": 90.0, "passed": True}
    assert found[6]["value"] is None


@pytest.mark.parametrize("name", RATES)
def test_every_rate_can_be_evaluated(name: str) -> None:
    (result,) = evaluate([f"{name}>=0"], build_report(FACTS, aggregate(turn())))
    assert result["passed"] is True
