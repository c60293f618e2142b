"""Refusals of a policy as those of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from audit.services import record
from policy.panic import closed
from policy.targets import NotAllowedError
from runs.models import TestPlan
from runs.planning.errors import RequestError

T = TypeVar("T")


def refuse_if_closed() -> None:
    """Raises RequestError while the emergency stop is on."""
    if why := closed():
        raise RequestError("closed", why)


def permitted(work: Callable[[], T]) -> T:
    """Raises RequestError where a quota does not suffice."""
    try:
        return work()
    except NotAllowedError as exc:
        raise RequestError("quota_used", str(exc), exc.field) from exc


@contextmanager
def refusals_recorded(user: Any, plan: TestPlan | None = None) -> Iterator[None]:
    """What is refused to `user` stands in the audit log."""
    try:
        yield
    except RequestError as exc:
        record("run.start", user=user, on=plan, outcome="refused", details={"code": exc.code, "why": str(exc)})
        raise
