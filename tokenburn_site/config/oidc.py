"""Settings of single sign-on: TOKENBURN_OIDC_*."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from tokenburn_site.config.env import FromEnvironment

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class OidcEnv(FromEnvironment):
    """Field `x` is TOKENBURN_OIDC_X."""

    model_config = SettingsConfigDict(env_prefix="TOKENBURN_OIDC_", extra="ignore", frozen=True)

    issuer: str = ""
    """As the provider calls itself. Empty: no single sign-on."""
    client_id: str = ""
    client_secret: SecretStr | None = None
    """None: a public client, which PKCE protects."""
    scopes: list[str] = ["openid", "profile", "email"]
    label: str = Field("Log in with single sign-on", max_length=60)
    name_claim: str = "preferred_username"
    create_users: bool = False
    """Whether somebody who is not known here becomes a user at the first log-in."""
    groups_claim: str = "groups"
    groups: dict[str, str] = {}
    """Groups of the site by values of the claim."""
    staff: list[str] = []
    """Values of the claim, one of which is needed to use the site. Empty: everybody whom the provider lets in."""
    mfa: bool = False
    """The provider asks for a second factor: the site does not."""

    @field_validator("issuer")
    @classmethod
    def _encrypted(cls, issuer: str) -> str:
        parts = urlsplit(issuer)
        if issuer and not (parts.hostname and (parts.scheme == "https" or parts.hostname in LOOPBACK)):
            raise ValueError("must be an address with https")
        return issuer

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.issuer and not self.client_id:
            raise ValueError("TOKENBURN_OIDC_ISSUER needs TOKENBURN_OIDC_CLIENT_ID")
        return self
