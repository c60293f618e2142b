"""Counts of turns and sessions of a run or a group. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from metrics.columns import LEFT, OUTCOMES, TOKEN_SIDES, TOKEN_SOURCES
from metrics.earlier_names import present_code, session_end
from metrics.histogram import Histogram

_SUMS = ("sent", "chunks", "bytes_in", "bytes_out", "tokens_in", "tokens_out", "tokens_out_ok")

RATES_FROM_S = 0.05
"""Rates over less time are unknown: what happened in it says nothing about a second."""


def per_second(count: float, seconds: float | None) -> float | None:
    """The rate of so many in that time; None if it is too short or unknown."""
    return count / seconds if seconds and seconds >= RATES_FROM_S else None


class Counts:
    """Counts of turns and sessions of a run or a group."""

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = dict.fromkeys(OUTCOMES, 0)
        self.sources: dict[str, int] = dict.fromkeys(TOKEN_SOURCES, 0)
        self.sums: dict[str, int] = dict.fromkeys(_SUMS, 0)
        self.tokens_reasoning: int | None = None
        """Of the turns of which they are known; None: of none."""
        self.codes: Counter[str] = Counter()
        self.wasted: Counter[str] = Counter()
        """tokens_in and tokens_out of turns whose user did not wait for the answer."""
        self.kinds: Counter[str] = Counter()
        """Of answers that are not plain text."""
        self.finish_reasons: Counter[str] = Counter()
        self.tools: Counter[str] = Counter()
        """How often each tool was called."""
        self.sessions_started = 0
        self.sessions_ended: Counter[str] = Counter()
        self.session_codes: Counter[str] = Counter()
        self.histograms: dict[str, Histogram] = {}
        self.given_up = Histogram()
        """How long turns waited that ended without an answer, in ns: lower bounds of `e2e_planned_ms`."""
        self.first_ns: int | None = None
        self.last_ns: int | None = None

    def add_part(self, data: Mapping[str, Any]) -> None:
        """Add the turns and sessions of one window, or of a group in it."""
        self.sessions_started += data.get("opened", 0)
        for outcome, number in data.get("closed", {}).items():
            self.sessions_ended[session_end(outcome)] += number
        for code, number in data.get("closed_codes", {}).items():
            self.session_codes[present_code(code)] += number
        self._add_histograms(data.get("bye", {}))
        if "out" not in data:
            return
        for word, count in zip(OUTCOMES, data["out"], strict=True):
            self.outcomes[word] += count
        for source, count in zip(TOKEN_SOURCES, data["sources"], strict=False):  # earlier windows have fewer words
            self.sources[source] += count
        self._add_reasoning(data.get("tr"))
        for name in _SUMS:
            self.sums[name] += data[name]
        for code, number in data.get("codes", {}).items():
            self.codes[present_code(code)] += number
        self.kinds.update(data.get("kind", {}))
        self.finish_reasons.update(data.get("fin", {}))
        self.tools.update(data.get("tools", {}))
        if "wasted" in data:
            self.wasted.update(dict(zip(("tokens_in", "tokens_out"), data["wasted"], strict=True)))
        self._span(data["first"], data["last"])
        self._add_histograms(data.get("m", {}))
        if "given_up" in data:
            self.given_up.add_json(data["given_up"])

    def include(self, other: Counts) -> None:
        """Add all that `other` counts."""
        for ours, theirs in ((self.outcomes, other.outcomes), (self.sources, other.sources), (self.sums, other.sums)):
            for word, count in theirs.items():
                ours[word] += count
        self._add_reasoning(other.tokens_reasoning)
        self.codes.update(other.codes)
        self.kinds.update(other.kinds)
        self.finish_reasons.update(other.finish_reasons)
        self.tools.update(other.tools)
        self.wasted.update(other.wasted)
        self.sessions_started += other.sessions_started
        self.sessions_ended.update(other.sessions_ended)
        self.session_codes.update(other.session_codes)
        for name, histogram in other.histograms.items():
            self.histograms.setdefault(name, Histogram()).merge(histogram)
        self.given_up.merge(other.given_up)
        if other.first_ns is not None and other.last_ns is not None:
            self._span(other.first_ns, other.last_ns)

    def _add_histograms(self, found: Mapping[str, Any]) -> None:
        for name, packed in found.items():
            if name not in self.histograms:
                self.histograms[name] = Histogram()
            self.histograms[name].add_json(packed)

    def _add_reasoning(self, tokens: int | None) -> None:
        if tokens is not None:
            self.tokens_reasoning = (self.tokens_reasoning or 0) + tokens

    def token_sides(self) -> tuple[Counter[str], Counter[str]]:
        """Number of turns whose input, and whose output, was reported (usage), estimated (estimate), or is unknown
        (none)."""
        given: Counter[str] = Counter()
        made: Counter[str] = Counter()
        for word, count in self.sources.items():
            if count:
                given[TOKEN_SIDES[word][0]] += count
                made[TOKEN_SIDES[word][1]] += count
        return given, made

    def _span(self, first_ns: int, last_ns: int) -> None:
        self.first_ns = first_ns if self.first_ns is None else min(self.first_ns, first_ns)
        self.last_ns = last_ns if self.last_ns is None else max(self.last_ns, last_ns)

    @property
    def turns(self) -> int:
        return sum(self.outcomes.values())

    @property
    def failed(self) -> int:
        """Failed turns: those that ended in error or timeout, or whose user gave up."""
        return self.outcomes["error"] + self.outcomes["timeout"] + self.codes[LEFT]

    @property
    def duration_s(self) -> float:
        """From the first turn's begin to the last one's end."""
        if self.first_ns is None or self.last_ns is None:
            return 0.0
        return (self.last_ns - self.first_ns) / 1e9

    def rates(self, seconds: float | None = None) -> dict[str, float | None]:
        """Per second (sessions: per minute) of `seconds`, or of `duration_s`; None if that is too short.

        For a group, `seconds` is its run's duration: then the groups' rates add up to the run's.
        """
        seconds = self.duration_s if seconds is None else seconds
        judged = self.outcomes["ok"] + self.failed
        given, made = self.token_sides()
        # Unknown tokens have no rate.
        made_s = seconds if self.turns > made["none"] else 0.0
        both_s = seconds if self.turns > min(given["none"], made["none"]) else 0.0
        return {
            "turns_per_s": per_second(self.outcomes["ok"], seconds),
            "completed_sessions_per_min": per_second(self.sessions_ended["completed"] * 60, seconds),
            "ended_sessions_per_min": per_second(self.sessions_ended.total() * 60, seconds),
            "output_tokens_per_s": per_second(self.sums["tokens_out_ok"], made_s),
            "tokens_per_s": per_second(self.sums["tokens_in"] + self.sums["tokens_out"], both_s),
            "error_rate": self.failed / judged if judged else None,
        }

    def counted(self) -> dict[str, Any]:
        """All of it, to compare."""
        return {
            "outcomes": self.outcomes, "sources": self.sources, "sums": self.sums, "codes": self.codes,
            "wasted": self.wasted, "tokens_reasoning": self.tokens_reasoning,
            "kinds": self.kinds, "finish_reasons": self.finish_reasons, "tools": self.tools,
            "sessions": (self.sessions_started, self.sessions_ended, self.session_codes),
            "histograms": self.histograms, "given_up": self.given_up, "span": (self.first_ns, self.last_ns),
        }  # fmt: skip
