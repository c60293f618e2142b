"""How a load ended, from the engine's last line over shard and run to the exit code: by its code, never by its text."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import orjson
import pytest

from metrics.end_codes import ABORTED_ENDS, BUDGET_ENDS, TARGET_ENDS, Cause, EndCode
from metrics.report.junit import ended_well
from runs.completion.finalize import finalize_run
from runs.completion.ingest import LedgerIngest
from runs.completion.shard_outcome import shard_ending
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.services import abort_run, stop_run
from runs.workers.leases import agree_start, claim_shard, fail_start, finish_shard, mark_ready, mark_running
from tests.support.ledgers import LedgerMaker, ledger_bytes
from tests.support.runs import a_run, shards
from tokenburn_site.cli.burn.outcome import verdict
from tokenburn_site.cli.options.burn_options import Options

pytestmark = pytest.mark.django_db


class Case(NamedTuple):
    """`tail`: the engine's code; `run`: with which the run was stopped before, if it was."""

    tail: EndCode
    run: EndCode | None
    sentence: str
    shard: ShardStatus
    ends: RunStatus
    exit_code: int

    def __str__(self) -> str:
        return f"{self.tail}-{self.run}"


DONE, STOPPED, ABORTED, FAILED, LOST = (
    ShardStatus.DONE, ShardStatus.STOPPED, ShardStatus.ABORTED, ShardStatus.FAILED, ShardStatus.LOST
)  # fmt: skip
CASES = [
    Case(EndCode.DONE, None, "done", DONE, RunStatus.COMPLETED, 0),
    Case(EndCode.DONE, EndCode.STOPPED, "done", DONE, RunStatus.STOPPED, 3),
    Case(EndCode.STOPPED, EndCode.STOPPED, "stopped: by ann", STOPPED, RunStatus.STOPPED, 3),
    Case(EndCode.STOPPED, None, "stopped: by nobody", FAILED, RunStatus.FAILED, 3),
    Case(
        EndCode.WORKER_SHUT_DOWN, EndCode.WORKER_SHUT_DOWN, "stopped: its worker was shut down",
        STOPPED, RunStatus.STOPPED, 3,
    ),
    Case(EndCode.BUDGET_TOKENS, None, "budget: tokens: used", STOPPED, RunStatus.STOPPED, 0),
    Case(EndCode.BUDGET_COST, None, "budget: cost: used", STOPPED, RunStatus.STOPPED, 0),
    Case(EndCode.BUDGET_TURNS, None, "budget: turns: used", STOPPED, RunStatus.STOPPED, 0),
    Case(EndCode.BUDGET_ERRORS, None, "budget: errors: many", ABORTED, RunStatus.ABORTED, 3),
    Case(EndCode.STOPPED, EndCode.BUDGET_ERRORS, "stopped: budget: errors: x", STOPPED, RunStatus.ABORTED, 3),
    Case(EndCode.STOPPED, EndCode.BUDGET_ERROR_RATE, "stopped: budget: error_rate: x", STOPPED, RunStatus.ABORTED, 3),
    Case(EndCode.STOPPED, EndCode.BUDGET_NO_SUCCESS, "stopped: budget: no_success: x", STOPPED, RunStatus.ABORTED, 3),
    Case(EndCode.STOPPED, EndCode.THRESHOLD_MISSED, "stopped: threshold: x", STOPPED, RunStatus.ABORTED, 1),
    Case(EndCode.TARGET_REFUSES, None, "aborted: http_401: no key", ABORTED, RunStatus.ABORTED, 3),
    Case(EndCode.ADDRESS_BLOCKED, None, "aborted: address_blocked: private", ABORTED, RunStatus.ABORTED, 3),
    Case(EndCode.SCENARIO_INVALID, None, "aborted: scenario_invalid: x", ABORTED, RunStatus.ABORTED, 3),
    Case(EndCode.ENGINE_ERROR, None, "aborted: engine_error: x", ABORTED, RunStatus.ABORTED, 3),
    Case(EndCode.LEDGER_FAILED, None, "aborted: ledger_failed: x", ABORTED, RunStatus.ABORTED, 3),
    Case(EndCode.ENGINE_DIED, None, "engine_died", LOST, RunStatus.FAILED, 3),
    Case(EndCode.ENGINE_DIED, EndCode.STOPPED, "engine_died", LOST, RunStatus.FAILED, 3),
    Case(EndCode.SUPERVISOR_GONE, None, "supervisor_gone", FAILED, RunStatus.FAILED, 3),
    Case(EndCode.SUPERVISOR_SILENT, None, "supervisor_silent", FAILED, RunStatus.FAILED, 3),
    Case(EndCode.LEASE_LOST, None, "lease_lost: another took the shard", FAILED, RunStatus.FAILED, 3),
]  # fmt: skip
WRITTEN_BY_ENGINES = set(EndCode) - {
    EndCode.COMMAND_KILLED, EndCode.HOST_SILENT, EndCode.LEDGER_TAKEN, EndCode.LEDGER_UNSTORED, EndCode.NOT_STARTED,
    EndCode.LEDGER_STORED_LATE,
    EndCode.NO_TURN_SENT, EndCode.NO_TURN_SUCCEEDED, EndCode.REPORT_FAILED,
    EndCode.BUDGET_ERROR_RATE, EndCode.BUDGET_NO_SUCCESS, EndCode.THRESHOLD_MISSED,
}  # fmt: skip


