"""Converts the timing of a schedule between user input, django-celery-beat's rows and `runs.schedules.slots`.

What people give is one object, the same in the API and behind the admin's form; times without an offset are wall times
of `time_zone`:

    {"crontab": "30 2 * * 1-5", "time_zone": "Europe/Berlin"}
    {"every": 15, "period": "minutes"}            period: seconds, minutes, hours, days
    {"at": "2026-12-24T18:00", "time_zone": "Europe/Berlin"}

The first two may have "begins" and "ends"; an interval counts from "begins", or from when it was set.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab_parser
from django.conf import settings
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask

from inputs.wording import unknown_field
from runs.schedules.slots import Cron, Every, Once, Timing
from runs.schedules.time_zones import zones

PERIODS: Final = ("seconds", "minutes", "hours", "days")
SHORTEST: Final = timedelta(seconds=1)
KINDS: Final = {"crontab": ("begins", "ends"), "every": ("period", "begins", "ends"), "at": ()}
"""The keys of each kind of timing besides its own and the time zone."""
ALL_KEYS: Final = ("time_zone", *KINDS, "period", "begins", "ends")
LONGEST_DAYS: Final = 3660
YEARS: Final = range(1970, 2200)
FIELDS: Final = {
    "minute": (60, 0),
    "hour": (24, 0),
    "day_of_month": (31, 1),
    "month_of_year": (12, 1),
    "day_of_week": (7, 0),
}
"""Number of values and smallest value of each field of a crontab, in their order."""
FORM: Final = 'five fields: minute hour day-of-month month day-of-week, such as "30 2 * * 1-5"'
T = TypeVar("T")
_FIELD: Final = re.compile(r"[0-9a-z*/,-]{1,60}", re.IGNORECASE)


class TimingError(ValueError):
    """The input is not a valid timing. `field` names the part; `by_field` has what is wrong with others too."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.by_field = {field: message}


class _Findings:
    """Reads part after part, and collects what is wrong."""

    def __init__(self) -> None:
        self.first: TimingError | None = None

    def read(self, work: Callable[..., T], *given: Any) -> T | None:
        try:
            return work(*given)
        except TimingError as exc:
            self.add(exc)
            return None

    def add(self, problem: TimingError) -> None:
        self.first = self.first or problem
        self.first.by_field = {**problem.by_field, **self.first.by_field}

    def raise_any(self) -> None:
        if self.first is not None:
            raise self.first


@dataclass(frozen=True)
class When:
    """A checked timing, as columns of django-celery-beat's tables."""

    cron: Mapping[str, Any] | None = None
    every: tuple[int, str] | None = None
    at: datetime | None = None
    begins: datetime | None = None
    ends: datetime | None = None

    def write_to(self, task: PeriodicTask) -> None:
        """Point the task to rows with this timing; call `save()` afterwards. Equal rows are shared."""
        task.crontab = _row(CrontabSchedule, **self.cron) if self.cron else None
        task.interval = _row(IntervalSchedule, every=self.every[0], period=self.every[1]) if self.every else None
        task.clocked = _row(ClockedSchedule, clocked_time=self.at) if self.at else None
        task.one_off = self.at is not None  # django-celery-beat asks for it
        task.start_time, task.expires = self.begins, self.ends


def parse_when(given: Any, now: datetime | None) -> When:
    """Raises TimingError for a timing of unknown form, and (unless `now` is None) for one that is never due after
    `now`."""
    if not isinstance(given, Mapping):
        raise TimingError("when", 'give an object such as {"crontab": "30 2 * * 1-5", "time_zone": "Europe/Berlin"}')
    findings = _Findings()
    kinds = [kind for kind in KINDS if given.get(kind) not in (None, "")]
    kind = kinds[0] if len(kinds) == 1 else ""
    if not kind:
        findings.add(TimingError("when", 'give one of "crontab", "every" and "at"'))
    for problem in _unknown(given, kind):
        findings.add(problem)
    zone = findings.read(parse_zone, given.get("time_zone") or settings.TIME_ZONE) or ZoneInfo("UTC")
    begins, ends = (findings.read(_moment, given.get(field), field, zone) for field in ("begins", "ends"))
    found = When(begins=begins, ends=ends)
    if kind == "at":
        found = When(at=findings.read(_moment, given["at"], "at", zone))
    elif kind == "every":
        period = findings.read(_period, given.get("period"))
        every = findings.read(_interval, given["every"], period)
        found = replace(found, every=(every or 0, period or ""))
    elif kind == "crontab":
        fields = findings.read(parse_cron, given["crontab"])
        found = replace(found, cron={**(fields or {}), "timezone": zone})
    findings.raise_any()
    if now is not None:
        _check_future(found, kind, now)
    return found


