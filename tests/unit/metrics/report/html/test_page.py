"""The report as one HTML file, which needs nothing else and runs nothing of a hostile target."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from typing import Any

from markupsafe import escape

from metrics.analysis.totals import Aggregate, merge
from metrics.groups import Group
from metrics.report.advice import advice
from metrics.report.build import RunFacts, build_report
from metrics.report.html.page import report_html
from metrics.report_schema import LoadChange, RunReport
from tests.support.data.curves import forty_users
from tests.unit.metrics.made import batch, failed, turn

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"


def report(**facts: Any) -> RunReport:
    """The report of a run in which nothing happened."""
    given: dict[str, Any] = {"id": 7, "status": "completed", "target": "t", "scenario": "s", "started_at": None}
    given["load"] = {"kind": "closed", "users": 1}
    return build_report(RunFacts(**{**given, **facts}), Aggregate(), ["ttft_ms.p95<500"])


def page_of(found: RunReport, load: str = "1 user", started: str = "") -> str:
    return report_html(found, load, started)


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


def full_report() -> Any:
    """A report that has all that a page may show."""
    groups = tuple(Group(scenario, model, {"tier": "gold"}) for scenario in ("a", "b") for model in ("x", "y"))
    lines = [turn(number, g=number % 4, fin="stop", kind="refusal") for number in range(8)]
    found = merge(batch(*lines, failed(8, code="http_503"), groups=4).windows.values())
    changes: list[LoadChange] = [{"at_s": 0.5, "level": 20.0, "by": "alice"}]
    facts = RunFacts(
        7, "failed", "t", "s", {"kind": "closed", "users": 1}, None, "it broke", groups=groups, load_changes=changes
    )
    made: dict[str, Any] = {
        **build_report(facts, found, ["ttft_ms.p95<1", "turns_ok>=1"]),
        **forty_users(knee=10, note="little time"),
    }
    made["series"] = {key: [1, 2] for key in made["series"]}
    made["verdict"] = {"trusted": False, "reasons": ["send_lag: late"], "notes": ["few_dropped: one"]}
    made["budget"] = {"ended_by": "tokens", "tokens": {"ceiling": 10, "used": 12, "over": 2, "estimated": True}}
    prices = [{"model": name, "input": 1, "output": 2, "cost": 1.5} for name in "xy"]
    made["cost"] = {"total": 3.0, "by_model": prices, "estimated": True}
    made["load_curve"][0]["notes"] = ["give it longer to settle"]
    return made


class Hostile:
    """Makes every text of a report markup, each its own."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def text(self) -> str:
        self.texts.append(f"{len(self.texts)}{EVIL}")
        return self.texts[-1]

    def made_of(self, found: Any, keys: bool = False) -> Any:
        """`keys`: those of `found` are texts too."""
        if isinstance(found, str):
            return self.text()
        if isinstance(found, list | tuple):
            return [self.made_of(one) for one in found]
        if isinstance(found, dict):
            return {self.text() if keys else name: self.made_of(one, name in OF_OTHERS) for name, one in found.items()}
        return found


OF_OTHERS = {"errors", "kinds", "finish_reasons", "tools", "tags", "connections", "metrics"}
"""Parts of a report whose keys somebody else wrote, or might have."""


def test_the_page_needs_nothing_else_and_runs_nothing_of_a_hostile_target() -> None:
    hostile = Hostile()
    found = hostile.made_of(full_report() | {"witness": None})
    for part in (found, *found["groups"], *found["models"]):
        part["metrics"] = full_report()["metrics"]
    page = page_of(found, hostile.text(), hostile.text())
    assert page.count("<svg") == 8
    assert [text for text in hostile.texts if text in page] == []
    shown = [text for text in hostile.texts if str(escape(text)) in page]
    assert len(shown) > 40, "the texts were to be seen"
    reader = Reader()
    reader.feed(page)
    assert (reader.open, reader.foreign) == ([], [])
    assert not re.search(r"@import|url\(", page)


def test_the_policy_of_the_page_allows_its_own_style_and_nothing_else() -> None:
    page = page_of(report())
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    (style,) = re.findall(r"<style>(.*)</style>", page, re.DOTALL)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    rules = dict(rule.split(" ", 1) for rule in unescape(policy).split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["style-src"] == f"'sha256-{digest}'"
    assert set(rules) == {"default-src", "style-src", "base-uri", "form-action"}
    assert 'style="' not in page, "the policy would not apply it"


def test_the_page_of_a_search_draws_over_load_and_marks_capacity_and_knee() -> None:
    page = page_of({**report(), **forty_users(knee=10)})
    reader = Reader()
    reader.feed(page)
    assert reader.open == [] and reader.foreign == []
    section = page[page.index("Over load") : page.index("Over time")]
    assert section.count("<svg") == 4 and section.count("<circle") == 4 * 4 + 2 * 4
    assert section.count(">capacity 40</text>") == section.count(">knee 10</text>") == 4
    assert "42 miss e2e_ms.p95&lt;105 (is 109)" in section
    assert section.count("<tr") == 1 + 4 and section.count('<tr class="best">') == 1
    assert "Over load" not in page_of(report())


def test_the_page_marks_changes_of_the_load_in_its_charts_and_says_who_made_them() -> None:
    changes: list[LoadChange] = [
        {"at_s": at, "level": level, "by": "<b>al"} for at, level in ((1.5, 20.0), (2.0, 35.0), (9.0, 5.0))
    ]
    steered: Any = report(load_changes=changes)
    steered["series"] = {key: [0, 1, 2, 3] for key in steered["series"]}
    page = page_of(steered)
    reader = Reader()
    reader.feed(page)
    assert reader.open == [] and reader.foreign == []
    time = page[page.index("Over time") : page.index("Changes of the load")]
    assert time.count('<line class="mark"') == 2 * 4, "one of the three comes after the axis"
    assert time.count(">20</text>") == time.count(">35</text>") == 4
    table = page[page.index("Changes of the load") : page.index("<h2>Metrics")]
    assert table.count("<tr>") == 1 + 3
    assert '<th scope="row">1.5 s</th><td>20 users</td><td class="text">&lt;b&gt;al</td>' in table
    plain = page_of(report())
    assert "Changes of the load" not in plain and '<line class="mark"' not in plain


def test_the_page_has_what_each_scenario_and_model_came_to_as_text() -> None:
    groups = tuple(Group(scenario, model, {"tier": "<b>"}) for scenario in ("<i>a", "b") for model in ("x", "y"))
    found = merge(batch(*(turn(number, g=number % 4) for number in range(8)), groups=4).windows.values())
    page = page_of(
        build_report(RunFacts(7, "completed", "t", "s", {"kind": "closed", "users": 1}, None, groups=groups), found)
    )
    assert "<h2>Groups</h2>" in page
    named = '<th scope="row">&lt;i&gt;a</th><td class="text">x</td><td class="text">tier=&lt;b&gt;</td><td>2</td>'
    assert named in page
    assert "<h2>Models</h2>" in page


def test_the_page_says_of_what_load_and_when_the_run_started() -> None:
    page = page_of(report(), "40 users, 30 s", "2026-11-21 08:00:00 UTC")
    assert "40 users, 30 s; started 2026-11-21 08:00:00 UTC, 0 s from the first message" in page
    assert "started never," in page_of(report())


def test_an_error_code_stands_with_what_to_do() -> None:
    found = full_report()
    found["errors"] = {"http_503": 2, "connect_refused": 1}
    page = report_html(found, "1 user", "")
    for code in found["errors"]:
        assert f'<th scope="row">{code}</th>' in page
        assert f'<td class="text">{advice(code)}</td>' in page
