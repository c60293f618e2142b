"""Notes on how to read trusted figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from metrics.analysis.totals import Aggregate
from metrics.analysis.verdict.codes import START_MS, SURVIVORS_SHARE, TYPES_NAMED, Remark
from metrics.analysis.verdict.generator import many_dropped, start_error_ns, timestamps
from metrics.columns import DOUBTED_SOURCES, SPLIT_SOURCES, TOKEN_SIDES
from metrics.definitions import MS
from metrics.mixed_versions import version_words
from metrics.number_format import counted

NO_WITNESS = Remark(
    "witness_missing", "The independent session failed or was killed: only the engines measured this run."
)


def through_proxy(proxy: str) -> Iterator[Remark]:
    """`proxy`: its address; empty: there was none."""
    if proxy:
        text = f"Connections went through the proxy {proxy}: its time, limits and failures are in the figures."
        yield Remark("through_proxy", text)


def other_versions(planned: str, shards: Sequence[Mapping[str, Any]]) -> Iterator[Remark]:
    """Only a note: an engine of another version measures correctly by its own rules, and refuses an order that it
    cannot read."""
    if words := version_words(planned, shards):
        yield Remark("versions_differ", f"{words} Bring all hosts to one version before you compare runs.")


def notes(aggregate: Aggregate) -> Iterator[Remark]:
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
            f"An engine may have begun {apart / MS:.0f} ms off the agreed time: its network to the database is "
            "slow, or its supervisor was late. Each engine's own times are correct.",
        )
    if aggregate.dropped and not many_dropped(aggregate):
        yield Remark(
            "few_dropped", f"{counted(aggregate.dropped, 'arrival was', 'arrivals were')} due and not started."
        )
    rate = aggregate.rates()["error_rate"]
    if rate is not None and aggregate.outcomes["ok"] and rate > SURVIVORS_SHARE:
        text = f"{rate:.0%} of the turns failed; all latencies except e2e_planned_ms cover only the others."
        yield Remark("survivors_only", text)


def _types(aggregate: Aggregate) -> Iterator[Remark]:
    found: Counter[str] = Counter()
    for engine in aggregate.engines.values():
        found.update(engine.tail.get("types", {}))
    if found:
        named = ", ".join(f"{kind} ({count:,})" for kind, count in found.most_common(TYPES_NAMED))
        yield Remark(
            "content_type_wrong",
            f"{counted(found.total(), 'answer')} came with a wrong content type and were read by their content: "
            f"{named}. Browsers and proxies may delay or refuse such a stream: correct the target's header.",
        )


def _tokens(aggregate: Aggregate) -> Iterator[Remark]:
    given, made = (side["estimate"] for side in aggregate.token_sides())
    if given or made:
        which = {(True, False): "input ", (False, True): "output "}.get((bool(given), bool(made)), "")
        yield Remark("tokens_estimated", f"{_why_estimated(aggregate, which)}; estimates count 4 characters per token.")
    if doubted := sum(aggregate.sources[word] for word in DOUBTED_SOURCES):
        yield Remark(
            "usage_not_believed",
            f"In {counted(doubted, 'turn')} the target's usage is impossible: 0 tokens, too few for its texts, too "
            "many, or not a number. Estimates are used instead.",
        )
    if split := sum(aggregate.sources[word] for word in SPLIT_SOURCES):
        yield Remark(
            "reasoning_split",
            f"In {counted(split, 'turn')} the target streamed its reasoning but did not count it: its share of the "
            "output tokens is estimated by characters, so tpot_ms is an estimate.",
        )


def _why_estimated(aggregate: Aggregate, which: str) -> str:
    """`which`: the side of the counts that are estimates, followed by a space; empty: both."""
    doubted = {word for word in DOUBTED_SOURCES if aggregate.sources[word]}
    untold = {word for word, count in aggregate.sources.items() if count and "estimate" in TOKEN_SIDES[word]} - doubted
    if not doubted:
        return f"The target did not report all {which}token counts"
    if not untold:
        return f"Not all {which}token counts that the target reported are plausible"
    return f"The target did not report all {which}token counts, and not all that it reported are plausible"
