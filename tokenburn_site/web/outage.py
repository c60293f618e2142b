"""Responses of API and pages while the database is unavailable: 503 with Retry-After instead of a traceback."""

from __future__ import annotations

import logging
import sqlite3
import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.deprecation import MiddlewareMixin
from django.views.defaults import server_error as plain_server_error

from runs.db_clock import DATABASE_AWAY

logger = logging.getLogger(__name__)
RETRY_AFTER_S = 5
DETAIL = "The database does not answer at the moment; try again in a few seconds."
"""Public text: it contains no host and no user. The log has the cause."""


class DatabaseOutageMiddleware(MiddlewareMixin):
    """Turns an unavailable database, in any view, into 503."""

    def process_exception(self, request: HttpRequest, exc: Exception) -> HttpResponse | None:
        return unavailable(request, exc) if is_outage(exc) else None


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`: for what another middleware asked of the database."""
    exc = sys.exc_info()[1]
    if exc is not None and is_outage(exc):
        return unavailable(request, exc)
    return plain_server_error(request)


def is_outage(exc: BaseException) -> bool:
    """Whether the same request may succeed later. SQLite says "operational" of wrong SQL too: that never heals."""
    if not isinstance(exc, DATABASE_AWAY):
        return False
    code = getattr(exc.__cause__, "sqlite_errorcode", None)
    return code != sqlite3.SQLITE_ERROR


def unavailable(request: HttpRequest, exc: BaseException) -> HttpResponse:
    """JSON for the API and for programs that ask for it, a plain page for everybody else."""
    logger.error("database_away: %s %s: %s", request.method, request.path, exc)
    headers = {"Retry-After": str(RETRY_AFTER_S), "Cache-Control": "no-store"}
    if request.path.startswith("/api/") or not request.accepts("text/html"):
        return JsonResponse({"detail": DETAIL}, status=503, headers=headers)
    page = render_to_string("tokenburn/unavailable.html", {"detail": DETAIL})
    return HttpResponse(page, status=503, headers=headers)
