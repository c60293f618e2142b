"""Text for usage and cost of a run, for a terminal, a page or a line on stderr."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from metrics.earlier_names import present_budget
from metrics.number_format import number, share

COST: Final = "cost"
SPENT: Final = "spent of a budget of"


def budget_tiles(budget: Mapping[str, Any] | None) -> Iterator[tuple[str, str, bool]]:
    """For each ceiling: `tokens of 24,000`, `24,412`, and whether it is reached: of a report's budget, or a tick's."""
    for label, part in _ceilings(budget):
        mark = " (estimate)" if part.get("estimated") else ""
        yield (
            f"{'spent' if label == COST else label} of {number(part['ceiling'])}{mark}",
            number(part["used"]),
            part["used"] >= part["ceiling"],
        )


def budget_words(budget: Mapping[str, Any] | None) -> str:
    """`24,412 tokens of 24,000 (102%), 1.25 spent of a budget of 5 (25%)`; empty without limits."""
    return ", ".join(
        f"{number(part['used'])} {SPENT if label == COST else f'{label} of'} {number(part['ceiling'])} ({_share(part)})"
        for label, part in _ceilings(budget)
    )


def _ceilings(budget: Mapping[str, Any] | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, part in present_budget(budget).items():
        if isinstance(part, Mapping) and "used" in part:
            yield name, part


def _share(part: Mapping[str, Any]) -> str:
    return f"{share(part['used'] / part['ceiling'], 0)}{', estimated' if part.get('estimated') else ''}"


def cost_words(cost: Mapping[str, Any] | None) -> str:
    """`1.23 (m 1.00, other 0.230), from estimated tokens`; empty without prices."""
    if not cost:
        return ""
    rows = cost["by_model"]
    each = ", ".join(f"{row['model'] or 'no model'} {number(row['cost'])}" for row in rows)
    split = f" ({each})" if len(rows) > 1 else ""
    return f"{number(cost['total'])}{split}{', from estimated tokens' if cost['estimated'] else ''}"
