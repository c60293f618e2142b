"""The code that says how a shard or a run ended, and the meaning of each code. Pure.

Statuses, exit codes and verdicts follow the code; the `reason` beside it is text for people. The ledger, the engine's
protocol, the database, the report, the API and webhooks carry it, so a code that was released is never renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

END_CODE_CHARS: Final = 40


class EndCode(StrEnum):
    DONE = "done"
    STOPPED = "stopped"
    WORKER_SHUT_DOWN = "worker_shut_down"
    BUDGET_TOKENS = "budget_tokens"
    BUDGET_COST = "budget_cost"
    BUDGET_TURNS = "budget_turns"
    BUDGET_ERRORS = "budget_errors"
    BUDGET_ERROR_RATE = "budget_error_rate"
    BUDGET_NO_SUCCESS = "budget_no_success"
    THRESHOLD_MISSED = "threshold_missed"
    TARGET_REFUSES = "target_refuses"
    SCENARIO_INVALID = "scenario_invalid"
    ENGINE_ERROR = "engine_error"
    LEDGER_FAILED = "ledger_failed"
    ENGINE_DIED = "engine_died"
    SUPERVISOR_GONE = "supervisor_gone"
    SUPERVISOR_SILENT = "supervisor_silent"
    LEASE_LOST = "lease_lost"
    COMMAND_KILLED = "command_killed"
    HOST_SILENT = "host_silent"
    LEDGER_TAKEN = "ledger_taken"
    LEDGER_UNSTORED = "ledger_unstored"
    LEDGER_STORED_LATE = "ledger_stored_late"
    NOT_STARTED = "not_started"
    NO_TURN_SENT = "no_turn_sent"
    NO_TURN_SUCCEEDED = "no_turn_succeeded"
    ADDRESS_BLOCKED = "address_blocked"
    REPORT_FAILED = "report_failed"


MEANINGS: Final[Mapping[EndCode, str]] = {
    EndCode.DONE: "The load ended as planned.",
    EndCode.STOPPED: "A person or program stopped the run. Of a shard: its run ended, and the run's code says why.",
    EndCode.WORKER_SHUT_DOWN: "A load worker was shut down while it held a shard of the run.",
    EndCode.BUDGET_TOKENS: "The budget's `tokens` were used.",
    EndCode.BUDGET_COST: "The budget's `cost` was used.",
    EndCode.BUDGET_TURNS: "The budget's `turns` were used.",
    EndCode.BUDGET_ERRORS: "As many turns failed as the budget's `errors` allows.",
    EndCode.BUDGET_ERROR_RATE: "More turns failed than the budget's `error_rate` allows.",
    EndCode.BUDGET_NO_SUCCESS: "No turn succeeded for the budget's `no_success_timeout_s`.",
    EndCode.THRESHOLD_MISSED: "A threshold was missed, and the run was set to abort on it.",
    EndCode.TARGET_REFUSES: "The target refused every turn with an error for which retrying does not help.",
    EndCode.SCENARIO_INVALID: "A template of the scenario could not be rendered.",
    EndCode.ENGINE_ERROR: "The engine failed: a defect of Token-Burn.",
    EndCode.LEDGER_FAILED: "The ledger could not be written, for example because its disk was full.",
    EndCode.ENGINE_DIED: "The engine process died.",
    EndCode.SUPERVISOR_GONE: "The engine's supervisor died.",
    EndCode.SUPERVISOR_SILENT: "The engine's supervisor was paused or hung.",
    EndCode.LEASE_LOST: "The engine's supervisor lost the shard's lease.",
    EndCode.COMMAND_KILLED: "The command of a local run was killed.",
    EndCode.HOST_SILENT: "The shard's host could not be reached, and only it can store the rest of the ledger.",
    EndCode.LEDGER_TAKEN: "The ledger was removed while it was written.",
    EndCode.LEDGER_UNSTORED: "The ledger could not be stored in the database.",
    EndCode.LEDGER_STORED_LATE: "The ledger could not be stored at the end; it was stored afterwards.",
    EndCode.NOT_STARTED: "The run, or the shard's engine, could not start: nothing was sent.",
    EndCode.NO_TURN_SENT: "The load ended before its first turn.",
    EndCode.NO_TURN_SUCCEEDED: "No turn succeeded.",
    EndCode.ADDRESS_BLOCKED: "No turn succeeded: the target's address is one that is refused.",
    EndCode.REPORT_FAILED: "The report could not be built.",
}

CEILINGS: Final[Mapping[str, EndCode]] = {
    "tokens": EndCode.BUDGET_TOKENS,
    "cost": EndCode.BUDGET_COST,
    "turns": EndCode.BUDGET_TURNS,
    "errors": EndCode.BUDGET_ERRORS,
    "error_rate": EndCode.BUDGET_ERROR_RATE,
    "no_success": EndCode.BUDGET_NO_SUCCESS,
}
"""The code of each ceiling of a budget."""
BUDGET_ENDS: Final = frozenset(CEILINGS.values())
TARGET_ENDS: Final = frozenset(
    {EndCode.BUDGET_ERRORS, EndCode.BUDGET_ERROR_RATE, EndCode.BUDGET_NO_SUCCESS, EndCode.THRESHOLD_MISSED}
)
"""What the target did ends the run: it is aborted, and a turn that waited too long by then has failed. Whoever stops a
run for another reason does so at any moment."""
ABORTED_ENDS: Final = frozenset(
    {
        EndCode.TARGET_REFUSES,
        EndCode.ADDRESS_BLOCKED,
        EndCode.SCENARIO_INVALID,
        EndCode.ENGINE_ERROR,
        EndCode.LEDGER_FAILED,
    }
)
"""The engine gave up before the end of its load."""
STOPPED_ENDS: Final = frozenset({EndCode.STOPPED, EndCode.WORKER_SHUT_DOWN})
"""The engine was told to stop because its run was stopped."""
OWN_ENDS: Final = BUDGET_ENDS | {
    EndCode.DONE,
    EndCode.STOPPED,
    EndCode.THRESHOLD_MISSED,
    EndCode.TARGET_REFUSES,
    EndCode.ADDRESS_BLOCKED,
}
"""Ends of an engine after which no load is missing: its load, a ceiling, a person or the target ended it."""


class Cause(NamedTuple):
    """Why a run must end: the code, and the text for people."""

    code: EndCode
    reason: str


def end_code_of(code: str, reason: str) -> str:
    """`code`, or the code that follows from `reason`, for rows and ledgers of versions without codes. Empty:
    unknown."""
    return code or _in_sentence(reason)


def tail_code(tail: Mapping[str, Any]) -> str:
    """The code of a ledger's last line, as stored; empty: there is none yet."""
    return end_code_of(tail.get("end_code") or "", tail.get("reason") or "")


