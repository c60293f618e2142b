"""Changing the load of a run over the API and on its page: who may, and what is said to those who err."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from runs.db_clock import now
from runs.load.profile import parse_load
from runs.models import Run, RunStatus
from tests.integration.web import made_up

pytestmark = pytest.mark.usefixtures("valkey")


def going(**fields: Any) -> Run:
    return made_up.run(RunStatus.RUNNING, start_at=now(), **fields)


@pytest.fixture
def api(db: None) -> APIClient:
    client = APIClient()
    client.default_format = "json"
    client.force_login(made_up.user("runs.change_run", "runs.view_run"))
    return client


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"users": 9}, 202, "'level': 9"),
        ({"users": 9.5}, 400, "A valid integer is required"),
        ({"users": -1}, 400, "users: -1 is not from 0 to 1,000,000"),
        ({"rate_per_s": 3}, 400, "the load of this run is set by users, not by rate_per_s"),
        ({"users": 9, "rate_per_s": 3}, 400, "give one of users, rate_per_s and speed"),
        ({}, 400, "give one of users, rate_per_s and speed"),
    ],
)
def test_the_api_takes_a_level_or_says_what_is_wrong(
    api: APIClient, body: dict[str, Any], status: int, says: str
) -> None:
    run = going()
    answer = api.post(f"/api/runs/{run.pk}/load/", body)
    assert (answer.status_code, says in str(answer.json())) == (status, True), answer.json()
    assert len(api.get(f"/api/runs/{run.pk}/").json()["load_changes"]) == (status == 202)


def test_a_run_that_does_not_run_is_a_conflict(api: APIClient) -> None:
    answer = api.post(f"/api/runs/{made_up.run(RunStatus.QUEUED).pk}/load/", {"users": 3})
    assert answer.status_code == 409
    assert "is queued: only a running load can be changed" in answer.json()["detail"]


def test_only_those_who_may_control_runs_change_their_load(client: Client, db: None) -> None:
    run = going()
    for user in (made_up.user("runs.view_run"), made_up.user("runs.change_run", staff=False)):
        client.force_login(user)
        assert client.post(f"/api/runs/{run.pk}/load/", {"users": 5}).status_code == 403
        assert client.post(f"/runs/{run.pk}/load/", {"level": 5}).status_code == 403
        assert b'id="load-form"' not in client.get(f"/runs/{run.pk}/live/").content
    run.refresh_from_db()
    assert run.load_changes == []


def test_the_live_page_changes_the_load_and_shows_the_level(admin_page: Client) -> None:
    run = going()
    page = admin_page.get(f"/runs/{run.pk}/live/").content.decode()
    assert 'id="load-form"' in page
    assert 'step="1" required value="4"' in page
    answer = admin_page.post(f"/runs/{run.pk}/load/", {"level": "7"}, follow=True)
    assert 'step="1" required value="7"' in answer.content.decode()
    for level, says in (("x", "give a number"), ("7.5", "7.5 is not a whole number")):
        answer = admin_page.post(f"/runs/{run.pk}/load/", {"level": level}, follow=True)
        assert says in answer.content.decode()
    run.refresh_from_db()
    assert [change["level"] for change in run.load_changes] == [7]
    assert b'id="load-form"' not in admin_page.get(f"/runs/{made_up.run().pk}/live/").content


def test_a_trace_is_shown_without_its_packed_times(api: APIClient) -> None:
    load = parse_load({"kind": "trace", "arrivals_s": [0, 1, 2.5]}).model_dump(mode="json")
    run = going()
    Run.objects.filter(pk=run.pk).update(load=load)
    shown = api.get(f"/api/runs/{run.pk}/").json()["load"]
    assert (shown["kind"], shown["conversations"], "arrivals" in shown) == ("trace", 3, False)


def test_a_plan_replays_a_trace_or_says_what_is_wrong_with_it(api: APIClient) -> None:
    api.force_login(made_up.user(superuser=True))
    body = {
        "name": "replay",
        "target": made_up.target().pk,
        "scenarios": [{"scenario": made_up.scenario().pk}],
        "load": {"kind": "trace", "arrivals_s": [0, 2, 1]},
    }
    answer = api.post("/api/plans/", body)
    assert answer.status_code == 400
    assert "arrival 2: 1 s is before the one ahead of it, 2 s: sort them" in str(answer.json()["load"])
    recorded = {"kind": "trace", "timestamps": [5_000, 5_010, 5_020], "speed": 2}
    answer = api.post("/api/plans/", body | {"load": recorded})
    assert "the unit of timestamps is ambiguous" in str(answer.json()["load"])
    plan = api.post("/api/plans/", body | {"load": {**recorded, "trace_unit": "ms"}})
    assert plan.status_code == 201, plan.json()
    run = api.post("/api/runs/", {"plan": plan.json()["id"]}).json()
    assert (run["load"]["conversations"], run["load"]["speed"], run["load"]["trace_unit"]) == (3, 2, "ms")
