"""Content security policy of pages that show a target's texts, so that injected markup cannot run or call out."""

from __future__ import annotations

from typing import Final, TypeVar

from django.http import HttpResponseBase

Response = TypeVar("Response", bound=HttpResponseBase)

POLICY: Final = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' 'unsafe-eval'",  # the admin theme's Alpine evaluates its attributes
        "style-src 'self' 'unsafe-inline'",  # the admin theme writes its colours into the page
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)


def with_policy(response: Response) -> Response:
    """The response with the policy's header."""
    response.headers["Content-Security-Policy"] = POLICY
    return response
