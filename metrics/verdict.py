"""Whether a run's figures can be believed: trusted, or the reasons why not, each with a stable code. Pure.

A reason is something that may have made the figures wrong; a note only says how to read them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple

from metrics.columns import DOUBTED_SOURCES, SPLIT_SOURCES, TOKEN_SIDES
from metrics.coverage import missing
from metrics.definitions import MS, QUANTILES, SAMPLES_NEEDED
from metrics.drift import Drift
from metrics.figures import stats_of
from metrics.groups import Group, choice_text, chosen
from metrics.histogram import Histogram
from metrics.silence import SILENT_S, SILENT_SHARE, Silence, longest_pause, silence_at_end
from metrics.thresholds import Threshold
from metrics.totals import Aggregate, Engine
from metrics.version_words import version_words
from metrics.words import counted

SEND_LAG_MS = 20.0
SEND_LAG_SHARE = 0.05
"""Lateness below this share of a typical turn changes no conclusion, whatever its milliseconds."""
LOOP_LAG_MS = {"kernel": 100.0, "user": 10.0}
"""With kernel time stamps a busy loop only delays what is sent; without, it also delays what is seen."""
STALL_MS = 1000.0
"""An engine that stands still this long leaves a whole second without load: a hole in the series, whatever the run's
length."""
STALLED_SHARE = 0.05
"""Of an engine's time: a closed load's throughput is too low by as much as its engine stood still."""
CPU_SHARE = 0.9
DROPPED_SHARE = 0.001
"""Of all arrivals: fewer are those that were a moment late when the load ended."""
CHARS_OF_A_TOKEN = 32
"""As in `connectors.usage`, which engines ask."""
WITNESS_SHARE = 0.1
WITNESS_MS = 5.0
MISMATCHES = 2
"""Answers that repeat another message: a bot may quote once what was said before."""
SURVIVORS_SHARE = 0.05
START_MS = 50.0
SILENT_FAILURES = 5
"""Fewer may fail one after the other by chance."""
RISE_SHARE = 0.2
RISE_MS = 20.0
MAIN_METRIC = "e2e_ms"
CAUSES_NAMED = 3
TYPES_NAMED = 3

REASONS = {
    "no_ok_turns": "Not one turn is ok.",
    "few_samples": f"p99 of {MAIN_METRIC}, or a percentile that a threshold asks for, rests on too few values.",
    "send_lag": f"send_lag_ms p99 is above {SEND_LAG_MS:.0f} ms and above {SEND_LAG_SHARE:.0%} of {MAIN_METRIC} p50.",
    "loop_lag": f"The event loop's lag at p99 is above {LOOP_LAG_MS['kernel']:.0f} ms "
    f"({LOOP_LAG_MS['user']:.0f} ms without the kernel's time stamps).",
    "engine_stalled": f"An engine stood still for {STALL_MS / 1000:.0f} s or more at once (its process, or the whole "
    f"machine, was paused), or for more than {STALLED_SHARE:.0%} of its time.",
    "cpu_saturated": f"An engine used more than {CPU_SHARE:.0%} of its core for half of the time or more.",
    "arrivals_dropped": f"More than {DROPPED_SHARE:.1%} of the arrivals were due and not started.",
    "turns_unknown": "Turns were in flight when an engine died.",
    "engine_died": "An engine died before its end, or left no end.",
    "load_missing": "An engine's share of the load was cut off by something other than the load's own end (its time or "
    "its conversations are over, a budget, a missed threshold, a target that refuses everything, a person), or began "
    "late. Or its ledger was taken away while it was written. Or users of a closed loop have waited since the warm-up "
    "for an answer that never came.",
    "ledger_incomplete": "The engines recorded more (or fewer) turns than are stored.",
    "ledger_damaged": "Lines of a ledger could not be read.",
    "stopped_answering": f"Turns are unanswered, or {SILENT_FAILURES} or more failed, and none was ok in the last "
    f"{SILENT_SHARE:.0%} of the load or longer, {SILENT_S:.0f} s at least. The run has failed its gate.",
    "hang_not_judged": f"The end cut off more than {SURVIVORS_SHARE:.0%} of the turns, too early to tell a slow answer "
    "from none; or turns while none was ok in the last part of the load; or an answer that still went on, with too few "
    "whole ones to judge it by.",
    "answers_may_be_shifted": "Text came that no question had asked for, and no id tells answers apart; or the witness "
    "got answers that repeat another message than the one they follow.",
    "witness_disagrees": f"An independent client's median differs by more than {WITNESS_SHARE:.0%} "
    f"and {WITNESS_MS:.0f} ms.",
}
NOTES = {
    "user_timestamps": "Arrivals were stamped after the read, not by the kernel.",
    "tokens_estimated": "Token counts are estimates, for some turns or for all, or of one side.",
    "usage_not_believed": f"The target counted no tokens for a text, or fewer than one for {CHARS_OF_A_TOKEN} "
    "characters, or more than can be, or something that is no count: estimates stand in.",
    "reasoning_split": "The target streams its reasoning and does not count its tokens: its share of the output, "
    "which tpot_ms leaves out, is by characters.",
    "content_type_wrong": "Streamed answers came with another content type, or whole ones with that of a stream; they "
    "were read as what they hold.",
    "through_proxy": "Connections went through a proxy: its time, limits and failures are in the figures.",
    "start_apart": f"An engine may have begun more than {START_MS:.0f} ms beside the time that all agreed on.",
    "slower_later": f"{MAIN_METRIC} p50 rose by more than {RISE_SHARE:.0%} and {RISE_MS:.0f} ms from the first third "
    "of the run to the last, under a load that stayed the same.",
    "few_cut_off": f"The end cut off turns, {SURVIVORS_SHARE:.0%} of all or fewer, that may have been answered later.",
    "answers_paused": f"In the middle of the load no turn was ok for {SILENT_SHARE:.0%} of it or longer, "
    f"{SILENT_S:.0f} s at least, though turns waited for answers: far longer than these usually took.",
    "few_dropped": f"Arrivals were due and not started, {DROPPED_SHARE:.1%} of all or fewer.",
    "versions_differ": "An engine is of another version of Token-Burn than the one that planned the run.",
    "survivors_only": f"More than {SURVIVORS_SHARE:.0%} of the turns failed: latencies but e2e_planned_ms are those of "
    "the others.",
}


class Remark(NamedTuple):
    code: str
    text: str


class Witness(NamedTuple):
    """Medians (ms) of one metric by the independent session and by the engines, over the same time. With few turns
    a median is a matter of luck: the witness's true one lies between `low_ms` and `high_ms` (99 of 100 times)."""

    metric: str
    witness_ms: float
    engine_ms: float
    low_ms: float
    high_ms: float


