"""Whether the emergency stop is on. `runs.panic` switches it."""

from __future__ import annotations

from django.db import transaction

from policy.models import Panic


def current() -> Panic | None:
    """The emergency stop that is on."""
    return Panic.objects.filter(is_on=True).first()


def closed() -> str:
    """Why nothing may start now, and who can change it; empty: it may."""
    panic = current()
    return "" if panic is None else f"{words(panic)}; nothing starts until an administrator undoes it"


def words(panic: Panic) -> str:
    """One line for a banner, a refusal or a terminal."""
    why = f" ({panic.reason})" if panic.reason else ""
    return f"the emergency stop has been on since {panic.began_at:%Y-%m-%d %H:%M} UTC, by {panic.began_by_name}{why}"


def locked() -> Panic | None:
    """As `current`, kept from others until the transaction ends. Never asked for under `policy.lock.one_at_a_time`: a
    scheduler holds the row of its schedule while it waits for that."""
    return Panic.objects.select_for_update().filter(is_on=True).first()


def let_go(task_id: int) -> None:
    """Somebody decided about this schedule while the stop is on: the undo leaves it as it is then."""
    panic = current()
    if panic is None or task_id not in panic.paused_tasks:
        return  # without a lock: whoever still pauses schedules holds its row, and may wait for one of the caller's
    with transaction.atomic():
        if (panic := locked()) is not None:
            panic.paused_tasks = [pk for pk in panic.paused_tasks if pk != task_id]
            panic.save(update_fields=["paused_tasks"])
