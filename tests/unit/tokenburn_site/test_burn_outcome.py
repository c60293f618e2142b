"""The end of `burn`: exit codes, the shape of its JSON, and the page that needs nothing else."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from metrics.aggregate import Aggregate
from metrics.groups import Group
from metrics.report import RunFacts, build_report
from metrics.totals import merge
from runs.models import Run, RunStatus
from tests.support.curves import forty_users
from tests.unit.metrics.made import batch, turn
from tokenburn_site.burn.charts import Mark, chart, nice_ceiling
from tokenburn_site.burn.contract import CONTRACT, contract
from tokenburn_site.burn.html import report_html
from tokenburn_site.burn.options import Options
from tokenburn_site.burn.outcome import _page, verdict
from tokenburn_site.local.lock import UP_LOCK, note_site, only_one

ENDED = {RunStatus.STOPPED, RunStatus.ABORTED, RunStatus.FAILED}


def report(**facts: Any) -> dict[str, Any]:
    """The report of a run in which nothing happened."""
    given: dict[str, Any] = {"id": 7, "status": "completed", "target": "t", "scenario": "s", "started_at": None}
    given["load"] = {"kind": "closed", "users": 1}
    return build_report(RunFacts(**{**given, **facts}), Aggregate(), ["ttft_ms.p95<500"])


def run(status: RunStatus, *, thresholds: list[dict[str, Any]] | None = None, reason: str = "") -> Run:
    return Run(
        pk=7, status=status, reason=reason, target_spec={}, report={"thresholds": thresholds or [], "errors": {}}
    )


MISSED = {"expr": "ttft_ms.p95<500", "value": 612.0, "passed": False}
KEPT = {"expr": "turns_ok>=1", "value": 3, "passed": True}


def test_done() -> None:
    assert verdict(run(RunStatus.COMPLETED, thresholds=[KEPT]), Options(), interrupted=False) == (0, "")


def test_a_capacity_is_missed_where_no_load_keeps_the_conditions() -> None:
    ended = run(RunStatus.COMPLETED)
    ended.report = {"thresholds": [], **forty_users()}
    assert verdict(ended, Options(), interrupted=False) == (0, "")
    ended.report = {"thresholds": [], **forty_users(level=None, low=None, note="not even 1 user")}
    code, line = verdict(ended, Options(), interrupted=False)
    assert (code, line) == (1, "missed: no load keeps e2e_ms.p95<105: not even 1 user")


def test_a_missed_threshold_is_named_with_its_value() -> None:
    code, line = verdict(run(RunStatus.COMPLETED, thresholds=[KEPT, MISSED]), Options(), interrupted=False)
    assert (code, line) == (1, "missed: ttft_ms.p95<500 (is 612)")


def test_a_threshold_without_a_value_is_missed() -> None:
    missed = run(RunStatus.COMPLETED, thresholds=[MISSED | {"value": None}])
    assert verdict(missed, Options(), interrupted=False) == (1, "missed: ttft_ms.p95<500 (nothing measured)")


@pytest.mark.parametrize("status", sorted(ENDED))
def test_whatever_did_not_complete_exits_3_with_its_reason(status: RunStatus) -> None:
    ended = run(status, thresholds=[MISSED], reason="the engine was killed")
    assert verdict(ended, Options(), interrupted=False) == (3, f"run 7 {status}: the engine was killed")


def test_a_run_that_was_ended_at_a_missed_threshold_exits_1_even_if_its_last_answers_mended_the_figure() -> None:
    reason = "threshold: ttft_ms.p95<500 is 612, after 9 s"
    for thresholds in ([MISSED], [KEPT]):
        ended = run(RunStatus.ABORTED, thresholds=thresholds, reason=reason)
        code, line = verdict(ended, Options(), interrupted=False)
        assert (code, line) == (1, "missed, and run 7 was aborted: ttft_ms.p95<500 is 612, after 9 s")


def test_a_target_that_stopped_answering_fails_without_any_threshold() -> None:
    said = "No turn was answered well in the last 17 of 20 s, and 8 waited"

    def end(thresholds: list[dict[str, Any]], *reasons: str) -> tuple[int, str]:
        ended = run(RunStatus.COMPLETED)
        ended.report = {"thresholds": thresholds, "verdict": {"trusted": False, "reasons": list(reasons)}}
        return verdict(ended, Options(), interrupted=False)

    in_short = "the target stopped answering before the end of the load"  # the verdict above it says the rest
    assert end([KEPT], "few_samples: x", f"stopped_answering: {said}") == (1, in_short)
    code, line = end([MISSED], f"stopped_answering: {said}")
    assert (code, line) == (1, f"missed: ttft_ms.p95<500 (is 612); {in_short}")
    assert end([], "hang_not_judged: it is not known", "send_lag: late") == (0, "")


def test_the_page_of_a_run_is_where_the_site_is(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR, settings.SITE_URL = tmp_path, ""
    ended = run(RunStatus.COMPLETED)
    assert _page(ended) == "run `manage.py up`, then open http://127.0.0.1:8000/runs/7/report/"
    with only_one(tmp_path / UP_LOCK):
        note_site(tmp_path / UP_LOCK, "http://127.0.0.1:8123")
        assert _page(ended) == "http://127.0.0.1:8123/runs/7/report/"
    settings.SITE_URL = "https://burn.example/"
    assert _page(ended) == "https://burn.example/runs/7/report/"


def test_an_interrupt_outranks_everything() -> None:
    code, line = verdict(run(RunStatus.FAILED, thresholds=[MISSED]), Options(), interrupted=True)
    assert code == 130
    assert line.startswith("interrupted")


def test_the_contract_takes_its_keys_in_its_order_and_no_others() -> None:
    whole = report()
    found = contract(whole)
    assert list(found) == list(CONTRACT)
    assert found["generator"]["send_lag_ms"].keys() == {"p50", "p99", "max"}
    assert found["metrics"] == whole["metrics"]
    assert "series" in whole
    assert "series" not in found


def test_a_report_without_a_promised_key_is_an_error() -> None:
    whole = report()
    del whole["generator"]["rss_mb"]
    with pytest.raises(KeyError, match="rss_mb"):
        contract(whole)


class Reader(HTMLParser):
    """Collects what a page would load or run, and checks that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.foreign: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)
        named = {name for name, _ in attrs}
        if tag in {"script", "link", "img", "iframe"} or named & {"src", "href"} or any(n[:2] == "on" for n in named):
            self.foreign.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else_and_runs_nothing_of_a_hostile_target() -> None:
    evil = "<script>alert(1)</script>"
    hostile = report(target=evil, scenario=evil, reason=evil, status="failed")
    hostile["errors"] = {evil: 3}
    hostile["verdict"] = {"trusted": False, "reasons": [evil], "notes": [evil]}
    hostile["series"] = {key: [1, 2] for key in hostile["series"]}
    page = report_html(hostile)
    assert page.count("<svg") == 4
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert reader.foreign == []
    assert page.count("&lt;script&gt;") == 7
    assert not re.search(r"@import|url\(", page)


