"""The pages for users of other tools: every name of ours exists, and no feature of theirs is missing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands
from django.urls import Resolver404, resolve

from connectors.spec import preset_names
from metrics.analysis.thresholds import SETS, parse_threshold
from metrics.analysis.verdict.codes import NOTES
from metrics.report.build import RunFacts, build_report
from metrics.report_schema import RunReport
from scenarios.importers import library_names
from tests.unit.metrics.made import MS, aggregate, generator, head, tail, turn
from tokenburn_site.cli.options.parser import add_options, new_parser

DOCS = Path(__file__).parents[2] / "docs"
THEIRS = {
    "from-chat-api-suite.md": (
        *("--connections", "--duration", "--model", "--url", "--requests-per-second", "--concurrent", "--requests"),
        *("--batch", "--port", "doctor", "bubbleprof", "flame", "heapprofiler"),
    ),
    "from-nuc-load-tester.md": (
        *("NUM_SESSIONS", "COURSES", "COURSE_QUESTIONS", "config.py", "generate_token()", "create_chat()"),
        *("complete_response", "session_attributes", "course_id", "test.py"),
    ),
}
"""Options, functions and keys of the other tools, as they are written there."""
pages = pytest.mark.parametrize("page", THEIRS)


def rows(page: str) -> list[tuple[str, str]]:
    """(theirs, ours) of every row of every table, without headings."""
    text = (DOCS / page).read_text(encoding="utf-8")
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:1] == "|"]
    return [(row[0], row[1]) for row in cells if row[-1] != "remarks" and row[0] != "--"]


@pytest.fixture(scope="module")
def report() -> RunReport:
    """Of a run that measured something, over a target with a handshake of its own."""
    load = {"kind": "closed", "users": 3}
    run = RunFacts(
        id=1, status="completed", target="t", scenario="s", load=load, started_at="2026-11-21T10:00:00+00:00"
    )
    made = [turn(n, hs={"token": MS, "chat": MS, "connect": MS}) for n in range(3)]
    return build_report(run, aggregate(head(), *made, generator(1, 5), tail(3)))


@pages
def test_every_feature_of_the_other_tool_is_listed(page: str) -> None:
    listed = "\n".join(theirs for theirs, _ in rows(page))
    assert [word for word in THEIRS[page] if word not in listed] == []


@pages
def test_every_row_names_an_existing_equivalent(page: str, report: dict[str, Any]) -> None:
    parser = new_parser("burn")
    add_options(parser)
    options = {option for action in parser._actions for option in action.option_strings}
    for theirs, ours in rows(page):
        names = re.findall(r"`([^`]+)`", ours)
        assert names, theirs
        for name in names:
            assert _exists(name, report, options), f"{page}: {theirs}: {name}"


def _exists(name: str, report: dict[str, Any], options: set[str]) -> bool:
    if name.startswith("--"):
        return name in options
    if name.startswith("report."):
        return _has(report, name.split(".")[1:])
    if name.startswith("@"):
        return name[1:] in SETS
    if name.startswith("/"):
        return _resolves(name)
    if name.startswith("manage.py "):
        return name.split()[1] in get_commands()
    known = {*preset_names(), *library_names(), *NOTES}
    return name in known or re.fullmatch(r"TOKENBURN_SECRET_[A-Z_]+", name) is not None


def _has(value: Any, keys: list[str]) -> bool:
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True


def _resolves(address: str) -> bool:
    try:
        resolve(address)
    except Resolver404:
        return False
    return True


@pages
def test_options_and_thresholds_in_remarks_and_examples_exist(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    text = re.sub(r"^```text\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)  # command lines of the other tool
    ours = re.sub(r"^\| `?[^|]*\|", "|", text, flags=re.MULTILINE)
    parser = new_parser("burn")
    add_options(parser)
    options = {option for action in parser._actions for option in action.option_strings}
    assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", ours)) <= options
    for expression in re.findall(r"`([\w.]+<[\d.]+%?)`", ours):
        parse_threshold(expression)