def _unknown(given: Mapping[str, Any], kind: str) -> list[TimingError]:
    """An error for each key that no timing has, or (if the kind is known) none of this kind."""
    known = ("time_zone", kind, *KINDS[kind]) if kind else ALL_KEYS
    found = []
    for key in (str(key)[:60] for key, value in given.items() if key not in known and value not in (None, "")):
        why = f'does not go with "{kind}"' if key in ALL_KEYS else unknown_field(key, known)
        found.append(TimingError(key, f'"{key}" {why}'))
    return found


def parse_cron(text: Any) -> dict[str, str]:
    """The five fields by name, each of them valid. Raises TimingError."""
    parts = text.split() if isinstance(text, str) else []
    if len(parts) != len(FIELDS):
        raise TimingError("crontab", f"give {FORM}")
    for name, part in zip(FIELDS, parts, strict=True):
        if not _FIELD.fullmatch(part):
            raise TimingError("crontab", _wrong(name, part, part))
        _values(name, part)
    return dict(zip(FIELDS, parts, strict=True))


def _values(name: str, part: str) -> frozenset[int]:
    """Of one field of a crontab. Raises TimingError, which says what is wrong and what the field may hold."""
    found: set[int] = set()
    for piece in part.split(","):
        try:
            found |= crontab_parser(*FIELDS[name]).parse(piece)
        except (ValueError, ParseException) as exc:
            raise TimingError("crontab", _wrong(name, part, piece)) from exc
    return frozenset(found)


def _wrong(name: str, part: str, piece: str) -> str:
    count, smallest = FIELDS[name]
    where = "" if piece == part else f" at {piece!r}" if piece else " at an empty place of its list"
    sunday = " (Sunday is 0)" if name == "day_of_week" else ""
    return (
        f"{name.replace('_', ' ')} {part[:60]!r} is wrong{where}: give numbers from {smallest} to "
        f"{smallest + count - 1}{sunday}, ranges such as {smallest}-{smallest + 4}, steps such as */2, * for all, "
        "or several of these with commas"
    )


def parse_zone(name: Any) -> ZoneInfo:
    """Raises TimingError."""
    if not isinstance(name, str) or name not in zones():
        raise TimingError("time_zone", f"{str(name)[:60]!r} is no time zone: give a name such as Europe/Berlin")
    return ZoneInfo(name)


def _period(period: Any) -> str:
    if not isinstance(period, str) or period not in PERIODS:
        raise TimingError("period", f"choose one of {', '.join(PERIODS)}")
    return period


def _interval(every: Any, period: str | None) -> int:
    """`period`: None if it is not known."""
    if isinstance(every, float) and every.is_integer():  # JSON does not tell 2.0 from 2
        every = int(every)
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise TimingError("every", "give a whole number, at least 1")
    if period is not None and every > timedelta(days=LONGEST_DAYS) // timedelta(**{period: 1}):
        raise TimingError("every", "an interval is at most ten years")
    return every


