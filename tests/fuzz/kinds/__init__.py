"""What is fuzzed: each kind makes inputs, and takes one as the product would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st


@dataclass(frozen=True)
class Kind:
    """`inputs` are picklable; `take` says in a word what became of one ("accepted", "refused", a status), and raises
    what the product must not raise. `share`: its part of all inputs."""

    name: str
    share: int
    inputs: Callable[[], st.SearchStrategy[Any]]
    take: Callable[[Any], str]


class Fault(AssertionError):
    """The product did what it must not do."""
