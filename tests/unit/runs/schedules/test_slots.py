"""Slots: each once, at the right moment, also where clocks change. Times on the left of `->` are the wall's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs.schedules.slots import Cron, Every, Once, Timing

BERLIN, NEW_YORK, LORD_HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")
ALL_HOURS = range(24)
Numbers = int | Iterable[int]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cron(
    zone: ZoneInfo, hours: Numbers, minutes: Numbers, weekdays: Numbers = range(7), days: Numbers = range(1, 32)
) -> Cron:
    def given(what: Numbers) -> frozenset[int]:
        return frozenset([what] if isinstance(what, int) else what)

    return Cron(given(minutes), given(hours), given(days), frozenset(range(1, 13)), given(weekdays), zone)


def of(found: Cron, begin: str, end: str) -> list[str]:
    slots = takewhile(lambda slot: slot < utc(end), found.after(utc(begin) - timedelta(microseconds=1)))
    return [f"{slot:%d %H:%M}" for slot in slots]


def test_a_daily_slot_keeps_its_wall_time_over_the_year() -> None:
    slots = list(islice(cron(BERLIN, 3, 0).after(utc("2026-01-01")), 365))
    assert {slot.astimezone(BERLIN).strftime("%H:%M") for slot in slots} == {"03:00"}
    assert next(f"{slot:%m-%d %H}" for slot in slots if slot.hour == 1) == "03-29 01"
    assert len({slot.astimezone(BERLIN).date() for slot in slots}) == 365


@pytest.mark.parametrize(
    ("zone", "hours", "minutes", "begin", "expected"),
    [
        # Berlin, 29 March 2026: 02:00 CET (01:00 UTC) -> 03:00 CEST
        (BERLIN, 2, 30, "2026-03-29", ["29 01:00"]),
        (BERLIN, 2, 0, "2026-03-29", ["29 01:00"]),
        (BERLIN, 2, [0, 15, 30, 45], "2026-03-29", ["29 01:00"]),
        (BERLIN, [2, 3], [0, 30], "2026-03-29", ["29 01:00", "29 01:30"]),
        (BERLIN, [1, 3], 30, "2026-03-29", ["29 00:30", "29 01:30"]),
        # New York, 8 March 2026: 02:00 EST (07:00 UTC) -> 03:00 EDT
        (NEW_YORK, 2, 30, "2026-03-08", ["08 07:00"]),
        # Lord Howe, 4 October 2026: 02:00 +10:30 (15:30 UTC the day before) -> 02:30 +11
        (LORD_HOWE, 2, 15, "2026-10-03T12:00", ["03 15:30"]),
        (LORD_HOWE, 2, [0, 30], "2026-10-03T12:00", ["03 15:30"]),
        (LORD_HOWE, 2, 45, "2026-10-03T12:00", ["03 15:45"]),
        # Cairo, 24 April 2026: 00:00 (22:00 UTC the day before) -> 01:00
        (ZoneInfo("Africa/Cairo"), 0, 30, "2026-04-23T12:00", ["23 22:00"]),
    ],
)
def test_in_spring_a_skipped_slot_comes_at_the_end_of_the_gap(
    zone: ZoneInfo, hours: Numbers, minutes: Numbers, begin: str, expected: list[str]
) -> None:
    end = (utc(begin) + timedelta(hours=20)).isoformat()[:16]
    assert of(cron(zone, hours, minutes), begin, end) == expected


@pytest.mark.parametrize(
    ("zone", "hours", "minutes", "begin", "expected"),
    [
        # Berlin, 25 October 2026: 03:00 CEST (01:00 UTC) -> 02:00 CET
        (BERLIN, 2, 30, "2026-10-25", ["25 00:30"]),
        (BERLIN, 2, [0, 59], "2026-10-25", ["25 00:00", "25 00:59"]),
        (BERLIN, [1, 2, 3], 30, "2026-10-24T23:00", ["24 23:30", "25 00:30", "25 02:30"]),
        # New York, 1 November 2026: 02:00 EDT (06:00 UTC) -> 01:00 EST
        (NEW_YORK, 1, 30, "2026-11-01", ["01 05:30"]),
        # Lord Howe, 5 April 2026: 02:00 +11 (15:00 UTC the day before) -> 01:30 +10:30
        (LORD_HOWE, 1, 45, "2026-04-04T12:00", ["04 14:45"]),
        (LORD_HOWE, 1, [15, 30], "2026-04-04T12:00", ["04 14:15", "04 14:30"]),
    ],
)
def test_in_autumn_a_doubled_slot_comes_once(
    zone: ZoneInfo, hours: Numbers, minutes: Numbers, begin: str, expected: list[str]
) -> None:
    end = (utc(begin) + timedelta(hours=20)).isoformat()[:16]
    assert of(cron(zone, hours, minutes), begin, end) == expected


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (BERLIN, "2026-03-29", 23),
        (BERLIN, "2026-10-25", 25),
        (BERLIN, "2026-10-26", 24),
        (NEW_YORK, "2026-03-08", 23),
        (NEW_YORK, "2026-11-01", 25),
        (LORD_HOWE, "2026-10-04", 23.5),
        (LORD_HOWE, "2026-04-05", 24.5),
    ],
)
def test_a_slot_of_every_hour_follows_elapsed_time(zone: ZoneInfo, day: str, hours: float) -> None:
    begin = datetime.fromisoformat(day).replace(tzinfo=zone)
    end = (begin + timedelta(days=1)).astimezone(UTC)
    found = cron(zone, ALL_HOURS, [0, 15, 30, 45])
    slots = list(takewhile(lambda slot: slot < end, found.after(begin.astimezone(UTC) - timedelta(seconds=1))))
    assert len(slots) == hours * 4
    assert {later - slot for slot, later in pairwise(slots)} == {timedelta(minutes=15)}


def test_where_clocks_go_back_over_midnight_slots_stay_in_order() -> None:
    """St John's, 1 November 2009: 00:01 -> 23:01 of the day before."""
    found = cron(ZoneInfo("America/St_Johns"), ALL_HOURS, range(60))
    slots = list(islice(found.after(utc("2009-11-01T00:00")), 300))
    assert {later - slot for slot, later in pairwise(slots)} == {timedelta(minutes=1)}


