"""Draws model, temperature and length of a conversation, the same for any number of engines. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any, NamedTuple

from runs.load.users import UserProfile

DIGITS = 3


class Drawn(NamedTuple):
    """`place` is that of `model` in the profile's `models`; `params` what else was drawn for the request; `messages`
    after how many of them the conversation ends, 0: when the scenario does."""

    place: int
    model: str
    params: dict[str, Any] | None
    messages: int


def with_drawn(params: Mapping[str, Any], model: str, drawn: Mapping[str, Any] | None) -> dict[str, Any]:
    """`params` with a model, if there is one, and other values in the place of theirs."""
    return {**params, **({"model": model} if model else {}), **(drawn or {})}


class Draws:
    """All conversations make the same number of draws, so one part of the profile does not affect another."""

    def __init__(self, users: UserProfile, seed: int) -> None:
        self._models = users.models
        self._temperature = users.temperature
        self._first = users.first_messages
        self._seed = seed

    def of(self, number: int) -> Drawn:
        """What is drawn for the conversation with this number in the whole run; draws of its scenario are
        unaffected."""
        rng = Random(f"people:{self._seed}:{number}")
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


def new_draws(users: UserProfile, seed: int) -> Draws | None:
    """None if conversations draw nothing of this kind."""
    return Draws(users, seed) if users.draws_params or users.first_messages is not None else None
