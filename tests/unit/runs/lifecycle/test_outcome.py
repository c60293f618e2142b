from __future__ import annotations

from typing import Any

import pytest

from metrics.end_codes import EndCode, end_code_of
from runs.lifecycle.outcome import Ending, ShardEnd, ending, run_code
from runs.models import RunStatus, ShardStatus


def end(*shards: tuple[ShardStatus, str], stop: bool = False, said: str = "", ok: int = 1, **more: Any) -> Ending:
    ends = [ShardEnd(number, status, end_code_of("", reason), reason) for number, (status, reason) in enumerate(shards)]
    known = {"errors": {}, **more}
    code = run_code("", said, stop_requested=stop)
    return ending(ends, stop_requested=stop, run_code=code, run_reason=said, turns_ok=ok, **known)


def test_all_done_is_completed_without_a_reason() -> None:
    assert end((ShardStatus.DONE, ""), (ShardStatus.DONE, "")) == (RunStatus.COMPLETED, EndCode.DONE, "")


def test_a_stop_keeps_its_reason_even_if_some_shards_were_done_or_nothing_succeeded() -> None:
    shards = ((ShardStatus.DONE, ""), (ShardStatus.STOPPED, "by ann"))
    assert end(*shards, stop=True, said="by ann", ok=0) == (RunStatus.STOPPED, EndCode.STOPPED, "by ann")


def test_a_lost_shard_outweighs_a_stop() -> None:
    got = end((ShardStatus.STOPPED, "by ann"), (ShardStatus.LOST, "killed"), stop=True, said="by ann")
    assert got == (RunStatus.FAILED, "", "shard 2 of 2 lost: killed")


def test_an_engine_that_gave_up_aborts_the_run_with_its_own_words() -> None:
    assert end((ShardStatus.ABORTED, "http_401: no key"), ok=0) == (RunStatus.ABORTED, "", "http_401: no key")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("budget: errors", EndCode.BUDGET_ERRORS),
        ("budget: error_rate", EndCode.BUDGET_ERROR_RATE),
        ("budget: no_success", EndCode.BUDGET_NO_SUCCESS),
        ("threshold", EndCode.THRESHOLD_MISSED),
    ],
)
def test_a_stop_for_what_the_target_did_is_an_abort_in_its_own_words(kind: str, code: EndCode) -> None:
    why = f"{kind}: too many"
    assert end((ShardStatus.STOPPED, why), stop=True, said=why) == (RunStatus.ABORTED, code, why)
    shards = ((ShardStatus.ABORTED, why), (ShardStatus.STOPPED, why))
    assert end(*shards, stop=True, said=why) == (RunStatus.ABORTED, code, why)
    assert end((ShardStatus.LOST, "killed"), stop=True, said=why) == (RunStatus.FAILED, "", "killed")


def test_several_alike_are_counted() -> None:
    got = end(*[(ShardStatus.ABORTED, "http_401")] * 3)
    assert got == (RunStatus.ABORTED, "", "shard 1 of 3 aborted: http_401 (and 2 more like it)")


def test_a_run_that_could_not_start_says_why() -> None:
    shards = ((ShardStatus.STOPPED, ""), (ShardStatus.FAILED, "1 of 2 .."))
    assert end(*shards, said="1 of 2 shards found a worker") == (
        RunStatus.FAILED,
        EndCode.NOT_STARTED,
        "1 of 2 shards found a worker",
    )
    assert end((ShardStatus.STOPPED, ""), said="0 of 1 engines were ready") == (
        RunStatus.FAILED,
        EndCode.NOT_STARTED,
        "0 of 1 engines were ready",
    )


@pytest.mark.parametrize(
    ("errors", "example", "reason"),
    [
        ({}, "", "no turn was sent: the load ended before its first message"),
        ({"http_500": 3}, "", "no turn succeeded; http_500, 3 of 3 failures"),
        (
            {"http_500": 3, "idle_timeout": 9},
            "no byte for 2 s",
            "no turn succeeded; idle_timeout, 9 of 12 failures: no byte for 2 s",
        ),
        ({"stopped": 4}, "x", "no turn succeeded: 4 of 4 turns still waited for an answer when the run ended"),
        ({"stopped": 1}, "", "no turn succeeded: 1 of 1 turn still waited for an answer when the run ended"),
        (
            {"user_left": 5, "http_500": 2},
            "",
            "no turn succeeded: 5 of 7 turns had no answer before their users gave up",
        ),
        (
            {"user_resent": 3},
            "",
            "no turn succeeded: 3 of 3 turns had no answer before their users sent them again",
        ),
    ],
)
def test_not_one_good_turn_is_a_failure_that_names_the_most_frequent_error(
    errors: dict[str, int], example: str, reason: str
) -> None:
    code = EndCode.NO_TURN_SUCCEEDED if errors else EndCode.NO_TURN_SENT
    assert end((ShardStatus.DONE, ""), ok=0, errors=errors, example=example) == (RunStatus.FAILED, code, reason)


def test_a_refused_address_is_named_with_what_to_do() -> None:
    detail = "'bot.internal' is 169.254.169.254: a cloud metadata address"
    ended = end((ShardStatus.DONE, ""), ok=0, errors={"address_blocked": 5}, example=detail)
    assert (ended.status, ended.code) == (RunStatus.FAILED, EndCode.ADDRESS_BLOCKED)
    assert ended.reason == (
        f"no turn succeeded; address_blocked, 5 of 5 failures: {detail}; point the target at another address: the "
        "detail says which one is refused, and why"
    )


def test_a_run_whose_engines_used_up_their_budget_is_stopped() -> None:
    done, spent = (
        (ShardStatus.DONE, ""),
        (ShardStatus.STOPPED, "budget: tokens: its share is used, counting turns in flight"),
    )
    assert end(spent, spent) == (RunStatus.STOPPED, EndCode.BUDGET_TOKENS, "budget: tokens: the limit is reached")
    assert end(spent, done, done) == (
        RunStatus.STOPPED,
        EndCode.BUDGET_TOKENS,
        "budget: tokens: 1 of 3 engines used up their share, the others continued to the end",
    )
    assert end(spent, spent, ok=0, errors={"http_500": 3}).status == RunStatus.FAILED
    assert end(spent, ok=0) == (
        RunStatus.FAILED,
        EndCode.BUDGET_TOKENS,
        "budget: tokens: it was used up before a turn counted: raise it, or shorten the warm-up",
    )
