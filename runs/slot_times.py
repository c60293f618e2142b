"""When a schedule's runs are due. A slot is one such moment, in UTC, and its own identity. Pure.

What a crontab means where clocks change (docs/schedules.md):

- One that names its hours ("30 2 * * *") has one slot for each wall time of a day. In spring a wall time that is
  skipped becomes the first moment after the gap; in autumn one that comes twice counts the first time.
- One that goes through all 24 hours ("*/15 * * * *") follows elapsed time: it has no slot in a skipped hour, and slots
  in both passes of a doubled one.
- Two wall times that fall on one moment are one slot.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from heapq import heappop, heappush
from itertools import islice, takewhile
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

DAY: Final = timedelta(days=1)
TICK: Final = timedelta(microseconds=1)
HORIZON_DAYS: Final = 9 * 366
"""A crontab without a slot in that many days has none at all: 29 February can be eight years away."""
EARLIEST: Final = timedelta(hours=9)
"""The next day's first slot comes later than this hour, UTC, of a day: no zone is 15 h ahead."""


class Due(NamedTuple):
    """`latest` are the last of `total` slots, ascending; `first` is the first of all, None if there are none."""

    total: int
    first: datetime | None
    latest: list[datetime]


class Slots:
    """What has slots, in UTC."""

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Those later than `moment`, ascending; may be endless."""
        raise NotImplementedError  # each kind has its own

    def due(self, after: datetime, until: datetime, keep: int) -> Due:
        """Those later than `after` and not later than `until`; the last `keep` of them one by one."""
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
        """Without a walk: after a month's outage, slots of each second are millions."""
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
        day = moment.astimezone(self.zone).date() - DAY
        waiting: list[datetime] = []
        last, empty = moment, 0
        while waiting or empty < HORIZON_DAYS:
            found = self.of_day(day)
            empty = 0 if found else empty + 1
            for slot in found:
                heappush(waiting, slot)
            # Where clocks go back over midnight, slots of two days interleave: wait until no earlier one can come.
            safe = datetime.combine(day, time(), UTC) + EARLIEST
            while waiting and waiting[0] < safe:
                slot = heappop(waiting)
                if slot > last:
                    last = slot
                    yield slot
            day += DAY

    def of_day(self, day: date) -> list[datetime]:
        """The slots of a day of the wall calendar; those that the end of a gap stands for may lie on the next."""
        if day.month not in self.months or day.day not in self.days or day.isoweekday() % 7 not in self.weekdays:
            return []
        walls = (datetime.combine(day, time(hour, minute)) for hour in self.hours for minute in self.minutes)
        offset = datetime.combine(day, time(), self.zone).utcoffset()
        if offset == datetime.combine(day + DAY, time(), self.zone).replace(fold=1).utcoffset():
            return [(wall - (offset or timedelta())).replace(tzinfo=UTC) for wall in walls]
        return sorted({slot for wall in walls for slot in self._moments(wall)})

    def _moments(self, wall: datetime) -> Iterator[datetime]:
        """What a wall time stands for on a day on which clocks change."""
        elapsed = len(self.hours) == 24
        first, second = (wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if first.astimezone(self.zone).replace(tzinfo=None) != wall:
            if not elapsed:
                yield self._gap_end(second, first)
            return
        yield first
        if elapsed:
            yield second

    def _gap_end(self, before: datetime, behind: datetime) -> datetime:
        """The moment between the two at which clocks go forward, to the second."""
        old = before.astimezone(self.zone).utcoffset()
        low, high = 0, int((behind - before).total_seconds())
        while high - low > 1:
            middle = (low + high) // 2
            if (before + timedelta(seconds=middle)).astimezone(self.zone).utcoffset() == old:
                low = middle
            else:
                high = middle
        return before + timedelta(seconds=high)


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
        """Slots later than `after` and not later than `until`; the last `keep` of them one by one."""
        if self.begins is not None:
            after = max(after, self.begins - TICK)
        return self.slots.due(after, until if self.ends is None else min(until, self.ends), keep)
