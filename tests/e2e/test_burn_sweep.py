"""A sweep on burn's command line: its levels, its limit, its knee, and how it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.burning import Burner, Burnt
from tests.support.processes import Mock

PLACES = 4
SERVICE_S = 0.4
"""So its capacity is 4 users, or 10 conversations a second; of 8 users each waits as long again."""
QUICK = "e2e_ms.mean<560"


@pytest.fixture(scope="module")
def burn(migrated: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Burner:
    return Burner(migrated(tmp_path_factory.mktemp("var")))


@pytest.fixture
def mock(start_mock: Callable[..., Mock]) -> Mock:
    delay = ("--delay-ms", f"{SERVICE_S * 1000:g}", "--tokens", "3", "--error-rate", "0")
    return start_mock(*delay, "--concurrency", str(PLACES), "--grpc-port", "-1")


def sweep(burn: Burner, mock: Mock, levels: str, *more: str) -> Burnt:
    where = ("--url", f"{mock.url}/v1", "--preset", "openai-chat", "--prompt", "Hello", "--no-witness")
    return burn(*where, "--sweep", levels, "--step-duration", "3s", "--seed", "1", *more)


def of_level(report: dict[str, Any], level: float) -> dict[str, Any]:
    (found,) = (row for row in report["load_curve"] if row["level"] == level)
    return dict(found)


def test_a_sweep_over_users_gives_a_table_a_curve_a_capacity_and_a_knee(
    burn: Burner, mock: Mock, tmp_path: Path
) -> None:
    told = tmp_path / "report.json"
    burnt = sweep(burn, mock, "2,4,8", "--find-capacity", f"{QUICK} and error_rate<1%", "--json", str(told))
    assert burnt.code == 0, burnt.err
    assert "sweep: 3 levels of 3 s, 9 s in all" in burnt.err
    assert re.search(r"level [123] of 3: [248] users: (settling|measuring) \|", burnt.out), burnt.out
    report = json.loads(told.read_text())
    assert [(row["level"], row["good"]) for row in report["load_curve"]] == [(2, True), (4, True), (8, False)]
    assert [(row["from_s"], row["to_s"]) for row in report["load_curve"]] == [(1, 3), (4, 6), (7, 9)]
    for row in report["load_curve"]:
        assert row["active"] == pytest.approx(row["level"], abs=1)
        assert row["turns_per_s"] == pytest.approx(min(row["level"], PLACES) / SERVICE_S, rel=0.4)
    capacity = report["capacity"]
    assert (capacity["level"], capacity["high"], capacity["found"], capacity["unit"]) == (4, 8, True, "users")
    assert capacity["knee"] == 4
    assert capacity["conditions"] == [f"{QUICK} and error_rate<1%"]
    (limit,) = capacity["limited_by"]
    assert limit.startswith(f"{QUICK} (is ")
    lines = burnt.out.splitlines()
    for words in (("2 ", "good"), ("4 ", "good  capacity, knee"), ("8 ", "bad")):
        assert any(line.strip().startswith(words[0]) and line.endswith(words[1]) for line in lines), burnt.out
    assert f"capacity: 4 users keep {QUICK} and error_rate<1%; 8 miss {limit}" in " ".join(burnt.out.split())
    assert report["turns"]["sent"] == mock.stats()["chat_requests"]


def test_a_sweep_over_rates_takes_conditions_one_by_one_and_of_one_group(burn: Burner, mock: Mock) -> None:
    limits = (QUICK, "error_rate{model=large}<1%")
    given = [part for limit in limits for part in ("--find-capacity", limit)]
    burnt = sweep(burn, mock, "4/s,16/s", *given, "--models", "small,large", "--json", "-")
    assert burnt.code == 0, burnt.err
    report = burnt.report()
    slow, fast = of_level(report, 4), of_level(report, 16)
    assert (slow["good"], slow["missed"], fast["good"]) == (True, [], False)
    assert slow["turns_per_s"] == pytest.approx(4, abs=1.5)
    assert fast["turns_per_s"] == pytest.approx(PLACES / SERVICE_S, rel=0.4)
    capacity = report["capacity"]
    assert (capacity["level"], capacity["high"], capacity["unit"]) == (4, 16, "conversations/s")
    assert capacity["conditions"] == list(limits)
    assert [missed.partition(" (is ")[0] for missed in capacity["limited_by"]] == [QUICK]


def test_a_sweep_in_which_no_level_is_good_is_missed(burn: Burner, mock: Mock) -> None:
    burnt = sweep(burn, mock, "8,10", "--find-capacity", QUICK, "--json", "-")
    assert burnt.code == 1
    assert burnt.err.splitlines()[-1] == f"burn: missed: no load meets {QUICK}: not even the lowest level is good"
    report = burnt.report()
    assert [row["good"] for row in report["load_curve"]] == [False, False]
    assert (report["capacity"]["level"], report["capacity"]["high"], report["capacity"]["found"]) == (None, 8, False)
    assert report["run"]["status"] == "completed"
