"""Random numbers by distribution, and reading and typing times. Pure: no clock, no state."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

CHARS_PER_WORD: Final = 5
"""What a word counts as in words a minute, its space included: the convention of typing tests, in any script."""
_EDGE: Final = 1e-12
_NORMAL: Final = NormalDist()


class Draws(Protocol):
    """A source of random numbers: a `random.Random`, or one that is seeded when first used."""

    def random(self) -> float: ...


class Spread(BaseModel):
    """A random number: `constant` is `mean`; `uniform` lies between `low` and `high`; the others have `mean` and, but
    for exponential, `sd`, and are cut to [low, high]: what would lie outside becomes the nearer of the two."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["constant", "uniform", "normal", "lognormal", "exponential"] = "constant"
    mean: float = Field(0.0, ge=0, le=1e9)
    sd: float = Field(0.0, ge=0, le=1e9)
    low: float = Field(0.0, ge=0, le=1e9)
    high: float | None = Field(None, ge=0, le=1e9)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.kind == "uniform" and self.high is None:
            raise ValueError("a uniform spread needs `high`")
        if self.high is not None and self.high < self.low:
            raise ValueError(f"high {self.high:g} is below low {self.low:g}")
        if self.kind in ("lognormal", "exponential") and not self.mean:
            raise ValueError(f"a spread of kind {self.kind} needs a `mean` above 0")
        if self.sd and self.kind not in ("normal", "lognormal"):
            raise ValueError(f"a spread of kind {self.kind} has no `sd`: use normal or lognormal")
        return self

    def draw(self, rng: Draws) -> float:
        """One number; makes exactly one draw of `rng`, except `constant`, which makes none."""
        return self.mean if self.kind == "constant" else self.at(rng.random())

    def at(self, share: float) -> float:
        """The number below which `share` (0 to 1) of all draws lie: the inverse of the distribution function."""
        share = min(max(share, _EDGE), 1 - _EDGE)
        if self.kind == "constant":
            return self.mean
        if self.kind == "uniform":
            return self.low + share * ((self.high or 0.0) - self.low)
        if self.kind == "normal":
            value = self.mean + self.sd * _NORMAL.inv_cdf(share)
        elif self.kind == "lognormal":
            # Variance and mean of the logarithm that give the number this mean and sd.
            variance = math.log1p((self.sd / self.mean) ** 2)
            value = self.mean * math.exp(math.sqrt(variance) * _NORMAL.inv_cdf(share) - variance / 2)
        else:
            value = -self.mean * math.log1p(-share)
        value = max(value, self.low)
        return value if self.high is None else min(value, self.high)


def at_pace_s(chars: int, words_per_minute: float | None) -> float:
    """Seconds to read or type `chars` characters at this many words per minute; None: zero."""
    return 0.0 if words_per_minute is None else chars / CHARS_PER_WORD * 60.0 / words_per_minute
