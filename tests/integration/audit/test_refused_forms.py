"""What was to be written and was not is no deed, by whatever door."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from audit.models import AuditEvent
from runs.models import RunStatus
from tests.integration.web import made_up

pytestmark = pytest.mark.django_db
FORMS: dict[str, dict[str, Any]] = {
    "/admin/targets/target/add/": {"name": "T", "url": "nonsense", "params": "{}", "overrides": "{}"},
    "/admin/targets/target/{target}/change/": {"name": ""},
    "/admin/targets/target/{target}/test-message/": {"message": "", "lane": "load"},
    "/admin/scenarios/scenario/import/": {"file": SimpleUploadedFile("x.yaml", b"- no scenario")},
    "/admin/auth/group/add/": {"name": ""},
    "/admin/auth/user/{user}/password/": {"password1": "x", "password2": "y", "usable_password": "true"},
    "/admin/password_change/": {"old_password": made_up.PASSWORD, "new_password1": "x", "new_password2": "y"},
    "/account/second-factor/": {"do": "confirm", "code": "1"},
}


def told() -> list[tuple[str, str]]:
    events = AuditEvent.objects.exclude(action="login").order_by("id")
    return [(event.action, event.outcome) for event in events]


@pytest.mark.parametrize("address", FORMS)
def test_a_form_that_comes_back_with_errors_is_refused(page: Client, address: str) -> None:
    path = address.format(target=made_up.target().pk, user=made_up.user().pk)
    assert page.post(path, FORMS[address]).status_code == 200
    assert told() == [("request.post", "refused")]


@pytest.mark.parametrize("name", ["load", "stop"])
def test_so_is_what_the_next_page_says_was_not_done(page: Client, name: str) -> None:
    run = made_up.run(RunStatus.COMPLETED)
    assert page.post(f"/runs/{run.pk}/{name}/", {"level": "nonsense"}).status_code == 302
    assert told() == [("request.post", "refused")]


def test_so_is_an_invalid_request_of_the_api(page: Client) -> None:
    body = {"name": "T", "url": "nonsense", "preset": "openai-chat"}
    assert page.post("/api/targets/", body, content_type="application/json").status_code == 400
    assert told() == [("request.post", "refused")]
    assert AuditEvent.objects.latest("id").details == {"view": "target-list", "status": 400}


def test_a_page_that_asks_is_no_deed(page: Client) -> None:
    group = Group.objects.create(name="operators")
    asked = page.post("/admin/auth/group/", {"action": "delete_selected", "_selected_action": [group.pk]})
    assert asked.status_code == 200 and b"operators" in asked.content
    assert told() == []


def test_what_is_done_and_nothing_else_tells_is_told_as_a_request(page: Client) -> None:
    """Also after a page that said why something else was not done."""
    group = Group.objects.create(name="operators")
    page.post(f"/runs/{made_up.run(RunStatus.COMPLETED).pk}/stop/")
    sent = {"name": "operators", "rule-TOTAL_FORMS": "0", "rule-INITIAL_FORMS": "0"}
    assert page.post(f"/admin/auth/group/{group.pk}/change/", sent).status_code == 302
    assert told() == [("request.post", "refused"), ("request.post", "done")]


def test_a_wrong_present_password_is_told_as_a_failed_log_in(page: Client, boss: User) -> None:
    given = {"old_password": "wrong", "new_password1": "a new long password", "new_password2": "a new long password"}
    assert page.post("/admin/password_change/", given).status_code == 200
    event = AuditEvent.objects.latest("id")
    assert (event.action, event.outcome, event.user_name, event.door) == ("login", "refused", boss.username, "admin")
