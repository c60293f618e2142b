"""Responses to requests that ask the database for what it cannot hold: refused instead of an error of the server.

Forms and serializers check what they know of. What is left is third-party fields, which hand any number on, and rows
that changed between a check and the write.
"""

from __future__ import annotations

import logging
import re
from typing import Final

from django.db import DataError, IntegrityError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.deprecation import MiddlewareMixin

logger = logging.getLogger(__name__)
TOO_LARGE: Final = "The request holds a number, a moment or a text that is larger than the database can hold."
BEYOND: Final = re.compile("SQLite|date value out of range|too large to convert|^year .* is out of range")
"""What Python says of numbers, and of moments that are outside the years 1 to 9999 in UTC."""
CONFLICT: Final = "Somebody changed the same rows at the same time, or the form is old: load it again and repeat."


class DataErrorMiddleware(MiddlewareMixin):
    def process_exception(self, request: HttpRequest, exc: Exception) -> HttpResponse | None:
        if isinstance(exc, DataError) or (isinstance(exc, OverflowError | ValueError) and BEYOND.search(str(exc))):
            logger.warning("rows_beyond: %s %s: %s", request.method, request.path, exc)
            return _refused(request, 400, TOO_LARGE)
        if isinstance(exc, IntegrityError):
            logger.warning("rows_conflict: %s %s: %s", request.method, request.path, exc)
            return _refused(request, 409, CONFLICT)
        return None


def _refused(request: HttpRequest, status: int, text: str) -> HttpResponse:
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": text}, status=status)
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
