"""Walking scenarios in tests: no engine, no target; the answers come from a function."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

from scenarios.definition.spec import ScenarioSpec, parse_scenario
from scenarios.render.walk import SayAction, Walk, compile_scenario

SESSION = {"id": "tb-1-1", "number": 7, "user": 3}


class Held(NamedTuple):
    """A finished conversation: its messages, the seconds waited before each, and each request's messages."""

    texts: list[str]
    waits: list[float]
    sent: list[list[dict[str, str]]]
    problems: list[str | None]
    walk: Walk


def scenario(*steps: dict[str, Any], **fields: Any) -> ScenarioSpec:
    return parse_scenario({"name": "s", "steps": list(steps), **fields})


def say(text: str, **fields: Any) -> dict[str, Any]:
    return {"do": "say", "text": text, **fields}


def begin(spec: ScenarioSpec, seed: int = 1) -> Walk:
    return compile_scenario(spec).walk(random.Random(seed), SESSION)


def hold(
    spec: ScenarioSpec, answer: Callable[[str], str] = "re: {}".format, seed: int = 1, at_most: int = 10_000
) -> Held:
    """Hold the conversation to its end, or fail if it is longer than `at_most` actions."""
    held = Held([], [], [], [], begin(spec, seed))
    waited = 0.0
    for _ in range(at_most):
        action = held.walk.next_action()
        if action is None:
            return held
        if isinstance(action, SayAction):
            assert action.number == len(held.texts)
            held.texts.append(action.text)
            held.waits.append(waited)
            held.sent.append([dict(message) for message in held.walk.messages])
            held.problems.append(held.walk.answer(answer(action.text)))
            waited = 0.0
        else:
            waited += action.seconds
    raise AssertionError(f"no end after {at_most} actions")
