"""How a run looks for the highest load that its conditions allow: part of a LoadProfile. Pure."""

from __future__ import annotations

from pydantic import Field

from connectors.spec import Frozen


class Search(Frozen):
    """The load's own level is where it begins; levels are users, or conversations a second in an open loop."""

    conditions: tuple[str, ...] = Field(min_length=1)
    """Thresholds that a level must keep, as in `ttft_ms.p95<800`."""
    low: float | None = Field(None, gt=0)
    high: float = Field(1000.0, gt=0)
    settle_s: float = Field(5.0, ge=0, le=3600)
    """After each change, before anything is measured."""
    measure_s: float = Field(10.0, ge=1, le=3600)
    precision: float = Field(0.02, gt=0, le=0.5)
    """How close the highest good and the lowest bad level must come, of the level."""
