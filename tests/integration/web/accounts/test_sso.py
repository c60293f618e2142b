"""Single sign-on against a real provider, which lies in many ways."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from io import StringIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client
from pydantic import ValidationError

from accounts import second_factor
from accounts.models import SsoIdentity
from tests.integration.web import made_up
from tests.integration.web.accounts.authenticator import CODE, LOG_IN, PAGE, enrolled, logged_in, password, shown
from tests.support.processes import ROOT
from tests.support.servers.oidc_provider import CLIENT, SECRET
from tokenburn_site.config.oidc import OidcEnv
from tokenburn_site.local.process_groups import ProcessGroups

pytestmark = pytest.mark.django_db
START, BACK = "/account/sso/", "/account/sso/back/"
ADA = {"sub": "ada-1", "preferred_username": "ada", "email": "ada@example.org", "groups": ["load testers", "other"]}


class Provider:
    def __init__(self, url: str) -> None:
        self.url = url

    def behave(self, person: dict[str, Any] = ADA, **lies: Any) -> None:
        assert requests.post(f"{self.url}/behave", json={"person": person, **lies}, timeout=10).ok


@pytest.fixture(scope="module")
def running(family: ProcessGroups) -> Iterator[Provider]:
    command = [sys.executable, "-m", "tests.support.servers.oidc_provider"]
    child = family.start(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    yield Provider(child.stdout.readline().strip())
    family.stop(child)
    child.stdout.close()


@pytest.fixture
def provider(running: Provider, settings: Any) -> Provider:
    running.behave()
    configure(settings, running)
    return running


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
    """An attacker who puts the code of his own log-in into the victim's: the verifier does not fit."""
    attacker, victim = Client(), Client()
    code = parse_qs(urlsplit(to_provider(attacker)).query)["code"][0]
    state = parse_qs(urlsplit(to_provider(victim)).query)["state"][0]
    refusal(victim, victim.get(BACK, {"code": code, "state": state}))


@pytest.mark.parametrize(
    "then", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "", "\thttps://x.y"]
)
def test_it_redirects_to_pages_of_the_site_only(then: str, provider: Provider) -> None:
    assert sign_in(then=then)["Location"] == "/admin/"


def test_nobody_becomes_an_existing_user_by_a_name_or_an_address(provider: Provider) -> None:
    boss = made_up.user(superuser=True)
    User.objects.filter(pk=boss.pk).update(username="Boss", email="boss@example.org")
    provider.behave({**ADA, "sub": "evil", "preferred_username": "boss", "email": "boss@example.org"})
    client = Client()
    assert "There is already a user boss" in refusal(client, sign_in(client))
    provider.behave({**ADA, "sub": "evil", "preferred_username": "eve", "email": "boss@example.org"})
    sign_in()
    assert SsoIdentity.objects.get().user.username == "eve"
    assert not User.objects.get(username="eve").is_superuser


def test_only_premade_users_if_so_configured(provider: Provider, settings: Any) -> None:
    configure(settings, provider, create_users=False)
    client, boss = Client(), Client()
    assert "ada is not known here" in refusal(client, sign_in(client))
    user = made_up.user()
    boss.force_login(made_up.user(superuser=True))
    inline = {"sso_identity-TOTAL_FORMS": 1, "sso_identity-INITIAL_FORMS": 0, "sso_identity-0-name": "ada"}
    row = {"username": user.username, "is_active": "on", "is_staff": "on"}
    moment = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    answer = boss.post(f"/admin/auth/user/{user.pk}/change/", {**row, **moment, **inline})
    assert answer.status_code == 302, answer.content.decode()
    sign_in(client)
    assert logged_in(client) and SsoIdentity.objects.get().subject == "ada-1"
    provider.behave({**ADA, "sub": "somebody else"})
    other = Client()
    assert "is not known here" in refusal(other, sign_in(other)), "the name alone counts once"


