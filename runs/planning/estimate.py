"""Estimates a run's turns, tokens and cost before anything is sent. Pure.

A sample of its conversations is walked without a target; the load says how many of them there are and how long they
may go on. What nobody knows beforehand, how long answers are and take, is an assumption that the result names.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from connectors.spec import TargetSpec
from runs.engine.recording.turn_record import sends_history
from runs.load.arrivals import arrivals
from runs.load.budget import Budget, price_of
from runs.load.groups import own_model
from runs.load.levels import level_of
from runs.load.profile import ClosedLoad, Load, OpenLoad, TraceLoad
from runs.planning.arrival_counts import CountByRate, CountByTimes
from runs.planning.dry_run import SimulatedConversation, simulate_conversations
from scenarios.definition.spec import ScenarioSpec

ANSWER_LIMITS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "num_predict")
"""Names under which request formats limit an answer's length, in tokens."""
FOLLOWED_TURNS: Final = 1000
"""Conversations simulated per user; longer ones are extrapolated."""
FOLLOWED_USERS: Final = 20
KNOWN_SPREAD: Final = 1.2
"""Factor by which answers may be shorter and longer than those of an earlier run."""
SHORTEST_S: Final = 0.001
Simulated = Sequence[SimulatedConversation]


class Answers(NamedTuple):
    """Duration and length of an answer."""

    seconds: float
    tokens: float


class Assumption(NamedTuple):
    """Assumed answers for the lowest, the likely and the highest cost, and their source."""

    low: Answers
    likely: Answers
    high: Answers
    why: str


UNKNOWN: Final = Assumption(
    Answers(10.0, 50.0), Answers(3.0, 200.0), Answers(1.0, 600.0), "nothing is known of this target yet"
)


class Amounts(NamedTuple):
    """`cost` is None without prices; `ended_by` the ceiling of the budget that ends the run, if one does."""

    conversations: float
    turns: float
    tokens_in: float
    tokens_out: float
    cost: float | None
    duration_s: float
    ended_by: str = ""

    def times(self, share: float) -> Amounts:
        return self._replace(
            conversations=self.conversations * share,
            turns=self.turns * share,
            tokens_in=self.tokens_in * share,
            tokens_out=self.tokens_out * share,
            cost=None if self.cost is None else self.cost * share,
            duration_s=self.duration_s * share,
        )


@dataclass(frozen=True)
class Estimate:
    low: Amounts
    likely: Amounts
    high: Amounts
    assumptions: tuple[str, ...]

    def data(self) -> dict[str, Any]:
        """As JSON: {low, likely, high} of each amount, by the load on the target (slow, short answers give low
        amounts), the limit of the budget that ends the run, and the assumptions."""
        three = {"low": self.low, "likely": self.likely, "high": self.high}
        names = ("conversations", "turns", "tokens_in", "tokens_out")
        found: dict[str, Any] = {
            name: {word: round(getattr(amounts, name)) for word, amounts in three.items()} for name in names
        }
        found["duration_s"] = {word: round(amounts.duration_s, 1) for word, amounts in three.items()}
        priced = self.likely.cost is not None
        found["cost"] = {word: round(amounts.cost or 0.0, 4) for word, amounts in three.items()} if priced else None
        found["money"] = found["cost"]  # the earlier name
        found["ended_by"] = {word: amounts.ended_by or None for word, amounts in three.items()}
        return {**found, "assumptions": list(self.assumptions)}


def known_answers(seconds: float, tokens: float, why: str) -> Assumption:
    """Answers as in an earlier run, plus or minus a fifth."""
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
    models = load.user_profile.models or (own_model(target.params),)
    simulated: list[SimulatedConversation] = []

    def amounts(answers: Answers) -> Amounts:
        length = answers.tokens if longest is None or assumption is not None else min(answers.tokens, longest)
        conversations = simulate_conversations(
            scenarios, load.user_profile, history=history, answer_tokens=length, seed=seed
        )
        simulated[:] = conversations
        whole = _load_amounts(load, conversations, Answers(max(answers.seconds, SHORTEST_S), length), seed)
        return _within(load.budget, _priced(whole, load.budget, models))

    low, likely, high = (amounts(answers) for answers in (found.low, found.likely, found.high))
    said = _said(load, found, history, None if assumption else longest, target)
    return Estimate(low, likely, high, (*said, *_attached(simulated, likely)))


def _longest_answer(params: Mapping[str, Any]) -> float | None:
    limits = [params[name] for name in ANSWER_LIMITS if isinstance(params.get(name), int | float)]
    return float(min(limits)) if limits else None


def _load_amounts(load: Load, conversations: Simulated, answers: Answers, seed: int) -> Amounts:
    """Without prices and ceilings."""
    found = (
        _closed(load, conversations, answers)
        if isinstance(load, ClosedLoad)
        else _arriving(load, conversations, answers, seed)
    )
    if load.max_turns_per_s is not None and found.turns > (most := load.max_turns_per_s * found.duration_s):
        if load.duration_s is None:  # it takes longer instead
            return found._replace(duration_s=found.turns / load.max_turns_per_s)
        return found.times(most / found.turns)._replace(duration_s=found.duration_s)
    return found


