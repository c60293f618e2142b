"""The report as JUnit XML for Jenkins, GitLab and others. Pure.

One test case says whether the run came to its end, one whether the target answered until then, one for each threshold
whether it was kept. A verdict that the figures are not to be trusted is a skipped case: it is no failure of the target,
and changes no exit code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Final, Literal
from xml.etree.ElementTree import indent

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from metrics.columns import OUTCOMES
from metrics.end_codes import BUDGET_ENDS, end_code_of
from metrics.number_format import counted, number, run_name
from metrics.report.advice import error_rows
from metrics.report.bound_words import value_words
from metrics.report.gates import stopped_answering
from metrics.report_schema import Outcome, RunReport, Stat

COUNTED: Final[tuple[Literal["sent", Outcome], ...]] = ("sent", *OUTCOMES)
STATS: Final[tuple[Stat, ...]] = ("p50", "p95", "p99", "max")
ENDED_WELL = frozenset({"completed"})
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow: a reason may quote a target's text."""


def junit_xml(report: RunReport) -> bytes:
    """A whole document, UTF-8."""
    run = report["run"]
    suite = TestSuite(_text(f"Token-Burn {run_name(run)}: {run['target']}, {run['scenario']}"))
    suite.add_testcases([_run_case(report), _answers_case(report), *_threshold_cases(report), _verdict_case(report)])
    if run["started_at"]:
        suite.timestamp = run["started_at"][:19]
    root = JUnitXml()
    root.add_testsuite(suite)
    # Not by update_statistics(): it adds `skipped`, which Jenkins' schema does not allow here.
    root.tests, root.failures, root.errors, root.time = suite.tests, suite.failures, suite.errors, suite.time
    indent(root._elem)  # write(pretty=True) loses line breaks in attributes
    root.write(document := BytesIO())
    return document.getvalue() + b"\n"


def ended_well(report: RunReport) -> bool:
    """Whether the run reached its intended end: that of its load, or of its budget."""
    run = report["run"]
    by_budget = end_code_of(run.get("end_code") or "", run["reason"] or "") in BUDGET_ENDS
    return run["status"] in ENDED_WELL or (run["status"] == "stopped" and by_budget)


def _case(kind: str, name: str, seconds: float = 0.0) -> TestCase:
    return TestCase(_text(name), f"token-burn.{kind}", round(seconds, 3))


def _run_case(report: RunReport) -> TestCase:
    run = report["run"]
    case = _case("run", "the run comes to its end", run["duration_s"])
    if not ended_well(report):
        why = f"{run['status']}: {run['reason'] or 'no reason was given'}"
        _set_result(case, Error(_text(why), run["status"]), f"{why}\n{_counts(report)}\n{_errors(report)}")
    return case


def _answers_case(report: RunReport) -> TestCase:
    case = _case("run", "the target answers until the end")
    if not report["turns"]["ok"]:
        case.result = Skipped("no turn was answered: nothing was measured")
    elif silence := stopped_answering(report):
        failure = Failure(_text(silence), "stopped_answering")
        _set_result(case, failure, f"{silence}\n{_counts(report)}\n{_errors(report)}")
    return case


def _threshold_cases(report: RunReport) -> Iterator[TestCase]:
    for result in report["thresholds"]:
        case = _case("thresholds", result["expr"])
        value = value_words(result)
        if not result["passed"]:
            failure = Failure(_text(value), "threshold_missed")
            _set_result(case, failure, f"{result['expr']}: {value}\n{_figures(report)}")
        elif result.get("unanswered"):
            case.system_out = _text(f"{result['expr']}: {value}")
        yield case


def _verdict_case(report: RunReport) -> TestCase:
    verdict = report["verdict"]
    case = _case("verdict", "the figures can be trusted")
    if not verdict["trusted"]:
        case.result = Skipped(_text("; ".join(verdict["reasons"])))
    return case


def _set_result(case: TestCase, result: Error | Failure, text: str) -> None:
    result.text = _text(text)
    case.result = result


def _counts(report: RunReport) -> str:
    turns = report["turns"]
    counts = [f"{number(turns.get(word))} {word}" for word in COUNTED if turns.get(word)]
    return f"turns: {', '.join(counts) or 'none'}"


def _errors(report: RunReport) -> str:
    return "\n".join(
        f"{code}: {counted(turns, 'turn') if turns else counted(sessions, 'session')}"
        for code, turns, sessions in error_rows(report)
    )


def _figures(report: RunReport) -> str:
    lines = [_counts(report)]
    for name in ("ttft_ms", "e2e_ms"):
        stats = report["metrics"][name]
        lines.append(f"{name}: " + ", ".join(f"{stat} {number(stats[stat])}" for stat in STATS))
    return "\n".join(lines)


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
