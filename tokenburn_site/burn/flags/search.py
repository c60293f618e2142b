"""Options of `burn`: looking for the highest load that holds."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any


def add(parser: ArgumentParser) -> None:
    """Add the options."""


def load_data(given: Mapping[str, Any]) -> dict[str, Any]:
    """What they add to the load's data. Raises BadUsage."""
    return {}
