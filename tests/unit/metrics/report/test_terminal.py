from __future__ import annotations

from typing import Any

import pytest

from metrics.report.advice import error_rows
from metrics.report.build import RunFacts, build_report
from metrics.report.junit import junit_xml
from metrics.report.markdown import summary_md
from metrics.report.terminal import report_text
from metrics.report_schema import RunReport
from tests.support.data.curves import forty_users
from tests.unit.metrics.made import MS, aggregate, failed, generator, head, html_of, tail, turn


def report(*lines: dict[str, Any], thresholds: tuple[str, ...] = (), reason: str = "") -> RunReport:
    facts = RunFacts(7, "completed", "[red]mock[/red]", "flood", {}, None, reason)
    return build_report(facts, aggregate(head(), *lines), thresholds)


GOOD = [turn(n, planned=109 * MS) for n in range(100)]


@pytest.mark.parametrize("width", [60, 80, 100, 130, 200])
def test_no_line_is_wider_than_the_terminal_and_no_figure_is_cut(width: int) -> None:
    text = report_text(report(*GOOD, failed(100), tail(101), thresholds=("e2e_ms.p95<1",)), width)
    assert max(map(len, text.splitlines())) <= width
    if width >= 80:
        (line,) = [line for line in text.splitlines() if line.strip().startswith("e2e_ms ")]
        assert line.split()[1:7] == ["90", "90", "90", "90", "90", "100"]


def test_a_trusted_run_says_so_and_an_untrusted_one_says_why() -> None:
    assert "\ntrusted: " in report_text(report(*GOOD, tail(100)))
    text = report_text(report(*GOOD, generator(1, 10, dropped=3), tail(100)))
    assert "not trusted" in text
    assert "arrivals_dropped: 3 arrivals" in text


def test_errors_come_with_their_codes_and_what_to_do() -> None:
    text = report_text(report(*GOOD, failed(100, code="http_503"), failed(101, code="connect_refused"), tail(102)), 120)
    assert "http_503" in text
    assert "it is overloaded, or not ready" in text
    assert "nothing listens there" in text


def test_thresholds_say_kept_or_missed_with_the_value() -> None:
    text = report_text(report(*GOOD, tail(100), thresholds=("e2e_ms.p95<100", "e2e_ms.p95<50", "tpot_ms.p999<1")))
    rows = {line.split()[1]: line for line in text.splitlines() if line.startswith(("met", "missed"))}
    assert rows["e2e_ms.p95<100"].startswith("met")
    assert rows["e2e_ms.p95<50"].startswith("missed")
    assert "nothing measured" in rows["tpot_ms.p999<1"]


def test_a_name_with_markup_is_shown_as_it_is() -> None:
    assert "[red]mock[/red]" in report_text(report(*GOOD, tail(100)))


def test_only_measured_metrics_have_a_row_and_colour_is_a_choice() -> None:
    text = report_text(report(*GOOD, tail(100)))
    assert "handshake_tls_ms" not in text
    assert "\x1b[" not in text
    assert "\x1b[" in report_text(report(*GOOD, tail(100)), color=True)


def test_a_run_without_a_turn_still_has_a_report() -> None:
    text = report_text(report(reason="no worker came"))
    assert "no worker came" in text
    assert "no_ok_turns" in text


def searched(**changes: Any) -> Any:
    return {**report(*GOOD, tail(100)), **forty_users(**changes)}


@pytest.mark.parametrize("width", [80, 100, 130])
def test_the_levels_stand_in_their_order_with_capacity_and_knee(width: int) -> None:
    text = report_text(searched(), width)
    assert max(map(len, text.splitlines())) <= width
    rows = [line.split() for line in text.splitlines() if line.strip()[:3] in {"10 ", "40 ", "42 ", "80 "}]
    assert [row[0] for row in rows] == ["10", "40", "42", "80"]
    assert rows[1][1:3] == ["320", "0.00%"] and rows[1][-3:] == ["good", "capacity,", "knee"]
    assert ("e2e_ms.p95<105" in rows[3]) == (width == 130)
    assert ("good" in rows[0], "bad" in rows[2], "knee" in rows[2]) == (True, True, False)
    sentences = " ".join(text.split())
    assert "capacity: 40 users keep e2e_ms.p95<105; 42 miss e2e_ms.p95<105 (is 109)" in sentences
    assert "knee: 40 users, more bring little more throughput" in sentences