class OthersAnswers(NamedTuple):
    """What the witness heard: messages that belong to no question, and answers that repeat another turn's message."""

    unsolicited: int = 0
    mismatched: int = 0


NO_OTHERS = OthersAnswers()


@dataclass(frozen=True)
class Verdict:
    reasons: tuple[Remark, ...] = ()
    notes: tuple[Remark, ...] = field(default=())

    @property
    def trusted(self) -> bool:
        return not self.reasons


_OF_PROXY = "its time, limits and failures are in the figures."


def judge(  # noqa: PLR0913 - each is a source of reasons
    aggregate: Aggregate,
    thresholds: Sequence[Threshold] = (),
    witness: Witness | None = None,
    *,
    groups: Sequence[Group] = (),
    drift: Mapping[str, Drift] | None = None,
    finished: bool = True,
    shards: Sequence[Mapping[str, Any]] = (),
    load: Mapping[str, Any] | None = None,
    others: OthersAnswers = NO_OTHERS,
    version: str = "",
    proxy: str = "",
) -> Verdict:
    """`shards` are the report's rows of the same name and `load` what was asked of all of them: without these, an
    engine that never said anything is not missed. `finished` is False for a run under way, of which no end can be
    asked yet. `groups` are the run's, `drift` that of a run with a load that stayed the same. `others` is the
    witness's. `proxy` is the address of the one that the run went through."""
    reasons = [*_samples(aggregate, thresholds, groups), *_generator(aggregate)]
    reasons += _belonging(aggregate, others)
    if finished:
        silence = silence_at_end(aggregate, _counted_end_s(aggregate, load or {}))
        reasons += [*_stopped_answering(aggregate, load or {}, silence), *_cut_off(aggregate, silence, many=True)]
        reasons += [*_missing_load(aggregate, shards, load or {}), *_records(aggregate)]
    if witness is not None:
        reasons += _witness(witness)
    cut_off = _cut_off(aggregate, silence, many=False) if finished else ()
    through = [Remark("through_proxy", f"Connections went through the proxy {proxy}: {_OF_PROXY}")] if proxy else []
    pauses = _pauses(aggregate, load or {}) if finished else ()
    notes = (*_notes(aggregate), *_versions(version, shards), *cut_off, *pauses, *_drift(drift), *through)
    return Verdict(tuple(reasons), notes)


