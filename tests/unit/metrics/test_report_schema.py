"""What is built keeps to the published schema, and what `burn --json` selects is in the types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

import pytest

from metrics.analysis.totals import Aggregate, merge
from metrics.groups import Group
from metrics.report.build import RunFacts, build_report, witness_of
from metrics.report_schema import RunReport
from tests.support.data.curves import forty_users
from tests.support.schemas import wrong
from tests.unit.metrics.made import aggregate, batch, failed, generator, head, tail, turn
from tokenburn_site.cli.report.contract import CONTRACT, Shape

BUDGET = {
    "tokens": 1000, "cost": 2.0, "turns": 9, "errors": 3, "prices": {"*": {"input": 1.0, "output": 2.0}},
    "error_rate": {"above": 0.5, "window_s": 30.0, "turns": 20},
}  # fmt: skip
GROUPS = (Group("a", "x", {"tier": "gold"}), Group("b", "y"))
LINES = [
    head(), *(turn(n, g=n % 2) for n in range(1200)), failed(1200, "aborted", "user_left", g=1), generator(1, 10),
    tail(1201),
]  # fmt: skip


def everything() -> RunReport:
    load = {"kind": "closed", "users": 2, "budget": BUDGET, "user_profile": {"patience": {"within_s": {"mean": 1}}}}
    facts = RunFacts(
        id=1,
        status="stopped",
        target="t",
        scenario="s",
        load=load,
        started_at="2026-11-21T10:00:00+00:00",
        end_code="budget_tokens",
        load_changes=[{"at_s": 1.5, "level": 3.0, "by": "ann"}],
        groups=GROUPS,
        **forty_users(),
    )
    found = merge(batch(*LINES, groups=2).windows.values())
    return build_report(facts, found, ["e2e_ms.p95<500", "e2e_planned_ms.max<1"], witness_of(aggregate(*LINES[:40])))


def nothing(**facts: Any) -> RunReport:
    """Of a run that could not begin."""
    return build_report(RunFacts(None, "failed", "t", "s", {}, None, **facts), Aggregate(), ["ttft_ms.p95<500"])


@pytest.mark.parametrize("report", [nothing(), nothing(finished=False), everything()], ids=["nothing", "early", "all"])
def test_a_report_keeps_to_its_schema_whatever_was_measured(report: RunReport) -> None:
    assert wrong("report", report) == []


def test_a_full_report_has_a_value_for_every_part() -> None:
    report = everything()
    empty = {name for name, part in report.items() if part is None or part == []}
    assert empty == {"drift", "shards"}, "drift needs longer runs, shards the database"
    assert report["budget"] is not None
    assert report["budget"].keys() >= {"tokens", "cost", "money", "turns", "errors", "error_rate"}


def missing(kind: Any, shape: Mapping[str, Shape], path: str = "report") -> list[str]:
    """Keys of the shape that the type does not have."""
    hints = get_type_hints(kind)
    found = [f"{path}.{name}" for name in shape if name not in hints]
    for name, below in shape.items():
        if below is not None and name in hints:
            found += missing(hints[name], below, f"{path}.{name}")
    return found


def test_what_burn_selects_is_in_the_types() -> None:
    assert missing(RunReport, CONTRACT) == []
    assert missing(RunReport, {"run": {"colour": None}, "sky": None}) == ["report.sky", "report.run.colour"]
