"""The base of all specs: they are frozen, refuse unknown fields, and explain errors in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from inputs.wording import place_of, words_of


class SpecError(ValueError):
    """A target, scenario or load that cannot be used; the message says what is wrong and what to do. `by_field`: the
    same by the field of the form or request, if it is known."""

    def __init__(self, message: str, by_field: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.by_field = dict(by_field or {})


class Frozen(BaseModel):
    # Built on first use, as part of the containing model, so that importing does not build each model separately.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def spec_problems(exc: ValueError, shape: Any = None) -> str:
    """Pydantic's findings on one line, without input values: a value may be a secret. `shape`: the validated model."""
    errors = getattr(exc, "errors", None)
    return str(exc) if errors is None else "; ".join(problem_line(error, shape) for error in errors())


def problem_line(error: Mapping[str, Any], shape: Any = None) -> str:
    """One of these findings, with its place."""
    where, what = place_of(error["loc"]), words_of(error, shape)
    return f"{where}: {what}" if where else what
