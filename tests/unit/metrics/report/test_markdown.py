"""The summary for a CI job, read back with a Markdown parser: what it shows, and that nothing in it becomes markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from metrics.analysis.totals import merge
from metrics.groups import Group
from metrics.report.build import RunFacts, build_report
from metrics.report.markdown import headline, summary_md
from tests.support.data.curves import forty_users
from tests.unit.metrics.made import aggregate, batch, failed, head, tail, turn

GROUPS = (Group("quick", "m", {"tier": "gold"}), Group("a | long one", "m", {"tier": "free"}))
HOSTILE = "a|b\n| --- |\n<script>alert(1)</script> [x](http://evil) ![i](http://evil) `c` **d** & # e"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_search_says_what_it_found() -> None:
    found = build_report(RunFacts(7, "completed", "t", "s", {}, None), aggregate(head(), turn(), tail(1)))
    text = summary_md({**found, **forty_users()})
    assert "capacity: 40 users keep e2e_ms.p95&lt;105; 42 miss e2e_ms.p95&lt;105 (is 109)" in text
    assert "knee: 40 users" in text
    assert "capacity" not in summary_md(found)


def shown(report: Any) -> Tags:
    tags = Tags()
    tags.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(summary_md(report)))
    return tags


def report(status: str = "completed", reason: str = "", thresholds: tuple[str, ...] = (), **facts: Any) -> Any:
    given = {"target": "bot", "scenario": "talk", "load": {}, "started_at": None, "groups": GROUPS, **facts}
    lines = [turn(number, g=number % 2) for number in range(120)]
    found = merge(batch(head(), *lines, failed(120, g=1), tail(121), groups=2).windows.values())
    return build_report(RunFacts(7, status, reason=reason, **given), found, thresholds)


def test_a_cost_is_named() -> None:
    row = {"model": "m", "cost": 1.25}
    text = summary_md(report() | {"cost": {"total": 1.25, "by_model": [row], "estimated": False}})
    assert "\ncost: 1.25\n" in text


def test_it_says_what_came_of_the_run_the_thresholds_the_metrics_and_the_verdict() -> None:
    text = summary_md(report(thresholds=("e2e_ms.p95<50", "error_rate{tier=free}<5%")))
    assert text.startswith("## Token-Burn: 1 of 2 thresholds missed\n")
    assert "| e2e_ms.p95&lt;50 | 90 | **missed** |" in text
    assert "| error_rate{tier=free}&lt;5% | 1.6393% | met |" in text
    assert "| Time to first token (ms) | 40 | 40 | 40 | 40 | 120 |" in text
    assert "| quick | tier=gold | 60 | 0.00% |" in text
    assert "| a \\| long one | tier=free | 61 | 1.64% |" in text
    assert "The figures can be trusted" in text
    assert len(text.splitlines()) < 50


@pytest.mark.parametrize(
    ("status", "reason", "thresholds", "words"),
    [
        ("completed", "", (), "done"),
        ("completed", "", ("turns_ok>1",), "threshold met"),
        ("completed", "", ("turns_ok>1 and turns_ok>2",), "all 2 thresholds met"),
        ("stopped", "budget: tokens: the limit is reached", ("turns_ok>1",), "threshold met"),
        ("aborted", "threshold: turns_ok<1 is 120, after 3 s", ("turns_ok<1",), "run aborted"),
        ("failed", "no turn succeeded", (), "run failed"),
    ],
)
def test_the_heading_says_it_in_a_few_words(status: str, reason: str, thresholds: Any, words: str) -> None:
    assert headline(report(status, reason, thresholds)) == words
    if reason:
        assert reason in shown(report(status, reason, thresholds)).text


def test_the_heading_says_that_the_target_stopped_answering() -> None:
    silent = report(thresholds=("turns_ok>1",))
    silent["verdict"] = {"trusted": False, "reasons": ["stopped_answering: for 9 s"], "notes": []}
    assert headline(silent) == "the target stopped answering"


def test_a_table_has_as_many_cells_in_each_row_as_heads() -> None:
    hostile = report(thresholds=("turns_ok>1",), groups=(Group(HOSTILE, "m"), Group("b", "m", {"k": "x|y"})))
    tables = re.findall(r"(?:^\|.*\n)+", summary_md(hostile), re.MULTILINE)
    assert len(tables) == 4
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


@settings(max_examples=25, deadline=None)
@example("__0__")
@given(st.one_of(st.text(max_size=80), st.just(HOSTILE)))
def test_whatever_a_name_or_a_reason_holds_nothing_in_it_becomes_markup(text: str) -> None:
    plain = shown(report("failed", "x", target="t", scenario="s"))
    found = shown(report("failed", text or "x", target=text, scenario=text))
    assert set(found.found) <= set(plain.found)
    assert found.found.count("td") == plain.found.count("td")


def test_a_run_in_which_nothing_was_measured_has_a_summary_too() -> None:
    text = summary_md(build_report(RunFacts(7, "failed", "bot", "talk", {}, None, "no turn was sent"), aggregate()))
    assert text.startswith("## Token-Burn: run failed\n")
    assert "no turn was sent" in text
    assert "no_ok_turns" in text


def test_no_text_mentions_links_or_hides() -> None:
    text = summary_md(
        report("failed", "@everyone see #12, !3, https://evil.example and www.evil.example \x1b[2J\u202ex")
    )
    for word in ("@everyone", "#12", "!3", "https://", "www.", "\x1b", "\u202e"):
        assert word not in text, word
    for word in ("@&#8203;everyone", "https:&#8203;//evil.example", "\\\\x1b\\[2J", "\\\\u202ex"):
        assert word in text, word
