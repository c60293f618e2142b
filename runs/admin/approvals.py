"""Actions on runs that wait for approval."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from runs.approval import ApprovalError, approve, may_approve, refuse
from runs.models import Run

if TYPE_CHECKING:  # what it is mixed into
    Base = admin.ModelAdmin[Run]
else:
    Base = object


class ApprovalActions(Base):
    """Of the list of runs."""

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return may_approve(request.user)

    @admin.action(description="Approve", permissions=["approve"])
    def approve_runs(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        self._decide(request, queryset, lambda run: approve(run, request.user), "is approved and queued")

    @admin.action(description="Refuse to approve", permissions=["approve"])
    def refuse_runs(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        self._decide(request, queryset, lambda run: refuse(run, request.user), "is refused")

    def _decide(self, request: HttpRequest, queryset: QuerySet[Run], work: Callable[[Run], None], done: str) -> None:
        for run in queryset:
            try:
                work(run)
            except ApprovalError as exc:
                self.message_user(request, f"{run}: {exc}", messages.ERROR)
            else:
                self.message_user(request, f"{run} {done}.", messages.SUCCESS)
