"""A download in progress ends when its user may no longer see what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from metrics.storage import export
from runs.models import Run
from runs.web import still_allowed
from runs.web.still_allowed import NoLongerAllowed
from tests.integration.web import made_up
from tests.integration.web.losses import LOSSES, TEXTS

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


@pytest.fixture
def browser(person: User, client: Client) -> Client:
    client.force_login(person)
    return client


def begin(browser: Client, run: Run, name: str = "turns.csv") -> Iterator[bytes]:
    answer: Any = browser.get(f"/runs/{run.pk}/{name}")
    pieces: Iterator[bytes] = iter(answer.streaming_content)
    assert next(pieces)
    return pieces


@pytest.mark.parametrize("lost", LOSSES)
def test_a_download_in_progress_ends(browser: Client, person: User, run: Run, lost: str) -> None:
    pieces = begin(browser, run)
    assert next(pieces)
    LOSSES[lost](person)
    with pytest.raises(NoLongerAllowed):
        next(pieces)


@pytest.mark.parametrize("name", ["turns.csv", "turns.json", "users.csv", "conversations.csv"])
def test_each_file_is_complete_or_ends(browser: Client, person: User, run: Run, name: str) -> None:
    assert len(list(begin(browser, run, name))) >= 4
    pieces = begin(browser, run, name)
    LOSSES["the right to see runs"](person)
    with pytest.raises(NoLongerAllowed):
        next(pieces)


@pytest.mark.parametrize("lost", [lost for lost in LOSSES if lost != TEXTS])
def test_pages_and_files_are_closed_at_once(browser: Client, person: User, run: Run, lost: str) -> None:
    paths = [f"/runs/{run.pk}/report/", f"/runs/{run.pk}/turns.csv", f"/api/runs/{run.pk}/turns/"]
    paths.append(f"/admin/runs/run/{run.pk}/change/")
    assert {path: browser.get(path).status_code for path in paths} == dict.fromkeys(paths, 200)
    LOSSES[lost](person)
    for path in paths:
        assert browser.get(path).status_code in {302, 401, 403}, path
