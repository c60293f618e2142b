"""Simulates conversations of a scenario mix without a target: what they would send, and when. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from runs.load.draws.pacing import PacedWalk
from runs.load.draws.sampling import new_draws
from runs.load.draws.scenario_mix import drawn, session_rng
from runs.load.tokens import CHARS_PER_TOKEN, estimate
from runs.load.users import UserProfile
from scenarios.definition.spec import ScenarioError, ScenarioSpec
from scenarios.render.walk import CompiledScenario, SayAction, compile_scenario

SAMPLES: Final = 50
MOST_TURNS: Final = 2000
"""Maximum number of turns of all samples together: a conversation of 100,000 turns would take minutes."""


class SimulatedTurn(NamedTuple):
    """One message, sent `pause_s` after the previous answer, with the token count of its request."""

    pause_s: float
    tokens_in: int
    attached_bytes: int = 0
    """Of attachments, as base64."""


class SimulatedConversation(NamedTuple):
    """One conversation, and how long its user waits after the last answer."""

    turns: tuple[SimulatedTurn, ...]
    rest_s: float

    def duration_s(self, answer_s: float) -> float:
        return sum(turn.pause_s for turn in self.turns) + len(self.turns) * answer_s + self.rest_s


def simulate_conversations(
    scenarios: Sequence[tuple[float, ScenarioSpec]],
    users: UserProfile,
    *,
    history: bool,
    answer_tokens: float,
    seed: int,
) -> list[SimulatedConversation]:
    """Conversations as the run would draw them, each with answers of `answer_tokens`. Fewer than SAMPLES if they are
    very long or their data has no more rows. Raises ScenarioError if there is none."""
    compiled = [compile_scenario(spec) for _, spec in scenarios]
    weights = [weight for weight, _ in scenarios]
    answer = "x" * max(1, round(answer_tokens * CHARS_PER_TOKEN))
    found: list[SimulatedConversation] = []
    walked = 0
    for number in range(SAMPLES):
        try:
            conversation = _walk(compiled, weights, users, seed, number, history, answer)
        except ScenarioError:
            if not found:
                raise
            break
        found.append(conversation)
        walked += len(conversation.turns)
        if walked >= MOST_TURNS:
            break
    return found


def _walk(
    compiled: Sequence[CompiledScenario],
    weights: Sequence[float],
    users: UserProfile,
    seed: int,
    number: int,
    history: bool,
    answer: str,
) -> SimulatedConversation:
    rng = session_rng(seed, number)
    which = drawn(rng, weights) if len(compiled) > 1 else 0
    draws = new_draws(users, seed)
    messages = 0 if draws is None else draws.of(number).messages
    inner = compiled[which].walk(rng, {"id": f"estimate-{number}", "number": number, "user": number})
    walk = PacedWalk(inner, messages, users.think, rng)
    turns: list[SimulatedTurn] = []
    pause_s = 0.0
    while (action := walk.next_action()) is not None:
        if not isinstance(action, SayAction):
            pause_s += action.seconds
            continue
        texts = [message["content"] for message in walk.messages] if history else [action.text]
        sent = [message.get("attachments", ()) for message in walk.messages] if history else [action.attachments]
        attached_bytes = sum(file.size for files in sent for file in files) * 4 // 3
        turns.append(SimulatedTurn(pause_s, estimate(sum(map(len, texts))), attached_bytes))
        pause_s = 0.0
        if len(turns) >= MOST_TURNS:
            break
        walk.answer(answer)
    return SimulatedConversation(tuple(turns), pause_s)
