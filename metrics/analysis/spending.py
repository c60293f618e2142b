"""A run's usage of its budget and the cost of its tokens, over all turns including the warm-up. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from metrics.analysis.figures import token_source
from metrics.analysis.totals import Aggregate
from metrics.earlier_names import present_budget
from metrics.end_codes import ceiling_of
from metrics.groups import Group
from metrics.report_schema import BudgetPart, CeilingName, CostPart, ModelCost, Side, Tokens, TokenSource, Used

BUDGET = "budget"
CEILINGS: Final[tuple[CeilingName, ...]] = ("tokens", "cost", "turns", "errors")
ANY_MODEL = "*"
OF_TOKENS = frozenset({"tokens", "cost"})
ESTIMATED = frozenset({"estimate", "mixed"})
"""Sources of token counts that are not all the target's own."""
PER_TOKENS = 1_000_000
DIGITS = 6  # of a cost
Prices = Mapping[str, Mapping[str, float]]


def source_of(tokens: Tokens, side: Side) -> TokenSource:
    """The source of a report's tokens of one side; reports of earlier versions have one source for both."""
    name: Literal["input_source", "output_source"] = "input_source" if side == "input" else "output_source"
    return tokens.get(name, tokens["source"])


class Spent(NamedTuple):
    tokens_in: int = 0
    tokens_out: int = 0

    def plus(self, tokens_in: int, tokens_out: int) -> Spent:
        return Spent(self.tokens_in + tokens_in, self.tokens_out + tokens_out)


def by_model(aggregate: Aggregate, groups: Sequence[Group]) -> dict[str, Spent]:
    """Tokens of each model, in the order of the groups; the name is empty for a target that names none."""
    found = {group.model: Spent() for group in groups} or {"": Spent()}
    models = dict(enumerate(group.model for group in groups)) or {0: ""}
    counted = {number: counts.sums for number, counts in aggregate.groups.items()} or {0: aggregate.sums}
    for number, sums in counted.items():
        found[models[number]] = found[models[number]].plus(sums["tokens_in"], sums["tokens_out"])
    for number, (_ok, _failed, tokens_in, tokens_out) in aggregate.uncounted_spent.items():
        found[models[number]] = found[models[number]].plus(tokens_in, tokens_out)
    return found


def token_cost(spent: Spent, model: str, prices: Prices) -> float:
    """What it costs; nothing where the table has no price (a run is not started with such a table)."""
    price = prices.get(model) or prices.get(ANY_MODEL)
    if price is None:
        return 0.0
    return (spent.tokens_in * price["input"] + spent.tokens_out * price["output"]) / PER_TOKENS


def cost_of(load: Mapping[str, Any], aggregate: Aggregate, groups: Sequence[Group]) -> CostPart | None:
    """{total, by_model [{model, input, output, cost}], estimated}; None without prices. `input` and `output` are
    tokens; `estimated`: the target did not count all of them itself. `money` is the earlier name of `cost`."""
    prices: Prices = load.get(BUDGET, {}).get("prices") or {}
    if not prices:
        return None
    rows: list[ModelCost] = []
    models = by_model(aggregate, groups)
    for model, spent in models.items():
        cost = round(token_cost(spent, model, prices), DIGITS)
        rows.append({"model": model, "input": spent.tokens_in, "output": spent.tokens_out, "cost": cost, "money": cost})
    total = sum(token_cost(spent, model, prices) for model, spent in models.items())
    return {"total": round(total, DIGITS), "by_model": rows, "estimated": token_source(aggregate) in ESTIMATED}


def used(load: Mapping[str, Any], aggregate: Aggregate, groups: Sequence[Group]) -> dict[CeilingName, Used]:
    """{ceiling, used} of each ceiling that the load has; of tokens and cost also `estimated`: not all tokens are the
    target's own count."""
    budget = present_budget(load.get(BUDGET))
    tokens = by_model(aggregate, groups)
    failed = aggregate.failed + sum(failed for _, failed, *_ in aggregate.uncounted_spent.values())
    cost = sum(token_cost(spent, model, budget.get("prices") or {}) for model, spent in tokens.items())
    values: dict[CeilingName, float] = {
        "tokens": sum(sum(spent) for spent in tokens.values()),
        "cost": round(cost, DIGITS),
        "turns": aggregate.turns + aggregate.uncounted,
        "errors": failed,
    }
    estimated = token_source(aggregate) in ESTIMATED
    found: dict[CeilingName, Used] = {}
    for name in CEILINGS:
        if (ceiling := budget.get(name)) is not None:
            found[name] = {"ceiling": ceiling, "used": values[name]}
            if name in OF_TOKENS:
                found[name]["estimated"] = estimated
    return found


def budget_of(
    load: Mapping[str, Any], aggregate: Aggregate, groups: Sequence[Group], end_code: str
) -> BudgetPart | None:
    """{ended_by, NAME {ceiling, used, over}, error_rate {..}}; None if there is no ceiling and none ended the run.

    `end_code` is the run's. Earlier names of ceilings stand beside the present ones.
    """
    ended_by = ceiling_of(end_code)
    found: BudgetPart = {"ended_by": ended_by}
    for name, part in used(load, aggregate, groups).items():
        found[name] = {**part, "over": round(max(0, part["used"] - part["ceiling"]), DIGITS)}
    if "cost" in found:
        found["money"] = found["cost"]
    if limit := (load.get(BUDGET) or {}).get("error_rate"):
        found["error_rate"] = limit
    return found if ended_by or len(found) > 1 else None
