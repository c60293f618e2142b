"""Text for usage and cost of a run, for a terminal, a page or a line on stderr."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from metrics.analysis.spending import CEILINGS
from metrics.number_format import number, share
from metrics.report_schema import BudgetPart, CeilingName, CostPart, Used

Budget = BudgetPart | Mapping[CeilingName, Used]
"""A report's, or a tick's."""

COST: Final = "cost"
SPENT: Final = "spent of a budget of"


def budget_tiles(budget: Budget | None) -> Iterator[tuple[str, str, bool]]:
    """For each ceiling: `tokens of 24,000`, `24,412`, and whether it is reached."""
    for label, part in _ceilings(budget):
        mark = " (estimate)" if part.get("estimated") else ""
        yield (
            f"{'spent' if label == COST else label} of {number(part['ceiling'])}{mark}",
            number(part["used"]),
            part["used"] >= part["ceiling"],
        )


def budget_words(budget: Budget | None) -> str:
    """`24,412 tokens of 24,000 (102%), 1.25 spent of a budget of 5 (25%)`; empty without limits."""
    return ", ".join(
        f"{number(part['used'])} {SPENT if label == COST else f'{label} of'} {number(part['ceiling'])} ({_share(part)})"
        for label, part in _ceilings(budget)
    )


def _ceilings(budget: Budget | None) -> Iterator[tuple[str, Used]]:
    if budget is None:
        return
    for name in CEILINGS:
        if part := budget.get(name):
            yield name, part


def _share(part: Used) -> str:
    return f"{share(part['used'] / part['ceiling'], 0)}{', estimated' if part.get('estimated') else ''}"


def cost_words(cost: CostPart | None) -> str:
    """`1.23 (m 1.00, other 0.230), from estimated tokens`; empty without prices."""
    if not cost:
        return ""
    rows = cost["by_model"]
    each = ", ".join(f"{row['model'] or 'no model'} {number(row['cost'])}" for row in rows)
    split = f" ({each})" if len(rows) > 1 else ""
    return f"{number(cost['total'])}{split}{', from estimated tokens' if cost['estimated'] else ''}"
