"""Reasons that lie in what is missing: values, shares of the load."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.analysis.coverage import LEDGER_TAKEN
from metrics.analysis.thresholds import parse_threshold
from metrics.analysis.verdict.records import missing_load
from tests.unit.metrics.analysis.verdict.made import GOOD, codes, verdict
from tests.unit.metrics.made import aggregate, head, turn

DURING = {"kind": "closed", "users": 3, "duration_s": 9.0}


def share(end: str | None, index: int = 0, status: str = "done", at_s: float | None = 9.0) -> dict[str, Any]:
    return {"index": index, "status": status, "reason": "it broke", "end": end, "at_s": at_s}


@pytest.mark.parametrize(
    "end",
    [
        "done", "budget: tokens: 600 of 500", "stopped", "stopped: by ann", "stopped: threshold: e2e_ms.p95<1: 5",
        "aborted: connect_refused: nobody listens",
    ],
)  # fmt: skip
def test_a_load_that_ends_in_one_of_its_own_ways_is_whole(end: str) -> None:
    assert verdict(*GOOD, shards=[share(end)], load=DURING).trusted


@pytest.mark.parametrize(
    ("shard", "code", "says"),
    [
        (share("supervisor_gone", at_s=3.0), "load_missing", "engine 1 ended early after 3.0 s: its supervisor died"),
        (share("supervisor_silent"), "load_missing", "was paused"),
        (share("lease_lost: not renewed for 27 s"), "load_missing", "lost the shard's lease (not renewed for 27 s)"),
        (share("stopped: its worker was shut down"), "load_missing", "its worker was shut down"),
        (share("stopped: its supervisor lost the lease"), "load_missing", "lost the lease"),
        (share("aborted: engine_error: KeyError()"), "load_missing", "engine_error"),
        (share("aborted: ledger_failed: no space"), "load_missing", "no space"),
        (share("what nobody has thought of"), "load_missing", "what nobody has thought of"),
        (share("done", at_s=4.0), "load_missing", "ended after 4.0 of 9 s"),
        (share("engine_died"), "engine_died", "it died"),
        (share(None, status="lost", at_s=None), "engine_died", "did not reach its end: it broke"),
        (share(None, status="failed", at_s=None), "engine_died", "did not reach its end: it broke"),
        (
            share(None, status="lost", at_s=None) | {"reason": f"{LEDGER_TAKEN}: /x.jsonl is gone, and more"},
            "load_missing",
            "the ledger of engine 1 was taken away while it was written: /x.jsonl is gone, and more. Its load",
        ),
    ],
)
def test_every_other_end_of_a_share_is_a_reason_that_names_it(shard: dict[str, Any], code: str, says: str) -> None:
    found = verdict(*GOOD, shards=[shard, share("done", 1)], load=DURING)
    assert codes(found) == [code]
    assert says in found.reasons[0].text


def test_a_share_that_its_run_never_began_because_a_person_stopped_it_is_not_missed() -> None:
    assert verdict(*GOOD, shards=[share("stopped: by ann"), share(None, 1, "stopped", None)], load=DURING).trusted


@pytest.mark.parametrize(
    "more", [{"conversations": 5}, {"kind": "open"}, {"search": {"lowest": 1}}, {"duration_s": None}]
)
def test_a_load_that_may_run_out_of_work_is_done_before_its_time(more: dict[str, Any]) -> None:
    assert verdict(*GOOD, shards=[share("done", at_s=4.0)], load=DURING | more).trusted


def test_a_threshold_on_a_percentile_asks_for_enough_samples() -> None:
    asked = [parse_threshold("e2e_ms.p999<900"), parse_threshold("ttft_ms.p95<900"), parse_threshold("e2e_ms.max<9")]
    found = verdict(*GOOD, thresholds=asked)
    assert [(reason.code, reason.text.split()[0]) for reason in found.reasons] == [("few_samples", "e2e_ms.p999")]


@pytest.mark.parametrize("load", [{"kind": "open", "rate": 1.0}, {"kind": "trace"}, {}])
def test_only_a_closed_load_lacks_users_who_wait_since_the_warm_up(load: dict[str, Any]) -> None:
    waiting = aggregate(head(), turn())
    waiting.waited = 2
    words = "2 messages of the warm-up wait for an answer"
    assert [remark.code for remark in missing_load(waiting, [], DURING) if words in remark.text] == ["load_missing"]
    assert not [remark for remark in missing_load(waiting, [], load) if "warm-up" in remark.text]
