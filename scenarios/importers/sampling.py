"""Takes a sample of a stream of records."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

from scenarios.definition.data import MAX_BYTES

SAMPLED: Final = 4
"""Times MAX_BYTES that a sample may have while it is drawn: small items may still take the place of large ones."""
Item = TypeVar("Item")


class Sample(NamedTuple):
    """Number of records to take from a file, drawn evenly from `seed`; None: all."""

    limit: int | None = None
    seed: int = 0


def most_bytes(sample: Sample) -> int:
    """At which size a file is not read on: it may be as large as a disk."""
    return MAX_BYTES if sample.limit is None else SAMPLED * MAX_BYTES


class Drawn(Generic[Item]):
    """Keeps the sampled items of a stream of unknown length, in order (reservoir sampling). `size_of` an item is added
    up in `size`, for those that are kept."""

    def __init__(self, sample: Sample, size_of: Callable[[Item], int] = lambda item: 0) -> None:
        self._limit = sample.limit
        self._rng = random.Random(f"sample:{sample.seed}")
        self._size_of = size_of
        self._kept: list[tuple[int, Item]] = []
        self.seen = 0
        self.size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, item: Item) -> None:
        number, self.seen = self.seen, self.seen + 1
        if self._limit is None or len(self._kept) < self._limit:
            self._kept.append((number, item))
        elif (place := int(self._rng.random() * self.seen)) < self._limit:
            self.size -= self._size_of(self._kept[place][1])
            self._kept[place] = (number, item)
        else:
            return
        self.size += self._size_of(item)

    def items(self) -> list[Item]:
        return [item for _, item in sorted(self._kept, key=lambda kept: kept[0])]
