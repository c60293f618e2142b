"""What must hold after any fault: the account is whole, nothing is done twice, the run ends, the verdict is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tests.chaos.evidence import HOLE_S, NS, TRACE_S, Hole, Request, holes, of_run
from tests.chaos.machine import ACCOUNTED, LOOK_S, Late, Lateness, Machine, explains
from tests.chaos.plan import ENGINE_LOST, KINDS, Case, Kind

UNACCOUNTED, DUPLICATES, NON_TERMINAL = "unaccounted", "duplicates", "non-terminal"
UNTRUE, WITNESS, FAULT_MISSED = "untrue verdicts", "witness mismatches", "fault_missed"
NO_SITE: Final = "no site"
"""The farm did not come up, so that nothing was tried, or nobody could finish what was."""
HARNESS: Final = "harness"
"""Chaos itself failed."""
FAILURES: Final = (UNACCOUNTED, DUPLICATES, NON_TERMINAL, UNTRUE, WITNESS, FAULT_MISSED, NO_SITE, HARNESS)
MACHINE_BUSY: Final = "machine_busy"
"""No failure, and counted apart: a healthy run was doubted for lateness that the machine really had."""
NOT_ABOUT_LOSS: Final = frozenset({"few_samples"})
SAYS_MISSING: Final = frozenset({"engine_died", "load_missing"})
MAY_NOT_ARRIVE: Final = frozenset({"unknown", "aborted", "error", "timeout"})


NOT_LATE: Final = Lateness()
CALM: Final = Machine()
CUT_S: Final = 0.2
"""How long what was killed, and what it leaves alone, may go on."""


class Finding(NamedTuple):
    category: str
    text: str

    def __str__(self) -> str:
        return f"{self.category}: {self.text}"


@dataclass(frozen=True)
class Observed:
    """One case as it went. `done`: faults that really happened, and when; `run`: what the database says in the end (see
    `account`); `away`: when the target could not be asked. Times are s since the first request."""

    case: Case
    done: Mapping[str, float]
    received: Sequence[Request]
    run: Mapping[str, Any] | None
    away: Sequence[tuple[float, float]] = ()
    late: Lateness = NOT_LATE
    machine: Machine = CALM

    @property
    def kinds(self) -> list[Kind]:
        return [KINDS[name] for name in self.done]

    @property
    def is_cut_at_its_end(self) -> bool:
        """Whether what ended the run came so late that the silence behind it is no trace."""
        return any(
            KINDS[name].ends and at_s > self.case.duration_s - TRACE_S - CUT_S for name, at_s in self.done.items()
        )

    def holes(self, away: Sequence[tuple[float, float]], least_s: float = HOLE_S) -> list[Hole]:
        engines, _ = of_run(self.run["id"] if self.run else 0, self.received)
        return holes(engines, self.case.processes, self.case.duration_s, away, least_s)


def judge(seen: Observed) -> Iterator[Finding]:
    """Everything that is wrong; nothing: all is as it must be."""
    missed = [fault.kind for fault in seen.case.faults if fault.kind not in seen.done]
    if missed:
        yield Finding(FAULT_MISSED, f"{', '.join(missed)} found nothing to hit")
    run = seen.run
    if run is None:
        yield Finding(UNACCOUNTED, "the database knows of no run")
        return
    if not run["terminal"]:
        yield Finding(NON_TERMINAL, f"the run is {run['status']}, its shards {run['shards']}")
        return
    engines, witness = of_run(run["id"], seen.received)
    yield from _twice([*engines, *witness], run)
    yield from _unaccounted(engines, run)
    yield from _witness(witness, run)
    yield from _untrue(seen, run)


def _twice(received: Sequence[Request], run: Mapping[str, Any]) -> Iterator[Finding]:
    sent, rows = Counter(request.turn for request in received), Counter(turn for turn, _, _ in run["turns"])
    for counts, what in ((sent, "sent"), (rows, "recorded")):
        if again := [turn for turn, count in counts.items() if count > 1]:
            yield Finding(DUPLICATES, f"{len(again)} turns were {what} twice, {again[0]} one of them")


def _unaccounted(engines: Sequence[Request], run: Mapping[str, Any]) -> Iterator[Finding]:
    sent = {turn: outcome for turn, outcome, was_sent in run["turns"] if was_sent}
    arrived = {request.turn for request in engines}
    if lost := arrived - sent.keys():
        yield Finding(UNACCOUNTED, f"{len(lost)} of {len(arrived)} requests that the target received are not recorded")
    if wrong := {turn for turn in sent.keys() - arrived if sent[turn] not in MAY_NOT_ARRIVE}:
        yield Finding(UNACCOUNTED, f"{len(wrong)} turns are ok, and the target never saw them")
    if run["open_sessions"]:
        yield Finding(UNACCOUNTED, f"{run['open_sessions']} conversations have no end")
    if run["unstored"]:
        yield Finding(UNACCOUNTED, f"{run['unstored']} ledgers are not stored whole: {run['shards']}")
    outcomes, reported = Counter(outcome for _, outcome, _ in run["turns"]), run["reported"] or {}
    if any(reported.get(word, 0) != count for word, count in outcomes.items()):
        yield Finding(UNACCOUNTED, f"the report says {reported}, the rows {dict(outcomes)}")


def _witness(received: Sequence[Request], run: Mapping[str, Any]) -> Iterator[Finding]:
    """What was in flight when it died may not have arrived."""
    turns = (run["witness"] or {}).get("turns") or {}
    said, unsure = turns.get("sent", 0), sum(turns.get(word, 0) for word in MAY_NOT_ARRIVE)
    if not said - unsure <= len(received) <= said:
        yield Finding(WITNESS, f"the witness sent {len(received)} requests and the run says {said}")


def _untrue(seen: Observed, run: Mapping[str, Any]) -> Iterator[Finding]:
    verdict = run["verdict"]
    if verdict is None:
        yield Finding(UNTRUE, "there is no verdict")
        return
    texts = {text.partition(":")[0]: text for text in verdict["reasons"]}
    reasons = doubts(run)
    if bool(verdict["reasons"]) is bool(verdict["trusted"]):
        yield Finding(UNTRUE, f"trusted is {verdict['trusted']}, and the reasons are {verdict['reasons']}")
    yield from _unsaid(seen, run, reasons)
    may = frozenset[str]().union(*(kind.may for kind in seen.kinds))
    false = reasons - may
    excused = {reason for reason in false if _is_excused(seen, run, texts[reason])}
    if excused:
        yield Finding(MACHINE_BUSY, f"{', '.join(sorted(excused))}; {seen.late}{_accounted(seen, run, excused)}")
    for reason in sorted(false - excused):
        about = f"{seen.late}{_accounted(seen, run, {reason})}"
        yield Finding(UNTRUE, f"nothing that was done explains {texts[reason]!r} ({about})")
    if (said := reasons & SAYS_MISSING & may) and not (seen.holes((), TRACE_S) or seen.is_cut_at_its_end):
        yield Finding(UNTRUE, f"{', '.join(sorted(said))} is said, and the target saw the whole load")
    yield from _status(seen, run, may)


def doubts(run: Mapping[str, Any]) -> set[str]:
    """The codes of its verdict's reasons, without those that are of no loss."""
    verdict = run["verdict"] or {"reasons": []}
    return {text.partition(":")[0] for text in verdict["reasons"]} - NOT_ABOUT_LOSS


