"""What web requests did, where nothing else has recorded it: downloads, refusals, and deeds that no row shows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import DatabaseError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from audit.description import thing
from audit.models import AuditEvent
from audit.origin import Origin, door_of
from audit.services import coming_from, record, record_refusal

logger = logging.getLogger(__name__)
READING = frozenset({"GET", "HEAD", "OPTIONS"})
READING_LASTS = timedelta(hours=1)
"""Pages of a list that somebody reads on within this time are one event."""
REFUSALS = frozenset({401, 403, 404, 409, 429})
REDIRECT, MISTAKE, SERVER_ERROR = 300, 400, 500


class AuditMiddleware:
    """Below Django's authentication, which it asks for the user."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with coming_from(door_of(request), request) as origin:
            response = self.get_response(request)
            try:
                _note(request, response, origin)
            except DatabaseError:
                logger.exception("audit_lost: %s %s", request.method, _view(request))
        return response


def _note(request: HttpRequest, response: HttpResponseBase, origin: Origin) -> None:
    view, status = _view(request), response.status_code
    if origin.recorded or not view or view in settings.AUDIT_UNTOLD:
        return
    details = {"view": view, "status": status}
    action = f"request.{str(request.method).lower()}"
    if status in REFUSALS or (request.method not in READING and _is_refused(request, response)):
        record_refusal(action, request=request, on=_object(request), details=details)
    elif request.method in READING:
        _note_reading(request, response, view)
    elif status >= SERVER_ERROR:
        record(action, request=request, on=_object(request), outcome="failed", details=details)
    elif _is_known(request) and not _is_page(response):
        record(action, request=request, on=_object(request), details=details)


def _note_reading(request: HttpRequest, response: HttpResponseBase, view: str) -> None:
    told = settings.AUDIT_READS.get(view, "")
    is_download = "attachment" in response.headers.get("Content-Disposition", "")
    if response.status_code == 200 and (
        is_download or (told and not ("cursor" in request.GET and _goes_on(told, request)))
    ):
        record(told or "download", request=request, on=_object(request), details={"view": view})


def _is_refused(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether what was to be written was not: the request is invalid, a form came back with its errors, or the next
    page says why nothing was done."""
    status = response.status_code
    if status >= REDIRECT:
        said = getattr(messages.get_messages(request), "_queued_messages", ())
        warned = any(one.level >= messages.WARNING for one in said)
        return MISTAKE <= status < SERVER_ERROR or (status < MISTAKE and (warned or not _is_known(request)))
    shown: dict[str, Any] = getattr(response, "context_data", None) or {}
    return bool(shown.get("errors") or getattr(shown.get("form"), "errors", None))


def _is_page(response: HttpResponseBase) -> bool:
    """A page in answer to a form asks something, for example whether to delete: nothing was written yet."""
    return response.status_code == 200 and response.headers.get("Content-Type", "").startswith("text/html")


def _goes_on(action: str, request: HttpRequest) -> bool:
    """Whether a page with a cursor belongs to a reading that was recorded. The cursor alone does not show it: anybody
    can write one that stands for the first page."""
    same = {"action": action, "user_key": request.user.pk, **thing(_object(request))}
    return AuditEvent.objects.filter(at__gte=timezone.now() - READING_LASTS, **same).exists()


def _view(request: HttpRequest) -> str:
    """The name of its route; empty: there is none."""
    match = request.resolver_match
    return "" if match is None else match.view_name or match._func_path


def _object(request: HttpRequest) -> tuple[str, Any, str] | None:
    """What the address names."""
    match = request.resolver_match
    given: dict[str, Any] = match.kwargs if match else {}
    found = [given[name] for name in ("pk", "object_id", "plan_pk", "id") if name in given]
    return ("", found[0], request.path) if found else None


def _is_known(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return user is not None and bool(user.is_authenticated)
