"""What a conversation draws of its user: model, temperature, length. Pure: the same for any number of engines."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any, NamedTuple

from runs.engine.people import People

DIGITS = 3


class Drawn(NamedTuple):
    """`place` is that of `model` in `people.models`; `params` what else was drawn for the request; `messages` after
    how many of them the conversation ends, 0: when the scenario does."""

    place: int
    model: str
    params: dict[str, Any] | None
    messages: int


def with_drawn(params: Mapping[str, Any], model: str, drawn: Mapping[str, Any] | None) -> dict[str, Any]:
    """`params` with a model, if there is one, and other values in the place of theirs."""
    return {**params, **({"model": model} if model else {}), **(drawn or {})}


class Draws:
    """All conversations take the same number of draws, so that one part of `people` does not change another's."""

    def __init__(self, people: People, seed: int) -> None:
        self._models = people.models
        self._temperature = people.temperature
        self._first = people.first_messages
        self._seed = seed

    def of(self, number: int) -> Drawn:
        """What the conversation of this number in the whole run has; no draw of its scenario is touched."""
        rng = Random(f"people:{self._seed}:{number}")  # noqa: S311 - repeatable on purpose
        which, warmth, whether, length = (rng.random() for _ in range(4))
        place = int(which * len(self._models))
        model = self._models[place] if self._models else ""
        params = None
        if self._temperature is not None:
            low, high = self._temperature
            params = {"temperature": round(low + warmth * (high - low), DIGITS)}
        first, messages = self._first, 0
        if first is not None and whether < first.share:
            messages = first.low + int(length * (first.high - first.low + 1))
        return Drawn(place, model, params, messages)


def new_draws(people: People, seed: int) -> Draws | None:
    """None if conversations draw nothing of the kind."""
    return Draws(people, seed) if people.draws_params or people.first_messages is not None else None
