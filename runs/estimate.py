"""What a run would come to: turns, tokens, money, before anything is sent. Pure.

A sample of its conversations is walked without a target; the load says how many of them there are and how long they
may go on. What nobody knows beforehand, how long answers are and take, is an assumption that the result names.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from connectors.spec import TargetSpec
from runs.engine.arrivals import arrivals
from runs.engine.budget import Budget, price_of
from runs.engine.groups import own_model
from runs.engine.levels import level_of
from runs.engine.record import sends_history
from runs.engine.spec import ClosedLoad, Load, OpenLoad, TraceLoad
from runs.talks import Talk, sample_talks
from scenarios.spec import ScenarioSpec

ANSWER_LIMITS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "num_predict")
"""Names under which request formats limit an answer's length, in tokens."""
FOLLOWED_TURNS: Final = 1000
"""Of one user; a longer presence goes on at the same pace."""
FOLLOWED_USERS: Final = 20
KNOWN_SPREAD: Final = 1.2
"""How much shorter and longer answers may be than those of an earlier run."""
SHORTEST_S: Final = 0.001


class Answers(NamedTuple):
    """How long an answer takes, and how long it is."""

    seconds: float
    tokens: float


class Assumption(NamedTuple):
    """Answers for which the run costs the least, what is likely, and the most; and where that comes from."""

    low: Answers
    likely: Answers
    high: Answers
    why: str


UNKNOWN: Final = Assumption(
    Answers(10.0, 50.0), Answers(3.0, 200.0), Answers(1.0, 600.0), "nothing is known of this target yet"
)


class Amounts(NamedTuple):
    """`money` is None without prices; `ended_by` the ceiling of the budget that ends the run, if one does."""

    conversations: float
    turns: float
    tokens_in: float
    tokens_out: float
    money: float | None
    duration_s: float
    ended_by: str = ""

    def times(self, share: float) -> Amounts:
        return self._replace(
            conversations=self.conversations * share,
            turns=self.turns * share,
            tokens_in=self.tokens_in * share,
            tokens_out=self.tokens_out * share,
            money=None if self.money is None else self.money * share,
            duration_s=self.duration_s * share,
        )


@dataclass(frozen=True)
class Estimate:
    low: Amounts
    likely: Amounts
    high: Amounts
    assumptions: tuple[str, ...]

    def data(self) -> dict[str, Any]:
        """As JSON: {low, likely, high} of each amount, by the load on the target (slow, short answers make a low one),
        what ends the run by its budget, the assumptions."""
        three = {"low": self.low, "likely": self.likely, "high": self.high}
        names = ("conversations", "turns", "tokens_in", "tokens_out")
        found: dict[str, Any] = {
            name: {word: round(getattr(amounts, name)) for word, amounts in three.items()} for name in names
        }
        found["duration_s"] = {word: round(amounts.duration_s, 1) for word, amounts in three.items()}
        priced = self.likely.money is not None
        found["money"] = {word: round(amounts.money or 0.0, 4) for word, amounts in three.items()} if priced else None
        found["ended_by"] = {word: amounts.ended_by or None for word, amounts in three.items()}
        return {**found, "assumptions": list(self.assumptions)}


def known_answers(seconds: float, tokens: float, why: str) -> Assumption:
    """Answers as an earlier run had them, give or take a fifth."""
    return Assumption(
        Answers(seconds * KNOWN_SPREAD, tokens / KNOWN_SPREAD),
        Answers(seconds, tokens),
        Answers(seconds / KNOWN_SPREAD, tokens * KNOWN_SPREAD),
        why,
    )


def estimate_run(
    target: TargetSpec,
    scenarios: Sequence[tuple[float, ScenarioSpec]],
    load: Load,
    *,
    seed: int = 1,
    assumption: Assumption | None = None,
) -> Estimate:
    """Raises ScenarioError for a scenario that cannot be rendered."""
    history, found = sends_history(target), assumption or UNKNOWN
    longest = _longest_answer(target.params)
    models = load.people.models or (own_model(target.params),)

    def amounts(answers: Answers) -> Amounts:
        length = answers.tokens if longest is None or assumption is not None else min(answers.tokens, longest)
        talks = sample_talks(scenarios, load.people, history=history, answer_tokens=length, seed=seed)
        whole = _load_amounts(load, talks, Answers(max(answers.seconds, SHORTEST_S), length), seed)
        return _within(load.budget, _priced(whole, load.budget, models))

    low, likely, high = (amounts(answers) for answers in (found.low, found.likely, found.high))
    return Estimate(low, likely, high, tuple(_said(load, found, history, None if assumption else longest, target)))