def test_the_page_of_a_search_draws_over_load_and_marks_capacity_and_knee() -> None:
    page = report_html(report() | forty_users(knee=10))
    reader = Reader()
    reader.feed(page)
    assert reader.open == [] and reader.foreign == []
    section = page[page.index("Over load") : page.index("Over time")]
    assert section.count("<svg") == 4 and section.count("<circle") == 4 * 4 + 2 * 4
    assert section.count(">capacity 40</text>") == section.count(">knee 10</text>") == 4
    assert "42 miss e2e_ms.p95&lt;105 (is 109)" in section
    assert section.count("<tr") == 1 + 4
    assert "Over load" not in report_html(report())


def test_the_page_marks_changes_of_the_load_in_its_charts_and_says_who_made_them() -> None:
    changes = [{"at_s": at, "level": level, "by": "<b>al"} for at, level in ((1.5, 20.0), (2.0, 35.0), (9.0, 5.0))]
    steered = report(load_changes=changes)
    steered["series"] = {key: [0, 1, 2, 3] for key in steered["series"]}
    page = report_html(steered)
    reader = Reader()
    reader.feed(page)
    assert reader.open == [] and reader.foreign == []
    time = page[page.index("Over time") : page.index("Changes of the load")]
    assert time.count('<line class="mark"') == 2 * 4, "one of the three comes after the axis"
    assert time.count(">20</text>") == time.count(">35</text>") == 4
    table = page[page.index("Changes of the load") : page.index("<h2>Metrics")]
    assert table.count("<tr>") == 1 + 3
    assert "<td>1.5 s</td><td>20 users</td><td>&lt;b&gt;al</td>" in table
    plain = report_html(report())
    assert "Changes of the load" not in plain and '<line class="mark"' not in plain


