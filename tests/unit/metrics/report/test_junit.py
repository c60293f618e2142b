"""JUnit XML as CI servers take it: Jenkins' schema is the strictest, so its elements and attributes are held here."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.report.build import RunFacts, build_report
from metrics.report.junit import junit_xml
from tests.unit.metrics.made import aggregate, failed, head, tail, turn

ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "disabled", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id"},
    "testcase": {"name", "classname", "time", "status", "assertions"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"message"},
    "system-out": set(),
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"failure", "error", "skipped", "system-out"},
}


def report(status: str = "completed", reason: str = "", thresholds: tuple[str, ...] = (), **facts: Any) -> Any:
    given = {"target": "bot", "scenario": "talk", "load": {}, "started_at": "2026-11-21T08:00:00.123456+00:00", **facts}
    found = aggregate(head(), *(turn(number) for number in range(120)), failed(120), tail(121))
    return build_report(RunFacts(7, status, reason=reason, **given), found, thresholds)


def read(found: Any) -> ElementTree.Element:
    root = ElementTree.fromstring(junit_xml(found))
    check(root)
    return root


def check(element: ElementTree.Element) -> None:
    assert element.attrib.keys() <= ATTRIBUTES[element.tag]
    for child in element:
        assert child.tag in CHILDREN[element.tag]
        check(child)


def cases(root: ElementTree.Element) -> dict[str, str]:
    """What each case says: its failure, error or skip; empty: passed."""
    return {case.get("name", ""): next((child.tag for child in case), "") for case in root.iter("testcase")}


def test_a_target_that_stopped_answering_is_a_failure() -> None:
    silent = report()
    silent["verdict"] = {"trusted": False, "reasons": ["stopped_answering: No turn for 9 s"], "notes": []}
    root = read(silent)
    assert cases(root)["the target answers until the end"] == "failure"
    assert root.get("failures") == "1"


def test_each_threshold_is_a_case_with_its_value_where_it_failed() -> None:
    root = read(report(thresholds=("e2e_ms.p95<500", "e2e_ms{scenario=x}.p95<50", "error_rate<0.1%")))
    assert cases(root) == {
        "the run comes to its end": "",
        "the target answers until the end": "",
        "e2e_ms.p95<500": "",
        "e2e_ms{scenario=x}.p95<50": "failure",
        "error_rate<0.1%": "failure",
        "the figures can be trusted": "",
    }
    suite = root.find("testsuite")
    assert suite is not None
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped", "timestamp")} == {
        "tests": "6", "failures": "2", "errors": "0", "skipped": "0", "timestamp": "2026-11-21T08:00:00",
    }  # fmt: skip
    assert {name: root.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "6", "failures": "2", "errors": "0",
    }  # fmt: skip
    messages = [failure.get("message") for failure in root.iter("failure")]
    assert messages == ["nothing measured", "is 0.8264%"]
    texts = [failure.text or "" for failure in root.iter("failure")]
    assert "e2e_ms: p50 90," in texts[1]
    assert "120 ok" in texts[1]


@pytest.mark.parametrize(
    ("status", "reason", "word"),
    [
        ("completed", "", ""),
        ("stopped", "budget: tokens: the limit is reached", ""),
        ("stopped", "stopped by ann", "error"),
        ("aborted", "threshold: e2e_ms.p95<50 is 90, after 9 s", "error"),
        ("failed", "no turn succeeded", "error"),
    ],
)
def test_a_run_that_did_not_come_to_its_end_is_an_error(status: str, reason: str, word: str) -> None:
    root = read(report(status, reason))
    assert cases(root)["the run comes to its end"] == word
    if word:
        (error,) = root.iter("error")
        assert (error.get("type"), error.get("message")) == (status, f"{status}: {reason}")
        assert "http_500: 1 turn" in (error.text or "")


def test_the_run_case_alone_takes_time_and_so_does_the_suite() -> None:
    found = report()
    found["run"]["duration_s"] = 12.3456
    root = read(found)
    times = [float(case.get("time", "-1")) for case in root.iter("testcase")]
    assert times == [12.346, 0, 0]
    assert [float(element.get("time", "-1")) for element in (root, *root)] == [12.346, 12.346]
    assert {case.get("classname") for case in root.iter("testcase")} == {"token-burn.run", "token-burn.verdict"}


def test_a_reason_of_several_lines_keeps_them() -> None:
    (error,) = read(report("failed", "first\nsecond")).iter("error")
    assert error.get("message") == "failed: first\nsecond"


def test_a_verdict_against_the_figures_is_skipped_with_its_reasons() -> None:
    few = build_report(RunFacts(7, "completed", "bot", "talk", {}, None), aggregate(head(), turn(), tail(1)))
    root = read(few)
    assert cases(root)["the figures can be trusted"] == "skipped"
    (skipped,) = root.iter("skipped")
    assert "e2e_ms.p99 rests on 1 value" in (skipped.get("message") or "")
    suite = root.find("testsuite")
    assert suite is not None
    assert (suite.get("skipped"), suite.get("timestamp")) == ("1", None)


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=60))
def test_whatever_a_target_said_the_document_is_whole(text: str) -> None:
    found = report("failed", "x", target=text, scenario=text) | {
        "thresholds": [{"expr": text, "value": None, "passed": False}],
        "errors": {text: 3},
    }
    found["run"] |= {"reason": f"]]>{text}"}
    root = read(found)
    assert len(cases(root)) >= 2
    if text.isascii() and text.isprintable():
        (failure,) = root.iter("failure")
        assert f"{text}: nothing measured" in (failure.text or "")
        assert text in cases(root)


@pytest.mark.parametrize("lines", [[], [failed(1)], [failed(1, "timeout", "unanswered"), failed(2)]])
def test_a_target_that_never_answered_is_not_said_to_answer_until_the_end(lines: list[Any]) -> None:
    facts = RunFacts(7, "failed", "t", "s", {}, None, reason="nothing listens there")
    root = read(build_report(facts, aggregate(head(), *lines, tail(len(lines))), ()))
    assert cases(root)["the target answers until the end"] == "skipped"
    (case,) = (found for found in root.iter("testcase") if found.get("name") == "the target answers until the end")
    skipped = case.find("skipped")
    assert skipped is not None and skipped.get("message") == "no turn was answered: nothing was measured"


def test_a_kept_time_of_answered_turns_says_how_many_were_never_answered() -> None:
    found = report(thresholds=("e2e_ms.max<9000",))
    found["thresholds"][0] |= {"unanswered": 4}
    (said,) = (
        case.findtext("system-out") for case in read(found).iter("testcase") if case.find("system-out") is not None
    )
    assert said is not None and said.endswith(", of answered turns; 4 had no whole answer")
