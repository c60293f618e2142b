"""The scenarios that are included in Token-Burn."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from scenarios.definition.spec import ScenarioSpec
from scenarios.importers.files import load_dir

SAMPLES: Final = "sample-conversations"
"""The library's name for the mix of all its conversations."""
_PACKAGE = Path(__file__).parent.parent


def library_names() -> list[str]:
    """Every name that `load_scenario` knows without a file, sorted; the mix of conversations comes last."""
    return [*sorted(by_name()), SAMPLES]


def library() -> list[ScenarioSpec]:
    """All built-in scenarios: the stress scenarios, then the sample conversations."""
    return list(by_name().values())


@cache
def by_name() -> Mapping[str, ScenarioSpec]:
    return {spec.name: spec for spec in (*load_dir(_PACKAGE / "library"), *conversations())}


@cache
def conversations() -> tuple[ScenarioSpec, ...]:
    return tuple(load_dir(_PACKAGE / "conversations"))