def test_groups_and_staff_follow_the_claim(provider: Provider, settings: Any) -> None:
    mapping = {"load testers": "operator", "bosses": "lead"}
    configure(settings, provider, groups=mapping, staff=["load testers"])
    client = Client()
    sign_in(client)
    user = User.objects.get()
    user.groups.add(Group.objects.create(name="given here"))
    assert sorted(user.groups.values_list("name", flat=True)) == ["given here", "operator"]
    provider.behave({**ADA, "groups": ["bosses", "load testers"]})
    sign_in(client)
    assert sorted(user.groups.values_list("name", flat=True)) == ["given here", "lead", "operator"]
    provider.behave({**ADA, "groups": ["bosses"]})
    other = Client()
    assert "None of your groups may use this site" in refusal(other, sign_in(other))


def test_a_claim_that_is_missing_changes_nothing(provider: Provider, settings: Any) -> None:
    configure(settings, provider, groups={"load testers": "operator"}, staff=["load testers"])
    sign_in()
    for groups in (None, 7, {"load testers": True}):
        provider.behave({**ADA, "groups": groups})
        client = Client()
        assert "does not tell your groups" in refusal(client, sign_in(client))
    user = User.objects.get()
    assert user.is_staff and user.groups.get().name == "operator"


def test_whoever_is_in_no_group_any_more_loses_everything_at_the_next_log_in(provider: Provider, settings: Any) -> None:
    configure(settings, provider, groups={"load testers": "operator"}, staff=["load testers"])
    here, there = Client(), Client()
    sign_in(here)
    assert logged_in(here)
    provider.behave({**ADA, "groups": []})
    refusal(there, sign_in(there))
    assert not logged_in(here)
    user = User.objects.get()
    assert not user.is_staff and not user.groups.exists()


def test_somebody_without_a_group_is_not_even_made_a_user(provider: Provider, settings: Any) -> None:
    configure(settings, provider, staff=["bosses"])
    client = Client()
    assert "None of your groups" in refusal(client, sign_in(client))
    assert not User.objects.exists() and not SsoIdentity.objects.exists()


def test_a_deactivated_user_stays_out(provider: Provider) -> None:
    sign_in()
    User.objects.update(is_active=False)
    client = Client()
    assert "is deactivated" in refusal(client, sign_in(client))


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


def link(user: User) -> str:
    out = StringIO()
    call_command("log_in_link", user.username, stdout=out, stderr=StringIO())
    parts = urlsplit(out.getvalue().strip())
    return f"{parts.path}?{parts.query}"


def test_the_command_line_has_an_emergency_door(settings: Any) -> None:
    settings.LOCAL_PASSWORDS = False
    user, client = made_up.user(), Client()
    address = link(user)
    assert user.username in client.get(address).content.decode() and not logged_in(client), "a look is no log-in"
    assert client.post(address)["Location"] == "/admin/" and logged_in(client)
    assert client.post(address)["Location"] == LOG_IN, "it works once"
    assert client.post("/account/log-in/emergency/?key=1:x:y")["Location"] == LOG_IN
    enrolled(user)
    other = Client()
    assert other.post(link(user))["Location"] == CODE and not logged_in(other)
    for wrong in ("nobody", made_up.user(staff=False).username):
        with pytest.raises(CommandError):
            call_command("log_in_link", wrong)


def test_an_emergency_link_grows_old(monkeypatch: Any) -> None:
    address, now = link(made_up.user()), time.time()
    monkeypatch.setattr(time, "time", lambda: now + 301)
    assert Client().post(address)["Location"] == LOG_IN


@pytest.mark.parametrize("address", [START, BACK])
def test_without_a_provider_there_is_no_single_sign_on(address: str) -> None:
    assert Client().get(address).status_code == 404


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValidationError, match="https"):
        OidcEnv(issuer="http://login.example", client_id="burn")
    with pytest.raises(ValidationError, match="TOKENBURN_OIDC_CLIENT_ID"):
        OidcEnv(issuer="https://login.example")
