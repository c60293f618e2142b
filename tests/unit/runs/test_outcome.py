from __future__ import annotations

import pytest

from runs.models import RunStatus, ShardStatus
from runs.outcome import Ending, ShardEnd, ending


def end(*shards: tuple[ShardStatus, str], stop: bool = False, said: str = "", ok: int = 1, **more: object) -> Ending:
    ends = [ShardEnd(number, status, reason) for number, (status, reason) in enumerate(shards)]
    known = {"errors": {}, **more}
    return ending(ends, stop_requested=stop, run_reason=said, turns_ok=ok, **known)  # type: ignore[arg-type]  # checked by the calls


def test_all_done_is_completed_without_a_reason() -> None:
    assert end((ShardStatus.DONE, ""), (ShardStatus.DONE, "")) == (RunStatus.COMPLETED, "")


def test_a_stop_keeps_its_reason_even_if_some_shards_were_done_or_nothing_succeeded() -> None:
    shards = ((ShardStatus.DONE, ""), (ShardStatus.STOPPED, "by ann"))
    assert end(*shards, stop=True, said="by ann", ok=0) == (RunStatus.STOPPED, "by ann")


def test_a_lost_shard_outweighs_a_stop() -> None:
    got = end((ShardStatus.STOPPED, "by ann"), (ShardStatus.LOST, "killed"), stop=True, said="by ann")
    assert got == (RunStatus.FAILED, "shard 2 of 2 lost: killed")


def test_an_engine_that_gave_up_aborts_the_run_with_its_own_words() -> None:
    assert end((ShardStatus.ABORTED, "http_401: no key"), ok=0) == (RunStatus.ABORTED, "http_401: no key")


@pytest.mark.parametrize("kind", ["budget: errors", "budget: error_rate", "budget: only_errors", "threshold"])
def test_a_stop_for_what_the_target_did_is_an_abort_in_its_own_words(kind: str) -> None:
    why = f"{kind}: too many"
    assert end((ShardStatus.STOPPED, why), stop=True, said=why) == (RunStatus.ABORTED, why)
    shards = ((ShardStatus.ABORTED, why), (ShardStatus.STOPPED, why))
    assert end(*shards, stop=True, said=why) == (RunStatus.ABORTED, why)
    assert end((ShardStatus.LOST, "killed"), stop=True, said=why) == (RunStatus.FAILED, "killed")


def test_several_alike_are_counted() -> None:
    got = end(*[(ShardStatus.ABORTED, "http_401")] * 3)
    assert got == (RunStatus.ABORTED, "shard 1 of 3 aborted: http_401 (and 2 more like it)")


def test_a_run_that_could_not_start_says_why() -> None:
    shards = ((ShardStatus.STOPPED, ""), (ShardStatus.FAILED, "1 of 2 .."))
    assert end(*shards, said="1 of 2 shards found a worker") == (RunStatus.FAILED, "1 of 2 shards found a worker")
    assert end((ShardStatus.STOPPED, ""), said="0 of 1 engines were ready") == (
        RunStatus.FAILED,
        "0 of 1 engines were ready",
    )


@pytest.mark.parametrize(
    ("errors", "example", "reason"),
    [
        ({}, "", "no turn was sent: the load ended before its first message"),
        ({"http_500": 3}, "", "not one turn succeeded; http_500, 3 of 3 failures"),
        (
            {"http_500": 3, "idle_timeout": 9},
            "no byte for 2 s",
            "not one turn succeeded; idle_timeout, 9 of 12 failures: no byte for 2 s",
        ),
        ({"stopped": 4}, "x", "not one turn succeeded: 4 of 4 turns still waited for an answer when the run ended"),
        ({"stopped": 1}, "", "not one turn succeeded: 1 of 1 turn still waited for an answer when the run ended"),
        (
            {"user_left": 5, "http_500": 2},
            "",
            "not one turn succeeded: 5 of 7 turns had no answer before their users gave up",
        ),
        (
            {"user_resent": 3},
            "",
            "not one turn succeeded: 3 of 3 turns had no answer before their users sent them again",
        ),
    ],
)
def test_not_one_good_turn_is_a_failure_that_names_the_most_frequent_error(
    errors: dict[str, int], example: str, reason: str
) -> None:
    assert end((ShardStatus.DONE, ""), ok=0, errors=errors, example=example) == (RunStatus.FAILED, reason)


def test_a_run_whose_engines_used_up_their_budget_is_stopped() -> None:
    done, spent = (ShardStatus.DONE, ""), (ShardStatus.STOPPED, "budget: tokens: its share is used or on its way")
    assert end(spent, spent) == (RunStatus.STOPPED, "budget: tokens: the ceiling is reached")
    assert end(spent, done, done) == (
        RunStatus.STOPPED,
        "budget: tokens: 1 of 3 engines used up their share, the others went on to the end",
    )
    assert end(spent, spent, ok=0, errors={"http_500": 3}).status == RunStatus.FAILED
    assert end(spent, ok=0) == (
        RunStatus.FAILED,
        "budget: tokens: it was used up before a turn counted: raise it, or shorten the warm-up",
    )
