"""Pages outside the admin: live page, report, start and stop buttons. Contains no logic."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import wraps
from typing import Any

import redis
from asgiref.sync import sync_to_async
from django.contrib import admin, messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from metrics.definitions import METRICS
from metrics.mixed_versions import version_words
from metrics.report.charts import OVER_TIME
from metrics.report.junit import junit_xml
from metrics.report.markdown import summary_md
from metrics.storage.export import csv_pieces, json_pieces
from runs import live_stream as feed
from runs.approval import may_approve
from runs.lifecycle.load_changes import SteeringError, level_now
from runs.lifecycle.transitions import RUN_TERMINAL
from runs.models import Run, RunStatus, TestPlan
from runs.permissions import may_control, may_read_texts, may_view
from runs.planning.errors import RequestError
from runs.reporting.chart_series import chart_lines, live_charts
from runs.reporting.formatting import duration_text, load_text, moment_text
from runs.reporting.page import group_names, report_context
from runs.reporting.per_user import conversations_csv, users_csv
from runs.reporting.report import collect
from runs.reporting.texts import without_texts
from runs.services import can_stop, change_load, request_run, stop_run
from runs.web.still_allowed import while_allowed
from runs.workers.availability import shown_reason

XML, MARKDOWN = "application/xml", "text/markdown; charset=utf-8"

View = Callable[..., HttpResponseBase]


def allowed(test: Callable[[Any], bool]) -> Callable[[View], View]:
    """Log in first; 403 for users who fail `test`."""

    def decorator(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not test(request.user):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return login_required(checked)

    return decorator


@require_GET
@allowed(may_view)
def live(request: HttpRequest, pk: int) -> HttpResponse:
    """The page that follows a run. A run whose stream is gone shows its stored report in the same place."""
    run = _shown(request, pk)
    context = _context(request, run, "live")
    context["config"] = {
        "run": run.pk,
        "socket": f"/ws/runs/{run.pk}/",
        "ended": context["ended"],
        "labels": _labels(),
        "changes": run.load_changes,
        "groups": group_names(run),
    }
    if context["ended"] and not _has_stream(run.pk):
        context |= report_context(run) | {"stored": True}
    return render(request, "runs/live.html", context)


@require_GET
@allowed(may_view)
def report(request: HttpRequest, pk: int) -> HttpResponse:
    run = _shown(request, pk)
    return render(request, "runs/report.html", _context(request, run, "report") | report_context(run))


@require_GET
@allowed(may_view)
def series(request: HttpRequest, pk: int) -> HttpResponse:
    """The live page's charts out of what is stored, for the part that the stream no longer holds."""
    return JsonResponse(live_charts(collect(_run(pk))))


