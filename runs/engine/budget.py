"""How much a run may use before it ends: part of a LoadProfile."""

from __future__ import annotations

from pydantic import Field

from connectors.spec import Frozen


class Price(Frozen):
    """Money for a million tokens of a model."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class ErrorRate(Frozen):
    """Ends the run when more than `above` of the turns of the last `window_s` failed, of at least `turns` turns."""

    above: float = Field(gt=0, le=1)
    window_s: float = Field(30.0, ge=1, le=3600)
    turns: int = Field(50, ge=1)


class Budget(Frozen):
    """Ceilings over all engines together; None: no ceiling."""

    tokens: int | None = Field(None, ge=1)
    """Input and output tokens."""
    money: float | None = Field(None, gt=0)
    """In the currency of `prices`."""
    turns: int | None = Field(None, ge=1)
    errors: int | None = Field(None, ge=1)
    error_rate: ErrorRate | None = None
    only_errors_s: float | None = Field(30.0, gt=0)
    """The run is aborted when for so long no turn was good and some failed; None: never."""
    prices: dict[str, Price] = Field(default_factory=dict)
    """By model; `*` is for models that are not named."""