def _moment(value: Any, field: str, zone: ZoneInfo) -> datetime | None:
    if value in (None, ""):
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError) as exc:
        raise TimingError(field, f'give a time such as "2026-12-24T18:00", not {str(value)[:60]!r}') from exc
    try:
        if moment.tzinfo is None:
            local = moment.replace(tzinfo=zone)
            moment = local.astimezone(UTC)
            if moment.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
                raise TimingError(field, f"{local:%Y-%m-%d %H:%M} is skipped in {zone.key}: clocks go forward over it")
        moment = moment.astimezone(UTC)
    except OverflowError as exc:
        raise TimingError(field, "that is too far away") from exc
    if moment.year not in YEARS:
        raise TimingError(field, f"give a year from {YEARS.start} to {YEARS.stop - 1}")
    return moment


def _check_future(when: When, field: str, now: datetime) -> None:
    if when.at is not None and when.at <= now:
        raise TimingError("at", f"{when.at:%Y-%m-%d %H:%M:%S} UTC is in the past")
    if when.ends is not None and when.ends <= max(now, when.begins or now):
        raise TimingError("ends", "the end must be in the future and after the beginning")
    if not timing(when, since=now).next(now, 1):
        raise TimingError(field, "it would never be due: see the days and months, and the beginning and the end")


def timing(when: When, since: datetime) -> Timing:
    """Its slots; `since` is when it was set."""
    if when.at is not None:
        return Timing(Once(when.at))
    if when.every is not None:
        step = timedelta(**{when.every[1]: when.every[0]})
        return Timing(Every(when.begins or since.replace(microsecond=0) + step, step), ends=when.ends)
    if when.cron is None:
        raise TimingError("when", "it no longer has a timing")
    sets = {name: _values(name, when.cron[name]) for name in FIELDS}
    cron = Cron(
        minutes=sets["minute"],
        hours=sets["hour"],
        days=sets["day_of_month"],
        months=sets["month_of_year"],
        weekdays=sets["day_of_week"],
        zone=ZoneInfo(str(when.cron["timezone"])),
    )
    return Timing(cron, begins=when.begins, ends=when.ends)


def when_of(task: PeriodicTask) -> When:
    """The timing of the task's rows. Raises TimingError for kinds that schedules do not have, such as sunrise."""
    bounds = {"begins": task.start_time, "ends": task.expires}
    if task.crontab is not None:
        names = [*FIELDS, "timezone"]
        return When(cron={name: getattr(task.crontab, name) for name in names}, **bounds)
    if task.interval is not None:
        every, period = task.interval.every, task.interval.period
        if timedelta(**{period: every}) < SHORTEST:
            raise TimingError("every", f"every {every} {period} is less than a second")
        return When(every=(every, period), **bounds)
    if task.clocked is not None:
        return When(at=task.clocked.clocked_time)
    raise TimingError("when", "give a crontab, an interval or a time: other kinds cannot start a plan")


def zone_of(when: When) -> ZoneInfo:
    """The zone in which its times are shown."""
    return ZoneInfo(str(when.cron["timezone"])) if when.cron else ZoneInfo(settings.TIME_ZONE)


def as_given(when: When) -> dict[str, Any]:
    """The object that `parse_when` takes."""
    zone = zone_of(when)
    local = {"begins": when.begins, "ends": when.ends, "at": when.at}
    moments = {name: value.astimezone(zone).isoformat() for name, value in local.items() if value is not None}
    if when.cron is not None:
        fields = " ".join(str(when.cron[name]) for name in FIELDS)
        return {"crontab": fields, "time_zone": zone.key, **moments}
    if when.every is not None:
        return {"every": when.every[0], "period": when.every[1], **moments}
    return moments


def in_words(when: When) -> str:
    """For pages: "30 2 * * 1-5 Europe/Berlin", "every 15 minutes", "2026-12-24 18:00:00 UTC"."""
    given = as_given(when)
    if when.cron is not None:
        return f"{given['crontab']} {given['time_zone']}"
    if when.every is not None:
        count, period = when.every
        return f"every {count} {period}" if count > 1 else f"every {period.removesuffix('s')}"
    return f"{when.at.astimezone(zone_of(when)):%Y-%m-%d %H:%M:%S %Z}" if when.at else ""


def _row(model: Any, **columns: Any) -> Any:
    return model.objects.filter(**columns).first() or model.objects.create(**columns)
