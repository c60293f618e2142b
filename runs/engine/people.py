"""Who the simulated users are: part of a LoadProfile. What they draw comes from the seed and the session's number."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from connectors.spec import Frozen
from scenarios.spread import Spread


class Think(Frozen):
    """Before each further message: a drawn pause, and the time to read the answer and to type the message."""

    pause_s: Spread = Spread()
    reading_wpm: float | None = Field(None, gt=0)
    typing_wpm: float | None = Field(None, gt=0)
    max_s: float = Field(60.0, ge=0, le=3600)


class Patience(Frozen):
    """A user whose answer has not begun (`content`), or ended (`done`), within the drawn time does what `then` says."""

    within_s: Spread
    until: Literal["content", "done"] = "content"
    then: Literal["abandon", "resend", "double"] = "abandon"
    share: float = Field(1.0, gt=0, le=1)
    """Of all users, those that are not patient for ever."""
    times: int = Field(1, ge=1, le=10)
    """Resends of one message."""


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
    models: tuple[str, ...] = ()
    """Each conversation draws one; it replaces the target's `params.model`."""
    temperature: tuple[float, float] | None = None
    """Each conversation draws one evenly between the two; it replaces `params.temperature`."""
    first_messages: FirstMessages | None = None
    at_once: int = Field(1, ge=1, le=100)
    """Conversations that one user of a closed loop holds at the same time."""
    think: Think | None = None
    patience: Patience | None = None
