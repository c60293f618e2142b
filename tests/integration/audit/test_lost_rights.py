"""A download in progress ends when its user may no longer see what it holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.test import Client

from metrics.storage import export
from runs.models import Run
from runs.web import still_allowed
from runs.web.still_allowed import NoLongerAllowed
from tests.integration.web import made_up

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> User:
    return made_up.user("runs.view_run", "runs.view_texts")


@pytest.fixture
def run() -> Run:
    made = made_up.run()
    made_up.fill(made, 3)
    return made


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PIECE", 4)
    monkeypatch.setattr(still_allowed, "LOOK_EVERY_S", 0.0)


def lose(*codenames: str) -> Callable[[User], None]:
    def remove(person: User) -> None:
        person.user_permissions.remove(*Permission.objects.filter(codename__in=codenames))

    return remove


def deactivate(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_active=False)


def demote(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_staff=False)


def log_out(person: User) -> None:
    Session.objects.all().delete()


def change_password(person: User) -> None:
    person.set_password("another long password")
    person.save()


def begin(person: User, run: Run, kind: str) -> Any:
    client = Client()
    client.force_login(person)
    pieces = iter(client.get(f"/runs/{run.pk}/turns.{kind}").streaming_content)  # type: ignore[attr-defined]  # streams
    assert next(pieces)
    return pieces


@pytest.mark.parametrize("kind", ["csv", "json"])
@pytest.mark.parametrize("change", [lose("view_run"), lose("view_texts"), deactivate, demote, log_out, change_password])
def test_a_download_in_progress_ends(person: User, run: Run, kind: str, change: Callable[[User], None]) -> None:
    pieces = begin(person, run, kind)
    assert next(pieces)
    change(person)
    with pytest.raises(NoLongerAllowed):
        list(pieces)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_otherwise_it_is_complete(person: User, run: Run, kind: str) -> None:
    assert len(list(begin(person, run, kind))) >= 5


@pytest.mark.parametrize("change", [lose("view_run"), deactivate, demote, log_out, change_password])
@pytest.mark.parametrize(
    "path", ["/runs/{pk}/report/", "/runs/{pk}/turns.csv", "/api/runs/{pk}/turns/", "/admin/runs/run/{pk}/change/"]
)
def test_pages_and_files_are_closed_at_once(person: User, run: Run, path: str, change: Callable[[User], None]) -> None:
    client = Client()
    client.force_login(person)
    address = path.format(pk=run.pk)
    assert client.get(address).status_code == 200
    change(person)
    assert client.get(address).status_code in {302, 401, 403}