def ceiling_of(code: str) -> str | None:
    """The limit of the budget that ended it, a key of CEILINGS; None: none did."""
    return next((name for name, ended in CEILINGS.items() if ended == code), None)


# --- sentences of versions that wrote no codes: nothing else reads a reason -----------------------------------

_WHOLE: Final[Mapping[str, EndCode]] = {
    "its worker was shut down": EndCode.WORKER_SHUT_DOWN,
    "its command was killed": EndCode.COMMAND_KILLED,
}
_BEGINNINGS: Final[tuple[tuple[str, EndCode], ...]] = (
    *((f"budget: {name}: ", code) for name, code in CEILINGS.items()),
    ("budget: money: ", EndCode.BUDGET_COST),
    ("budget: only_errors: ", EndCode.BUDGET_NO_SUCCESS),
    ("threshold: ", EndCode.THRESHOLD_MISSED),
    ("stopped: its worker was shut down", EndCode.WORKER_SHUT_DOWN),
    ("stopped: its supervisor", EndCode.LEASE_LOST),
    ("aborted: address_blocked", EndCode.ADDRESS_BLOCKED),
    ("aborted: engine_error", EndCode.ENGINE_ERROR),
    ("aborted: ledger_failed", EndCode.LEDGER_FAILED),
    ("aborted: scenario_invalid", EndCode.SCENARIO_INVALID),
    ("its ledger was taken away while it was written", EndCode.LEDGER_TAKEN),
)
_FIRST_WORDS: Final[Mapping[str, EndCode]] = {
    "done": EndCode.DONE,
    "stopped": EndCode.STOPPED,
    "aborted": EndCode.TARGET_REFUSES,
    "engine_died": EndCode.ENGINE_DIED,
    "supervisor_gone": EndCode.SUPERVISOR_GONE,
    "supervisor_silent": EndCode.SUPERVISOR_SILENT,
    "lease_lost": EndCode.LEASE_LOST,
}


def _in_sentence(reason: str) -> str:
    if whole := _WHOLE.get(reason):
        return whole
    for beginning, code in _BEGINNINGS:
        if reason.startswith(beginning):
            return code
    return _FIRST_WORDS.get(reason.partition(": ")[0], "")


QUOTING: Final = frozenset(
    {
        EndCode.ENGINE_DIED,
        EndCode.ENGINE_ERROR,
        EndCode.NO_TURN_SUCCEEDED,
        EndCode.SCENARIO_INVALID,
        EndCode.TARGET_REFUSES,
    }
)
"""Ends whose reason may quote the target or the scenario."""


def plain_reason(end_code: str | None, reason: str) -> str:
    """The reason, or what its end code means if it may quote somebody."""
    code = end_code_of(end_code or "", reason)
    return MEANINGS[EndCode(code)] if code in QUOTING else reason
