"""Runs, shards and sessions in the admin, read-only."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.paginator import InfinitePaginator

from inputs.admin_lookups import SealedColumns
from inputs.admin_read_only import ReadOnly
from metrics.earlier_names import TRUNCATED, present_code, session_end
from metrics.end_codes import plain_reason
from metrics.ingest.lines import SESSION_OUTCOMES
from metrics.number_format import exact
from runs.admin.approvals import ApprovalActions
from runs.completion.deletion import delete_run, deletion_problem
from runs.models import Run, Session, Shard
from runs.permissions import may_control, may_read_texts, may_view
from runs.reporting.formatting import duration_text, load_json, load_text, moment_text, status_badge
from runs.reporting.texts import without_texts
from runs.services import can_stop, stop_run
from scenarios.definition.folding import folded

if TYPE_CHECKING:  # django-unfold has no types: its classes behave like Django's own
    from django.contrib.admin import ModelAdmin, TabularInline

    RunBase = ModelAdmin[Run]
    SessionBase = ModelAdmin[Session]
    ShardBase = TabularInline[Shard, Run]
else:
    from unfold.admin import ModelAdmin as RunBase
    from unfold.admin import ModelAdmin as SessionBase
    from unfold.admin import TabularInline as ShardBase


class OfRuns(ReadOnly):
    """Rows that only engines and workers write. They are deleted only with their run."""

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may_view(request.user)


def _why(name: Any, request: HttpRequest) -> Any:
    return "why" if name == "reason" and not may_read_texts(request.user) else name


class ShardInline(OfRuns, ShardBase):
    model = Shard
    fields = ["index", "badge", "reason", "host", "version", "engine_pid", "ledger_path", "ledger_offset", "ended_at"]
    readonly_fields = ["badge", "why"]
    extra = 0

    @admin.display(description="Status")
    def badge(self, shard: Shard) -> SafeString:
        return status_badge(shard.status)

    @admin.display(description="Reason")
    def why(self, shard: Shard) -> str:
        return plain_reason(shard.end_code, shard.reason)

    def get_fields(self, request: HttpRequest, obj: Run | None = None) -> Any:
        return [_why(name, request) for name in super().get_fields(request, obj)]


@admin.register(Run)
class RunAdmin(SealedColumns, OfRuns, ApprovalActions, RunBase):
    texts = frozenset({"reason", "report", "scenario_specs"})
    list_display = ["label", "badge", "target_name", "load_words", "created", "duration", "pages"]
    list_display_links = ["label"]
    list_filter = ["status", "created_at", "plan", "local"]
    search_fields = ["=id", "name"]
    search_help_text = "The number of a run, or part of its name"
    inlines = [ShardInline]
    actions = ["stop_runs", "approve_runs", "refuse_runs"]
    change_form_outer_before_template = "runs/admin/run_tools.html"
    fieldsets = [
        (None, {"fields": ["badge", "reason", "plan", "requested_by", "scheduled", "local", "seed"]}),
        ("Times", {"fields": ["created", "started", "stop_requested", "ended", "duration"]}),
        (
            "What it runs, as it was when the run was requested",
            {
                "classes": ["collapse"],
                "fields": ["load_shown", "thresholds", "abort_on_fail", "target_spec", "scenarios"],
            },
        ),
    ]
    readonly_fields = ["badge", "scheduled", "load_shown", "scenarios", "created", "started", "stop_requested", "ended"]
    readonly_fields += ["duration"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        """The list needs one name from the frozen specs, so it does not load the specs and the report."""
        found = super().get_queryset(request)
        return found.defer("scenario_specs", "report", "sealed_secrets")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Run | None:
        found = super().get_object(request, object_id, from_field)
        return found if found is None or may_read_texts(request.user) else without_texts(found)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("runs.delete_run")

    def get_deleted_objects(
        self, objs: Iterable[Run], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """What the page lists before it deletes: the runs only, because Django would load every turn to name it. Runs
        in progress block the deletion, with the reason."""
        runs = list(objs)
        problems = [why for run in runs if (why := deletion_problem(run))]
        names = [f"{run}, with its turns, report and ledgers" for run in runs]
        return names, {"runs": len(runs)}, set(), problems

    def delete_model(self, request: HttpRequest, obj: Run) -> None:
        delete_run(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        for run in queryset:
            delete_run(run)

    @admin.display(description="Scenario specs")
    def scenarios(self, run: Run) -> SafeString:
        """Shows long data as a summary: a run may have megabytes of it."""
        parts = [{**part, "scenario": folded(part["scenario"])} for part in run.scenario_specs]
        return format_html('<pre class="tb-spec">{}</pre>', json.dumps(parts, ensure_ascii=False, indent=2))

    def has_stop_permission(self, request: HttpRequest) -> bool:
        return may_control(request.user)

    @admin.display(description="Run", ordering="id")
    def label(self, run: Run) -> str:
        return f"{run.pk} · {run.name}"

    @admin.display(description="Status", ordering="status")
    def badge(self, run: Run) -> SafeString:
        return status_badge(run.status)

    @admin.display(description="Schedule")
    def scheduled(self, run: Run) -> SafeString | str:
        """The schedule that started the run, and the slot."""
        slot = getattr(run, "slot", None)
        if slot is None:
            return "none"
        address = reverse("admin:runs_planschedule_change", args=[slot.schedule_id])
        return format_html('<a class="tb-link" href="{}">{}</a>, {}', address, slot.schedule, moment_text(slot.slot_at))

    @admin.display(description="Target")
    def target_name(self, run: Run) -> str:
        return str(run.target_spec.get("name", ""))

    @admin.display(description="Load")
    def load_words(self, run: Run) -> str:
        return load_text(run.load)

    @admin.display(description="Load")
    def load_shown(self, run: Run) -> SafeString:
        return load_json(run.load)

    @admin.display(description="Requested", ordering="created_at")
    def created(self, run: Run) -> str:
        return moment_text(run.created_at)

    @admin.display(description="Started", ordering="start_at")
    def started(self, run: Run) -> str:
        return moment_text(run.start_at)

    @admin.display(description="Stop requested")
    def stop_requested(self, run: Run) -> str:
        return moment_text(run.stop_requested_at)

    @admin.display(description="Ended", ordering="ended_at")
    def ended(self, run: Run) -> str:
        return moment_text(run.ended_at)

    @admin.display(description="Duration")
    def duration(self, run: Run) -> str:
        return duration_text(run)

    @admin.display(description="Pages")
    def pages(self, run: Run) -> SafeString:
        return format_html(
            '<a class="tb-link" href="{}">Live</a> <a class="tb-link" href="{}">Report</a>',
            reverse("runs:live", args=[run.pk]),
            reverse("runs:report", args=[run.pk]),
        )

    @admin.action(description="Stop", permissions=["stop"])
    def stop_runs(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        for run in queryset:
            if stop_run(run, f"stopped by {request.user}"):
                self.message_user(request, f"{run} is stopping.", messages.SUCCESS)
            else:
                self.message_user(request, f"{run} is {run.status}: there is nothing to stop.", messages.WARNING)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        run = self.get_object(request, object_id)
        stoppable = run is not None and may_control(request.user) and can_stop(run)
        return super().change_view(request, object_id, form_url, (extra_context or {}) | {"may_stop": stoppable})


class OutcomeFilter(admin.SimpleListFilter):
    """The choices are known; Django's own filter would read every row to find them."""

    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "open"), *((word, word) for word in SESSION_OUTCOMES)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Session]) -> QuerySet[Session]:
        word = self.value()
        if not word:
            return queryset
        stored = {"open": [""], TRUNCATED: [TRUNCATED, "cut"]}  # rows of an earlier version have the earlier name
        return queryset.filter(outcome__in=stored.get(word, [word]))


@admin.register(Session)
class SessionAdmin(OfRuns, SessionBase):
    """For millions of rows: no count, no text search, no lookup of related rows."""

    list_display = ["id", "run_id", "user_no", "scenario", "model", "end", "present", "turns", "started"]
    list_filter = [OutcomeFilter]
    ordering = ["-id"]
    list_per_page = 100
    paginator = InfinitePaginator
    show_full_result_count = False
    actions = None
    fields = ["id", "run", "shard", "user_no", "scenario", "model", "params", "end", "present", "turns", "started"]
    fields += ["ended_ns"]
    search_fields = ["=id"]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup == "run__id__exact" or super().lookup_allowed(lookup, value, request)

    @admin.display(description="outcome", ordering="outcome")
    def end(self, session: Session) -> str:
        return session_end(session.outcome)

    @admin.display(description="code", ordering="code")
    def present(self, session: Session) -> str | None:
        return present_code(session.code)

    @admin.display(description="Started (s)", ordering="started_ns")
    def started(self, session: Session) -> str:
        return exact(session.started_ns / 1e9)
