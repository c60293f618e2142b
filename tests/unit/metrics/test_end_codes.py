"""The codes, and the sentences of versions that wrote none."""

from __future__ import annotations

import pytest

from metrics.end_codes import (
    ABORTED_ENDS,
    BUDGET_ENDS,
    CEILINGS,
    END_CODE_CHARS,
    MEANINGS,
    OWN_ENDS,
    TARGET_ENDS,
    EndCode,
    ceiling_of,
    end_code_of,
    tail_code,
)


def test_every_code_is_explained_and_fits_its_column() -> None:
    assert list(MEANINGS) == list(EndCode)
    assert all(len(code) <= END_CODE_CHARS for code in EndCode)


def test_each_ceiling_has_a_code_of_its_own_and_is_found_by_it() -> None:
    assert len(BUDGET_ENDS) == len(CEILINGS) == 6
    assert {name: ceiling_of(code) for name, code in CEILINGS.items()} == {name: name for name in CEILINGS}
    assert ceiling_of("done") is None


def test_only_our_own_faults_lose_load_of_an_engine_that_gave_up() -> None:
    assert {EndCode.TARGET_REFUSES, EndCode.ADDRESS_BLOCKED} == ABORTED_ENDS & OWN_ENDS
    assert TARGET_ENDS < OWN_ENDS


@pytest.mark.parametrize(
    ("sentence", "code"),
    [
        ("done", EndCode.DONE),
        ("stopped", EndCode.STOPPED),
        ("stopped: by ann", EndCode.STOPPED),
        ("stopped: threshold: e2e_ms.p95<1 is 5, after 9 s", EndCode.STOPPED),
        ("stopped: its worker was shut down", EndCode.WORKER_SHUT_DOWN),
        ("its worker was shut down", EndCode.WORKER_SHUT_DOWN),
        ("budget: tokens: the ceiling is reached", EndCode.BUDGET_TOKENS),
        ("budget: money: its share is used, counting turns in flight", EndCode.BUDGET_COST),
        ("budget: cost: its share is used, counting turns in flight", EndCode.BUDGET_COST),
        ("budget: turns: its share is used up", EndCode.BUDGET_TURNS),
        ("budget: errors: 9 turns failed, the budget allows 9", EndCode.BUDGET_ERRORS),
        ("budget: error_rate: 9.0% of 100 turns in 5 s failed", EndCode.BUDGET_ERROR_RATE),
        ("budget: only_errors: no turn was good for 30 s", EndCode.BUDGET_NO_SUCCESS),
        ("budget: no_success: no turn was good for 30 s", EndCode.BUDGET_NO_SUCCESS),
        ("threshold: e2e_ms.p95<1 is 5, after 9 s", EndCode.THRESHOLD_MISSED),
        ("aborted: http_401: check its secrets", EndCode.TARGET_REFUSES),
        ("aborted: address_blocked: 'x' is 10.0.0.1: a private address", EndCode.ADDRESS_BLOCKED),
        ("aborted: engine_error: KeyError()", EndCode.ENGINE_ERROR),
        ("aborted: ledger_failed: No space left on device", EndCode.LEDGER_FAILED),
        ("aborted: scenario_invalid: no such variable", EndCode.SCENARIO_INVALID),
        ("engine_died", EndCode.ENGINE_DIED),
        ("supervisor_gone", EndCode.SUPERVISOR_GONE),
        ("supervisor_silent", EndCode.SUPERVISOR_SILENT),
        ("lease_lost: another took the shard", EndCode.LEASE_LOST),
        ("its command was killed", EndCode.COMMAND_KILLED),
        ("its ledger was taken away while it was written: /x.jsonl is gone", EndCode.LEDGER_TAKEN),
        ("its command was killed before the start", ""),
        ("stopped by ann", ""),
        ("no turn succeeded; http_500, 3 of 3 failures", ""),
        ("", ""),
    ],
)
def test_a_sentence_of_an_earlier_version_has_its_code(sentence: str, code: str) -> None:
    assert end_code_of("", sentence) == code
    assert tail_code({"reason": sentence}) == code


def test_a_code_outweighs_every_sentence() -> None:
    assert end_code_of("done", "budget: tokens: x") == "done"
    assert tail_code({"end_code": "budget_tokens", "reason": "done"}) == EndCode.BUDGET_TOKENS
    assert tail_code({}) == ""