def _is_excused(seen: Observed, run: Mapping[str, Any], text: str) -> bool:
    """Whether the machine was late enough, and at the moments that the reason is about."""
    word = _late_word(text)
    if word in BY_MOMENT:
        return seen.machine.accounts_for(BY_MOMENT[word](seen, run)) >= ACCOUNTED
    return explains(seen.late, word)


def _accounted(seen: Observed, run: Mapping[str, Any], reasons: set[str]) -> str:
    found = {word: BY_MOMENT[word](seen, run) for word in sorted(reasons & BY_MOMENT.keys())}
    return "".join(
        f"; which accounts for {seen.machine.accounts_for(late):.0%} of {word}" for word, late in found.items()
    )


def _late_messages(_: Observed, run: Mapping[str, Any]) -> list[Late]:
    return [Late(*each) for each in run["late"]]


def _late_end(seen: Observed, run: Mapping[str, Any]) -> list[Late]:
    """Arrivals are dropped that were due and not begun when the load ended: the engine was late by as many gaps."""
    rate = seen.case.rate_per_s
    if not rate or not run["starts_ns"]:
        return []
    end_ns = max(run["starts_ns"]) + int(seen.case.duration_s * NS)
    late_ns, around_ns = run["dropped"] / rate * NS, int(LOOK_S * NS)
    return [Late(None, end_ns - int(late_ns) - around_ns, end_ns + around_ns, late_ns)]


BY_MOMENT: Final = {"send_lag": _late_messages, "arrivals_dropped": _late_end}


def _late_word(text: str) -> str:
    """The reason's code; `began_late` for load that is missing because engines began late, and for nothing else."""
    code, _, rest = text.partition(": ")
    causes = rest.removesuffix(" Its load is missing from then on.").removesuffix(".").split("; ")
    return "began_late" if all("after the agreed start" in cause for cause in causes) else code


def _unsaid(seen: Observed, run: Mapping[str, Any], reasons: set[str]) -> Iterator[Finding]:
    """Missing load that is not reported."""
    must = frozenset[str]().union(*(kind.must for kind in seen.kinds))
    fitting = must | ENGINE_LOST & frozenset[str]().union(*(kind.may for kind in seen.kinds))
    if must and not fitting & reasons:  # of a pair, one may have left nothing for the other to cost
        said = f"the reasons are {sorted(reasons) or 'none'} ({run['status']})"
        yield Finding(UNTRUE, f"{', '.join(seen.done)} cost load, and {said}")
    by_person = any(kind.by_person for kind in seen.kinds) and run["status"] == "stopped"
    if not reasons and not by_person and (found := seen.holes(seen.away)):
        yield Finding(UNTRUE, f"{found[0]}, and the run ({run['status']}) has no reason for doubt")


def _status(seen: Observed, run: Mapping[str, Any], may: frozenset[str]) -> Iterator[Finding]:
    """How a run ends that lost nothing, or that a person ended."""
    wanted = "stopped" if any(kind.by_person for kind in seen.kinds) else "completed"
    if not may & ENGINE_LOST and run["status"] != wanted:
        yield Finding(UNTRUE, f"the run should be {wanted} and is {run['status']}: {run['reason']}")
