from __future__ import annotations

from typing import Any

import pytest

from metrics.analysis.figures import figures
from metrics.analysis.threshold_checks import check_limits, highest_limit_s, longest_wait_s
from metrics.analysis.threshold_values import evaluate
from metrics.analysis.thresholds import (
    CHOICE_EXAMPLE,
    EXAMPLE,
    RATES,
    SETS,
    ThresholdError,
    Value,
    parse_all,
    parse_threshold,
    parse_thresholds,
)
from metrics.report.build import RunFacts
from tests.unit.metrics.made import aggregate, failed, turn

FACTS = RunFacts(1, "completed", "target", "scenario", {}, None)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ttft_ms.p95<500", ("ttft_ms", "p95", "<", 500)),
        (" e2e_ms.max  <= 1.5e3 ", ("e2e_ms", "max", "<=", 1500)),
        ("icl_ms.count>=10", ("icl_ms", "count", ">=", 10)),
        ("handshake_login_ms.p50<20", ("handshake_login_ms", "p50", "<", 20)),
        ("then_fetch_ms.p95<300", ("then_fetch_ms", "p95", "<", 300)),
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
        ("latency_ms.p95<1", "there are ttfb_ms"),
        ("cost<1", "there are ttfb_ms"),
        ("e2e.p95<500", "did you mean 'e2e_ms.p95<500'?"),
        ("ttft_ms.avg<500", "for example 'ttft_ms.p95<500'"),
        ("a\nb", "for example"),
        ("x" * 5000, "for example"),
    ],
)
def test_what_does_not_parse_says_in_one_line_how_to_write_it(text: str, hint: str) -> None:
    with pytest.raises(ThresholdError) as caught:
        parse_threshold(text)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 550


@pytest.mark.parametrize("value", [None, 5, {"a": 1}])
def test_what_is_no_text_is_refused_like_one(value: Any) -> None:
    with pytest.raises(ThresholdError):
        parse_threshold(value)


def test_the_examples_parse() -> None:
    assert parse_threshold(EXAMPLE).expr == EXAMPLE
    assert parse_threshold(CHOICE_EXAMPLE).where == (("scenario", "rapid-fire"),)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("ttft_ms{scenario=rapid-fire}.p95<500", {"scenario": "rapid-fire"}),
        ("error_rate{model=gpt-4o}<1%", {"model": "gpt-4o"}),
        ("error_rate { tier = gold , team=x y }<1%", {"tier": "gold", "team": "x y"}),
        ("error_rate{ tier = gold , team=x y }<1%", {"tier": "gold", "team": "x y"}),
        ('turns_ok{scenario="a, {b} = \\"c\\" and d"}>=1', {"scenario": 'a, {b} = "c" and d'}),
        ("turns_ok{model=org/model:7b@q4}>=1", {"model": "org/model:7b@q4"}),
        ("turns_ok{scenario=<script>}>=1", {"scenario": "<script>"}),
    ],
)
def test_braces_choose_conversations(text: str, where: dict[str, str]) -> None:
    threshold = parse_threshold(text)
    assert dict(threshold.where) == where
    assert threshold.expr == text


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("ttft_ms{}.p95<5", "braces hold"),
        ("ttft_ms{scenario}.p95<5", "braces hold"),
        ("ttft_ms{scenario=}.p95<5", "braces hold"),
        ("ttft_ms{scenario=a,}.p95<5", "braces hold"),
        ("ttft_ms{a b=c}.p95<5", "braces hold"),
        ("ttft_ms{scenario=a=b}.p95<5", "braces hold"),
        ("ttft_ms{scenario=a, scenario=b}.p95<5", "given twice"),
        ("ttft_ms.p95{scenario=a}<5", CHOICE_EXAMPLE),
        ('ttft_ms{scenario="a}.p95<5', CHOICE_EXAMPLE),
        ("ttft_ms{scenario=a}<5", "did you mean 'ttft_ms{scenario=a}.p95<5'?"),
        ("ttft{scenario=a}.p95<5", "did you mean 'ttft_ms{scenario=a}.p95<5'?"),
        ("dropped_arrivals{scenario=a}<5", "of the whole run"),
    ],
)
def test_wrong_braces_say_how_to_write_them(text: str, hint: str) -> None:
    with pytest.raises(ThresholdError) as caught:
        parse_threshold(text)
    assert hint in str(caught.value)


def test_and_joins_thresholds_but_not_inside_quotes() -> None:
    found = parse_thresholds('ttft_ms.p95<800  and error_rate{scenario="salt and pepper"}<1%')
    assert [threshold.expr for threshold in found] == ["ttft_ms.p95<800", 'error_rate{scenario="salt and pepper"}<1%']
    assert found[1].where == (("scenario", "salt and pepper"),)
    assert [threshold.name for threshold in parse_all(["turns_ok>1 and turns_ok<9", "error_rate<1"])] == [
        "turns_ok",
        "turns_ok",
        "error_rate",
    ]


@pytest.mark.parametrize("text", ["ttft_ms.p95<800 and", "and ttft_ms.p95<800", "a and b", "", "x" * 5000, None])
def test_a_wrong_part_of_several_is_named(text: Any) -> None:
    with pytest.raises(ThresholdError):
        parse_thresholds(text)


