"""The user profile, part of a load. Draws depend on the seed and the session's number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from connectors.spec import Frozen
from runs.load.earlier_names import patience_renamed, profile_renamed
from scenarios.definition.spread import Spread


def _named(name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise ValueError(f"{name!r} is not a model name")
    return name


ModelName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_named)]


class Think(Frozen):
    """Pause before each message except the first: a drawn time plus reading and typing times, together at most `max_s`.
    A `wait` step of the scenario before a message takes precedence."""

    pause_s: Spread = Field(Spread(), description="Pause before each message except the first.")
    reading_wpm: float | None = Field(None, ge=1, description="Add the time to read the answer at N words per minute.")
    typing_wpm: float | None = Field(None, ge=1, description="Add the time to type the message at N words per minute.")
    max_s: float = Field(60.0, gt=0, le=3600, description="Maximum of all three together.")


class Patience(Frozen):
    """What a user does if the answer has not begun (`content`) or ended (`done`) within the drawn time: `abandon` the
    conversation, `resend` the message, or `hedge`: send it a second time and take the first answer."""

    within_s: Spread = Field(description="How long users wait for an answer.")
    until: Literal["content", "done"] = Field(
        "content", description="Wait for the first text (default) or the complete answer."
    )
    then: Literal["abandon", "resend", "hedge"] = Field(
        "abandon",
        description="What a user does on timeout: abandon (default), resend or hedge (send a second time).",
    )
    share: float = Field(1.0, gt=0, le=1, description="Share of conversations with limited patience.")
    times: int = Field(1, ge=1, le=10, description="How often to resend a message before giving up.")

    @model_validator(mode="before")
    @classmethod
    def _earlier_values(cls, data: Any) -> Any:
        return patience_renamed(data) if isinstance(data, Mapping) else data

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.within_s.at(1.0) <= 0:
            raise ValueError("load.user_profile.patience.within_s: give a time above 0")
        return self


class FirstMessages(Frozen):
    """This share of conversations ends after `low` to `high` messages of the user, drawn evenly."""

    share: float = Field(gt=0, le=1)
    low: int = Field(1, ge=1)
    high: int = Field(3, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self


class UserProfile(Frozen):
    models: tuple[ModelName, ...] = Field(
        (),
        max_length=1000,
        description="Models to draw from, one per conversation. It replaces the target's params.model.",
    )
    models_from_target: bool = Field(
        False, description="Draw from the target's own list. A run asks for it when it is requested, and freezes it."
    )
    exclude: tuple[str, ...] = Field(
        (), max_length=1000, description="Models to leave out. As shell patterns, such as *embed*."
    )
    temperature: tuple[float, float] | None = Field(
        None, description="Range to draw from, per conversation. It replaces params.temperature."
    )
    first_messages: FirstMessages | None = Field(None, description="End a share of conversations early.")
    conversations_per_user: int = Field(1, ge=1, le=100, description="Parallel conversations per user.")
    think: Think | None = None
    patience: Patience | None = None

    @model_validator(mode="before")
    @classmethod
    def _earlier_names(cls, data: Any) -> Any:
        return profile_renamed(data) if isinstance(data, Mapping) else data

    @model_validator(mode="after")
    def _models_make_sense(self) -> Self:
        if self.models and self.models_from_target:
            raise ValueError("give load.user_profile.models or load.user_profile.models_from_target, not both")
        if len(set(self.models)) < len(self.models):
            raise ValueError("load.user_profile.models: one is named twice")
        if self.exclude and not (self.models or self.models_from_target):
            raise ValueError("load.user_profile.exclude has no models to exclude from: give load.user_profile.models")
        if self.models and not self.allowed(self.models):
            raise ValueError("load.user_profile.exclude leaves none of the models")
        return self

    @model_validator(mode="after")
    def _temperatures_are_ordered(self) -> Self:
        if self.temperature is not None and not 0 <= self.temperature[0] <= self.temperature[1] <= 100:
            raise ValueError("load.user_profile.temperature: give the lower and the higher bound, from 0 to 100")
        return self

    @property
    def draws_params(self) -> bool:
        """Whether conversations have params of their own."""
        return bool(self.models) or self.temperature is not None

    @property
    def connections(self) -> int:
        """Maximum number of connections that one user holds open."""
        twice = self.patience is not None and self.patience.then == "hedge"
        return self.conversations_per_user * (2 if twice else 1)

    def allowed(self, models: Iterable[str]) -> tuple[str, ...]:
        """The models that no pattern of `exclude` matches."""
        return tuple(name for name in models if not any(fnmatchcase(name, pattern) for pattern in self.exclude))

    def settled(self, models: Iterable[str]) -> UserProfile:
        """The same profile with those of these models that are allowed, and without exclusions."""
        return self.model_copy(update={"models": self.allowed(models), "models_from_target": False, "exclude": ()})


def excluded(text: str) -> tuple[str, ...]:
    """The patterns of an exclusion file, one per line; empty lines and lines that begin with # are ignored."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))
