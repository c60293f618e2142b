"""The timing of a schedule as JSON Schema, for the API's own. `runs.schedules.timing` is what reads it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from runs.schedules.time_zones import zones
from runs.schedules.timing import LONGEST_DAYS, PERIODS

_DAY: Final = r"((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
_TIME: Final = r"([01][0-9]|2[0-3])(:[0-5][0-9]){1,2}(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?"
MOMENT: Final = rf"^(19[7-9][0-9]|2[01][0-9]{{2}})-{_DAY}T{_TIME}$"
"""In a leap year also 29 February."""
NUMBERS: Final = {"minute": "[1-5]?[0-9]", "hour": "1?[0-9]|2[0-3]", "day": "[1-9]|[12][0-9]|3[01]",
                  "month": "[1-9]|1[0-2]", "weekday": "[0-6]"}  # fmt: skip


def _field(number: str) -> str:
    piece = rf"((\*|({number})-({number}))(/[1-9])?|{number})"
    return rf"{piece}(,{piece}){{0,6}}"  # a field may have 60 characters


def crontab_pattern() -> str:
    """Five fields of numbers, ranges, steps and lists. Names of days and months are read too."""
    return "^" + " ".join(map(_field, NUMBERS.values())) + "$"


def _kind(required: list[str], moments: tuple[str, ...], **own: Any) -> dict[str, Any]:
    zone = {"type": "string", "enum": sorted(zones())}
    times = {name: {"type": "string", "pattern": MOMENT} for name in moments}
    return {
        "type": "object",
        "properties": {**own, "time_zone": zone, **times},
        "required": required,
        "additionalProperties": False,
    }


def when_schema() -> Mapping[str, Any]:
    bounds = ("begins", "ends")
    kinds = [_kind(["crontab"], bounds, crontab={"type": "string", "pattern": crontab_pattern()})]
    for period in PERIODS:
        most = timedelta(days=LONGEST_DAYS) // timedelta(**{period: 1})
        every = {"type": "integer", "minimum": 1, "maximum": most}
        kinds.append(_kind(["every", "period"], bounds, every=every, period={"const": period}))
    return {"oneOf": [*kinds, _kind(["at"], ("at",))]}
