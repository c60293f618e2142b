"""What somebody may do, by all policies that hold for them. Pure, but for what reads them from the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from policy.hosts import Pattern, parse
from policy.models import InstallationLimits, Policy

User = AbstractBaseUser | AnonymousUser | None
TARGETS: Final = "targets"


@dataclass(frozen=True)
class Limits:
    """None: no limit. Names as in `policy.models`."""

    targets: tuple[Pattern, ...] | None = None
    users: int | None = None
    arrivals_per_s: float | None = None
    turns_per_s: float | None = None
    duration_s: float | None = None
    tokens: int | None = None
    cost: float | None = None
    person_users: int | None = None
    person_arrivals_per_s: float | None = None
    person_day_turns: int | None = None
    person_day_tokens: int | None = None
    person_day_cost: float | None = None
    approve_users: int | None = None
    approve_arrivals_per_s: float | None = None
    approve_duration_s: float | None = None
    approve_tokens: int | None = None
    approve_cost: float | None = None


@dataclass(frozen=True)
class SiteLimits:
    """Of everybody together. None: no limit."""

    users: int | None = None
    arrivals_per_s: float | None = None
    day_turns: int | None = None
    day_tokens: int | None = None
    day_cost: float | None = None


UNLIMITED: Final = Limits()
NUMBERS: Final = tuple(field.name for field in fields(Limits) if field.name != TARGETS)


def widest(granted: Sequence[Limits]) -> Limits:
    """Of each limit the widest, because each policy grants something."""
    if not granted:
        return UNLIMITED
    numbers = {name: _largest([getattr(one, name) for one in granted]) for name in NUMBERS}
    lists = [one.targets for one in granted]
    joined = None if None in lists else tuple(dict.fromkeys(p for patterns in lists for p in patterns or ()))
    return Limits(targets=joined, **numbers)


def _largest(values: Sequence[Any]) -> Any:
    return None if None in values else max(values)


def limits_for(user: User) -> Limits:
    """The policies of the user's groups; without any the default, which also holds for the command line and for
    schedules that nobody owns."""
    rows = list(Policy.objects.filter(group__user=user.pk)) if user is not None and user.is_authenticated else []
    rows = rows or list(Policy.objects.filter(group=None))
    if getattr(user, "is_superuser", False) and not all(row.binds_superusers for row in rows):
        return UNLIMITED
    return widest([_limits(row) for row in rows])


def site_limits_for(user: User) -> SiteLimits:
    """Of the whole installation, as far as they bind this user."""
    row = InstallationLimits.objects.filter(pk=InstallationLimits.ONLY).first()
    if row is None or (getattr(user, "is_superuser", False) and not row.binds_superusers):
        return SiteLimits()
    return SiteLimits(**{field.name: getattr(row, field.name) for field in fields(SiteLimits)})


def _limits(row: Policy) -> Limits:
    patterns = parse(row.targets)
    return Limits(targets=patterns or None, **{name: getattr(row, name) for name in NUMBERS})
