"""Who the simulated users are: part of a LoadProfile. What they draw comes from the seed and the session's number."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from connectors.spec import Frozen
from scenarios.spread import Spread


def _named(name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise ValueError(f"{name!r} is no name of a model")
    return name


ModelName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_named)]


class Think(Frozen):
    """Before each further message: a drawn pause, and the time to read the answer and to type the message, together at
    most `max_s`. Where the scenario has a `wait` of its own before a message, that holds instead."""

    pause_s: Spread = Spread()
    reading_wpm: float | None = Field(None, ge=1)
    typing_wpm: float | None = Field(None, ge=1)
    max_s: float = Field(60.0, gt=0, le=3600)


class Patience(Frozen):
    """A user whose answer has not begun (`content`), or ended (`done`), within the drawn time does what `then` says."""

    within_s: Spread
    until: Literal["content", "done"] = "content"
    then: Literal["abandon", "resend", "double"] = "abandon"
    share: float = Field(1.0, gt=0, le=1)
    """Of all conversations, those whose user is not patient for ever."""
    times: int = Field(1, ge=1, le=10)
    """Resends of one message; who loses patience once more leaves."""

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.within_s.at(1.0) <= 0:
            raise ValueError("within_s: a user without any patience would never hear an answer: give a time above 0")
        return self


class FirstMessages(Frozen):
    """This share of conversations ends after `low` to `high` messages of the user's, drawn evenly."""

    share: float = Field(gt=0, le=1)
    low: int = Field(1, ge=1)
    high: int = Field(3, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self


class People(Frozen):
    models: tuple[ModelName, ...] = Field((), max_length=1000)
    """Each conversation draws one; it replaces the target's `params.model`."""
    models_from_target: bool = False
    """The target's own list is asked for when a run is requested: it is `models` of the run's frozen load."""
    exclude: tuple[str, ...] = Field((), max_length=1000)
    """Models that are left out, as shell patterns: `*embed*`."""
    temperature: tuple[float, float] | None = None
    """Each conversation draws one evenly between the two; it replaces `params.temperature`."""
    first_messages: FirstMessages | None = None
    at_once: int = Field(1, ge=1, le=100)
    """Conversations that one user of a closed loop holds at the same time."""
    think: Think | None = None
    patience: Patience | None = None

    @model_validator(mode="after")
    def _models_make_sense(self) -> Self:
        if self.models and self.models_from_target:
            raise ValueError("models: name them, or take those of the target (models_from_target), not both")
        if len(set(self.models)) < len(self.models):
            raise ValueError("models: one is named twice")
        if self.exclude and not (self.models or self.models_from_target):
            raise ValueError("exclude: there are no models to leave any out of: give models or models_from_target")
        if self.models and not self.allowed(self.models):
            raise ValueError("exclude leaves none of the models")
        return self

    @model_validator(mode="after")
    def _temperatures_are_ordered(self) -> Self:
        if self.temperature is not None and not 0 <= self.temperature[0] <= self.temperature[1] <= 100:
            raise ValueError("temperature: give the lower and the higher bound, from 0 to 100, as in [0.5, 1.0]")
        return self

    @property
    def draws_params(self) -> bool:
        """Whether conversations have params of their own."""
        return bool(self.models) or self.temperature is not None

    @property
    def connections(self) -> int:
        """The most that one user holds open."""
        twice = self.patience is not None and self.patience.then == "double"
        return self.at_once * (2 if twice else 1)

    def allowed(self, models: Iterable[str]) -> tuple[str, ...]:
        """Those that no pattern of `exclude` leaves out."""
        return tuple(name for name in models if not any(fnmatchcase(name, pattern) for pattern in self.exclude))

    def settled(self, models: Iterable[str]) -> People:
        """The same people with these models, as far as they are allowed, and nothing left to be asked or left out."""
        return self.model_copy(update={"models": self.allowed(models), "models_from_target": False, "exclude": ()})


def excluded(text: str) -> tuple[str, ...]:
    """The patterns of an exclusion file: one a line; empty lines and those that begin with # say nothing."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))
