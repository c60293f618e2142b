"""Computes when a schedule's runs are due. A slot is one such time in UTC, which identifies it. Pure.

What a crontab means where clocks change (docs/schedules.md):

- One that names its hours ("30 2 * * *") has one slot for each wall time of a day. In spring a wall time that is
  skipped becomes the first moment after the gap; in autumn one that comes twice counts the first time.
- One that goes through all 24 hours ("*/15 * * * *") follows elapsed time: it has no slot in a skipped hour, and slots
  in both passes of a doubled one.
- Two wall times that fall on one moment are one slot.

cronsim walks the calendar. It follows Debian's cron; crontabs here keep the meaning that they have in
django-celery-beat, whose tables hold them and whose parser reads them. Where the two differ:

- Day of month and day of week must both fit, never just one of them: `day_and`.
- Fixed hours are those of the set of hours. Debian's cron goes by a field's first character, so `*/15 2 * * *` would
  have none.
- A crontab of all hours walks wall times without a zone, because with one cronsim never gets past a day to whose
  evening before clocks go back (St John's until 2011).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim

DAY: Final = timedelta(days=1)
TICK: Final = timedelta(microseconds=1)


class Due(NamedTuple):
    """`latest`: the last of `total` slots, ascending; `first`: the first slot, None if there are none."""

    total: int
    first: datetime | None
    latest: list[datetime]


class Slots(ABC):
    """Something with slots, in UTC."""

    @abstractmethod
    def after(self, moment: datetime) -> Iterator[datetime]:
        """Those later than `moment`, ascending; may be endless."""

    def due(self, after: datetime, until: datetime, keep: int) -> Due:
        """Slots later than `after` and not later than `until`; the last `keep` of them individually."""
        latest: deque[datetime] = deque(maxlen=keep)
        total, first = 0, None
        for slot in takewhile(lambda slot: slot <= until, self.after(after)):
            first = first or slot
            total += 1
            latest.append(slot)
        return Due(total, first, list(latest))


@dataclass(frozen=True)
class Every(Slots):
    """At `first` and every `step` of elapsed time later."""

    first: datetime
    step: timedelta

    def after(self, moment: datetime) -> Iterator[datetime]:
        number = self._number(moment)
        while True:
            yield self.first + number * self.step
            number += 1

    def due(self, after: datetime, until: datetime, keep: int) -> Due:
        """Computed without iteration: after an outage of a month, a slot per second makes millions."""
        begin, end = self._number(after), self._number(until)
        latest = [self.first + number * self.step for number in range(max(begin, end - keep), end)]
        return Due(max(0, end - begin), self.first + begin * self.step if end > begin else None, latest)

    def _number(self, moment: datetime) -> int:
        """Of the first slot later than `moment`."""
        return max(0, (moment - self.first) // self.step + 1)


@dataclass(frozen=True)
class Once(Slots):
    at: datetime

    def after(self, moment: datetime) -> Iterator[datetime]:
        if self.at > moment:
            yield self.at


@dataclass(frozen=True)
class Cron(Slots):
    """Minutes, hours, days of the month, months and days of the week (0 is Sunday), all of which must fit."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    zone: ZoneInfo

    def after(self, moment: datetime) -> Iterator[datetime]:
        last = moment
        for slot in self._of_every_hour(moment) if len(self.hours) == 24 else self._of_fixed_hours(moment):
            if slot > last:
                last = slot
                yield slot

    def _of_fixed_hours(self, moment: datetime) -> Iterator[datetime]:
        return (slot.astimezone(UTC) for slot in self._matches(moment.astimezone(self.zone)))

    def _of_every_hour(self, moment: datetime) -> Iterator[datetime]:
        """Both passes of a wall time that comes twice: the second waits until those of the first are over."""
        second_pass: deque[datetime] = deque()
        for wall in self._matches(self._earliest_wall(moment)):
            first, second = (wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
            while second_pass and second_pass[0] < first:
                yield second_pass.popleft()
            if first <= second:  # else clocks skip it (PEP 495)
                yield first
            if first < second:
                second_pass.append(second)

    def _earliest_wall(self, moment: datetime) -> datetime:
        """Of all later moments, also where clocks go back within a day."""
        return min((moment + ahead).astimezone(self.zone).replace(tzinfo=None) - ahead for ahead in (timedelta(), DAY))

    def _matches(self, start: datetime) -> CronSim:
        """Times after `start` that fit; none if there is none within 50 years."""
        fields = (self.minutes, self.hours, self.days, self.months, self.weekdays)
        found = CronSim(" ".join(",".join(map(str, field)) for field in fields), start)
        found.day_and = True
        return found


@dataclass(frozen=True)
class Timing:
    """Slots, from `begins` to `ends` where these are given, both included."""

    slots: Slots
    begins: datetime | None = None
    ends: datetime | None = None

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Slots later than `moment`, ascending."""
        begins, ends = self.begins, self.ends
        if begins is not None:
            moment = max(moment, begins - TICK)
        found = self.slots.after(moment)
        return found if ends is None else takewhile(lambda slot: slot <= ends, found)

    def next(self, moment: datetime, count: int) -> list[datetime]:
        """The first `count` slots later than `moment`, or as many as there are."""
        return list(islice(self.after(moment), count))

    def due(self, after: datetime, until: datetime, keep: int) -> Due:
        """Slots later than `after` and not later than `until`; the last `keep` of them individually."""
        if self.begins is not None:
            after = max(after, self.begins - TICK)
        return self.slots.due(after, until if self.ends is None else min(until, self.ends), keep)
