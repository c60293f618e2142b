"""Resource limits of a scenario. Scenarios are untrusted and run inside the engine, so everything is bounded."""

from __future__ import annotations

from typing import Any, Final

from jinja2 import Undefined

from scenarios.definition.spec import ScenarioError

MAX_CHARS: Final = 1_000_000
"""Characters of one message, and characters plus items of one variable."""
INT_BITS: Final = 4096
WORK: Final = 10_000_000
"""Budget from one message to the next, in characters made."""
STEP_COST: Final = 100
"""What a step without a message, or one round of a `for`, takes from it: some 50,000 fit."""


def bounded_chars(chars: int) -> None:
    """Raises ScenarioError if a text of `chars` characters is too long to be made."""
    if chars > MAX_CHARS:
        raise ScenarioError(f"the text would have more than {MAX_CHARS:,} characters")


def size_of(value: Any) -> int:
    """Characters plus items in `value`, however deep. Raises ScenarioError beyond MAX_CHARS, and UndefinedError for a
    missing value."""
    if isinstance(value, str):
        total = len(value)
    else:
        total = 0
        stack = [value]
        while stack and total <= MAX_CHARS:
            item = stack.pop()
            if isinstance(item, str):
                total += len(item)
            elif isinstance(item, dict):
                total += len(item)
                stack.extend(item)
                stack.extend(item.values())
            elif isinstance(item, list | tuple):
                total += len(item)
                stack.extend(item)
            elif isinstance(item, Undefined):
                str(item)  # raises, naming what is undefined
            else:
                total += len(item) if isinstance(item, range) else 1
    if total > MAX_CHARS:
        raise ScenarioError(f"a value of more than {MAX_CHARS:,} characters or items")
    return total
