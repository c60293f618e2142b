"""Resource limits of a scenario: those of all templates (`bounds.templates`), told as errors of a scenario."""

from __future__ import annotations

from typing import Any, Final

from bounds import templates as bounds
from bounds.templates import LimitError
from scenarios.definition.spec import ScenarioError

MAX_CHARS: Final = bounds.MAX_CHARS
WORK: Final = bounds.WORK
"""Budget from one message to the next, in characters made."""
STEP_COST: Final = bounds.STEP_COST
"""What a step without a message, or one round of a `for`, takes from it: some 50,000 fit."""


def bounded_chars(chars: int) -> None:
    """Raises ScenarioError if a text of `chars` characters is too long to be made."""
    if chars > MAX_CHARS:
        raise ScenarioError(f"the text would have more than {MAX_CHARS:,} characters")


def size_of(value: Any) -> int:
    """As `bounds.templates.size_of`. Raises ScenarioError."""
    try:
        return bounds.size_of(value)
    except LimitError as exc:
        raise ScenarioError(str(exc)) from exc
