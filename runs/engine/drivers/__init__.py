"""Drivers of loads: one module and one line here per kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from runs.engine.core.context import DriverContext
from runs.engine.drivers.base import Change, Driver
from runs.engine.drivers.closed import ClosedDriver
from runs.engine.drivers.open import OpenDriver

__all__ = ["Change", "Driver", "new_driver"]

DRIVERS: Final[dict[str, Callable[[DriverContext], Driver]]] = {
    "closed": ClosedDriver,
    "open": OpenDriver,
    "trace": OpenDriver,
}


def new_driver(shard: DriverContext) -> Driver:
    """The driver of the shard's kind of load."""
    return DRIVERS[shard.spec.load.kind](shard)
