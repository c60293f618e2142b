"""Arrival times of a trace in packed form, because a run stores all of them.

Whole microseconds, as differences, compressed: a trace of 100,000 conversations takes about half a megabyte.
"""

from __future__ import annotations

import base64
import math
import sys
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any, Final

from runs.load.earlier_names import present_load

MOST_ROWS: Final = 200_000
LONGEST_S: Final = 7 * 86400
_ITEM: Final = array("Q").itemsize


def pack(arrivals_s: Iterable[float]) -> str:
    """`arrivals_s` (seconds since the start, ascending) as text. Raises ValueError that names the first wrong one."""
    times = list(arrivals_s)
    check_times(times)
    whole = [round(at * 1e6) for at in times]
    steps = array("Q", [after - before for before, after in pairwise([0, *whole])])
    return base64.b64encode(zlib.compress(_little(steps).tobytes(), 9)).decode()


def unpack(packed: str) -> list[float]:
    """Seconds since the start. Raises ValueError."""
    reader = zlib.decompressobj()
    try:
        data = reader.decompress(base64.b64decode(packed, validate=True), MOST_ROWS * _ITEM + 1)
    except (ValueError, zlib.error) as exc:
        raise ValueError("not a packed trace: give arrivals_s, a list of seconds") from exc
    if not reader.eof or len(data) % _ITEM:
        raise ValueError(f"not a packed trace, or one of more than {MOST_ROWS:,} arrivals")
    steps = array("Q")
    steps.frombytes(data)
    times = [whole / 1e6 for whole in accumulate(_little(steps))]
    check_times(times)
    return times


def check_times(times: Sequence[float]) -> None:
    """Raises ValueError if the times cannot be a load."""
    if not times:
        raise ValueError("a trace needs at least one arrival")
    if len(times) > MOST_ROWS:
        raise ValueError(f"{len(times):,} arrivals are more than the {MOST_ROWS:,} that a run can keep")
    before = 0.0
    for row, at in enumerate(times):
        if not math.isfinite(at) or not 0 <= at <= LONGEST_S:
            raise ValueError(f"arrival {row}: {at!r} is not a time between 0 s and {LONGEST_S} s")
        if at < before:
            raise ValueError(f"arrival {row}: {at:g} s is before the one ahead of it, {before:g} s: sort them")
        before = at


def shown_load(load: Mapping[str, Any]) -> dict[str, Any]:
    """A load's data under today's names, without a trace's packed times, which tell a reader nothing."""
    hidden = {"arrivals"} if load.get("kind") == "trace" else set()
    return {name: value for name, value in present_load(load).items() if name not in hidden}


def _little(steps: array[int]) -> array[int]:
    if sys.byteorder == "big":
        steps.byteswap()
    return steps