def load_end_s(aggregate: Aggregate) -> float | None:
    """When the load ended, in s since the start, by the last of its engines; None: with its last answer."""
    ends = [engine.tail["load"] for engine in aggregate.engines.values() if engine.tail.get("load") is not None]
    return max(ends) / 1e9 if ends else None


def load_s(aggregate: Aggregate, load: Mapping[str, Any]) -> float:
    """How long the load that counts lasted, in s: what rates are per. Answers that came after its end do not make it
    longer. Without an end (a closed loop of so many conversations, an engine that died) from the first turn's begin to
    the last one's end."""
    begin_s, end_s, asked_s = load.get("warm_up_s") or 0.0, load_end_s(aggregate), load.get("duration_s")
    if end_s is not None and asked_s:
        end_s = min(end_s, asked_s - (load.get("cool_down_s") or 0.0))
    return aggregate.duration_s if end_s is None or end_s <= begin_s else end_s - begin_s


def load_so_far_s(load: Mapping[str, Any], at_s: float) -> float:
    """Of the first `at_s` seconds of a run, how long the load that counts has lasted by then."""
    asked_s = load.get("duration_s")
    end_s = min(at_s, asked_s - (load.get("cool_down_s") or 0.0)) if asked_s else at_s
    return float(max(0.0, end_s - (load.get("warm_up_s") or 0.0)))


def timestamps(aggregate: Aggregate) -> str | None:
    """ "kernel" if every engine had the kernel's time stamps, "user" if any had not, None if no engine began."""
    kinds = {engine.head["timestamps"] for engine in aggregate.engines.values() if engine.head}
    if not kinds:
        return None
    return "kernel" if kinds == {"kernel"} else "user"


def start_error_ns(aggregate: Aggregate) -> int | None:
    """The most by which an engine may have begun beside the agreed time: how late it was told, and how well its host
    knew the database's clock. None if no engine says."""
    heads = [engine.head for engine in aggregate.engines.values() if "late_ns" in engine.head]
    return max((head["late_ns"] + head.get("clock_error_ns", 0) for head in heads), default=None)


def _samples(aggregate: Aggregate, thresholds: Sequence[Threshold], groups: Sequence[Group]) -> Iterator[Remark]:
    if not aggregate.outcomes["ok"]:
        yield Remark("no_ok_turns", "Not one turn was answered well, so there is no latency to report.")
        return
    asked = {(t.name, t.where, t.stat) for t in thresholds if t.stat in SAMPLES_NEEDED} | {(MAIN_METRIC, (), "p99")}
    for name, where, stat in sorted(asked, key=str):
        counts = aggregate.of_groups(chosen(groups, where)) if where and len(groups) > 1 else aggregate
        count = stats_of(counts, name)["count"]
        needed = SAMPLES_NEEDED[stat or ""]
        if count < needed:
            what = f"{name}{choice_text(where)}.{stat}"
            yield Remark(
                "few_samples", f"{what} rests on {counted(count, 'value')}; it needs {needed:,} to mean anything."
            )


def _quantile_ms(histogram: Histogram | None, stat: str) -> float:
    value = histogram.quantile(QUANTILES[stat]) if histogram else None
    return (value or 0.0) / MS


