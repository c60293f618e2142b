"""How a load presses: one module for each kind, one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from runs.engine.loads.base import Change, Driver
from runs.engine.loads.closed import ClosedDriver
from runs.engine.loads.open import OpenDriver

if TYPE_CHECKING:
    from runs.engine.shard import Shard

__all__ = ["Change", "Driver", "new_driver"]

DRIVERS: Final[dict[str, Callable[[Shard], Driver]]] = {
    "closed": ClosedDriver,
    "open": OpenDriver,
    "trace": OpenDriver,
}


def new_driver(shard: Shard) -> Driver:
    """What brings the users, or the arrivals, of the shard's load."""
    return DRIVERS[shard.spec.load.kind](shard)