def test_where_clocks_go_back_over_midnight_a_day_ends() -> None:
    """The same night, of which 1 November alone has slots: 00:00 comes twice, 00:30 once."""
    found = cron(ZoneInfo("America/St_Johns"), ALL_HOURS, [0, 30], days=1)
    assert of(found, "2009-11-01T02:00", "2009-11-01T05:00") == ["01 02:30", "01 03:30", "01 04:00", "01 04:30"]


def test_looking_between_both_passes_of_an_hour_finds_all_of_the_second() -> None:
    """Berlin, 25 October 2026, from 02:50 of the first pass on."""
    found = cron(BERLIN, ALL_HOURS, [0, 20, 40])
    slots = ["25 01:00", "25 01:20", "25 01:40", "25 02:00"]
    assert of(found, "2026-10-25T00:50", "2026-10-25T02:01") == slots
    assert of(found, "2026-10-25T01:00", "2026-10-25T02:01") == slots


def test_a_crontab_of_every_hour_has_no_slot_in_a_gap() -> None:
    """Lord Howe, 4 October 2026: 02:00 (15:30 UTC the day before) -> 02:30."""
    found = cron(LORD_HOWE, ALL_HOURS, 0)
    assert of(found, "2026-10-03T14:00", "2026-10-03T17:30") == ["03 14:30", "03 16:00", "03 17:00"]


def test_hours_are_fixed_as_soon_as_one_is_missing() -> None:
    """Berlin, 25 October 2026: 02:30 comes once."""
    found = cron(BERLIN, [hour for hour in ALL_HOURS if hour != 12], 30)
    assert of(found, "2026-10-24T23:00", "2026-10-25T03:00") == ["24 23:30", "25 00:30", "25 02:30"]


@pytest.mark.parametrize("hours", [[1, 2, 3], ALL_HOURS])
def test_after_a_slot_comes_the_next_one(hours: Numbers) -> None:
    found = cron(BERLIN, hours, [0, 30])
    slots = list(islice(found.after(utc("2026-10-24T20:00")), 30))
    assert [next(found.after(slot)) for slot in slots] == [*slots[1:], next(found.after(slots[-1]))]
    assert len(set(slots)) == 30


def test_all_fields_of_a_crontab_must_fit() -> None:
    """Celery's meaning: the 13th, if it is a Friday."""
    slots = list(islice(cron(BERLIN, 9, 0, weekdays=5, days=13).after(utc("2026-01-01")), 3))
    assert [f"{slot:%F}" for slot in slots] == ["2026-02-13", "2026-03-13", "2026-11-13"]


def test_a_crontab_that_never_comes_ends() -> None:
    def yearly(day: int, weekdays: Numbers = range(7)) -> Cron:
        """In February."""
        return replace(cron(ZoneInfo("UTC"), 0, 0, weekdays, day), months=frozenset([2]))

    assert next(yearly(29).after(utc("2097-01-01"))) == utc("2104-02-29")
    assert next(yearly(29, weekdays=1).after(utc("2026-01-01"))) == utc("2044-02-29")
    assert list(yearly(30).after(utc("2026-01-01"))) == []


def test_an_interval_counts_from_its_first_slot() -> None:
    found = Timing(Every(utc("2026-01-01T10:00"), timedelta(minutes=7)))
    assert found.next(utc("2025-01-01"), 2) == [utc("2026-01-01T10:00"), utc("2026-01-01T10:07")]
    assert found.next(utc("2026-01-01T10:07"), 1) == [utc("2026-01-01T10:14")]
    due = found.due(utc("2026-01-01T10:00"), utc("2026-01-01T10:21"), 2)
    assert due == (3, utc("2026-01-01T10:07"), [utc("2026-01-01T10:14"), utc("2026-01-01T10:21")])
    assert found.due(utc("2026-01-01T10:21"), utc("2026-01-01T10:27"), 2) == (0, None, [])
    assert found.due(utc("2027-01-01T10:21"), utc("2026-01-01T10:27"), 2).total == 0


