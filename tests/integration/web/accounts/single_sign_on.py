"""A browser that goes to the provider and back."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from django.test import Client

from tests.integration.web.accounts.authenticator import LOG_IN, logged_in
from tests.support.servers.oidc_provider import CLIENT, SECRET
from tokenburn_site.config.oidc import OidcEnv

START, BACK = "/account/sso/", "/account/sso/back/"
ADA = {"sub": "ada-1", "preferred_username": "ada", "email": "ada@example.org", "groups": ["load testers", "other"]}


class Provider:
    def __init__(self, url: str) -> None:
        self.url = url

    def behave(self, person: dict[str, Any] = ADA, **lies: Any) -> None:
        assert requests.post(f"{self.url}/behave", json={"person": person, **lies}, timeout=10).ok


def configure(settings: Any, provider: Provider, **more: Any) -> None:
    defaults = {"issuer": provider.url, "client_id": CLIENT, "client_secret": SECRET, "create_users": True}
    settings.OIDC = OidcEnv(**{**defaults, **more})


def to_provider(client: Client, then: str = "/admin/password_change/") -> str:
    """Where the provider sends the browser back to."""
    away = client.get(START, {"next": then})
    assert away.status_code == 302, away.content
    query = parse_qs(urlsplit(away["Location"]).query)
    assert query["code_challenge_method"] == ["S256"] and query["state"] and query["nonce"]
    return requests.get(away["Location"], allow_redirects=False, timeout=10).headers["Location"]


def back(client: Client, address: str) -> Any:
    parts = urlsplit(address)
    assert parts.netloc == "testserver" and parts.path == BACK
    return client.get(f"{parts.path}?{parts.query}")


def sign_in(client: Client | None = None, then: str = "/admin/password_change/") -> Any:
    client = client or Client()
    return back(client, to_provider(client, then))


def refusal(client: Client, answer: Any) -> str:
    """The sentence on the page that somebody sees who was not let in."""
    assert (answer.status_code, answer["Location"]) == (302, LOG_IN)
    page = client.get(LOG_IN).content.decode()
    assert not logged_in(client)
    return page
