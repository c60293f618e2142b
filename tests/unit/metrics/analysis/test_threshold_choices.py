"""Thresholds of a part of a run: what a choice in braces may name, and what it is evaluated on."""

from __future__ import annotations

import pytest

from metrics.analysis.threshold_checks import check_choices
from metrics.analysis.thresholds import ThresholdError, parse_thresholds
from metrics.analysis.totals import merge
from metrics.groups import Group
from metrics.report.build import RunFacts, build_report
from tests.unit.metrics.made import MS, aggregate, batch, failed, turn

GROUPS = (Group("rapid-fire", "small", {"tier": "gold"}), Group("slow", "small", {"tier": "free"}))


@pytest.mark.parametrize(
    ("choice", "hint"),
    [
        ("scenario=rapid-fir", "no scenario 'rapid-fir', it has rapid-fire, slow; did you mean 'rapid-fire'?"),
        ("scenario=xyz", "it has rapid-fire, slow"),
        ("model=large", "no model 'large', it has small"),
        ("tier=silver", "no scenario with the tag tier= 'silver', it has gold, free"),
        ("team=x", "no scenario has a tag 'team'; a choice may ask for scenario, model, tier"),
        ("scenario=slow, tier=gold", "no conversation has scenario=slow and tier=gold together"),
    ],
)
def test_a_choice_that_the_run_cannot_make_says_what_it_has(choice: str, hint: str) -> None:
    (threshold,) = parse_thresholds(f"ttft_ms{{{choice}}}.p95<500")
    with pytest.raises(ThresholdError) as caught:
        check_choices([threshold], GROUPS)
    assert str(caught.value).endswith(hint)


def test_a_choice_that_the_run_can_make_is_taken() -> None:
    check_choices(parse_thresholds("error_rate{scenario=slow, model=small, tier=free}<1 and turns_ok>1"), GROUPS)
    with pytest.raises(ThresholdError, match="names no model"):
        check_choices(parse_thresholds("error_rate{model=a}<1"), [Group("slow")])
    with pytest.raises(ThresholdError, match="give them tags"):
        check_choices(parse_thresholds("error_rate{scenario=a}<1"), [Group("300 scenarios", scenarios=300)])


def test_no_more_than_ten_of_what_a_run_has_are_listed() -> None:
    (threshold,) = parse_thresholds("turns_ok{scenario=x}>1")
    for count, end in ((10, "s08, s09"), (11, "s08, s09 and 1 more")):
        with pytest.raises(ThresholdError) as caught:
            check_choices([threshold], [Group(f"s{number:02d}") for number in range(count)])
        assert str(caught.value).endswith(end)


def test_values_of_a_choice_are_those_of_its_groups() -> None:
    lines = [turn(0, g=0), turn(1, g=1, done=500 * MS), failed(2, g=1), turn(3, g=2, done=900 * MS)]
    groups = (Group("a", tags={"tier": "gold"}), Group("b", tags={"tier": "gold"}), Group("c"))
    found = merge(batch(*lines, groups=3).windows.values())
    texts = [
        "e2e_ms{scenario=a}.max<=90", "e2e_ms{tier=gold}.max<=390", "e2e_ms.max<=790", "error_rate{scenario=b}==50%",
        "error_rate{scenario=a}==0", "turns_ok{tier=gold}==2", "turns_ok{scenario=nobody}==0",
    ]  # fmt: skip
    report = build_report(RunFacts(1, "completed", "t", "s", {}, None, groups=groups), found, texts)
    assert [result["passed"] for result in report["thresholds"]] == [True] * 7
    assert report["thresholds"][1]["value"] == 390


def test_in_a_run_with_one_group_a_choice_of_it_is_the_whole() -> None:
    facts = RunFacts(1, "completed", "t", "s", {}, None, groups=(Group("a", "m"),))
    report = build_report(facts, aggregate(turn(), turn(1)), ["turns_ok{scenario=a, model=m}==2"])
    assert report["thresholds"][0]["passed"] is True


def test_too_few_samples_of_a_choice_are_said_in_the_verdict() -> None:
    lines = [turn(number, g=int(number == 0)) for number in range(120)]
    facts = RunFacts(1, "completed", "t", "s", {}, None, groups=(Group("a"), Group("b")))
    found = merge(batch(*lines, groups=2).windows.values())
    reasons = build_report(facts, found, ["ttft_ms{scenario=b}.p95<500", "ttft_ms.p95<500"])["verdict"]["reasons"]
    assert [text for text in reasons if text.startswith("few_samples")] == [
        "few_samples: ttft_ms{scenario=b}.p95 rests on 1 value; it needs 20 to be meaningful."
    ]
