"""A report as JUnit XML, as Jenkins, GitLab and others read it. Pure.

One test case says whether the run came to its end, one whether the target answered until then, one for each threshold
whether it was kept. A verdict that the figures are not to be trusted is a skipped case: it is no failure of the target,
and changes no exit code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from metrics.bound_words import value_words
from metrics.gates import stopped_answering
from metrics.words import counted, number, run_name

Report = Mapping[str, Any]
ENDED_WELL = frozenset({"completed"})
BY_BUDGET = "budget: "
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold: a reason may quote what a target said."""


def junit_xml(report: Report) -> bytes:
    """A whole document, UTF-8."""
    run = report["run"]
    name = f"Token-Burn {run_name(run)}: {run['target']}, {run['scenario']}"
    suite = Element("testsuite", name=_text(name))
    cases = [_run_case(report), _answers_case(report), *_threshold_cases(report), _verdict_case(report)]
    suite.extend(cases)
    counts = {tag: sum(case.find(tag) is not None for case in cases) for tag in ("failure", "error", "skipped")}
    suite.attrib |= {
        "tests": str(len(cases)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "skipped": str(counts["skipped"]),
        "time": f"{run['duration_s']:.3f}",
        "timestamp": (run["started_at"] or "")[:19],
    }
    if not suite.attrib["timestamp"]:
        del suite.attrib["timestamp"]
    root = Element("testsuites", {name: suite.attrib[name] for name in ("tests", "failures", "errors", "time")})
    root.append(suite)
    indent(root)
    data: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def ended_well(report: Report) -> bool:
    """Whether the run came to the end that it was given: its load's, or that of its budget."""
    run = report["run"]
    return run["status"] in ENDED_WELL or (run["status"] == "stopped" and (run["reason"] or "").startswith(BY_BUDGET))


def _case(kind: str, name: str, seconds: float = 0.0) -> Element:
    return Element("testcase", {"classname": f"token-burn.{kind}", "name": _text(name), "time": f"{seconds:.3f}"})


def _run_case(report: Report) -> Element:
    run, turns = report["run"], report["turns"]
    case = _case("run", "the run comes to its end", run["duration_s"])
    if not ended_well(report):
        why = f"{run['status']}: {run['reason'] or 'no reason was given'}"
        _says(case, "error", run["status"], why, f"{why}\n{_counts(turns)}\n{_errors(report)}")
    return case


def _answers_case(report: Report) -> Element:
    case = _case("run", "the target answers until the end")
    if not report["turns"]["ok"]:
        _says(case, "skipped", "", "no turn was answered: nothing was measured")
    elif silence := stopped_answering(report):
        _says(
            case, "failure", "stopped_answering", silence, f"{silence}\n{_counts(report['turns'])}\n{_errors(report)}"
        )
    return case


def _threshold_cases(report: Report) -> Iterator[Element]:
    for result in report["thresholds"]:
        case = _case("thresholds", result["expr"])
        if not result["passed"]:
            value = value_words(result, _plain)
            _says(case, "failure", "threshold_missed", value, f"{result['expr']}: {value}\n{_figures(report)}")
        elif result.get("unanswered"):
            SubElement(case, "system-out").text = _text(f"{result['expr']}: {value_words(result, _plain)}")
        yield case


def _plain(value: float) -> str:
    return f"{value:.6g}"


def _verdict_case(report: Report) -> Element:
    verdict = report["verdict"]
    case = _case("verdict", "the figures can be trusted")
    if not verdict["trusted"]:
        _says(case, "skipped", "", "; ".join(verdict["reasons"]))
    return case


def _says(case: Element, tag: str, kind: str, message: str, text: str = "") -> None:
    found = SubElement(case, tag, {"message": _text(message)} | ({"type": kind} if kind else {}))
    if text:
        found.text = _text(text)


def _counts(turns: Mapping[str, int]) -> str:
    return "turns: " + (
        ", ".join(f"{number(count)} {word}" for word, count in turns.items() if count and word != "failed") or "none"
    )


def _errors(report: Report) -> str:
    return "\n".join(f"{code}: {counted(count, 'turn')}" for code, count in report["errors"].items())


def _figures(report: Report) -> str:
    lines = [_counts(report["turns"])]
    for name in ("ttft_ms", "e2e_ms"):
        stats = report["metrics"][name]
        lines.append(f"{name}: " + ", ".join(f"{stat} {number(stats[stat])}" for stat in ("p50", "p95", "p99", "max")))
    return "\n".join(lines)


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
