"""Determines the unit of a trace's numbers from its format, and asks if the guess is implausible. Pure.

A trace that is read in the wrong unit is 1,000 times too dense or too sparse, and its run looks like any other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from metrics.number_format import duration

Unit = Literal["s", "ms", "us", "ns"]
ReadAs = Literal["s", "ms", "us", "ns", "days", "dates"]
UNITS: Final[tuple[Unit, ...]] = ("s", "ms", "us", "ns")
SECONDS: Final[Mapping[str, float]] = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "days": 86400.0}
DENSEST_S: Final = 0.005
"""Mean gap of a recorded trace, at least: 200 requests a second. The busiest public ones (Azure, 2024) have 22 ms."""
SPARSEST_S: Final = 30.0
"""Mean gap, at most: two requests a minute. Months of BurstGPT have 2 s; sparser recordings are hardly replayed."""
LARGEST: Final = 1e300
SAMPLE: Final = 1000
"""Number of leading times to judge; a trace's unit does not change within it."""
_EPOCH_S: Final = (6.3e8, 4.1e9)
"""1990 to 2099: numbers of this size, in their unit, are times since 1970."""
_DAYS: Final = (30_000.0, 80_000.0)
"""1982 to 2119, in days since the end of 1899, as spreadsheets count."""
_MOONCAKE: Final = frozenset({"hash_ids", "input_length", "output_length"})
_BURSTGPT: Final = frozenset({"request tokens", "response tokens", "log type"})


class UnitDoubt(ValueError):
    """Nothing says the unit of a trace's numbers, and what they are taken for is improbable."""


class Reading(NamedTuple):
    """The unit of a trace's numbers; `whole`: it is taken for that only as long as none of them has decimals."""

    unit: Unit | Literal["days"]
    whole: bool = False


def read_as(numbers: Sequence[float], fields: Collection[Any] = ()) -> Reading:
    """The unit of `numbers`, the first times of a trace, at least one, whose rows have `fields`.

    Raises UnitDoubt where it has to be asked.
    """
    epoch = next((unit for unit in UNITS if _since_1970(numbers, unit)), None)
    if epoch is not None:
        return Reading(epoch)
    gap = _mean_gap(numbers)
    whole = all(float(number).is_integer() for number in numbers)
    if not whole and _DAYS[0] <= min(numbers) and max(numbers) < _DAYS[1]:
        return _days_or_seconds(gap)
    names = {name.lower() for name in fields if isinstance(name, str)}
    if not whole or len(names & _BURSTGPT) > 1:
        return _not_too_dense(gap)
    return _of_whole("ms", "s", gap) if names & _MOONCAKE else _of_whole("s", "ms", gap)


def since_first(numbers: Sequence[Any], unit: Unit | Literal["days"] | None) -> tuple[list[float], ReadAs]:
    """Seconds since the first of `numbers`, and the unit that they were read as, where None is given.

    Raises ValueError for what is no number, and UnitDoubt.
    """
    for row, number in enumerate(numbers):
        if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) < LARGEST:
            raise ValueError(f"timestamp {row}: {number!r:.60} is not a number")
    if not numbers:
        return [], unit or "s"
    reading = Reading(unit) if unit else read_as(numbers[:SAMPLE])
    if reading.whole and not all(float(number).is_integer() for number in numbers):
        raise UnitDoubt(f"some have decimals, and the first {SAMPLE:,} have none")
    return [(number - numbers[0]) * SECONDS[reading.unit] for number in numbers], reading.unit


def _since_1970(numbers: Sequence[float], unit: Unit) -> bool:
    low, high = (bound / SECONDS[unit] for bound in _EPOCH_S)
    return all(low <= number <= high for number in numbers)


def _mean_gap(numbers: Sequence[float]) -> float:
    """In the numbers' own unit; 0 where there is none, or all are the same."""
    return (max(numbers) - min(numbers)) / (len(numbers) - 1) if len(numbers) > 1 else 0.0


def _days_or_seconds(gap: float) -> Reading:
    if 0 < gap < DENSEST_S <= gap * SECONDS["days"]:
        return Reading("days")
    if DENSEST_S <= gap <= 1:
        in_days = f"as days of a spreadsheet {_every(gap * SECONDS['days'])} (write those as dates)"
        raise UnitDoubt(f"as s they are {_every(gap)}, {in_days}")
    return _not_too_dense(gap)


def _of_whole(likely: Unit, other: Unit, gap: float) -> Reading:
    """Whole numbers may be of any unit: one has to be probable, and the other not."""
    if not gap or (_is_probable(likely, gap) and not _is_probable(other, gap)):
        return Reading(likely, whole=True)
    raise _doubt(likely, other, gap)


def _is_probable(unit: Unit, gap: float) -> bool:
    return DENSEST_S <= gap * SECONDS[unit] <= SPARSEST_S


def _not_too_dense(gap: float) -> Reading:
    """Decimals are those of seconds, however sparse."""
    if 0 < gap < DENSEST_S:
        raise _doubt("s", "s", gap)
    return Reading("s")


def _doubt(unit: Unit, other: Unit, gap: float) -> UnitDoubt:
    said = [f"as {name} they are {_every(gap * SECONDS[name])}" for name in dict.fromkeys((unit, other))]
    return UnitDoubt(", ".join(said))


def _every(gap_s: float) -> str:
    return f"one every {duration(gap_s)}"
