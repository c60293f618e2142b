"""Reasons about answers that ended too early or may belong to other questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from metrics.analysis.load_time import counted_end_s
from metrics.analysis.silence import Silence, longest_pause
from metrics.analysis.totals import Aggregate
from metrics.analysis.verdict.codes import MISMATCHES, SILENT_FAILURES, SURVIVORS_SHARE, Remark
from metrics.end_codes import EndCode, tail_code
from metrics.number_format import counted


class OthersAnswers(NamedTuple):
    """What the witness heard: messages that belong to no question, and answers that repeat another turn's message."""

    unsolicited: int = 0
    mismatched: int = 0


NO_OTHERS = OthersAnswers()


def stopped_answering(aggregate: Aggregate, load: Mapping[str, Any], silence: Silence | None) -> Iterator[Remark]:
    """Answers ended before the load did and never came back. However few turns this affects (a user of a closed loop
    waits once), it is a failure of the target. A search or a sweep goes to levels where turns fail, so only a hang
    counts there."""
    if silence is None:
        return
    waiting = aggregate.codes["unanswered"]
    if waiting:
        yield Remark(
            "stopped_answering",
            f"{silence.words}, and {waiting:,} waited for an answer, or for its end, until the end: latencies are "
            "those of the time before. Did the target hang?",
        )
    elif silence.failed >= SILENT_FAILURES and not (load.get("search") or load.get("sweep")):
        yield Remark(
            "stopped_answering",
            f"{silence.words}, and {silence.failed:,} failed: latencies cover only the time before. Did the target "
            "break?",
        )


def pauses(aggregate: Aggregate, load: Mapping[str, Any]) -> Iterator[Remark]:
    pause = longest_pause(aggregate, counted_end_s(aggregate, load))
    if pause is not None:
        yield Remark(
            "answers_paused",
            f"From {pause[0]} to {pause[1]} s after the start no turn succeeded, though some waited; then answers "
            "came again. In a closed loop each user waits once: rates and maxima show it, percentiles may not.",
        )


def _ended_with_the_load(aggregate: Aggregate) -> int:
    """Number of turns that the load's own end cut off. After a stop by hand, the user knows about them."""
    if any(tail_code(engine.tail) != EndCode.DONE for engine in aggregate.engines.values()):
        return 0
    return aggregate.codes["stopped"]


def cut_off(aggregate: Aggregate, silence: Silence | None, *, many: bool) -> Iterator[Remark]:
    """Turns that the load's own end cut off too early for a judgement."""
    count = _ended_with_the_load(aggregate)
    if not count:
        return
    unjudged = sum(engine.tail.get("unjudged", 0) for engine in aggregate.engines.values())
    doubtful = silence is not None or unjudged > 0
    if (doubtful or count > SURVIVORS_SHARE * aggregate.turns) is not many:
        return
    more = f" {silence.words}." if silence is not None else ""
    if unjudged:
        more += f" {unjudged:,} of them had lasted long, with too few complete answers for a judgement."
    yield Remark(
        "hang_not_judged" if many else "few_cut_off",
        f"The end of the load cut off {counted(count, 'turn')} whose answers might still have arrived: the "
        f"slowest ones are missing, and a target that hangs would look the same.{more} Give answers in flight longer: "
        "--grace, or grace_s of the load.",
    )


def shifted_answers(aggregate: Aggregate, others: OthersAnswers) -> Iterator[Remark]:
    """Whether each answer may be that of another question."""
    advice = (
        "Tell the target's mapping how to tell answers apart: greeting, reply_to or response.quiet_ms; or which "
        "messages are not text: response.ignore."
    )
    heads = [engine.head for engine in aggregate.engines.values() if engine.head]
    by_id = bool(heads) and all(head.get("correlates", False) for head in heads)
    if others.mismatched >= MISMATCHES:
        yield Remark(
            "answers_may_be_shifted",
            f"{counted(others.mismatched, 'answer')} to the witness repeat another message than the one "
            f"they follow. {advice}",
        )
    elif not by_id and (found := aggregate.unsolicited + others.unsolicited):
        to_witness = f" ({others.unsolicited} of them to the witness)" if others.unsolicited else ""
        yield Remark(
            "answers_may_be_shifted",
            f"At least {counted(found, 'message')} came that no question had requested{to_witness}, so that answers "
            f"may belong to other questions, and their times to other answers. {advice}",
        )
