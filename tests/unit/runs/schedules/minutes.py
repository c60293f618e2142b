"""Schedules of one run per minute, and their slots by the minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from runs.models import PlanSchedule, Run, RunStatus
from runs.schedules.services import (
    create_schedule,
)
from tests.integration.web import made_up

T0 = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
"""The day before Berlin's clocks go forward."""


def a_schedule(when: dict[str, Any] | None = None, **more: Any) -> PlanSchedule:
    plan = more.pop("plan", None) or made_up.plan()
    return create_schedule(
        name=f"schedule of {plan}", plan=plan, when=when or {"every": 1, "period": "minutes"}, **more
    )


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def end(run: Run | None) -> None:
    assert run is not None
    Run.objects.filter(pk=run.pk).update(status=RunStatus.COMPLETED)


def rows(schedule: PlanSchedule) -> list[tuple[float, str]]:
    """(minutes since T0, status) of each slot, in order."""
    found = schedule.slots.order_by("slot_at")
    return [((slot.slot_at - T0).total_seconds() / 60, slot.status) for slot in found]