def test_names_of_many_marks_stay_in_the_chart() -> None:
    drawn = chart("t", [0, 9], [("a", [1.0, 2.0])], marks=[Mark(at, "x") for at in range(9)])
    assert max(float(y) for y in re.findall(r'<text class="mark" x="[^"]*" y="([^"]*)"', drawn)) < 60


def test_a_mark_stands_at_its_place_on_the_axis() -> None:
    drawn = chart("t", [10, 20, 40], [("a", [1.0, 2.0, 4.0])], "users", [Mark(20, "half")])
    xs = [float(x) for x in re.findall(r'<circle class="d0" cx="([^"]*)"', drawn)]
    (at,) = re.findall(r'<line class="mark" x1="([^"]*)"', drawn)
    assert float(at) == xs[1] and xs[2] - xs[1] == pytest.approx(2 * (xs[1] - xs[0]), abs=0.2)
    assert ">40 users</text>" in drawn


def test_a_chart_leaves_gaps_where_nothing_was_measured() -> None:
    drawn = chart("t", [0, 1, 2, 3], [("a", [1.0, None, 2.0, 4.0])])
    (path,) = re.findall(r'd="([^"]*)"', drawn)
    assert path.count("M") == 2
    assert path.count("L") == 1
    assert "Nothing was measured" in chart("t", [], [("a", [])])


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (0.03, 0.04), (0.9, 1), (1, 1), (3, 4), (41, 50), (85, 100), (1600, 2000), (9999, 10000)]
)
def test_an_axis_ends_at_a_round_number(value: float, top: float) -> None:
    assert nice_ceiling(value) == pytest.approx(top)


def test_a_run_that_its_budget_ended_is_no_failure_and_says_what_it_used() -> None:
    why = "budget: tokens: the ceiling is reached"
    ended = run(RunStatus.STOPPED, thresholds=[KEPT], reason=why)
    assert ended.report is not None
    ended.report["budget"] = {"ended_by": "tokens", "tokens": {"ceiling": 1000, "used": 1020, "over": 20}}
    code, line = verdict(ended, Options(), interrupted=False)
    assert (code, line) == (0, f"run 7 stopped: {why}: 1,020 tokens of 1,000 (102%)")
    assert verdict(run(RunStatus.STOPPED, thresholds=[MISSED], reason=why), Options(), interrupted=False)[0] == 1
    aborted = run(RunStatus.ABORTED, reason="budget: errors: 9 turns failed, the budget allows 9")
    assert verdict(aborted, Options(), interrupted=False)[0] == 3


def test_the_page_has_what_each_scenario_and_model_came_to_as_text() -> None:
    groups = tuple(Group(scenario, model, {"tier": "<b>"}) for scenario in ("<i>a", "b") for model in ("x", "y"))
    found = merge(batch(*(turn(number, g=number % 4) for number in range(8)), groups=4).windows.values())
    page = report_html(
        build_report(RunFacts(7, "completed", "t", "s", {"kind": "closed", "users": 1}, None, groups=groups), found)
    )
    assert "<h2>Groups</h2>" in page
    assert (
        '<td class="text">&lt;i&gt;a</td><td class="text">x</td><td class="text">tier=&lt;b&gt;</td><td>2</td>' in page
    )
    assert "<h2>Models</h2>" in page


def test_the_page_says_when_the_run_started_as_people_read_it() -> None:
    page = report_html(report(started_at="2026-11-21T08:00:00.123456+00:00"))
    assert "started 2026-11-21 08:00:00 UTC," in page
    assert "started never," in report_html(report())
