"""Turns in the read-only admin. There are millions of rows, so it avoids counts, joins and text search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.paginator import InfinitePaginator

from inputs.admin_lookups import READ_TEXTS, SealedColumns
from inputs.admin_read_only import ReadOnly
from metrics.columns import OUTCOMES
from metrics.earlier_names import present_code
from metrics.models import SessionMetric
from metrics.number_format import number
from metrics.storage.rows import TEXTS

if TYPE_CHECKING:  # django-unfold has no types: its classes behave like Django's own
    from django.contrib.admin import ModelAdmin

    TurnBase = ModelAdmin[SessionMetric]
else:
    from unfold.admin import ModelAdmin as TurnBase

NS_PER_MS = 1e6


class OutcomeFilter(admin.SimpleListFilter):
    """The words are known: Django's own filter would read every row to find them."""

    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word, word) for word in OUTCOMES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SessionMetric]) -> QuerySet[SessionMetric]:
        return queryset.filter(outcome=self.value()) if self.value() else queryset


@admin.register(SessionMetric)
class SessionMetricAdmin(SealedColumns, ReadOnly, TurnBase):
    texts = TEXTS
    list_display = ["id", "run_id", "session_id", "number", "outcome", "present", "ttft", "e2e", "tokens_out"]
    list_filter = [OutcomeFilter]
    ordering = ["-id"]
    list_per_page = 100
    paginator = InfinitePaginator
    show_full_result_count = False
    actions = None
    search_fields = ["=id"]
    fieldsets = [
        (None, {"fields": ["id", "run_id", "session_id", "number", "outcome", "present", "detail"]}),
        ("Text", {"fields": ["message", "answer", "tool_calls", "repetition"]}),
        (
            "Times, ns since the shard's start",
            {
                "fields": [
                    "planned_ns",
                    "sent_ns",
                    "first_byte_ns",
                    "first_chunk_ns",
                    "first_content_ns",
                    "last_content_ns",
                    "done_ns",
                    "handshake",
                ]
            },
        ),
        (
            "Amounts",
            {
                "fields": [
                    "chunks",
                    "bytes_in",
                    "bytes_out",
                    "tokens_in",
                    "tokens_out",
                    "tokens_reasoning",
                    "tokens_source",
                ]
            },
        ),
    ]
    readonly_fields = ["run_id", "session_id", "present"]

    def get_fieldsets(self, request: HttpRequest, obj: SessionMetric | None = None) -> Any:
        found = super().get_fieldsets(request, obj)
        if request.user.has_perm(READ_TEXTS):
            return found
        return [
            (head, {**options, "fields": [name for name in options["fields"] if name not in TEXTS]})
            for head, options in found
        ]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        allowed = {"run__id__exact", "session__id__exact"}
        return lookup in allowed or super().lookup_allowed(lookup, value, request)

    @admin.display(description="code", ordering="code")
    def present(self, turn: SessionMetric) -> str | None:
        return present_code(turn.code)

    @admin.display(description="TTFT (ms)")
    def ttft(self, turn: SessionMetric) -> str:
        return _span_ms(turn.sent_ns, turn.first_content_ns)

    @admin.display(description="Whole turn (ms)")
    def e2e(self, turn: SessionMetric) -> str:
        return _span_ms(turn.sent_ns, turn.done_ns)


def _span_ms(start_ns: int | None, end_ns: int | None) -> str:
    return number(None if start_ns is None or end_ns is None else (end_ns - start_ns) / NS_PER_MS)