def test_a_year_of_seconds_is_counted_without_a_walk() -> None:
    due = Timing(Every(utc("2026-01-01"), timedelta(seconds=1))).due(utc("2026-01-01"), utc("2027-01-01"), 3)
    assert due.total == 365 * 86400
    assert due.latest[-1] == utc("2027-01-01") and len(due.latest) == 3


def test_a_moment_comes_once_and_bounds_are_kept() -> None:
    once = Timing(Once(utc("2026-05-01")))
    assert once.next(utc("2026-04-01"), 5) == [utc("2026-05-01")]
    assert once.next(utc("2026-05-01"), 5) == []
    bounded = Timing(cron(BERLIN, 3, 0), begins=utc("2026-05-02T01:00"), ends=utc("2026-05-04T01:00"))
    assert [f"{slot:%d}" for slot in bounded.next(utc("2026-01-01"), 9)] == ["02", "03", "04"]
    assert bounded.due(utc("2026-01-01"), utc("2027-01-01"), 2).total == 3


ZONES = sorted(available_timezones())
FIELDS = {
    "hours": st.one_of(st.just(frozenset(range(24))), st.frozensets(st.integers(0, 23), min_size=1, max_size=4)),
    "minutes": st.frozensets(st.integers(0, 59), min_size=1, max_size=5),
    "days": st.one_of(st.just(frozenset(range(1, 32))), st.frozensets(st.integers(1, 31), min_size=1, max_size=20)),
    "zone": st.sampled_from(ZONES),
    "year": st.integers(1990, 2036),
    "which": st.integers(0, 3),
}


def changes(zone: ZoneInfo, year: int) -> list[datetime]:
    """Days before which clocks changed, and New Year."""
    days = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(365)]
    pairs = pairwise(days)
    return [days[0], *(b for a, b in pairs if a.astimezone(zone).utcoffset() != b.astimezone(zone).utcoffset())]


@given(**FIELDS)
@settings(max_examples=60, deadline=None)
def test_each_wall_time_of_each_day_has_its_slot(
    hours: frozenset[int], minutes: frozenset[int], days: frozenset[int], zone: str, year: int, which: int
) -> None:
    """Against the definition, minute by minute of elapsed time, around the days on which clocks change."""
    where = ZoneInfo(zone)
    around = changes(where, year)
    start = around[which % len(around)] - timedelta(days=1)
    end = start + timedelta(days=2)
    expected, seen = [], set()
    at = start - timedelta(days=2)
    previous = (at - timedelta(minutes=1)).astimezone(where).replace(tzinfo=None)
    while at < end:
        wall = at.astimezone(where).replace(tzinfo=None, second=0)
        # Everything between the last minute's wall time and this one was skipped.
        skipped = [previous + timedelta(minutes=n) for n in range(1, int((wall - previous).total_seconds() // 60))]
        fits = [one for one in [*skipped, wall] if one.hour in hours and one.minute in minutes and one.day in days]
        if len(hours) == 24:
            fits = [one for one in fits if one == wall]
        else:
            fits = [one for one in fits if one not in seen]
            seen.update(fits)
        if fits and at >= start:
            expected.append(at)
        previous, at = wall, at + timedelta(minutes=1)
    found = Cron(minutes, hours, days, frozenset(range(1, 13)), frozenset(range(7)), where)
    slots = list(takewhile(lambda slot: slot < end, found.after(start - timedelta(microseconds=1))))
    if all(_whole_minutes(where, start + timedelta(hours=h)) for h in range(-48, 73, 12)):
        assert slots == expected
    assert slots == sorted(set(slots))


def _whole_minutes(zone: ZoneInfo, at: datetime) -> bool:
    offset = at.astimezone(zone).utcoffset()
    return offset is not None and offset.total_seconds() % 60 == 0


@given(
    pauses=st.lists(st.integers(1, 5000), min_size=1, max_size=40),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    begin=st.datetimes(datetime(2026, 3, 1), datetime(2026, 11, 10)),
    hours=st.sampled_from([range(0, 24, 5), ALL_HOURS]),
)
@settings(max_examples=60, deadline=None)
def test_however_often_one_looks_each_slot_is_due_once(
    pauses: list[int], zone: str, begin: datetime, hours: range
) -> None:
    start = begin.replace(tzinfo=UTC)
    timing = Timing(cron(ZoneInfo(zone), hours, range(0, 60, 7)))
    looks = [start]
    for pause in pauses:
        looks.append(looks[-1] + timedelta(seconds=pause))
    found = [slot for a, b in pairwise(looks) for slot in timing.due(a, b, 10_000).latest]
    assert found == timing.due(start, looks[-1], 100_000).latest
