"""The provider: where it sends people back to, and whether what it says is true."""

from __future__ import annotations

import logging
from typing import Any, Final

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.django_client import OAuth
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from joserfc.errors import JoseError

from accounts.sso.errors import SsoRefused

logger = logging.getLogger(__name__)
TIMEOUT_S: Final = 10
LEEWAY_S: Final = 60
"""By which the provider's clock may be off."""
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures with the provider's private key: neither none at all, nor one with a key that others know."""
FAILURES: Final = (
    AuthlibBaseError,
    JoseError,
    requests.RequestException,
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
)
"""The library's, of the connection, and of documents that are not what they should be."""


def is_on() -> bool:
    return bool(settings.OIDC.issuer)


def to_provider(request: HttpRequest) -> HttpResponse:
    """Sends a browser there, with state, nonce and a PKCE challenge. Raises SsoRefused."""
    back = reverse("accounts:sso-back")
    address = f"{settings.SITE_URL.rstrip('/')}{back}" if settings.SITE_URL else request.build_absolute_uri(back)
    try:
        answer: HttpResponse = _client().authorize_redirect(request, address)
    except FAILURES as exc:
        logger.warning("sso_failed: %s: %s", type(exc).__name__, exc)
        raise SsoRefused("The provider of single sign-on does not answer as it should. Try again later.") from exc
    return answer


def claims_of(request: HttpRequest) -> dict[str, Any]:
    """What the provider says of whoever comes back from there. Raises SsoRefused."""
    oidc = settings.OIDC
    expected = {
        "iss": {"essential": True, "value": oidc.issuer},
        "aud": {"essential": True, "value": oidc.client_id},
        "sub": {"essential": True},
        "exp": {"essential": True},
        "iat": {"essential": True},
    }
    try:
        token = _client().authorize_access_token(request, claims_options=expected, leeway=LEEWAY_S)
    except FAILURES as exc:
        logger.warning("sso_refused: %s: %s", type(exc).__name__, exc)
        raise SsoRefused("Single sign-on has failed, and nobody was logged in. Start again.") from exc
    claims = token.get("userinfo")
    if not claims or not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise SsoRefused("The provider's answer names nobody. Start again.")
    return dict(claims)


def _client() -> Any:
    """A new one for each request: log-ins are rare, and the provider's keys change. Raises what `FAILURES` lists."""
    oidc = settings.OIDC
    client = OAuth().register(
        "sso",
        client_id=oidc.client_id,
        client_secret=oidc.client_secret.get_secret_value() if oidc.client_secret else None,
        server_metadata_url=f"{oidc.issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": " ".join(dict.fromkeys(["openid", *oidc.scopes])),
            "code_challenge_method": "S256",
            "default_timeout": TIMEOUT_S,
            **({} if oidc.client_secret else {"token_endpoint_auth_method": "none"}),
        },
    )
    known = client.load_server_metadata()
    if known.get("issuer") != oidc.issuer:
        raise ValueError(f"the provider calls itself {known.get('issuer')!r}, not TOKENBURN_OIDC_ISSUER")
    offered = known.get("id_token_signing_alg_values_supported") or ["RS256"]
    known["id_token_signing_alg_values_supported"] = [name for name in ALGORITHMS if name in offered]
    return client