def _generator(aggregate: Aggregate) -> Iterator[Remark]:
    lag = _quantile_ms(aggregate.histograms.get("send_lag_ms"), "p99")
    allowed = max(SEND_LAG_MS, SEND_LAG_SHARE * _quantile_ms(aggregate.histograms.get(MAIN_METRIC), "p50"))
    if lag > allowed:
        yield Remark(
            "send_lag",
            f"1 % of the messages left {lag:.1f} ms or more after they were due (allowed: {allowed:.0f} ms): "
            "the load was not the one that was asked for. Use more processes or fewer users.",
        )
    kind = timestamps(aggregate) or "kernel"
    loop_lag = _quantile_ms(aggregate.loop_lag, "p99")
    if loop_lag > LOOP_LAG_MS[kind]:
        yield Remark(
            "loop_lag",
            f"The engine's event loop was {loop_lag:.1f} ms late at p99 (allowed: {LOOP_LAG_MS[kind]:.0f} ms with "
            f"{kind} time stamps). Use more processes, or a machine with less else to do.",
        )
    yield from _stalls(aggregate)
    shares = [median(found) for engine in aggregate.engines.values() if (found := engine.cpu_shares())]
    if shares and max(shares) > CPU_SHARE:
        yield Remark(
            "cpu_saturated",
            f"An engine used {max(shares):.0%} of its core for half of the time or more: the throughput may be "
            "the generator's limit, not the target's. Use more processes.",
        )
    if _many_dropped(aggregate):
        yield Remark(
            "arrivals_dropped",
            f"{counted(aggregate.dropped, 'arrival was', 'arrivals were')} due and not started (too many sessions were "
            f"open, or the engine was late when the load ended): the target saw less load than was asked "
            f"for.{_of_a_hang(aggregate)}",
        )


def _of_a_hang(aggregate: Aggregate) -> str:
    if not aggregate.codes["unanswered"]:
        return ""
    return " Other turns got no answer: those who would have come are in no figure, and would have waited as well."


def _many_dropped(aggregate: Aggregate) -> bool:
    return aggregate.dropped > DROPPED_SHARE * (aggregate.sessions_started + aggregate.dropped)


def _missing_load(
    aggregate: Aggregate, shards: Sequence[Mapping[str, Any]], load: Mapping[str, Any]
) -> Iterator[Remark]:
    """One remark for each code; the first few causes are named."""
    found = missing(aggregate, shards, load)
    if aggregate.waited and load.get("kind") == "closed":
        waited = counted(aggregate.waited, "message of the warm-up waits", "messages of the warm-up wait")
        yield Remark("load_missing", f"{waited} for an answer to the end: the load that counts lacks their users.")
    for code, died in (("engine_died", True), ("load_missing", False)):
        texts = [cut.text for cut in found if cut.died is died]
        if texts:
            more = f", and {len(texts) - CAUSES_NAMED} more" if len(texts) > CAUSES_NAMED else ""
            named = "; ".join(texts[:CAUSES_NAMED])
            yield Remark(code, f"{named}{more}. Its load is missing from then on.")


def _stalls(aggregate: Aggregate) -> Iterator[Remark]:
    """Figures with the kernel's time stamps stay right while an engine stands still, but it sends nothing: what a
    closed load reaches is then too little, and no send lag shows it."""
    worst = max(aggregate.engines.values(), key=_stalled_share, default=None)
    longest_ms = max((engine.stall_ns for engine in aggregate.engines.values()), default=0) / MS
    if worst is None or (longest_ms < STALL_MS and _stalled_share(worst) <= STALLED_SHARE):
        return
    yield Remark(
        "engine_stalled",
        f"An engine stood still for up to {longest_ms / 1000:.1f} s at once, one for {_stalled_share(worst):.1%} "
        "of its time: the target saw less load than was asked for. Its process or the machine was paused, or had too "
        "much else to do.",
    )


def _stalled_share(engine: Engine) -> float:
    return engine.stalled_ns / engine.lasted_ns if engine.lasted_ns else 0.0


