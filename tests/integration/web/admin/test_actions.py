"""What the admin's actions and forms of other people's packages let somebody do who may only look."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from runs.models import PlanSchedule
from runs.schedules.services import create_schedule
from tests.integration.web import made_up

pytestmark = pytest.mark.django_db
UNFOLD = ("actions_list", "actions_row", "actions_detail", "actions_submit_line")
NOT_OURS = {"sessions", "admin", "audit"}
"""What a request of its own writes: its session, and the logs of what was done."""


def rows() -> dict[str, list[Any]]:
    """Everything that the database holds."""
    models = [model for model in apps.get_models() if model._meta.app_label not in NOT_OURS]
    return {model._meta.label: sorted(model._default_manager.values_list(), key=repr) for model in models}


def with_rights(*prefixes: str, app: str | None = None) -> User:
    """A member of the staff with all rights whose names begin so."""
    user = made_up.user()
    found = Permission.objects.all() if app is None else Permission.objects.filter(content_type__app_label=app)
    user.user_permissions.set([one for one in found if one.codename.startswith(prefixes)])
    return user


def logged_in(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


@pytest.fixture
def schedule() -> PlanSchedule:
    made_up.run()
    return create_schedule(name="nightly", plan=made_up.plan(), when={"crontab": "0 2 * * *"})


def pages() -> list[Any]:
    reverse("admin:index")  # the URLs find the pages
    found = list(admin.site._registry.values())
    assert len(found) > 10
    return found


def everybodys_actions() -> list[tuple[Any, str]]:
    """Each action that a page of the admin knows, or that its classes bring, whoever may see it."""
    found = []
    for page in pages():
        names = {name for _, name, _ in page._get_base_actions()}
        names |= {str(name) for kind in type(page).__mro__ for name in vars(kind).get("actions") or ()}
        found += [(page, name) for name in sorted(names)]
    return found


def test_who_may_only_view_changes_nothing_by_any_action(schedule: PlanSchedule) -> None:
    client, tried = logged_in(with_rights("view_")), 0
    actions, before = everybodys_actions(), rows()
    for page, action in actions:
        meta = page.model._meta
        ids = [str(pk) for pk in page.model._default_manager.values_list("pk", flat=True)]
        address = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
        answer = client.post(address, {"action": action, "_selected_action": ids, "index": "0", "post": "yes"})
        assert answer.status_code in {200, 302, 403}, (address, action)
        tried += len(ids)
    assert tried > 20
    assert rows() == before


def test_each_action_of_a_page_asks_for_a_right() -> None:
    for page in pages():
        for action, name, _ in page._get_base_actions():
            assert getattr(action, "allowed_permissions", None), f"{type(page).__name__}.{name} asks for no right"
        for kind in UNFOLD:
            for name in getattr(page, kind, None) or ():
                assert getattr(getattr(page, str(name)), "allowed_permissions", None), f"{type(page).__name__}.{name}"


@pytest.mark.parametrize("model", [PeriodicTask, CrontabSchedule])
def test_rights_on_the_timetable_start_no_run_and_stop_nothing(schedule: PlanSchedule, model: Any) -> None:
    """A row more would start runs of any plan; a timing deleted would take its schedules with it."""
    client, meta = logged_in(with_rights("", app="django_celery_beat")), model._meta
    before, one = rows(), model.objects.first()
    task = {"name": "mine", "task": "runs.tasks.start_due_slots", "args": f"[{schedule.pk}]", "enabled": "on"}
    for page, given in (("add", task), ("change", task), ("delete", {"post": "yes"})):
        args = [] if page == "add" else [one.pk]
        answer = client.post(reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=args), given)
        assert answer.status_code == 403, page
    assert rows() == before


def test_the_timetable_can_be_read(schedule: PlanSchedule) -> None:
    client = logged_in(made_up.user(superuser=True))
    for model in (PeriodicTask, CrontabSchedule):
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert client.get(reverse(f"{name}_changelist")).status_code == 200
        answer = client.get(reverse(f"{name}_change", args=[model.objects.first().pk]))
        assert answer.status_code == 200
        assert b"_save" not in answer.content
