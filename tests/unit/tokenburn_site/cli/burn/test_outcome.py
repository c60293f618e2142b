"""The end of `burn`: exit codes and the shape of its JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from metrics.report.build import RunFacts, build_report
from metrics.report_schema import RunReport
from metrics.storage.aggregate import Aggregate
from runs.models import Run, RunStatus
from tests.support.data.curves import forty_users
from tokenburn_site.cli.burn.outcome import _page, verdict
from tokenburn_site.cli.options.burn_options import Options
from tokenburn_site.cli.report.contract import CONTRACT, contract
from tokenburn_site.local.lock import UP_LOCK, note_site, only_one

ENDED = {RunStatus.STOPPED, RunStatus.ABORTED, RunStatus.FAILED}


def report(**facts: Any) -> RunReport:
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
    assert (code, line) == (1, "missed: no load meets e2e_ms.p95<105: not even 1 user")


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


def test_a_run_aborted_on_a_threshold_exits_1_even_if_its_last_answers_met_it() -> None:
    reason = "threshold: ttft_ms.p95<500 is 612, after 9 s"
    for thresholds in ([MISSED], [KEPT]):
        ended = run(RunStatus.ABORTED, thresholds=thresholds, reason=reason)
        code, line = verdict(ended, Options(), interrupted=False)
        assert (code, line) == (1, "missed, and run 7 was aborted: ttft_ms.p95<500 is 612, after 9 s")


def test_a_target_that_stopped_answering_fails_without_any_threshold() -> None:
    said = "No turn succeeded in the last 17 of 20 s, and 8 waited"

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
    whole: Any = report()
    del whole["generator"]["rss_mb"]
    with pytest.raises(KeyError, match="rss_mb"):
        contract(whole)


def test_a_run_that_its_budget_ended_is_no_failure_and_says_what_it_used() -> None:
    why = "budget: tokens: the limit is reached"
    ended = run(RunStatus.STOPPED, thresholds=[KEPT], reason=why)
    assert ended.report is not None
    ended.report["budget"] = {"ended_by": "tokens", "tokens": {"ceiling": 1000, "used": 1020, "over": 20}}
    code, line = verdict(ended, Options(), interrupted=False)
    assert (code, line) == (0, f"run 7 stopped: {why}: 1,020 tokens of 1,000 (102%)")
    assert verdict(run(RunStatus.STOPPED, thresholds=[MISSED], reason=why), Options(), interrupted=False)[0] == 1
    aborted = run(RunStatus.ABORTED, reason="budget: errors: 9 turns failed, the budget allows 9")
    assert verdict(aborted, Options(), interrupted=False)[0] == 3
