"""API requests with a token."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied, Throttled
from rest_framework.request import Request

from accounts import second_factor
from accounts.counting import address_of, count_failure, detail, must_wait, wait_s
from accounts.models import ApiToken
from accounts.scopes import SCOPES, needed
from accounts.tokens import find, note_use
from audit.sign_in import NO_USER

KEYWORDS: Final = {b"token", b"bearer"}


class MustWait(Throttled):
    def __init__(self) -> None:
        super().__init__(detail=detail())
        self.wait = wait_s()  # for Retry-After; given to the library, it would stand in the detail too


class ApiTokenAuthentication(BaseAuthentication):
    """Counts wrong tokens. A right one is never made to wait: it cannot be guessed, and others may share its address.
    `request.auth` is the token."""

    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        keyword, _, key = get_authorization_header(request).strip().partition(b" ")
        if keyword.lower() not in KEYWORDS:
            return None
        token = find(key.strip().decode("latin-1"))
        if token is None:
            raise self._refusal(request)
        if token.user.has_usable_password() and second_factor.missing(token.user):
            raise PermissionDenied(f"{token.user} must have a second factor: log in with a browser and set it up")
        scopes = needed(request.method, request.parser_context.get("view") if request.parser_context else None)
        if scope := next((scope for scope in scopes if scope not in token.scopes), None):
            raise PermissionDenied(
                f"this token lacks the scope {scope!r} ({SCOPES[scope].partition(': ')[2]}): use one that has it"
            )
        note_use(token, address_of(request._request))
        return token.user, token

    def _refusal(self, request: Request) -> Exception:
        asked = request._request
        if must_wait(asked, NO_USER):
            return MustWait()
        count_failure(asked, NO_USER)
        return AuthenticationFailed("Invalid token: it is unknown, expired or revoked, or its user may not log in.")

    def authenticate_header(self, request: Request) -> str:
        return "Token"


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the library has no types here
    target_class = ApiTokenAuthentication
    name = "tokenAuth"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token tb_...` or `Bearer tb_...`",
        }