@require_GET
@allowed(may_view)
def report_json(request: HttpRequest, pk: int) -> HttpResponse:
    """The stored report as a file, byte for byte what the API gives."""
    run = _shown(request, pk)
    if run.report is None:
        return _no_report(request, run)
    name = f"token-burn-run-{run.pk}.json"
    return JsonResponse(
        run.report,
        json_dumps_params={"indent": 2},
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@require_GET
@allowed(may_view)
def for_ci(request: HttpRequest, pk: int, kind: str) -> HttpResponse:
    """The stored report as CI tools take it: `kind` is junit or summary."""
    run = _shown(request, pk)
    if run.report is None:
        return _no_report(request, run)
    data, content_type, name = (
        (junit_xml(run.report), XML, "junit.xml")
        if kind == "junit"
        else (summary_md(run.report), MARKDOWN, "summary.md")
    )
    return HttpResponse(
        data,
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="token-burn-run-{run.pk}-{name}"'},
    )


def _no_report(request: HttpRequest, run: Run) -> HttpResponse:
    messages.warning(request, f"{run} is {run.status} and has no report yet.")
    return redirect("runs:report", run.pk)


@require_GET
@allowed(may_view)
def turns(request: HttpRequest, pk: int, kind: str) -> StreamingHttpResponse:
    """Every turn of the run as a file, streamed: `kind` is csv or json."""
    run = _run(pk)
    write = csv_pieces if kind == "csv" else json_pieces
    return _streamed(request, write(run.pk, may_read_texts(request.user)), f"token-burn-run-{run.pk}-turns.{kind}")


@require_GET
@allowed(may_view)
def people(request: HttpRequest, pk: int, kind: str) -> StreamingHttpResponse:
    """A line for each of the run's users or conversations, streamed as CSV."""
    run = _run(pk)
    write = users_csv if kind == "users" else conversations_csv
    return _streamed(request, write(run.pk), f"token-burn-run-{run.pk}-{kind}.csv")


def _streamed(request: HttpRequest, pieces: Iterator[str | bytes], name: str) -> StreamingHttpResponse:
    """A file, for as long as its user may see it."""
    pieces = while_allowed(request, pieces)
    return StreamingHttpResponse(
        in_thread(pieces) if isinstance(request, ASGIRequest) else pieces,
        content_type="text/csv; charset=utf-8" if name.endswith(".csv") else "application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def in_thread(pieces: Iterator[str | bytes]) -> AsyncIterator[str | bytes]:
    """Piece by piece from a thread: of a plain iterator Django would make a list first, a million turns long."""
    step = sync_to_async(lambda: next(pieces, None))
    while (piece := await step()) is not None:
        yield piece


@require_POST
@allowed(may_control)
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    if not stop_run(run, f"stopped by {request.user}"):
        messages.warning(request, f"{run} has already ended or is stopping: there was nothing to stop.")
    return redirect("runs:live", run.pk)


@require_POST
@allowed(may_control)
def load(request: HttpRequest, pk: int) -> HttpResponse:
    """Change the load of a running run and return to its live page."""
    run = _run(pk)
    try:
        change_load(run, float(request.POST.get("level", "")), by=str(request.user), user=request.user)
    except SteeringError as exc:
        messages.error(request, f"The load was not changed: {exc}")
    except ValueError:
        messages.error(request, "The load was not changed: give a number.")
    return redirect("runs:live", run.pk)


@require_POST
@allowed(may_control)
def start(request: HttpRequest, plan_pk: int) -> HttpResponse:
    """Start a run of a plan and go to its live page."""
    plan = get_object_or_404(TestPlan.objects.select_related("target"), pk=plan_pk)
    try:
        run = request_run(plan, user=request.user)
    except RequestError as exc:
        messages.error(request, f"No run was started: {exc}")
        return redirect("admin:runs_testplan_change", plan.pk)
    return redirect("runs:live", run.pk)


def _run(pk: int) -> Run:
    return get_object_or_404(Run.objects.select_related("plan", "requested_by").defer("sealed_secrets"), pk=pk)


def _shown(request: HttpRequest, pk: int) -> Run:
    """For reading: with as much as the user may see."""
    return _run(pk) if may_read_texts(request.user) else without_texts(_run(pk))


def _labels() -> dict[str, str]:
    return {metric.name: f"{metric.label} ({metric.unit})" for metric in METRICS}


def _has_stream(run_id: int) -> bool:
    try:
        return bool(feed.read_since(run_id, count=1))
    except (redis.RedisError, OSError):
        return False


def _target_names(spec: Mapping[str, Any]) -> list[str]:
    """Its name and its address; only the address of one that has no name of its own (`burn --url`)."""
    name, url = spec.get("name", ""), spec.get("url", "")
    return [url] if "://" in name and url.startswith(name) else [name, url]


def _context(request: HttpRequest, run: Run, page: str) -> dict[str, Any]:
    return {
        **admin.site.each_context(request),
        "title": f"Run {run.pk} · {run.name}",
        "run": run,
        "page": page,
        "ended": run.status in RUN_TERMINAL,
        "reason": shown_reason(run),
        "chart_lines": chart_lines(),
        "time_charts": OVER_TIME,
        "versions": version_words(run.version, run.shards.order_by("index").values("index", "host", "version")),
        "target_names": _target_names(run.target_spec),
        "load_words": load_text(run.load),
        "started": moment_text(run.start_at),
        "duration": duration_text(run),
        "may_read_texts": may_read_texts(request.user),
        "may_stop": may_control(request.user) and can_stop(run),
        "may_decide": run.status == RunStatus.WAITING and may_approve(request.user),
        "steer": level_now(run) if may_control(request.user) and run.status not in RUN_TERMINAL else None,
    }
