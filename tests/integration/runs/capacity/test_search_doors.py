"""Searches and sweeps by every door but the command line, on Celery workers, against a capacity that is known."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import expect
from rest_framework.test import APIClient

from runs import db_clock, live_stream
from runs.lifecycle.transitions import RUN_TERMINAL
from runs.models import Run, RunStatus, ScheduleSlot, Shard
from tests.integration.runs.conftest import Start
from tests.integration.web import made_up
from tests.support.browser import WAIT_MS, browser_page
from tests.support.processes import Mock
from tests.support.runs import until
from tests.support.site import running_site
from tokenburn_site.local.process_groups import ProcessGroups

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]
QUICK = "e2e_ms.mean<560"
"""Four at once, each in 400 ms: five users or more wait, eight 800 ms in the mean."""
SEARCH = {"conditions": [QUICK], "high": 8, "settle_s": 0, "measure_s": 1, "precision": 0.5}
SWEEP = {"levels": [2, 8], "hold_s": 3, "conditions": [QUICK]}


@pytest.fixture
def mock(start_mock: Callable[..., Mock]) -> Mock:
    return start_mock(
        "--error-rate", "0", "--delay-ms", "400", "--tokens", "3", "--concurrency", "4", "--grpc-port", "-1"
    )


@pytest.fixture
def api(transactional_db: None) -> APIClient:
    client = APIClient()
    client.default_format = "json"
    client.force_login(made_up.user(superuser=True))
    return client


def create(api: APIClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = api.post(path, body)
    assert answer.status_code in {201, 202}, answer.content
    return dict(answer.json())


def plan_of(api: APIClient, mock: Mock, load: dict[str, Any], processes: int = 1) -> int:
    """A plan against the mock, made over the API."""
    target = {"name": "T", "preset": "openai-chat", "url": f"{mock.url}/v1", "params": {"model": "mock"}}
    spec = {"name": "s", "steps": [{"do": "say", "text": "Hello"}]}
    plan = {
        "name": "How much it takes",
        "target": create(api, "/api/targets/", target)["id"],
        "scenarios": [{"scenario": create(api, "/api/scenarios/", {"name": "s", "spec": spec})["id"]}],
        "load": {"kind": "closed", **load},
        "processes": processes,
        "witness": False,
    }
    return int(create(api, "/api/plans/", plan)["id"])


def followed(api: APIClient, run_id: int) -> dict[str, Any]:
    """The run in the API when it is over."""
    until(lambda: api.get(f"/api/runs/{run_id}/").json()["status"] in RUN_TERMINAL, 90, "the run's end")
    run = dict(api.get(f"/api/runs/{run_id}/").json())
    assert (run["status"], run["reason"]) == (RunStatus.COMPLETED, "")
    return run


def said_live(run_id: int) -> list[str]:
    """What the live page showed that the run was doing, one after the other."""
    ticks: list[Any] = [entry.data for entry in live_stream.read_since(run_id) if entry.kind == "tick"]
    return list(dict.fromkeys(tick["doing"] for tick in ticks))


def check_sweep(api: APIClient, run_id: int, mock: Mock) -> None:
    report = api.get(f"/api/runs/{run_id}/report/").json()
    assert [(row["level"], row["good"]) for row in report["load_curve"]] == [(2, True), (8, False)]
    capacity = report["capacity"]
    assert (capacity["level"], capacity["high"], capacity["unit"], capacity["found"]) == (2, 8, "users", True)
    assert report["turns"]["sent"] == report["turns"]["ok"] == mock.stats()["chat_requests"]
    said = said_live(run_id)
    for words in ("level 1 of 2: 2 users: measuring", "level 2 of 2: 8 users: measuring"):
        assert words in said, said
    assert said[-1] == "level 2 of 2: 8 users: over", said


def test_a_search_over_the_api_finds_what_the_target_serves_at_once(
    api: APIClient, start_worker: Start, mock: Mock
) -> None:
    """Two engines; API, stream and pages agree."""
    start_worker("load", "-c", "2")
    plan = plan_of(api, mock, {"users": 4, "search": SEARCH}, processes=2)
    run = create(api, "/api/runs/", {"plan": plan})
    assert run["load"]["search"]["conditions"] == [QUICK]
    found = followed(api, run["id"])
    assert [shard["status"] for shard in found["shards"]] == ["done", "done"]
    assert (found["search"]["over"], {change["by"] for change in found["load_changes"]}) == ("found", {"search"})

    report = api.get(f"/api/runs/{run['id']}/report/").json()
    levels, capacity = report["load_curve"], report["capacity"]
    assert [(row["level"], row["good"]) for row in levels][:2] == [(4, True), (8, False)], levels
    assert len(levels) >= 4, "both sides of the limit are measured again"
    assert all(row["active"] == pytest.approx(row["level"], abs=1) for row in levels)
    assert 4 <= capacity["level"] < capacity["high"] <= 8, levels
    assert (capacity["found"], capacity["unit"], capacity["note"]) == (True, "users", "")
    assert capacity["limited_by"][0].startswith(f"{QUICK} (is ")
    assert report["turns"]["sent"] == report["turns"]["ok"] == mock.stats()["chat_requests"]
    assert report["turns"]["sent"] == Run.objects.get(pk=run["id"]).turns.count()

    said = said_live(run["id"])
    assert said[0].startswith("level 1: 4 users: "), said
    assert any(words.startswith("level 2: 8 users: ") and words.endswith(" s left; 4 is good") for words in said), said
    assert said[-1].endswith(f": over; {capacity['level']} is good; {capacity['high']} is too much"), said
    page = api.get(f"/runs/{run['id']}/report/").content.decode()
    assert f"capacity: {capacity['level']} users keep {QUICK}; {capacity['high']} miss {QUICK} (is " in unescaped(page)
    assert page.count('<span class="tb-badge tb-badge--failed">bad</span>') == sum(not row["good"] for row in levels)
    assert "<strong>capacity" in page


def unescaped(page: str) -> str:
    return page.replace("&lt;", "<")


@pytest.mark.browser
def test_a_sweep_that_is_started_in_the_admin_is_followed_in_a_browser(
    api: APIClient, client: Client, family: ProcessGroups, start_worker: Start, mock: Mock, tmp_path: Path
) -> None:
    plan = plan_of(api, mock, {"sweep": SWEEP})
    start_worker("load", "-c", "1")
    client.force_login(made_up.user(superuser=True))
    with running_site(family, tmp_path / "site.log") as site:
        follow(site, client.cookies[settings.SESSION_COOKIE_NAME].value, plan)
    run_id = Run.objects.get().pk
    followed(api, run_id)
    check_sweep(api, run_id, mock)


def follow(site: str, session: str, plan: int) -> None:
    """Start it, and check the live page and then the report."""
    with browser_page(site) as watched:
        watched.enter(session)
        page = watched.page
        page.goto(f"{site}/admin/runs/testplan/{plan}/change/")
        page.get_by_role("button", name="Start a run").click()
        page.wait_for_url(re.compile(r"/runs/\d+/live/"))
        expect(page.locator("body")).to_contain_text("sweep over 2, 8 users, 3 s each")
        goes_on = re.compile("level [12] of 2: [28] users: (settling|measuring)")
        expect(page.locator("#doing")).to_have_text(goes_on, timeout=WAIT_MS)
        expect(page.locator("#doing")).to_have_text("level 2 of 2: 8 users: over", timeout=WAIT_MS)
        page.get_by_role("link", name="Read its report").click()
        expect(page.locator("#capacity")).to_contain_text(f"capacity: 2 users keep {QUICK}; 8 miss {QUICK} (is ")
        expect(page.locator("#levels tbody tr")).to_have_count(2)
        expect(page.locator("#levels tbody tr").first).to_contain_text("good")
        expect(page.locator("#levels tbody tr").last).to_contain_text("bad")
        expect(page.locator("#chart-load-turns canvas")).to_have_count(1)


def test_a_schedule_starts_a_sweep(api: APIClient, start_worker: Start, mock: Mock, tmp_path: Path) -> None:
    """By a beat and workers as a site has them."""
    plan = plan_of(api, mock, {"sweep": SWEEP})
    moment = (db_clock.now() + timedelta(seconds=2)).isoformat()
    schedule = create(api, "/api/schedules/", {"name": "once", "plan": plan, "when": {"at": moment}})
    start_worker("control", "-c", "1", "-B", "-s", str(tmp_path / "beat"))
    start_worker("load", "-c", "1")
    until(lambda: ScheduleSlot.objects.filter(run__isnull=False).exists(), 40, "the slot's start")
    slot = ScheduleSlot.objects.get()
    assert (slot.schedule_id, slot.status, slot.reason) == (schedule["id"], "started", "")
    assert slot.run_id is not None
    run = followed(api, slot.run_id)
    assert run["scheduled"]["schedule"] == schedule["id"]
    check_sweep(api, slot.run_id, mock)
    assert Shard.objects.count() == 1
