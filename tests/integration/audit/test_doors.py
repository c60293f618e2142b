"""What people do leaves one event each, by whatever door."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from accounts.models import ApiToken
from audit.models import AuditEvent
from audit.services import coming_from
from policy.models import Policy
from runs.models import Run, RunStatus, TestPlan
from runs.services import request_run
from targets.models import Target
from tests.integration.web import made_up

pytestmark = pytest.mark.django_db
AGENT: dict[str, Any] = {"HTTP_USER_AGENT": "a browser", "REMOTE_ADDR": "192.0.2.7"}


def said(**wanted: Any) -> list[str]:
    """The events but log-ins, oldest first: outcome if it is not done, action, kind."""
    found = AuditEvent.objects.filter(**wanted).exclude(action__in=["login", "logout"]).order_by("id")
    return [f"{'' if e.outcome == 'done' else f'{e.outcome} '}{e.action} {e.text}".strip() for e in found]


def last() -> AuditEvent:
    return AuditEvent.objects.latest("id")


def api(user: User) -> dict[str, Any]:
    return {"HTTP_AUTHORIZATION": f"Token {made_up.token(user)}", **AGENT}


def test_an_event_says_who_what_and_from_where(page: Client, boss: User) -> None:
    data = {"name": "T", "preset": "openai-chat", "url": "http://127.0.0.1:9/v1", "params": "{}", "overrides": "{}"}
    assert page.post("/admin/targets/target/add/", data, **AGENT).status_code == 302
    event = last()
    target = Target.objects.get()
    assert (event.action, event.kind, event.key, event.text) == ("target.create", "target", str(target.pk), "T")
    assert (event.user_key, event.user_name, event.door) == (boss.pk, boss.username, "admin")
    assert (event.address, event.user_agent, event.token) == ("192.0.2.7", "a browser", "")


def test_a_change_names_its_fields_and_no_text(page: Client) -> None:
    target = made_up.target(name="T")
    data = {
        "name": "T", "preset": "openai-chat", "url": "http://127.0.0.1:9/v2", "params": "{}", "overrides": "{}",
        "secret_name": "api_key", "secret_value": "sk-planted-in-the-form", "stream": "on",
    }  # fmt: skip
    assert page.post(f"/admin/targets/target/{target.pk}/change/", data).status_code == 302
    event = last()
    assert event.action == "target.edit"
    assert set(event.details["fields"]) >= {"url", "stream"}
    assert event.details["values"]["stream"] == [False, True]
    assert "planted" not in repr(AuditEvent.objects.values_list()) and "/v2" not in repr(event.details)


def test_saving_without_a_change_changes_no_row(page: Client) -> None:
    group = Group.objects.create(name="operators")
    sent = {"name": "operators", "rule-TOTAL_FORMS": "0", "rule-INITIAL_FORMS": "0"}
    assert page.post(f"/admin/auth/group/{group.pk}/change/", sent).status_code == 302
    assert [event.action for event in AuditEvent.objects.exclude(action="login")] == ["request.post"]


def test_the_api_names_the_token_and_never_shows_it(client: Client, boss: User) -> None:
    headers = api(boss)
    body = {"name": "T", "url": "http://127.0.0.1:9/v1", "preset": "openai-chat"}
    made = client.post("/api/targets/", body, content_type="application/json", **headers).json()
    client.patch(f"/api/targets/{made['id']}/", {"stream": True}, content_type="application/json", **headers)
    client.delete(f"/api/targets/{made['id']}/", **headers)
    assert said() == ["target.create T", "target.edit T", "target.delete T"]
    event = last()
    assert (event.door, event.user_name, event.key) == ("api", boss.username, str(made["id"]))
    secret = headers["HTTP_AUTHORIZATION"].split()[1]
    assert event.token == str(ApiToken.objects.get().pk)
    assert secret not in repr(AuditEvent.objects.values_list())


def test_the_deletions_of_an_admin_action_are_told_one_by_one(page: Client) -> None:
    rows = [Group.objects.create(name=name) for name in ("a", "b", "c")]
    form = {"action": "delete_selected", "_selected_action": [row.pk for row in rows], "post": "yes"}
    page.post("/admin/auth/group/", form)
    assert not Group.objects.exists()
    assert sorted(said()) == sorted(f"group.delete {row.name}" for row in rows)


def test_rights_passwords_and_groups(page: Client) -> None:
    user, group = made_up.user(), Group.objects.create(name="operators")
    right = Permission.objects.get(codename="change_run")
    fields = {"username": user.username, "is_staff": "on", "is_superuser": "on", "is_active": "on"}
    dates = {"date_joined_0": f"{user.date_joined:%Y-%m-%d}", "date_joined_1": f"{user.date_joined:%H:%M:%S}"}
    inline = {f"sso_identity-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL")}
    sent = {**fields, **dates, **inline, "groups": [group.pk], "user_permissions": [right.pk]}
    assert page.post(f"/admin/auth/user/{user.pk}/change/", sent).status_code == 302
    events = list(AuditEvent.objects.filter(action="user.edit").order_by("id"))
    assert events[0].details["values"] == {"is_superuser": [False, True]}
    told = [event.details for event in events[1:]]
    assert {"fields": ["groups"], "add": ["operators"]} in told
    assert {"fields": ["permissions"], "add": [str(right)]} in told
    new = {"password1": "another long phrase", "password2": "another long phrase", "usable_password": "true"}
    assert page.post(f"/admin/auth/user/{user.pk}/password/", new).status_code == 302
    assert last().action == "user.edit" and last().details == {"fields": ["password"]}


def test_beat_rows_of_the_library_are_told(page: Client) -> None:
    from django_celery_beat.models import IntervalSchedule

    with coming_from("admin"):
        IntervalSchedule.objects.create(every=5, period="seconds")
    assert last().action == "intervalschedule.create"


def test_starting_steering_stopping_and_deleting_a_run(page: Client, boss: User) -> None:
    plan = made_up.plan()
    run = request_run(plan, user=boss, local=True)
    assert last().user_name == boss.username and last().details["plan"] == plan.pk
    assert page.post(f"/runs/{run.pk}/stop/").status_code == 302
    Run.objects.filter(pk=run.pk).update(status=RunStatus.STOPPED)
    assert page.delete(f"/api/runs/{run.pk}/").status_code == 204
    assert [line.split()[0] for line in said()] == ["run.start", "run.stop", "run.delete"]
    assert {event.key for event in AuditEvent.objects.filter(kind="run")} == {str(run.pk)}


def test_a_refused_start_is_told_by_every_door(page: Client, boss: User) -> None:
    plan = made_up.plan()
    TestPlan.objects.filter(pk=plan.pk).update(load={"kind": "closed"})
    page.post(f"/runs/plans/{plan.pk}/start/")
    page.post("/api/runs/", {"plan": plan.pk}, content_type="application/json")
    assert said() == [f"refused run.start {plan.name}"] * 2
    assert [event.door for event in AuditEvent.objects.filter(action="run.start").order_by("id")] == ["page", "api"]
    assert last().details["code"] == "load_invalid"


def test_refused_requests_are_told(client: Client) -> None:
    run, target = made_up.run(), made_up.target()
    client.force_login(made_up.user("runs.view_run"))
    client.post(f"/runs/{run.pk}/stop/")
    client.get(f"/admin/targets/target/{target.pk}/change/")
    client.delete(f"/api/targets/{target.pk}/")
    events = AuditEvent.objects.filter(outcome="refused").order_by("id")
    assert [(e.action, e.details["view"], e.details["status"]) for e in events] == [
        ("request.post", "runs:stop", 403),
        ("request.get", "admin:targets_target_change", 403),
        ("request.delete", "target-detail", 403),
    ]
    assert [e.key for e in events] == [str(run.pk), str(target.pk), str(target.pk)]


def test_a_conflict_is_told(page: Client) -> None:
    run = made_up.run()
    assert page.post(f"/api/runs/{run.pk}/stop/", content_type="application/json").status_code == 409
    assert last().outcome == "refused" and last().details["status"] == 409


@pytest.mark.parametrize(
    "name", ["report.json", "junit.xml", "summary.md", "turns.csv", "turns.json", "users.csv", "conversations.csv"]
)
def test_downloads_are_told(page: Client, name: str) -> None:
    run = made_up.run()
    made_up.fill(run, 2)
    made_up.finish(run)
    assert page.get(f"/runs/{run.pk}/{name}").status_code == 200
    assert last().action == "download" and last().key == str(run.pk) and name in last().text


@pytest.mark.parametrize("name", ["report", "turns", "sessions", "users", "conversations", "junit", "summary"])
def test_reading_results_over_the_api_is_told(page: Client, name: str) -> None:
    run = made_up.run()
    made_up.fill(run, 2)
    made_up.finish(run)
    assert page.get(f"/api/runs/{run.pk}/{name}/").status_code == 200
    assert last().action.endswith(".read") and last().key == str(run.pk)


def test_reading_pages_and_estimates_is_not_told(page: Client) -> None:
    plan = made_up.plan()
    for path in (
        "/admin/",
        "/admin/targets/target/",
        "/api/targets/",
        "/api/health/",
        f"/api/plans/{plan.pk}/estimate/",
    ):
        assert page.get(path).status_code in {200, 503}, path
    assert said() == []


def test_log_in_and_out(client: Client) -> None:
    user = made_up.user()
    client.post("/admin/login/", {"username": user.username, "password": made_up.PASSWORD}, **AGENT)
    assert client.get("/admin/").status_code == 200
    client.post("/admin/logout/")
    events = AuditEvent.objects.order_by("id")
    assert [(e.action, e.user_name, e.outcome) for e in events] == [
        ("login", user.username, "done"),
        ("logout", user.username, "done"),
    ]
    assert events[0].address == "192.0.2.7"


def test_a_failed_log_in_is_told_without_what_may_be_a_password(client: Client) -> None:
    user = made_up.user()
    for name in (user.username, "my-secret-password", "(a secret in brackets)"):
        client.post("/admin/login/", {"username": name, "password": "also secret"}, **AGENT)
    client.get("/api/targets/", HTTP_AUTHORIZATION=f"Token {'f' * 40}")
    events = list(AuditEvent.objects.filter(action="login").order_by("id"))
    assert [event.outcome for event in events] == ["refused"] * 4
    assert [event.details for event in events] == [{"name": user.username}, {}, {}, {"name": "(API token)"}]
    everything = repr(AuditEvent.objects.values_list())
    assert "secret" not in everything and "ffff" not in everything


@pytest.mark.parametrize("query", ["?cursor=", "?cursor=x", "?page_size=5&cursor=bz0w"])
def test_a_cursor_hides_no_reading(page: Client, query: str) -> None:
    """Whoever writes one to the first page has read it all the same."""
    run = made_up.run(RunStatus.COMPLETED)
    made_up.fill(run, 2)
    for path, action in ((f"/api/runs/{run.pk}/turns/", "turns.read"), (f"/runs/{run.pk}/turns.csv", "download")):
        response = page.get(path + query)
        assert response.status_code == (404 if "cursor=x" in query and action == "turns.read" else 200), path
        if response.status_code == 200:
            assert (last().action, last().key) == (action, str(run.pk))


def test_further_pages_of_a_reading_are_no_events(page: Client) -> None:
    run = made_up.run(RunStatus.COMPLETED)
    made_up.fill(run, 2)
    answer = page.get(f"/api/runs/{run.pk}/turns/?page_size=5")
    assert said() == ["turns.read " + f"/api/runs/{run.pk}/turns/"]
    assert page.get(answer.json()["next"]).status_code == 200
    assert len(said()) == 1
    other = made_up.run(RunStatus.COMPLETED)
    assert page.get(answer.json()["next"].replace(f"/{run.pk}/", f"/{other.pk}/")).status_code == 200
    assert len(said(action="turns.read")) == 2


def test_a_decision_and_an_emergency_stop_are_one_event_each(boss: User, page: Client) -> None:
    Policy.objects.create(approve_users=0)
    run = request_run(made_up.plan(), made_up.user())
    before = len(said())
    assert page.post(f"/runs/{run.pk}/approve/").status_code == 302
    assert page.post("/runs/panic/", {"reason": "x"}).status_code == 302
    assert page.post("/runs/panic/undo/").status_code == 302
    words = [text.split()[0] for text in said()[before:]]
    assert words == ["run.approve", "panic.begin", "run.stop", "panic.undo"]


def test_a_changed_limit_is_told_with_both_values(boss: User, client: Client) -> None:
    policy = Policy.objects.create(users=10, cost=2.5)
    address, data = f"/api/policies/{policy.pk}/", {"users": 5000, "cost": None, "targets": "*:*"}
    client.patch(address, data, content_type="application/json", **api(boss))
    assert (last().action, set(last().details["fields"])) == ("policy.edit", {"users", "cost", "targets"})
    assert last().details["values"] == {"users": [10, 5000], "cost": ["2.5", None]}