def _records(aggregate: Aggregate) -> Iterator[Remark]:
    if aggregate.outcomes["unknown"]:
        count = aggregate.outcomes["unknown"]
        yield Remark(
            "turns_unknown",
            f"{counted(count, 'turn was', 'turns were')} in flight when an engine died: nobody knows what came of it.",
        )
    tails = [engine.tail for engine in aggregate.engines.values()]
    recorded = sum(tail["turns"] for tail in tails if tail)
    if all(tails) and recorded != aggregate.turns + aggregate.uncounted:
        yield Remark(
            "ledger_incomplete",
            f"The engines recorded {counted(recorded, 'turn')} and {aggregate.turns + aggregate.uncounted:,} are "
            "stored. `manage.py ingest` stores what is left of the ledgers.",
        )
    if aggregate.bad_lines:
        yield Remark("ledger_damaged", f"{counted(aggregate.bad_lines, 'line')} of the ledger could not be read.")


def _counted_end_s(aggregate: Aggregate, load: Mapping[str, Any]) -> float | None:
    """When the load that counts ended; None: nobody knows."""
    end_s, asked_s = load_end_s(aggregate), load.get("duration_s")
    return end_s if end_s is None or not asked_s else min(end_s, asked_s - (load.get("cool_down_s") or 0.0))


def _stopped_answering(aggregate: Aggregate, load: Mapping[str, Any], silence: Silence | None) -> Iterator[Remark]:
    """Answers ended before the load did and never came back. However few turns this hits (a user of a closed loop waits
    once), it is a failure of the target. A search and a sweep go to where turns fail: there only a hang counts."""
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
            f"{silence.words}, and {silence.failed:,} failed: latencies are those of the time before. Did the target "
            "break?",
        )


def _pauses(aggregate: Aggregate, load: Mapping[str, Any]) -> Iterator[Remark]:
    pause = longest_pause(aggregate, _counted_end_s(aggregate, load))
    if pause is not None:
        yield Remark(
            "answers_paused",
            f"From {pause[0]} to {pause[1]} s after the start no turn was answered well, though some waited; then "
            "answers came again. In a closed loop each user waits once: rates and maxima show it, percentiles may not.",
        )


def _ended_with_the_load(aggregate: Aggregate) -> int:
    """How many turns the load's own end cut off. Whoever stops a run by hand knows of those."""
    if any(engine.tail.get("reason") != "done" for engine in aggregate.engines.values()):
        return 0
    return aggregate.codes["stopped"]


def _cut_off(aggregate: Aggregate, silence: Silence | None, *, many: bool) -> Iterator[Remark]:
    """What the load's own end cut off before its wait said anything."""
    count = _ended_with_the_load(aggregate)
    if not count:
        return
    unjudged = sum(engine.tail.get("unjudged", 0) for engine in aggregate.engines.values())
    doubtful = silence is not None or unjudged > 0
    if (doubtful or count > SURVIVORS_SHARE * aggregate.turns) is not many:
        return
    more = f" {silence.words}." if silence is not None else ""
    if unjudged:
        more += f" {unjudged:,} of them had gone on for long, with too few whole answers to judge by."
    yield Remark(
        "hang_not_judged" if many else "few_cut_off",
        f"The end of the load cut off {counted(count, 'turn')} whose answers may have been on their way: the slowest "
        f"ones are missing, and a target that hangs would look the same.{more} Give answers in flight longer: --grace, "
        "or grace_s of the load.",
    )


def _belonging(aggregate: Aggregate, others: OthersAnswers) -> Iterator[Remark]:
    """Whether each answer may be that of another question."""
    advice = "Tell the target's mapping how answers are told apart: greeting, reply_to or response.quiet_ms."
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
            f"{counted(found, 'message')} came that no question had asked for{to_witness}, so that answers may belong "
            f"to other questions, and their times to other answers. {advice}",
        )


def _witness(witness: Witness) -> Iterator[Remark]:
    apart = max(witness.low_ms - witness.engine_ms, witness.engine_ms - witness.high_ms)
    if apart > max(WITNESS_MS, WITNESS_SHARE * witness.witness_ms):
        yield Remark(
            "witness_disagrees",
            f"An independent client measured {witness.metric} p50 {witness.witness_ms:.1f} ms, "
            f"the engines {witness.engine_ms:.1f} ms.",
        )