@pytest.mark.parametrize("blank", ["\n", "\t", "\u00a0", "\u2003"])
def test_and_stands_between_blanks_of_any_kind(blank: str) -> None:
    """Text that is copied from a page has blanks that do not break."""
    found = parse_thresholds(f"ttft_ms.p95<800{blank}and{blank}error_rate<1%")
    assert [threshold.name for threshold in found] == ["ttft_ms", "error_rate"]


def test_the_longest_text_is_read_and_a_longer_one_refused() -> None:
    """Plans may hold texts of 1000 characters: they must stay readable."""
    longest = "turns_ok>1 and turns_ok>2".ljust(1000)
    assert [threshold.limit for threshold in parse_thresholds(longest)] == [1, 2]
    assert parse_threshold("turns_ok>1".ljust(1000)).limit == 1
    for parse in (parse_threshold, parse_thresholds):
        with pytest.raises(ThresholdError):
            parse("turns_ok>1".ljust(1001))


@pytest.mark.parametrize(
    ("text", "low", "high", "holds", "fails"),
    [
        ("turns_ok==5", 5, 5, True, False),
        ("turns_ok==5", 4, 5, False, False),
        ("turns_ok==5", 5, 6, False, False),
        ("turns_ok==5", 6, 7, False, True),
        ("turns_ok==5", 3, 4, False, True),
        ("turns_ok<5", 4, 5, False, False),
        ("turns_ok<5", 5, 6, False, True),
        ("turns_ok<5", 3, 4, True, False),
    ],
)
def test_a_value_known_in_bounds_holds_or_fails_only_if_both_do(
    text: str, low: float, high: float, holds: bool, fails: bool
) -> None:
    threshold = parse_threshold(text)
    assert (threshold.holds(Value(low, high)), threshold.fails(Value(low, high))) == (holds, fails)
    assert (threshold.holds(None), threshold.fails(None)) == (False, False)


def test_the_waits_that_thresholds_allow_are_in_seconds() -> None:
    found = parse_all(["e2e_ms.max<9000 and e2e_ms.max<=4500", "e2e_ms.p95<60000 and e2e_ms.count<99000"])
    assert longest_wait_s(found) == 4.5
    assert longest_wait_s(parse_all(["e2e_ms.p95<9000", "e2e_ms.max>1", "e2e_ms{model=a}.max<9"])) is None
    assert highest_limit_s(found) == 60
    assert highest_limit_s([]) == 0


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("error_rate<5", "'error_rate' is a share from 0 to 1 and is never above it: write 5% (or 0.05)"),
        ("error_rate{model=a}>=1.5", "write 1.5% (or 0.015)"),
        ("repetition.p95<30", "write 30% (or 0.3)"),
        ("error_rate<500", "give at most 1, or 100%"),
        ("error_rate<500%", "give at most 1, or 100%"),
    ],
)
def test_a_limit_that_a_share_never_reaches_is_refused_where_it_is_given(text: str, hint: str) -> None:
    found = parse_thresholds(f"turns_ok>1 and {text}")  # those of stored runs are still read
    with pytest.raises(ThresholdError) as caught:
        check_limits(found)
    assert str(caught.value).startswith(f"threshold '{text}': ")
    assert str(caught.value).endswith(hint)


@pytest.mark.parametrize("text", ["error_rate<1", "error_rate<100%", "drift<2", "repetition.count>5", "turns_ok>5"])
def test_a_limit_that_can_be_reached_is_taken(text: str) -> None:
    check_limits(parse_thresholds(text))


def test_values_come_from_the_report_and_unmeasured_ones_are_missed() -> None:
    counted = aggregate(turn(), turn(1), failed(2), failed(3, "timeout", "idle_timeout"))
    expressions = [
        "e2e_ms.p50<=90", "e2e_ms.p50<90", "error_rate==0.5", "turns_ok==2", "turns_failed>2", "dropped_arrivals<1",
        "e2e_ms.p999<1000", "handshake_tls_ms.max<1000", "handshake_tls_ms.count==0", "handshake_other_ms.max<5",
    ]  # fmt: skip
    found = evaluate(expressions, figures(counted))
    assert [result["passed"] for result in found] == [
        True, False, True, True, False, True, False, False, True, False,
    ]  # fmt: skip
    assert found[0] == {"expr": "e2e_ms.p50<=90", "value": 90.0, "passed": True, "unanswered": 1}
    assert found[6]["value"] is None


@pytest.mark.parametrize("name", sorted(RATES.keys() - {"drift"}))  # that needs many turns: test_drift.py
def test_every_rate_can_be_evaluated(name: str) -> None:
    (result,) = evaluate([f"{name}>=0"], figures(aggregate(turn())))
    assert result["passed"] is True


@pytest.mark.parametrize("name", SETS)
def test_a_set_stands_for_its_thresholds(name: str) -> None:
    found = evaluate([f"@{name}", "turns_ok>0"], figures(aggregate(turn())))
    assert [result["expr"] for result in found] == [*SETS[name], "turns_ok>0"]


def test_an_unknown_set_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        ThresholdError, match=r"threshold '@chats': there is no such set; there are @chat, @chat-stream"
    ):
        parse_all(["@chats"])
