"""What must hold after any fault: the account is whole, nothing is done twice, the run ends, the verdict is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.chaos.plan import KINDS, Case

NOT_ABOUT_LOSS = frozenset({"few_samples"})
MAY_NOT_ARRIVE = frozenset({"unknown", "aborted", "error", "timeout"})


def misses(case: Case, done: Sequence[str], received: Sequence[str], run: Mapping[str, Any] | None) -> Iterator[str]:
    """`kind: what is wrong`, with the kinds of the table: unaccounted, duplicates, non-terminal, untrue."""
    if run is None:
        yield "unaccounted: the database knows of no run"
        return
    if not run["terminal"]:
        yield f"non-terminal: the run is {run['status']}"
        return
    witnesses, engines = _by_lane(run["id"], received)
    yield from _twice([*witnesses, *engines], run)
    yield from _unaccounted(engines, witnesses, run)
    yield from _untrue(case, done, run)


def _by_lane(run: int, received: Sequence[str]) -> tuple[list[str], list[str]]:
    """Requests of the witness, and those of the engines, of this run."""
    own = [turn for turn in received if turn.startswith(f"tb-{run}-")]
    witnesses = [turn for turn in own if turn.startswith(f"tb-{run}-w")]
    return witnesses, [turn for turn in own if not turn.startswith(f"tb-{run}-w")]


def _twice(received: Sequence[str], run: Mapping[str, Any]) -> Iterator[str]:
    if again := [turn for turn, count in Counter(received).items() if count > 1]:
        yield f"duplicates: {len(again)} turns were sent twice, {again[0]} one of them"
    rows = Counter(turn for turn, _, _ in run["turns"])
    if again := [turn for turn, count in rows.items() if count > 1]:
        yield f"duplicates: {len(again)} turns were recorded twice, {again[0]} one of them"


def _unaccounted(engines: Sequence[str], witnesses: Sequence[str], run: Mapping[str, Any]) -> Iterator[str]:
    sent = {turn: outcome for turn, outcome, was_sent in run["turns"] if was_sent}
    if lost := set(engines) - sent.keys():
        yield f"unaccounted: {len(lost)} requests that the target received are not recorded"
    if wrong := {turn for turn in sent.keys() - set(engines) if sent[turn] not in MAY_NOT_ARRIVE}:
        yield f"unaccounted: {len(wrong)} turns are ok, and the target never saw them"
    if run["open_sessions"]:
        yield f"unaccounted: {run['open_sessions']} conversations have no end"
    if run["unstored"]:
        yield f"unaccounted: {run['unstored']} ledgers are not stored whole"
    outcomes = Counter(outcome for _, outcome, _ in run["turns"])
    reported = run["reported"] or {}
    if any(reported.get(word, 0) != count for word, count in outcomes.items()):
        yield f"unaccounted: the report says {reported}, the rows {dict(outcomes)}"
    turns = (run["witness"] or {}).get("turns") or {}
    said, unsure = turns.get("sent", 0), turns.get("unknown", 0)  # what was in flight when it died may not have arrived
    if not said - unsure <= len(witnesses) <= said:
        yield f"unaccounted: the witness sent {len(witnesses)} requests and the run says {said}"


def _untrue(case: Case, done: Sequence[str], run: Mapping[str, Any]) -> Iterator[str]:
    verdict = run["verdict"]
    if verdict is None:
        yield "untrue: there is no verdict"
        return
    reasons = {text.partition(":")[0] for text in verdict["reasons"]} - NOT_ABOUT_LOSS
    if any(KINDS[kind].costs for kind in done) and not reasons:
        yield f"untrue: {', '.join(done)} cost load or time, and the run ({run['status']}) has no reason for doubt"
    if not case.faults and reasons:
        yield f"untrue: nothing happened, and the run is doubted for {', '.join(sorted(reasons))}"
    if not case.faults and run["status"] != "completed":
        yield f"untrue: nothing happened, and the run is {run['status']}: {run['reason']}"
