"""Single sign-on against a real provider, which lies in many ways."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts import second_factor
from accounts.models import SsoIdentity
from tests.integration.web import made_up
from tests.integration.web.accounts.authenticator import CODE, LOG_IN, PAGE, enrolled, logged_in, password, shown
from tests.integration.web.accounts.single_sign_on import (
    ADA,
    BACK,
    START,
    Provider,
    back,
    configure,
    refusal,
    sign_in,
    to_provider,
)
from tests.support.servers.oidc_provider import CLIENT

pytestmark = pytest.mark.django_db


def test_a_new_user_comes_in_and_back_to_the_page_that_was_asked_for(provider: Provider) -> None:
    client = Client()
    page = client.get("/admin/login/?next=/admin/password_change/").content.decode()
    assert "/account/sso/?next=%2Fadmin%2Fpassword_change%2F" in page and 'name="password"' in page
    answer = sign_in(client)
    assert answer["Location"] == "/admin/password_change/" and logged_in(client)
    user = User.objects.get()
    assert (user.username, user.email, user.is_staff, user.is_superuser) == ("ada", "ada@example.org", True, False)
    assert not user.has_usable_password()
    provider.behave({**ADA, "preferred_username": "ada-married", "email": "new@example.org"})
    sign_in()
    assert User.objects.get().username == "ada", "the same person under a new name"


LIES: dict[str, dict[str, Any]] = {
    "issuer": {"claims": {"iss": "https://evil.example"}},
    "no issuer": {"claims": {"iss": None}},
    "audience": {"claims": {"aud": "another"}},
    "audience, for us by its own word": {"claims": {"aud": "another", "azp": CLIENT}},
    "no audience": {"claims": {"aud": None}},
    "other party": {"claims": {"azp": "another"}},
    "nonce": {"claims": {"nonce": "another"}},
    "no nonce": {"claims": {"nonce": None}},
    "expired": {"claims": {"exp": int(time.time()) - 3600}},
    "no expiry": {"claims": {"exp": None}},
    "not yet": {"claims": {"nbf": int(time.time()) + 3600}},
    "no subject": {"claims": {"sub": None}},
    "empty subject": {"claims": {"sub": ""}},
    "subject that is none": {"claims": {"sub": 7}},
    "unsigned": {"alg": "none"},
    "signed with the public key": {"alg": "HS256"},
    "signature cut": {"alg": "cut"},
    "strange key": {"key": "strange"},
    "no token": {"no_token": True},
    "no name": {"claims": {"preferred_username": None}},
    "long name": {"claims": {"preferred_username": "x" * 151}},
    "name that is none": {"claims": {"preferred_username": ["ada"]}},
    "name with odd characters": {"claims": {"preferred_username": "<script>alert(1)</script>"}},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_lets_nobody_in(lie: str, provider: Provider) -> None:
    provider.behave(**LIES[lie])
    client = Client()
    page = refusal(client, sign_in(client))
    assert not User.objects.exists() and not SsoIdentity.objects.exists()
    assert "<script>alert" not in page
    provider.behave()
    assert sign_in(client)["Location"] == "/admin/password_change/", "guards the test itself"


def test_a_provider_that_calls_itself_otherwise_is_not_ours(provider: Provider) -> None:
    provider.behave(issuer="https://evil.example")
    client = Client()
    assert "does not answer as it should" in refusal(client, client.get(START))


def test_a_provider_that_is_away_is_said(settings: Any, provider: Provider) -> None:
    settings.OIDC = settings.OIDC.model_copy(update={"issuer": "http://127.0.0.1:9"})
    client = Client()
    assert "does not answer" in refusal(client, client.get(START))


def test_a_code_and_a_state_count_once_and_in_one_browser(provider: Provider) -> None:
    client, other = Client(), Client()
    address = to_provider(client)
    refusal(other, back(other, address))
    assert back(client, address)["Location"] == "/admin/password_change/"
    client.post("/admin/logout/")
    refusal(client, back(client, address))
    for query in ("", "?code=x&state=y", "?error=access_denied", "?state=&code="):
        refusal(client, client.get(f"{BACK}{query}"))


def test_a_code_of_another_log_in_is_refused(provider: Provider) -> None:
    """An attacker who puts the code of their own log-in into the victim's: the verifier does not fit."""
    attacker, victim = Client(), Client()
    code = parse_qs(urlsplit(to_provider(attacker)).query)["code"][0]
    state = parse_qs(urlsplit(to_provider(victim)).query)["state"][0]
    refusal(victim, victim.get(BACK, {"code": code, "state": state}))


@pytest.mark.parametrize(
    "then", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "", "\thttps://x.y"]
)
def test_it_redirects_to_pages_of_the_site_only(then: str, provider: Provider) -> None:
    assert sign_in(then=then)["Location"] == "/admin/"


def test_a_second_factor_is_asked_for_unless_the_provider_does(provider: Provider, settings: Any) -> None:
    sign_in()
    user = User.objects.get()
    enrolled(user)
    client = Client()
    assert sign_in(client)["Location"] == CODE and not logged_in(client)
    assert client.post(CODE, {"code": shown(user.second_factor)})["Location"] == "/admin/password_change/"
    configure(settings, provider, mfa=True)
    settings.REQUIRE_MFA = "all"
    assert sign_in(trusting := Client())["Location"] == "/admin/password_change/" and logged_in(trusting)
    second_factor.remove(user)
    assert sign_in(trusting := Client()) and logged_in(trusting), "it is not required here either"
    configure(settings, provider)
    assert trusting.get("/admin/")["Location"] in {PAGE, f"{LOG_IN}?next=/admin/"}, "no longer trusted"


def test_passwords_can_be_switched_off(provider: Provider, settings: Any) -> None:
    settings.LOCAL_PASSWORDS = False
    user, client = made_up.user(), Client()
    page = client.get(LOG_IN).content.decode()
    assert "single sign-on" in page and 'name="password"' not in page
    assert password(client, user).status_code == 403 and not logged_in(client)
    assert sign_in(client) and logged_in(client)


@pytest.mark.parametrize("address", [START, BACK])
def test_without_a_provider_there_is_no_single_sign_on(address: str) -> None:
    assert Client().get(address).status_code == 404
