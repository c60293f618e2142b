"""API tokens: what they may do, how long, and that nobody can read one."""

from __future__ import annotations

import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import tokens
from accounts.models import ApiToken
from runs.models import RunStatus
from tests.integration.web import made_up

pytestmark = pytest.mark.django_db
FORM = re.compile(r"tb_[A-Za-z0-9]{40}")


def ask(key: str, path: str = "/api/targets/", method: str = "get", keyword: str = "Token", **more: Any) -> Any:
    return getattr(APIClient(), method)(path, **more, HTTP_AUTHORIZATION=f"{keyword} {key}")


def stored() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_apitoken")
        return repr(cursor.fetchall())


def test_the_key_has_a_form_that_scanners_know_and_is_stored_nowhere() -> None:
    key = made_up.token(made_up.user("targets.view_target"))
    assert FORM.fullmatch(key)
    assert [ask(key, keyword=word).status_code for word in ("Token", "Bearer", "token")] == [200] * 3
    assert key not in stored() and key[8:] not in stored()


def test_a_token_may_only_do_what_its_scopes_and_its_user_may() -> None:
    user = made_up.user("targets.view_target", "targets.add_target", "runs.view_run", "runs.change_run")
    run, new = made_up.run(RunStatus.RUNNING), {"name": "new", "preset": "openai-chat", "url": "http://127.0.0.1:9/v1"}
    stop = f"/api/runs/{run.pk}/stop/"
    allowed = {
        scopes: (
            ask(made_up.token(user, *scopes)).status_code,
            ask(made_up.token(user, *scopes), stop, "post").status_code,
            ask(made_up.token(user, *scopes), method="post", data={**new, "name": f"new {scopes}"}).status_code,
        )
        for scopes in (("read",), ("run",), ("edit",), ("run", "edit"))
    }
    assert allowed == {
        ("read",): (200, 403, 403),
        ("run",): (200, 202, 403),
        ("edit",): (200, 403, 201),
        ("run", "edit"): (200, 409, 201),  # it stops already
    }
    refused = ask(made_up.token(user, "read"), stop, "post").json()["detail"]
    assert "lacks the scope 'run'" in refused
    nobody = made_up.token(made_up.user(), "run", "edit")
    assert ask(nobody).status_code == ask(nobody, stop, "post").status_code == 403


def test_probes_need_the_scope_run() -> None:
    user = made_up.user("targets.view_target", "targets.change_target")
    path = f"/api/targets/{made_up.target().pk}/probe/"
    assert "'run'" in ask(made_up.token(user, "edit"), path, "post", data={}).json()["detail"]
    assert ask(made_up.token(user, "run"), path, "post", data={"nonsense": 1}).status_code == 400


def test_schedules_need_the_scope_run_too() -> None:
    """They start runs by themselves."""
    user, plan = made_up.user(superuser=True), made_up.plan()
    body = {"name": "s", "plan": plan.pk, "when": {"every": 1, "period": "minutes"}}
    edit, both = made_up.token(user, "edit"), made_up.token(user, "edit", "run")
    assert ask(edit, "/api/schedules/", "post", data=body).status_code == 403
    made = ask(both, "/api/schedules/", "post", data=body)
    assert made.status_code == 201, made.json()
    address = f"/api/schedules/{made.json()['id']}/"
    assert ask(edit, address, "patch", data={"name": "t"}).status_code == 403
    assert ask(edit, f"{address}resume/", "post").status_code == 403
    assert ask(edit, f"{address}pause/", "post").status_code == 200
    assert ask(both, f"{address}resume/", "post").status_code == 200
    assert ask(edit, address, "delete").status_code == 204


@pytest.mark.parametrize("change", ["expired", "revoked", "inactive", "not staff", "deleted"])
def test_a_token_ends_at_once(change: str) -> None:
    user = made_up.user("targets.view_target")
    key = made_up.token(user)
    assert ask(key).status_code == 200
    match change:
        case "expired":
            ApiToken.objects.update(expires_at=timezone.now())
        case "revoked":
            assert tokens.revoke(ApiToken.objects.get()) and not tokens.revoke(ApiToken.objects.get())
        case "inactive":
            User.objects.filter(pk=user.pk).update(is_active=False)
        case "not staff":
            User.objects.filter(pk=user.pk).update(is_staff=False)
        case "deleted":
            user.delete()
    assert ask(key).status_code == 401


def test_its_last_use_is_recorded_once_a_minute() -> None:
    key = made_up.token(made_up.user("targets.view_target"))
    ask(key, REMOTE_ADDR="192.0.2.7")
    first = ApiToken.objects.get()
    assert first.last_used_at is not None and first.last_used_from == "192.0.2.7"
    ask(key, REMOTE_ADDR="192.0.2.7")
    assert ApiToken.objects.get().last_used_at == first.last_used_at
    ask(key, REMOTE_ADDR="192.0.2.8")
    assert ApiToken.objects.get().last_used_from == "192.0.2.8"
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    ask(key, REMOTE_ADDR="192.0.2.8")
    later = ApiToken.objects.get().last_used_at
    assert later is not None and later > first.last_used_at