def _longest_answer(params: Mapping[str, Any]) -> float | None:
    limits = [params[name] for name in ANSWER_LIMITS if isinstance(params.get(name), int | float)]
    return float(min(limits)) if limits else None


def _load_amounts(load: Load, talks: Sequence[Talk], answers: Answers, seed: int) -> Amounts:
    """Without prices and ceilings."""
    found = _closed(load, talks, answers) if isinstance(load, ClosedLoad) else _arriving(load, talks, answers, seed)
    if load.max_turns_per_s is not None and found.turns > (most := load.max_turns_per_s * found.duration_s):
        if load.duration_s is None:  # it takes longer instead
            return found._replace(duration_s=found.turns / load.max_turns_per_s)
        return found.times(most / found.turns)._replace(duration_s=found.duration_s)
    return found


def _closed(load: ClosedLoad, talks: Sequence[Talk], answers: Answers) -> Amounts:
    mean = _mean_talk(talks, answers)
    at_once = load.people.at_once
    if load.duration_s is None:
        assert load.conversations is not None  # noqa: S101 - a load is bounded
        lasts_s = load.conversations * mean.duration_s / (load.peak * at_once)
        return mean.times(load.conversations)._replace(duration_s=max(lasts_s, mean.duration_s))
    level = level_of(load.users, load.stages, load.duration_s)
    present_s = max(load.duration_s - load.start_jitter_s / 2, SHORTEST_S)
    one = _one_user(talks, answers, present_s)
    found = one.times(level.area / load.duration_s * at_once)._replace(duration_s=load.duration_s)
    if load.conversations is not None and found.conversations > load.conversations:
        share = load.conversations / found.conversations
        return mean.times(load.conversations)._replace(duration_s=load.duration_s * share)
    return found


def _mean_talk(talks: Sequence[Talk], answers: Answers) -> Amounts:
    turns = sum(len(talk.said) for talk in talks) / len(talks)
    tokens_in = sum(said.tokens_in for talk in talks for said in talk.said) / len(talks)
    lasts_s = sum(talk.duration_s(answers.seconds) for talk in talks) / len(talks)
    return Amounts(1.0, turns, tokens_in, turns * answers.tokens, None, max(lasts_s, SHORTEST_S))


