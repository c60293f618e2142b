"""`/.well-known/security.txt` (RFC 9116): whom to tell about a weakness of this site."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

PATH: Final = ".well-known/security.txt"
VALID: Final = timedelta(days=90)
"""Counted from each request: the file is as current as the site's settings."""


@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    if not settings.SECURITY_CONTACT:
        raise Http404("TOKENBURN_SECURITY_CONTACT is not set")
    expires = (datetime.now(UTC) + VALID).replace(microsecond=0)
    lines = [f"Contact: {settings.SECURITY_CONTACT}", f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}"]
    if settings.SITE_URL:
        lines.append(f"Canonical: {settings.SITE_URL.rstrip('/')}/{PATH}")
    return HttpResponse("".join(f"{line}\n" for line in lines), content_type="text/plain; charset=utf-8")