def _closed(load: ClosedLoad, conversations: Simulated, answers: Answers) -> Amounts:
    mean = _mean_conversation(conversations, answers)
    at_once = load.user_profile.conversations_per_user
    if load.duration_s is None:
        assert load.conversations is not None  # noqa: S101 - a load is bounded
        lasts_s = load.conversations * mean.duration_s / (load.peak * at_once)
        return mean.times(load.conversations)._replace(duration_s=max(lasts_s, mean.duration_s))
    level = level_of(load.users, load.stages, load.duration_s)
    present_s = max(load.duration_s - load.start_jitter_s / 2, SHORTEST_S)
    one = _one_user(conversations, answers, present_s)
    found = one.times(level.area / load.duration_s * at_once)._replace(duration_s=load.duration_s)
    if load.conversations is not None and found.conversations > load.conversations:
        share = load.conversations / found.conversations
        return mean.times(load.conversations)._replace(duration_s=load.duration_s * share)
    return found


def _mean_conversation(conversations: Simulated, answers: Answers) -> Amounts:
    turns = sum(len(conversation.turns) for conversation in conversations) / len(conversations)
    tokens_in = sum(turn.tokens_in for conversation in conversations for turn in conversation.turns) / len(
        conversations
    )
    lasts_s = sum(conversation.duration_s(answers.seconds) for conversation in conversations) / len(conversations)
    return Amounts(1.0, turns, tokens_in, turns * answers.tokens, None, max(lasts_s, SHORTEST_S))


def _one_user(conversations: Simulated, answers: Answers, present_s: float) -> Amounts:
    """Mean amounts of a user who is active for `present_s`: conversations one after another, the last one cut off."""
    users = min(FOLLOWED_USERS, len(conversations))
    followed = [
        _follow(conversations, place * len(conversations) // users, answers, present_s) for place in range(users)
    ]
    held, turns, tokens_in = (sum(part) / users for part in zip(*followed, strict=True))
    return Amounts(held, turns, tokens_in, turns * answers.tokens, None, present_s)


def _follow(conversations: Simulated, first: int, answers: Answers, present_s: float) -> tuple[float, float, float]:
    """Conversations, turns, and tokens of requests."""
    at_s, turns, tokens_in = 0.0, 0, 0
    for number, conversation in enumerate(itertools.islice(itertools.cycle(conversations), first, None), 1):
        if at_s >= present_s:
            return number - 1, turns, tokens_in
        for turn in conversation.turns:
            at_s += turn.pause_s
            if at_s >= present_s:
                return number, turns, tokens_in
            turns += 1
            tokens_in += turn.tokens_in
            at_s += answers.seconds
        at_s += conversation.rest_s
        if turns >= FOLLOWED_TURNS and at_s < present_s:
            further = present_s / at_s
            return number * further, turns * further, tokens_in * further
    raise AssertionError("an endless cycle has ended")


def _arriving(load: OpenLoad | TraceLoad, conversations: Simulated, answers: Answers, seed: int) -> Amounts:
    """Conversations that begin at their own times. Messages after the end are not counted."""
    come = CountByRate(load) if isinstance(load, OpenLoad) else CountByTimes([at / 1e9 for at in arrivals(load, seed)])
    mean = _mean_conversation(conversations, answers)
    end_s = come.last_s + max(conversation.duration_s(answers.seconds) for conversation in conversations)
    if load.duration_s is not None:
        end_s = min(end_s, load.duration_s)
    turns = tokens_in = 0.0
    for conversation in conversations:
        offset_s = 0.0
        for turn in conversation.turns:
            offset_s += turn.pause_s
            sent = come.until(end_s - offset_s)
            turns += sent
            tokens_in += sent * turn.tokens_in
            offset_s += answers.seconds
    turns, tokens_in = turns / len(conversations), tokens_in / len(conversations)
    found = Amounts(come.until(end_s), turns, tokens_in, turns * answers.tokens, None, end_s)
    open_at_once = found.conversations / max(end_s, SHORTEST_S) * min(mean.duration_s, end_s)
    if open_at_once > load.max_sessions:  # the others are dropped
        return found.times(load.max_sessions / open_at_once)._replace(duration_s=end_s)
    return found


def _priced(amounts: Amounts, budget: Budget, models: Sequence[str]) -> Amounts:
    """For conversations that draw their models evenly."""
    prices = [price.rates for model in models if (price := price_of(budget.prices, model)) is not None]
    if not prices:
        return amounts
    rate_in, rate_out = (sum(rates) / len(prices) for rates in zip(*prices, strict=True))
    return amounts._replace(cost=amounts.tokens_in * rate_in + amounts.tokens_out * rate_out)


def _within(budget: Budget, amounts: Amounts) -> Amounts:
    """Amounts until the first limit is reached. Turns in flight at that time are additional and not included."""
    found = {"tokens": amounts.tokens_in + amounts.tokens_out, "cost": amounts.cost, "turns": amounts.turns}
    ceilings = {"tokens": budget.tokens, "cost": budget.cost, "turns": budget.turns}
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
    if load.user_profile.patience is not None:
        said.append("everybody is patient")
    if load.search is not None:
        said.append("the load stays where it begins: what a search will do is not known")
    if load.budget.prices and not load.user_profile.models and not own_model(target.params):
        said.append("the target names no model: the price of '*'")
    return said


def _attached(conversations: Simulated, likely: Amounts) -> list[str]:
    """What attachments add to the requests."""
    sizes = [turn.attached_bytes for conversation in conversations for turn in conversation.turns]
    if not any(sizes):
        return []
    sent = sum(sizes) / len(sizes) * likely.turns
    return [f"attachments add {sent / 1e6:,.1f} MB to the likely requests; the tokens that they cost are not known"]