def _drift(drift: Mapping[str, Drift] | None) -> Iterator[Remark]:
    found = (drift or {}).get(MAIN_METRIC)
    if found is None or found["rise"] <= RISE_SHARE or found["last_ms"] - found["first_ms"] <= RISE_MS:
        return
    yield Remark(
        "slower_later",
        f"{MAIN_METRIC} p50 rose from {found['first_ms']:.0f} ms in the first third of the run to "
        f"{found['last_ms']:.0f} ms in the last: the target did not hold its pace, or the conversations grew longer.",
    )


def _versions(planned: str, shards: Sequence[Mapping[str, Any]]) -> Iterator[Remark]:
    """A note: what an engine of another version measures is right by its own rules, and an order that it cannot read it
    refuses."""
    if words := version_words(planned, shards):
        yield Remark("versions_differ", f"{words} Bring all hosts to one version before you compare runs.")


def _notes(aggregate: Aggregate) -> Iterator[Remark]:
    if timestamps(aggregate) == "user":
        yield Remark(
            "user_timestamps",
            "Arrival times were taken after the read, not by the kernel: they include the engine's own delay.",
        )
    yield from _tokens(aggregate)
    yield from _types(aggregate)
    apart = start_error_ns(aggregate)
    if apart is not None and apart > START_MS * MS and len(aggregate.engines) > 1:
        yield Remark(
            "start_apart",
            f"An engine may have begun {apart / MS:.0f} ms beside the agreed time: its network to the database is "
            "slow, or its supervisor was late. Every engine's own times are right.",
        )
    if aggregate.dropped and not _many_dropped(aggregate):
        yield Remark(
            "few_dropped", f"{counted(aggregate.dropped, 'arrival was', 'arrivals were')} due and not started."
        )
    rate = aggregate.rates()["error_rate"]
    if rate is not None and aggregate.outcomes["ok"] and rate > SURVIVORS_SHARE:
        text = f"{rate:.0%} of the turns failed; latencies but e2e_planned_ms are those of the others only."
        yield Remark("survivors_only", text)


def _types(aggregate: Aggregate) -> Iterator[Remark]:
    found: Counter[str] = Counter()
    for engine in aggregate.engines.values():
        found.update(engine.tail.get("types", {}))
    if found:
        named = ", ".join(f"{kind} ({count:,})" for kind, count in found.most_common(TYPES_NAMED))
        yield Remark(
            "content_type_wrong",
            f"{counted(found.total(), 'answer')} came with a wrong content type, and were read as what they hold: "
            f"{named}. Browsers and proxies may hold such a stream back, or refuse it: correct the target's header.",
        )


def _tokens(aggregate: Aggregate) -> Iterator[Remark]:
    given, made = (side["estimate"] for side in aggregate.token_sides())
    if given or made:
        which = {(True, False): "input ", (False, True): "output "}.get((bool(given), bool(made)), "")
        yield Remark("tokens_estimated", f"{_why_estimated(aggregate, which)}; 4 characters were taken for one.")
    if doubted := sum(aggregate.sources[word] for word in DOUBTED_SOURCES):
        yield Remark(
            "usage_not_believed",
            f"In {counted(doubted, 'turn')} the target's usage cannot be true: 0 tokens, fewer than its texts have, "
            "more than can be, or no number. Estimates were taken.",
        )
    if split := sum(aggregate.sources[word] for word in SPLIT_SOURCES):
        yield Remark(
            "reasoning_split",
            f"In {counted(split, 'turn')} the target streamed its reasoning and did not count it: its share of the "
            "output tokens was taken by characters, so that tpot_ms is an estimate.",
        )


def _why_estimated(aggregate: Aggregate, which: str) -> str:
    """`which`: the side of the counts that are estimates, with a space behind it; empty: both."""
    doubted = {word for word in DOUBTED_SOURCES if aggregate.sources[word]}
    untold = {word for word, count in aggregate.sources.items() if count and "estimate" in TOKEN_SIDES[word]} - doubted
    if not doubted:
        return f"The target did not report all {which}token counts"
    if not untold:
        return f"Not all {which}token counts that the target reported were believed"
    return f"The target did not report all {which}token counts, and not all that it reported were believed"
