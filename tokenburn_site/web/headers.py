"""Security headers of every response: what pages may load and run, who may embed them, and that nobody stores them."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

PAGE_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # the API's documentation draws its arrows from data:
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
"""Of pages. No script and no style stands in a page itself, whoever prints it: injected markup cannot run."""
FILE_POLICY: Final = "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
"""Of everything else: it is data, even if a browser is made to show it."""
DENIED_FEATURES: Final = (
    "accelerometer",
    "autoplay",
    "camera",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "publickey-credentials-get",
    "screen-wake-lock",
    "serial",
    "usb",
    "xr-spatial-tracking",
)
COMMON: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in DENIED_FEATURES),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
NO_STORE: Final = "no-store"


def secure(response: HttpResponseBase, path: str) -> None:
    """Set all headers, also where a view has set a weaker one."""
    is_page = response.headers.get("Content-Type", "text/html").partition(";")[0].strip() == "text/html"
    response.headers["Content-Security-Policy"] = PAGE_POLICY if is_page else FILE_POLICY
    for name, value in COMMON.items():
        response.headers[name] = value
    is_static = path.startswith(settings.STATIC_URL) and response.headers.get("Cache-Control")
    if not is_static and NO_STORE not in response.headers.get("Cache-Control", ""):
        response.headers["Cache-Control"] = NO_STORE


class HeadersMiddleware(MiddlewareMixin):
    """The outermost middleware, so that it sees the responses of all others."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        secure(response, request.path)
        return response


class SecureHandler(ASGIHandler):
    """Refuses what is no request at all with the same headers: no middleware sees it."""

    def create_request(self, scope: Any, body_file: Any) -> Any:
        request, refusal = super().create_request(scope, body_file)
        if refusal is not None:
            secure(refusal, "")
        return request, refusal