@pytest.mark.parametrize("written", [lambda found: report_text(found, 80), report_text, summary_md, html_of])
def test_capacity_and_knee_never_stand_without_the_remarks_on_their_levels(written: Any) -> None:
    found = searched()
    mixed, few = "answers of the previous level end in it", "only 3 good turns, 20 are needed"
    for row in found["load_curve"]:
        row["notes"] = {10: [mixed], 40: [few, mixed]}.get(row["level"], [])
    text = " ".join(written(found).split())
    assert f"remark: at 10, 40 users: {mixed}" in text
    assert f"remark: at 40 users: {few}" in text
    assert "remark" not in " ".join(written(searched()).split()).replace("remarks", "")


def test_many_remarks_are_cut_and_counted() -> None:
    found = searched()
    found["load_curve"][0]["notes"] = [f"remark {number:02d}" for number in range(10)]
    text = report_text(found, 200)
    assert "at 10 users: remark 07" in text and "users: remark 08" not in text
    assert "2 more remarks" in text


def test_a_column_of_levels_has_one_number_of_decimals() -> None:
    found = searched()
    for row, rate in zip(found["load_curve"], (9.53, 1984.2, 158.41, 84), strict=True):
        row["turns_per_s"] = rate
    rows = [line.split() for line in report_text(found, 130).splitlines() if line.strip()[:3] in {"10 ", "40 ", "42 "}]
    assert [row[1] for row in rows] == ["9.53", "158.41", "84.00"]


def test_a_search_that_found_no_limit_says_why() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"found": False, "high": None, "limited_by": [], "note": "raise it"}, "at least 40 users keep"),
        ({"found": False, "low": None, "level": None, "high": 10, "note": "not one"}, "no level keeps e2e_ms.p95<105;"),
        ({"conditions": [], "knee": None}, "knee: none"),
    ]
    for changes, says in cases:
        assert says in " ".join(report_text(searched(**changes), 100).split())
    few = searched()
    few["load_curve"] = few["load_curve"][:2]
    assert "knee: too few levels to tell" in report_text(few)
    hung = searched(knee=None)
    for row in hung["load_curve"]:
        row["error_rate"] = 1.0 if row["level"] > 10 else 0.0
    assert "knee: too few levels without many failures to tell" in report_text(hung, 130)
    broke = searched(knee=None)
    broke["load_curve"][1]["error_rate"] = None
    assert "knee: none, throughput grows with the load up to 42; above it turns failed" in report_text(broke, 130)
    both = searched(found=False, low=None, level=None, high=10, limited_by=["e2e_ms.p95<105 (nothing was measured)"])
    both["capacity"]["note"] = "little time was left"
    both["capacity"]["limited_by"].append("the target hung: at the end 8 turns waited")
    says = "10 miss e2e_ms.p95<105 (nothing was measured); the target hung: at the end 8 turns waited; little time was"
    assert says in " ".join(report_text(both, 130).split())
    nothing = searched(note="the run ended before the search did") | {"load_curve": []}
    assert "no capacity: the run ended before the search did" in " ".join(report_text(nothing).split())


CLOSED = {"k": "close", "at": MS, "out": "failed", "turns": 0, "code": "scenario_invalid", "began": 0}
SESSIONS = ({"k": "open", "id": 1, "user": 0, "scenario": "s", "at": 0}, {**CLOSED, "id": 1})


def test_errors_of_sessions_without_a_turn_are_in_every_output() -> None:
    found = report(*SESSIONS, tail(0))
    assert found["errors"] == {}
    assert found["session_errors"] == {"scenario_invalid": 1}
    (line,) = [line for line in report_text(found).splitlines() if "scenario_invalid" in line]
    assert line.split() == ["scenario_invalid", "1", "session"]
    assert "| scenario_invalid | 0 | 1 |" in summary_md(found)
    assert "scenario_invalid</th>" in html_of(found)
    stopped = report(*SESSIONS, tail(0))
    stopped["run"]["status"] = "failed"
    assert "scenario_invalid: 1 session" in junit_xml(stopped).decode()


def test_codes_of_sessions_beyond_the_shown_ones_are_counted() -> None:
    found = report(tail(0))
    found["session_errors"] = {f"code_{number:02}": 1 for number in range(14)}
    assert "2 more codes 2 sessions" in " ".join(report_text(found).split())


def test_sessions_stand_beside_the_turns_that_ended_them() -> None:
    closed = {**CLOSED, "id": 1, "code": "http_500"}
    found = report(failed(0), failed(1), SESSIONS[0], closed, tail(2))
    assert error_rows(found) == [("http_500", 2, 1)]


def test_a_rate_of_output_tokens_says_when_failed_turns_had_tokens_too() -> None:
    assert "output tokens/s of ok turns" in report_text(report(*GOOD, failed(100, ts="usage", to=7), tail(101)))
    assert "of ok turns" not in report_text(report(*GOOD, failed(100, to=None), tail(101)))
    assert "of ok turns" not in report_text(report(*GOOD, tail(100)))
