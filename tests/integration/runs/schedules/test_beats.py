"""Several beats, of which one leads: none of their deaths loses a slot, and no slot is run twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runs import db_clock
from runs.models import Leader, PlanSchedule, Run, ScheduleSlot, Webhook
from runs.schedules.services import create_schedule
from runs.schedules.starter import slots_of, start_due
from runs.services import stop_run
from runs.webhooks.secrets import give_secrets
from tests.integration.runs.conftest import Start
from tests.integration.web import made_up
from tests.support.processes import ROOT, child_env, read_json_line
from tests.support.runs import alive, at_once, until
from tests.support.servers.receiver import Receiver, receiving
from tokenburn_site.local.process_groups import ProcessGroups

BEGIN = datetime(2050, 3, 27, 0, 30, tzinfo=UTC)
"""Half an hour later, Berlin's clocks go forward. Later than any database's own clock, which sets other columns."""
HOUR = timedelta(hours=1)
SPEED = 1000.0
CATCH_UP: dict[str, Any] = {"missed": "run_all", "catch_up": 100, "grace_s": 24 * 3600, "overlap": "allow"}
"""At this speed, a grace of an hour would be over while a busy machine finds its next leader."""


def next_leader(killed: list[int]) -> int:
    """Wait for a beat that leads and was not killed; its process."""
    found: list[int] = []

    def leads() -> bool:
        holder = Leader.objects.filter(name="beat", until__gt=db_clock.DbNow()).values_list("holder", flat=True).first()
        pid = int(holder.split("/")[1]) if holder else 0
        found.append(pid)
        return pid > 0 and pid not in killed

    until(leads, 20, "a leader")
    return found[-1]


def schedules_of_an_hour(monkeypatch: pytest.MonkeyPatch) -> list[PlanSchedule]:
    """All were created at BEGIN; the first has a slot each minute."""
    with monkeypatch.context() as patch:
        patch.setattr(db_clock, "now", lambda: BEGIN)
        whens = [
            {"crontab": "* * * * *", "time_zone": "Europe/Berlin"},
            {"crontab": "*/10 1,2,3 * * *", "time_zone": "Europe/Berlin"},
            {"every": 45, "period": "seconds"},
            {"at": (BEGIN + HOUR / 2).isoformat()},
        ]
        return [create_schedule(name=str(w), plan=made_up.plan(), when=w, **CATCH_UP) for w in whens]


def kill_five_leaders(nursery: subprocess.Popen[bytes], began: float) -> None:
    """One each sixth of the hour that began then. Two beats are there, and another begins for each that is killed."""

    def start() -> None:
        assert nursery.stdin is not None
        nursery.stdin.write(b"beat\n")
        read_json_line(nursery)

    read_json_line(nursery)
    start()
    start()
    killed: list[int] = []
    for number in range(5):
        time.sleep(max(0.0, began + (number + 1) * 3600 / SPEED / 6 - time.monotonic()))
        killed.append(next_leader(killed))
        os.kill(killed[-1], signal.SIGKILL)
        start()
    assert len(set(killed)) == 5


@pytest.mark.usefixtures("postgres_database")
def test_an_hour_with_five_killed_leaders_doubles_and_loses_no_slot(
    family: ProcessGroups, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedules = schedules_of_an_hour(monkeypatch)
    expected = {schedule.pk: slots_of(schedule).due(BEGIN, BEGIN + HOUR, 1000).latest for schedule in schedules}
    # 01:40 and 01:50 and, for all that the gap skips, 03:00 on the wall; then 03:10 to 03:30.
    assert [len(slots) for slots in expected.values()] == [60, 6, 80, 1]

    log = (tmp_path / "beats.log").open("wb")
    argv = (sys.executable, "-m", "tests.support.beats", BEGIN.isoformat(), str(SPEED))
    nursery = family.start(
        argv, cwd=ROOT, env=child_env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0
    )
    began = time.monotonic()
    try:
        kill_five_leaders(nursery, began)
        last = BEGIN + HOUR - timedelta(seconds=1)
        minutely = PlanSchedule.objects.filter(pk=schedules[0].pk)
        until(lambda: minutely.get().handled_until >= last, 40, "the end of the hour")
        until(lambda: not (rest(expected)), 60, "the last slots")
    finally:
        family.kill(nursery)
        assert nursery.stdin is not None and nursery.stdout is not None
        nursery.stdin.close()
        nursery.stdout.close()
        log.close()
    found = ScheduleSlot.objects.filter(slot_at__lte=BEGIN + HOUR)
    assert Counter(found.values_list("status", flat=True)) == {"started": 147}
    runs = list(found.values_list("run_id", flat=True))
    assert None not in runs and len(set(runs)) == 147, "0 doubled"
    assert Run.objects.filter(slot=None).count() == 0, "no run without its slot"


def rest(expected: dict[int, list[datetime]]) -> list[tuple[int, datetime]]:
    """Expected slots that have no row."""
    rows = set(ScheduleSlot.objects.values_list("schedule_id", "slot_at"))
    return [(pk, slot) for pk, slots in expected.items() for slot in slots if (pk, slot) not in rows]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("valkey")
def test_real_beats_go_on_within_seconds_after_the_leader_is_killed(
    family: ProcessGroups, start_worker: Start, tmp_path: Path, receiver: Receiver
) -> None:
    """A worker also notifies a webhook of a run's end."""
    schedule = create_schedule(
        name="each second",
        plan=made_up.plan(),
        when={"every": 1, "period": "seconds"},
        missed="run_all",
        catch_up=100,
        overlap="allow",
    )
    hook = Webhook(name="hook", schedule=schedule)
    give_secrets(hook, url=receiver.url)
    hook.save()
    argv = (sys.executable, "-m", "celery", "-A", "tokenburn_site", "beat", "--pidfile", "")
    with (tmp_path / "beat.log").open("wb") as log:
        beats = [family.start(argv, cwd=ROOT, env=child_env(), stdout=log, stderr=log) for _ in range(2)]
    start_worker("control", "-c", "2")
    try:
        until(lambda: schedule.slots.count() >= 3, 60, "the first slots")
        ended = schedule.slots.earliest("slot_at").run
        assert ended is not None and stop_run(ended)
        first = next_leader([])
        assert first in {beat.pid for beat in beats}
        os.kill(first, signal.SIGKILL)
        assert alive(next_leader([first]))
        # One second of each slot has passed: existing runs were started by the other one.
        reached = db_clock.now()
        until(lambda: schedule.slots.filter(slot_at__gt=reached).count() >= 2, 30, "slots of the next leader")
        until(lambda: len(receiver.got) > 0, 30, "the webhook's message")
    finally:
        for beat in beats:
            family.kill(beat)
    slots = list(schedule.slots.order_by("slot_at").values_list("slot_at", "status", "run_id"))
    assert {status for _, status, _ in slots} == {"started"}
    assert len({run for _, _, run in slots}) == len(slots)
    assert [json.loads(body)["run"]["id"] for _, _, body in receiver.got] == [ended.pk]
    moments = [slot for slot, *_ in slots]
    assert [slot - moments[0] for slot in moments] == [timedelta(seconds=n) for n in range(len(moments))]


@pytest.mark.usefixtures("any_database")
def test_any_number_that_look_at_once_start_each_slot_once() -> None:
    """As two leaders would by mistake, and control workers that get a message twice."""
    now = db_clock.now()
    plan = made_up.plan()
    names = ("one", "another")
    when = {"every": 1, "period": "seconds"}
    schedules = [create_schedule(name=name, plan=plan, when=when, **CATCH_UP) for name in names]

    def look() -> None:
        for second in range(1, 6):
            start_due(now + timedelta(seconds=second))

    at_once(*[look] * 6)
    for schedule in schedules:
        slots = list(schedule.slots.values_list("status", flat=True))
        assert slots in (["started"] * 4, ["started"] * 5), "a whole second may lie before the first look"
    assert Run.objects.count() == ScheduleSlot.objects.count() == Run.objects.exclude(slot=None).count()