def test_limits_of_days_names_and_number(settings: Any) -> None:
    settings.TOKEN_MAX_DAYS = settings.TOKEN_DAYS = 30
    user = made_up.user()
    for days, name, scopes in ((31, "x", ()), (0, "x", ()), (9, " ", ()), (9, "x" * 81, ()), (9, "x", ("all",))):
        with pytest.raises(tokens.TokenError):
            tokens.make(user, name, scopes, days)
    for _ in range(tokens.MOST_TOKENS):
        made_up.token(user)
    with pytest.raises(tokens.TokenError, match="revoke those"):
        made_up.token(user)


def test_the_api_makes_tokens_for_sessions_only_and_lists_ones_own() -> None:
    one, other, boss = made_up.user(), made_up.user(), made_up.user(superuser=True)
    client = APIClient()
    client.force_login(one)
    made = client.post("/api/tokens/", {"name": "ci", "scopes": ["run"], "days": 7})
    assert made.status_code == 201 and FORM.fullmatch(made.json()["key"])
    assert made["Cache-Control"] == "no-store" and made["Location"].endswith(f"/api/tokens/{made.json()['id']}/")
    key = made.json()["key"]
    refused = ask(made_up.token(one, "edit"), "/api/tokens/", "post", data={"name": "more"})
    assert refused.status_code == 403 and "cannot create tokens" in refused.json()["detail"]
    theirs = made_up.token(other)
    listed = ask(key, "/api/tokens/")
    assert {row["user"] for row in listed.json()["results"]} == {one.username}
    assert key not in listed.content.decode()
    assert {row["user"] for row in ask(made_up.token(boss), "/api/tokens/").json()["results"]} >= {
        one.username,
        other.username,
    }
    others_id = ApiToken.objects.get(user=other).pk
    assert client.delete(f"/api/tokens/{others_id}/").status_code == 404
    assert ask(theirs, "/api/tokens/").status_code == 200
    assert client.delete(f"/api/tokens/{made.json()['id']}/").status_code == 204
    assert ask(key, "/api/tokens/").status_code == 401
    assert ApiToken.objects.get(pk=made.json()["id"]).state == "revoked"


def test_the_page_shows_the_key_once() -> None:
    user = made_up.user()
    client = Client()
    client.force_login(user)
    page = client.get("/admin/accounts/apitoken/add/")
    assert b"Valid for (days)" in page.content
    made = client.post("/admin/accounts/apitoken/add/", {"name": "ci", "scopes": ["run"], "days": "30"})
    found = FORM.findall(made.content.decode())
    assert made.status_code == 200 and len(found) == 1 and "no-store" in made["Cache-Control"]
    token = ApiToken.objects.get()
    assert (token.user, token.scopes, token.digest) == (user, ["read", "run"], tokens.digest_of(found[0]))
    for path in ("", f"{token.pk}/change/", f"{token.pk}/history/"):
        again = client.get(f"/admin/accounts/apitoken/{path}")
        assert again.status_code == 200 and found[0] not in again.content.decode()
    assert client.post(f"/admin/accounts/apitoken/{token.pk}/change/", {"name": "other"}).status_code == 403
    assert client.post(f"/admin/accounts/apitoken/{token.pk}/delete/", {"post": "yes"}).status_code == 403


def test_the_page_refuses_what_is_not_allowed() -> None:
    client = Client()
    client.force_login(made_up.user())
    for wrong in ({"days": "9999"}, {"scopes": ["all"]}, {"name": ""}, {"days": "0"}):
        page = client.post("/admin/accounts/apitoken/add/", {"name": "ci", "scopes": ["run"], "days": "30", **wrong})
        assert page.status_code == 200 and not FORM.search(page.content.decode())
    assert not ApiToken.objects.exists()


def test_one_revokes_ones_own_tokens_and_an_administrator_everybodys() -> None:
    one, other = made_up.user(), made_up.user()
    mine, theirs = (ApiToken.objects.get(digest=tokens.digest_of(made_up.token(user))) for user in (one, other))
    client = Client()
    client.force_login(one)
    listed = client.get("/admin/accounts/apitoken/").content.decode()
    assert mine.start in listed and theirs.start not in listed
    assert client.get(f"/admin/accounts/apitoken/{theirs.pk}/change/").status_code == 302
    both = {"action": "revoke_tokens", "_selected_action": [mine.pk, theirs.pk]}
    client.post("/admin/accounts/apitoken/", both)
    assert [ApiToken.objects.get(pk=row.pk).state for row in (mine, theirs)] == ["revoked", "active"]
    client.force_login(made_up.user(superuser=True))
    client.post("/admin/accounts/apitoken/", both)
    assert ApiToken.objects.get(pk=theirs.pk).state == "revoked"


def manage(*args: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("token", *args, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_makes_lists_and_revokes() -> None:
    user = made_up.user("targets.view_target")
    out, err = manage("create", user.username, "--name", "ci", "--scope", "run", "--days", "5")
    key, token = out.strip(), ApiToken.objects.get()
    assert FORM.fullmatch(key) and ask(key).status_code == 200 and "read, run" in err
    listed, _ = manage("list", user.username)
    assert "ci" in listed and "active" in listed and key not in listed
    with pytest.raises(CommandError, match="none was revoked"):
        manage("revoke", str(token.pk), "999999")
    assert ask(key).status_code == 200
    manage("revoke", str(token.pk))
    assert ask(key).status_code == 401
    for wrong in (("create", "nobody"), ("create", user.username, "--days", "99999"), ("list", "nobody")):
        with pytest.raises(CommandError):
            manage(*wrong)
    with pytest.raises(CommandError, match="not active staff"):
        manage("create", made_up.user(staff=False).username)
