"""A random number generator that is seeded only when first used. Pure."""

from __future__ import annotations

from random import Random
from typing import Any, Final

_DRAWS: Final = (
    "random",
    "choice",
    "choices",
    "randrange",
    "randint",
    "uniform",
    "expovariate",
    "getrandbits",
    "sample",
)


class LazyRandom:
    """A `random.Random` that is seeded on first use, because seeding costs more than a turn of a scenario without
    random values. The seed is `seed`, joined by colons."""

    def __init__(self, *seed: int | str) -> None:
        self._seed = seed

    def __getattr__(self, name: str) -> Any:
        rng = Random(":".join(map(str, self._seed)))
        for draw in _DRAWS:
            self.__dict__[draw] = getattr(rng, draw)
        return getattr(rng, name)
