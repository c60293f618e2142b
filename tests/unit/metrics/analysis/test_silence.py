"""Pauses in the middle of a run, held by an engine in virtual time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from metrics.analysis.totals import merge
from metrics.ingest.batch import parse
from metrics.report.build import RunFacts, build_report
from tests.support.virtual import Rule, hold

CLOSED: dict[str, Any] = {"kind": "closed", "users": 4, "duration_s": 40}


def notes(rule: Rule, load: dict[str, Any], folder: Path) -> list[str]:
    share = hold(rule, load, folder)
    ledger = b"".join(orjson.dumps(line) + b"\n" for line in share.lines)
    report = build_report(RunFacts(1, "completed", "t", "s", load, None), merge(parse(ledger, 1, 1).windows.values()))
    assert not any(text.startswith("stopped_answering") for text in report["verdict"]["reasons"])
    return [text for text in report["verdict"]["notes"] if text.startswith("answers_paused")]


def pauses(from_s: float, until_s: float, usual_s: float = 0.2) -> Rule:
    return Rule(lambda _number, at_s: usual_s + (until_s - at_s if from_s <= at_s < until_s else 0.0))


def test_a_target_that_stood_still_and_came_back_is_noted(tmp_path: Path) -> None:
    [note] = notes(pauses(10, 22), CLOSED, tmp_path)
    assert "From 11 to 22 s" in note


@pytest.mark.parametrize(
    ("rule", "load"),
    [
        (pauses(10, 12.5), CLOSED),  # too short for such a run
        (Rule(lambda _number, _at_s: 6.0), CLOSED),  # as long as its answers always take
        (pauses(10, 22), {**CLOSED, "users": 0, "stages": []} | {"kind": "open", "rate_per_s": 0.1}),  # no turn waited
    ],
)
def test_what_a_run_explains_is_no_pause(rule: Rule, load: dict[str, Any], tmp_path: Path) -> None:
    load = {key: value for key, value in load.items() if load["kind"] == "closed" or key not in {"users", "stages"}}
    assert notes(rule, load, tmp_path) == []
