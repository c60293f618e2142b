"""Takes a sample of a stream of records."""

from __future__ import annotations

import random
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")


class Sample(NamedTuple):
    """Number of records to take from a file, drawn evenly from `seed`; None: all."""

    limit: int | None = None
    seed: int = 0


class Drawn(Generic[Item]):
    """Keeps the sampled items of a stream of unknown length, in order (reservoir sampling)."""

    def __init__(self, sample: Sample) -> None:
        self._limit = sample.limit
        self._rng = random.Random(f"sample:{sample.seed}")
        self._kept: list[tuple[int, Item]] = []
        self.seen = 0

    def add(self, item: Item) -> None:
        number, self.seen = self.seen, self.seen + 1
        if self._limit is None or len(self._kept) < self._limit:
            self._kept.append((number, item))
        elif (place := int(self._rng.random() * self.seen)) < self._limit:
            self._kept[place] = (number, item)

    def items(self) -> list[Item]:
        return [item for _, item in sorted(self._kept, key=lambda kept: kept[0])]
