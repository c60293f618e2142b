"""Conversations of a scenario mix walked without a target: what they would send, and when. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from runs.engine.draws import new_draws
from runs.engine.mix import drawn, session_rng
from runs.engine.pace import PacedWalk
from runs.engine.people import People
from runs.engine.tokens import CHARS_PER_TOKEN, estimate
from scenarios.render import CompiledScenario, SayAction, compile_scenario
from scenarios.spec import ScenarioError, ScenarioSpec

SAMPLES: Final = 50
MOST_TURNS: Final = 2000
"""Of all samples together: a conversation of 100,000 turns would take minutes to walk."""


class Said(NamedTuple):
    """One message: sent `pause_s` after the answer before it; its request has so many tokens."""

    pause_s: float
    tokens_in: int


class Talk(NamedTuple):
    """One conversation, and how long its user waits after the last answer."""

    said: tuple[Said, ...]
    rest_s: float

    def duration_s(self, answer_s: float) -> float:
        return sum(said.pause_s for said in self.said) + len(self.said) * answer_s + self.rest_s


def sample_talks(
    scenarios: Sequence[tuple[float, ScenarioSpec]], people: People, *, history: bool, answer_tokens: float, seed: int
) -> list[Talk]:
    """Conversations as the run would draw them, answered with `answer_tokens` each.

    Fewer than SAMPLES where they are very long, or their data has no more rows. Raises ScenarioError if there is none.
    """
    compiled = [compile_scenario(spec) for _, spec in scenarios]
    weights = [weight for weight, _ in scenarios]
    answer = "x" * max(1, round(answer_tokens * CHARS_PER_TOKEN))
    talks: list[Talk] = []
    turns = 0
    for number in range(SAMPLES):
        try:
            talk = _walk(compiled, weights, people, seed, number, history, answer)
        except ScenarioError:
            if not talks:
                raise
            break
        talks.append(talk)
        turns += len(talk.said)
        if turns >= MOST_TURNS:
            break
    return talks


def _walk(
    compiled: Sequence[CompiledScenario],
    weights: Sequence[float],
    people: People,
    seed: int,
    number: int,
    history: bool,
    answer: str,
) -> Talk:
    rng = session_rng(seed, number)
    which = drawn(rng, weights) if len(compiled) > 1 else 0
    draws = new_draws(people, seed)
    messages = 0 if draws is None else draws.of(number).messages
    inner = compiled[which].walk(rng, {"id": f"estimate-{number}", "number": number, "user": number})
    walk = PacedWalk(inner, messages, people.think, rng)
    said: list[Said] = []
    pause_s = 0.0
    while (action := walk.next_action()) is not None:
        if not isinstance(action, SayAction):
            pause_s += action.seconds
            continue
        texts = [message["content"] for message in walk.messages] if history else [action.text]
        said.append(Said(pause_s, estimate(sum(map(len, texts)))))
        pause_s = 0.0
        if len(said) >= MOST_TURNS:
            break
        walk.answer(answer)
    return Talk(tuple(said), pause_s)