def _one_user(talks: Sequence[Talk], answers: Answers, present_s: float) -> Amounts:
    """What a user who is there for `present_s` does, in the mean: conversations back to back, the last one cut."""
    users = min(FOLLOWED_USERS, len(talks))
    followed = [_follow(talks, place * len(talks) // users, answers, present_s) for place in range(users)]
    conversations, turns, tokens_in = (sum(part) / users for part in zip(*followed, strict=True))
    return Amounts(conversations, turns, tokens_in, turns * answers.tokens, None, present_s)


def _follow(talks: Sequence[Talk], first: int, answers: Answers, present_s: float) -> tuple[float, float, float]:
    """Conversations, turns, and tokens of requests."""
    at_s, turns, tokens_in = 0.0, 0, 0
    for number, talk in enumerate(itertools.islice(itertools.cycle(talks), first, None), 1):
        if at_s >= present_s:
            return number - 1, turns, tokens_in
        for said in talk.said:
            at_s += said.pause_s
            if at_s >= present_s:
                return number, turns, tokens_in
            turns += 1
            tokens_in += said.tokens_in
            at_s += answers.seconds
        at_s += talk.rest_s
        if turns >= FOLLOWED_TURNS and at_s < present_s:
            further = present_s / at_s
            return number * further, turns * further, tokens_in * further
    raise AssertionError("an endless cycle has ended")


def _arriving(load: OpenLoad | TraceLoad, talks: Sequence[Talk], answers: Answers, seed: int) -> Amounts:
    """Conversations that begin at their own times; what they would say after the end is not said."""
    come = _OfLevel(load) if isinstance(load, OpenLoad) else _OfTimes([at / 1e9 for at in arrivals(load, seed)])
    mean = _mean_talk(talks, answers)
    end_s = come.last_s + max(talk.duration_s(answers.seconds) for talk in talks)
    if load.duration_s is not None:
        end_s = min(end_s, load.duration_s)
    turns = tokens_in = 0.0
    for talk in talks:
        offset_s = 0.0
        for said in talk.said:
            offset_s += said.pause_s
            sent = come.until(end_s - offset_s)
            turns += sent
            tokens_in += sent * said.tokens_in
            offset_s += answers.seconds
    turns, tokens_in = turns / len(talks), tokens_in / len(talks)
    found = Amounts(come.until(end_s), turns, tokens_in, turns * answers.tokens, None, end_s)
    open_at_once = found.conversations / max(end_s, SHORTEST_S) * min(mean.duration_s, end_s)
    if open_at_once > load.max_sessions:  # the others are dropped
        return found.times(load.max_sessions / open_at_once)._replace(duration_s=end_s)
    return found


class _OfLevel:
    """Arrivals as the area below a rate."""

    def __init__(self, load: OpenLoad) -> None:
        self._level = level = level_of(load.rate_per_s, load.stages, load.duration_s)
        self._most = float("inf") if load.conversations is None else float(load.conversations)
        last_s = None if load.conversations is None else level.time_of_area(self._most)
        self.last_s = level.end_s if last_s is None else last_s

    def until(self, at_s: float) -> float:
        area = 0.0
        for piece in self._level.pieces:
            if piece.begin_s < at_s:
                area = (piece if piece.end_s <= at_s else piece.cut(at_s)).area_after
        return min(area, self._most)


class _OfTimes:
    def __init__(self, times_s: list[float]) -> None:
        self._times_s = times_s
        self.last_s = times_s[-1] if times_s else 0.0

    def until(self, at_s: float) -> float:
        return float(bisect_right(self._times_s, at_s))


def _priced(amounts: Amounts, budget: Budget, models: Sequence[str]) -> Amounts:
    """Conversations draw their models evenly."""
    prices = [price.rates for model in models if (price := price_of(budget.prices, model)) is not None]
    if not prices:
        return amounts
    rate_in, rate_out = (sum(rates) / len(prices) for rates in zip(*prices, strict=True))
    return amounts._replace(money=amounts.tokens_in * rate_in + amounts.tokens_out * rate_out)


def _within(budget: Budget, amounts: Amounts) -> Amounts:
    """Up to the first ceiling that is reached; what is in flight then comes on top and is not foreseen here."""
    found = {"tokens": amounts.tokens_in + amounts.tokens_out, "money": amounts.money, "turns": amounts.turns}
    ceilings = {"tokens": budget.tokens, "money": budget.money, "turns": budget.turns}
    shares = {
        name: ceiling / value
        for name, ceiling in ceilings.items()
        if ceiling is not None and (value := found[name]) is not None and value > ceiling
    }
    if not shares:
        return amounts
    first = min(shares, key=lambda name: shares[name])
    return amounts.times(shares[first])._replace(ended_by=first)


def _said(load: Load, found: Assumption, history: bool, longest: float | None, target: TargetSpec) -> list[str]:
    low, likely, high = found.low, found.likely, found.high
    lengths = [answers.tokens if longest is None else min(answers.tokens, longest) for answers in (low, likely, high)]
    said = [
        f"answers: {likely.seconds:.3g} s and {lengths[1]:.0f} tokens (for the low load {low.seconds:.3g} s and "
        f"{lengths[0]:.0f}, for the high one {high.seconds:.3g} s and {lengths[2]:.0f}): {found.why}",
        "4 characters are a token, nothing fails",
        "each request carries the conversation so far" if history else "each request carries its message only",
    ]
    if load.people.patience is not None:
        said.append("everybody is patient")
    if load.search is not None:
        said.append("the load stays where it begins: what a search will do is not known")
    if load.budget.prices and not load.people.models and not own_model(target.params):
        said.append("the target names no model: the price of '*'")
    return said
