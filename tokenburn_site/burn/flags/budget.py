"""Options of `burn`: when a run ends before its time."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any


def add(parser: ArgumentParser) -> None:
    """Add the options."""


def load_data(given: Mapping[str, Any]) -> dict[str, Any]:
    """What they add to the load's data. Raises BadUsage."""
    return {}
