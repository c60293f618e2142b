"""The audit log in the admin, read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from unfold.paginator import InfinitePaginator

from audit.models import AuditEvent
from inputs.admin_read_only import ReadOnly

if TYPE_CHECKING:  # django-unfold has no types: its classes behave like Django's own
    from django.contrib.admin import ModelAdmin

    EventBase = ModelAdmin[AuditEvent]
else:
    from unfold.admin import ModelAdmin as EventBase


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly, EventBase):
    list_display = ["at", "user_name", "action", "outcome", "kind", "text", "door", "address"]
    list_filter = ["outcome", "door", "at"]
    search_fields = ["=user_name", "=action", "=key", "=address"]
    search_help_text = "A user, an action, the id of a row, or an address: whole words"
    ordering = ["-id"]
    list_per_page = 100
    paginator = InfinitePaginator
    show_full_result_count = False
    actions: Any = None