def running() -> tuple[Run, Shard]:
    run = a_run()
    shard = claim_shard(shards(run)[0].pk, "worker")
    assert shard is not None
    assert mark_ready(shard, 1)
    assert agree_start(run.pk)
    assert mark_running(shard)
    return run, shard


def ended(case: Case, folder: Path, sentence: str, *, with_code: bool = True) -> tuple[Run, Shard]:
    """The run, stopped as the case says, whose engine wrote that last line."""
    run, shard = running()
    why = sentence.removeprefix("stopped: ")
    if case.run in TARGET_ENDS:
        abort_run(run, Cause(case.run, why))
    elif case.run is not None:
        stop_run(run, why, case.run)
    if not with_code:  # as an earlier version left them
        Run.objects.filter(pk=run.pk).update(end_code="")
    last = {"reason": sentence, **({"end_code": case.tail} if with_code else {})}
    path = folder / "ledger.jsonl"
    *lines, tail = ledger_bytes(LedgerMaker(60, run_id=run.pk, shard_id=shard.pk, users=4)).splitlines()
    path.write_bytes(b"\n".join([*lines, orjson.dumps(orjson.loads(tail) | last)]) + b"\n")
    found = LedgerIngest(shard, path).rest()
    end = shard_ending(found, lambda when: f"it went {when}", run_stops=case.run is not None)
    assert finish_shard(shard, end.status, end.code if with_code else "", end.reason)
    assert finalize_run(run.pk)
    run.refresh_from_db()
    shard.refresh_from_db()
    return run, shard


def exit_code(run: Run) -> int:
    code: int = verdict(run, Options(), interrupted=False)[0]
    return code


def test_every_code_that_an_engine_writes_is_tried() -> None:
    assert {case.tail for case in CASES} == WRITTEN_BY_ENGINES
    assert {case.run for case in CASES} >= TARGET_ENDS


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_code_goes_from_the_engine_s_last_line_to_the_exit_code(case: Case, tmp_path: Path) -> None:
    run, shard = ended(case, tmp_path, case.sentence)
    assert (shard.status, shard.end_code) == (case.shard, case.tail)
    assert (run.status, run.end_code) == (case.ends, case.run if case.run and case.shard != LOST else case.tail)
    assert run.report is not None
    assert run.report["run"]["end_code"] == run.end_code
    assert run.report["shards"][0]["end_code"] == case.tail
    assert exit_code(run) == case.exit_code
    assert ended_well(run.report) is (case.exit_code == 0)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_another_sentence_changes_no_status_and_no_exit_code(case: Case, tmp_path: Path) -> None:
    run, shard = ended(case, tmp_path, "words: that nobody: has read before")
    assert (shard.status, run.status, exit_code(run)) == (case.shard, case.ends, case.exit_code)
    assert run.report is not None
    assert ended_well(run.report) is (case.exit_code == 0)
    kept = {code.removeprefix("budget_") for code in BUDGET_ENDS if code == run.end_code}
    assert bool(kept) is (run.report["budget"] is not None)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rows_and_ledgers_without_codes_end_as_their_sentences_say(case: Case, tmp_path: Path) -> None:
    run, shard = ended(case, tmp_path, case.sentence, with_code=False)
    assert (shard.status, run.status, exit_code(run)) == (case.shard, case.ends, case.exit_code)


def test_the_verdict_follows_the_code_too(tmp_path: Path) -> None:
    for number, case in enumerate(case for case in CASES if case.tail in ABORTED_ENDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        run, _ = ended(case, folder, "words that nobody has read before")
        assert run.report is not None
        missing = any(text.startswith("load_missing") for text in run.report["verdict"]["reasons"])
        assert missing is (case.tail not in {EndCode.TARGET_REFUSES, EndCode.ADDRESS_BLOCKED})


def test_a_run_that_cannot_start_says_so_by_its_code() -> None:
    run = a_run()
    assert fail_start(run.pk, "no worker came")
    assert finalize_run(run.pk)
    run.refresh_from_db()
    assert (run.status, run.end_code, exit_code(run)) == (RunStatus.FAILED, EndCode.NOT_STARTED, 3)
    assert [shard.end_code for shard in shards(run)] == [EndCode.NOT_STARTED]
