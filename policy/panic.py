"""Whether the emergency stop is on. `runs.panic` switches it."""

from __future__ import annotations

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


def let_go(task_id: int) -> None:
    """Somebody decided about this schedule while the stop is on: the undo leaves it as it is then."""
    panic = current()
    if panic is not None and task_id in panic.paused_tasks:
        panic.paused_tasks = [pk for pk in panic.paused_tasks if pk != task_id]
        panic.save(update_fields=["paused_tasks"])
