"""What a run used and what it cost, in words: for a terminal, a page, a line on stderr."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from metrics.words import number


def budget_tiles(budget: Mapping[str, Any] | None) -> Iterator[tuple[str, str, bool]]:
    """For each ceiling: `tokens of 24,000`, `24,412`, and whether it is reached: of a report's budget, or a tick's."""
    for name, part in (budget or {}).items():
        if isinstance(part, Mapping) and "used" in part:
            mark = " (estimate)" if part.get("estimated") else ""
            yield f"{name} of {number(part['ceiling'])}{mark}", number(part["used"]), part["used"] >= part["ceiling"]


def budget_words(budget: Mapping[str, Any] | None) -> str:
    """`24,412 tokens of 24,000 (102%), 3 errors of 100 (3%)`; empty if there is no ceiling to speak of."""
    parts = [(name, part) for name, part in (budget or {}).items() if isinstance(part, Mapping) and "used" in part]
    return ", ".join(
        f"{number(part['used'])} {name} of {number(part['ceiling'])} ({_share(part)})" for name, part in parts
    )


def _share(part: Mapping[str, Any]) -> str:
    return f"{part['used'] / part['ceiling']:.0%}{', estimated' if part.get('estimated') else ''}"


def cost_words(cost: Mapping[str, Any] | None) -> str:
    """`1.23 (m 1.00, other 0.230), from estimated tokens`; empty without prices."""
    if not cost:
        return ""
    rows = cost["by_model"]
    each = ", ".join(f"{row['model'] or 'no model'} {number(row['money'])}" for row in rows)
    split = f" ({each})" if len(rows) > 1 else ""
    return f"{number(cost['total'])}{split}{', from estimated tokens' if cost['estimated'] else ''}"
