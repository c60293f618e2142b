"""The list of workers on its page, over the API and on the command line."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from runs.workers import registry
from runs.workers.registry import Worker, own_queue
from tests.integration.web import made_up
from tests.support.services import reserve_port
from tokenburn_site.config.version import VERSION
from tokenburn_site.web.workers import clock_text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


@pytest.fixture
def farm() -> None:
    def lives(name: str, *queues: str, **more: Any) -> None:
        registry.beat(Worker(name, (*queues, own_queue(name)), host=name.partition("@")[2], **more))

    lives("load@alpha", "load", "load.eu", region="eu", slots=4, busy=3, version=VERSION, cpus=4, load1=2.5, up_s=3700)
    lives("load@<b>", "load", slots=2, version="0.0.1", clock_offset_ms=120_000.4)
    lives("control@alpha", "control", slots=2, version=VERSION, clock_offset_ms=-3.2)


def test_the_api_says_who_lives_and_how_many_slots_there_are(farm: None, admin_page: Client) -> None:
    found = admin_page.get("/api/workers/").json()
    assert (found["version"], found["slots"], found["busy"]) == (VERSION, 6, 3)
    control, odd, alpha = found["workers"]
    assert (alpha["host"], alpha["region"], alpha["slots"], alpha["busy"]) == ("alpha", "eu", 4, 3)
    assert (odd["same_version"], alpha["same_version"], control["clock_offset_ms"]) == (False, True, -3.2)


def test_the_page_marks_what_is_odd_and_shows_names_as_text(farm: None, admin_page: Client) -> None:
    text = admin_page.get("/workers/").content.decode()
    assert "3 of 6 load slots in use" in text
    assert f"0.0.1, not {VERSION}" in text
    assert "+2 min" in text
    assert "load@&lt;b&gt;" in text and "<b>" not in text
    assert "worker.load@alpha" not in text
    part = admin_page.get("/workers/?part=list").content.decode()
    assert part.lstrip().startswith("<section") and "load@alpha" in part


def test_the_command_gives_the_same_as_a_table_or_as_json(farm: None) -> None:
    out = StringIO()
    call_command("workers", stdout=out)
    assert "load@alpha" in out.getvalue() and "3 of 6 load slots in use" in out.getvalue()
    assert "0.0.1 (not the site's)" in out.getvalue()
    out = StringIO()
    call_command("workers", "--json", stdout=out)
    assert [worker["host"] for worker in json.loads(out.getvalue())["workers"]] == ["alpha", "<b>", "alpha"]


def test_without_a_broker_every_door_says_so(settings: Settings, admin_page: Client) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{reserve_port()}/0"
    answer = admin_page.get("/api/workers/")
    assert (answer.status_code, "does not answer" in answer.json()["detail"]) == (503, True)
    assert "the broker does not answer" in admin_page.get("/workers/").content.decode()
    with pytest.raises(CommandError, match="the broker does not answer"):
        call_command("workers")


def test_only_those_who_may_look_at_runs_may_look_at_workers(client: Client) -> None:
    client.force_login(made_up.user("targets.view_target"))
    assert [client.get(path).status_code for path in ("/api/workers/", "/workers/")] == [403, 403]
    client.force_login(made_up.user("runs.view_run"))
    assert [client.get(path).status_code for path in ("/api/workers/", "/workers/")] == [200, 200]


def test_a_plans_regions_are_checked_and_a_run_without_slots_is_refused_over_the_api(
    farm: None, admin_page: Client
) -> None:
    plan = made_up.plan()
    address = f"/api/plans/{plan.pk}/"
    answer = admin_page.patch(address, {"regions": ["eu", "us"]}, content_type="application/json")
    assert (answer.status_code, list(answer.json())) == (400, ["regions"])
    changed = {"regions": ["us", "eu"], "processes": 2}
    assert admin_page.patch(address, changed, content_type="application/json").status_code == 200
    answer = admin_page.post("/api/runs/", {"plan": plan.pk}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, ["slots_missing"])
    assert "needs 1 slot in region us, none exists: 1 is missing" in answer.json()["plan"][0]


@pytest.mark.parametrize(
    ("ms", "text"), [(None, ""), (0.2, "+200 us"), (-949.0, "-949 ms"), (120_000.0, "+2 min"), (-1000.0, "-1 s")]
)
def test_a_clock_is_said_in_the_unit_that_fits(ms: float | None, text: str) -> None:
    assert clock_text(ms) == text
