"""Who may see runs sees figures; messages, answers and what quotes them need a right of its own, at every door."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from metrics.end_codes import MEANINGS, EndCode
from metrics.models import SessionMetric
from runs.models import Run, RunStatus, Webhook, WebhookDelivery
from runs.webhooks.payload import run_facts
from tests.integration.web import made_up

pytestmark = pytest.mark.django_db
ANSWER, BODY, SAID, CALLED = "planted-answer", "planted-error-body", "planted-message", "planted-argument"
WORDS = (ANSWER, BODY, SAID, CALLED)
RIGHTS = ("runs.view_run", "metrics.view_sessionmetric")
READER = (*RIGHTS, "runs.view_texts")


@pytest.fixture
def run() -> Run:
    made = made_up.run(RunStatus.FAILED)
    made_up.fill(made, 3, answer=ANSWER)
    SessionMetric.objects.filter(run=made).update(message=SAID, tool_calls=f'[["weather", "{CALLED}"]]')
    made.scenario_specs = [{"weight": 1, "scenario": {"name": "s", "steps": [{"do": "say", "text": SAID}]}}]
    made.reason = f"no turn succeeded; http_500, 5 of 5 failures: {BODY}"
    made.end_code = EndCode.NO_TURN_SUCCEEDED
    made.save()
    made.shards.update(reason=f"aborted: http_401: {BODY}", end_code=EndCode.TARGET_REFUSES)
    made_up.finish(made)
    return made


def logged_in(*rights: str) -> Client:
    client = Client()
    client.force_login(made_up.user(*rights))
    return client


def content(response: Any) -> str:
    data = b"".join(response.streaming_content) if response.streaming else response.content
    return data.decode()


def doors(run: Run) -> list[str]:
    turn = SessionMetric.objects.filter(run=run).exclude(detail=None).first()
    assert turn is not None
    pages = ["live/", "report/", "report.json", "junit.xml", "summary.md", "turns.csv", "turns.json", "series/"]
    pages += ["users.csv", "conversations.csv"]
    parts = ["", "report/", "junit/", "summary/", "turns/", "sessions/", "users/", "conversations/"]
    return [
        *(f"/runs/{run.pk}/{page}" for page in pages),
        *(f"/api/runs/{run.pk}/{part}" for part in parts),
        "/api/runs/",
        "/admin/",
        f"/admin/runs/run/{run.pk}/change/",
        "/admin/runs/run/",
        f"/admin/metrics/sessionmetric/{turn.pk}/change/",
        "/admin/metrics/sessionmetric/",
        f"/admin/runs/session/{turn.session_id}/change/",
    ]


def test_without_the_right_no_door_shows_a_text(run: Run) -> None:
    client = logged_in(*RIGHTS)
    shown = {}
    for path in doors(run):
        response = client.get(path)
        assert response.status_code == 200, path
        text = content(response)
        shown[path] = [word for word in (*WORDS, "quoted") if word in text]
    assert {path: found for path, found in shown.items() if found} == {}


def test_with_the_right_they_are_shown(run: Run) -> None:
    """Guards the test above: the texts are there to be found."""
    client = logged_in(*READER)
    shown = {path: content(client.get(path)) for path in doors(run)}
    with_texts = {path for path, text in shown.items() if any(word in text for word in WORDS)}
    expected = {"turns.csv", "turns.json", "report.json", "junit.xml", "summary.md", "report/", "live/"}
    assert {f"/runs/{run.pk}/{name}" for name in expected} <= with_texts
    assert {f"/api/runs/{run.pk}/{name}" for name in ("", "report/", "turns/", "junit/", "summary/")} <= with_texts
    assert {f"/admin/runs/run/{run.pk}/change/", "/api/runs/"} <= with_texts
    assert any("sessionmetric" in path for path in with_texts)
    with_calls = {path for path, text in shown.items() if CALLED in text}
    assert {f"/runs/{run.pk}/turns.csv", f"/runs/{run.pk}/turns.json", f"/api/runs/{run.pk}/turns/"} <= with_calls
    assert any("sessionmetric" in path for path in with_calls)


def test_figures_and_the_kind_of_end_stay(run: Run) -> None:
    client = logged_in(*RIGHTS)
    turns = client.get(f"/api/runs/{run.pk}/turns/").json()["results"]
    assert turns[0]["message"] is turns[0]["answer"] is None and turns[0]["tokens_out"] == 30
    assert any(turn["code"] == "http_500" for turn in turns)
    rows = orjson.loads(content(client.get(f"/runs/{run.pk}/turns.json")))
    assert rows[0]["message"] is None and rows[0]["e2e_ms"] > 0
    assert client.get(f"/api/runs/{run.pk}/").json()["reason"] == MEANINGS[EndCode.NO_TURN_SUCCEEDED]


@pytest.mark.parametrize(
    "field", ["answer__contains", "message__startswith", "detail__icontains", "answer", "tool_calls__contains"]
)
def test_what_may_not_be_read_may_not_be_searched(run: Run, field: str) -> None:
    path = f"/admin/metrics/sessionmetric/?{field}={ANSWER}"
    assert logged_in(*RIGHTS).get(path).status_code != 200
    assert logged_in(*READER).get(path).status_code == 200


@pytest.mark.parametrize("field", ["scenario_specs__icontains", "reason__contains", "report__icontains"])
def test_neither_in_runs(run: Run, field: str) -> None:
    path = f"/admin/runs/run/?{field}={SAID}"
    assert logged_in(*RIGHTS).get(path).status_code != 200
    assert logged_in(*READER).get(path).status_code == 200


def test_a_reason_that_quotes_nobody_is_shown(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(reason="stopped by anna", end_code=EndCode.STOPPED)
    assert logged_in(*RIGHTS).get(f"/api/runs/{run.pk}/").json()["reason"] == "stopped by anna"


def test_a_webhook_quotes_nobody(run: Run) -> None:
    delivery = WebhookDelivery(webhook=Webhook(name="w"), run=run)
    assert delivery.run is not None
    assert not any(word in repr(run_facts(delivery.run)) for word in WORDS)


def test_a_token_reads_no_more_than_its_user(run: Run) -> None:
    user = made_up.user(*RIGHTS)
    headers: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Token {made_up.token(user)}"}
    assert ANSWER not in content(Client().get(f"/api/runs/{run.pk}/turns/", **headers))


def test_the_migration_gives_the_right_to_whoever_had_it_until_now() -> None:
    from importlib import import_module

    class Editor:
        from django.db import connection

    right = Permission.objects.get(codename="view_texts")
    group, other = Group.objects.create(name="viewers"), Group.objects.create(name="others")
    group.permissions.add(Permission.objects.get(codename="view_run"))
    other.permissions.add(Permission.objects.get(codename="view_target"))
    starter, stranger = made_up.user("runs.change_run"), made_up.user("targets.view_target")
    right.delete()
    import_module("runs.migrations.0013_view_texts").grant(apps, Editor)
    assert "runs.view_texts" in User.objects.get(pk=starter.pk).get_all_permissions()
    assert "runs.view_texts" not in User.objects.get(pk=stranger.pk).get_all_permissions()
    assert group.permissions.filter(codename="view_texts").exists()
    assert not other.permissions.filter(codename="view_texts").exists()
