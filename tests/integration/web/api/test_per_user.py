"""A run's users and conversations one by one: the API, the CSV files, and that they add up to the report."""

from __future__ import annotations

import csv
from collections import Counter
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from runs.models import Run, Session
from tests.integration.web import made_up
from tokenburn_site.cli.report.per_user import users_text

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> APIClient:
    client = APIClient()
    client.force_login(made_up.user(superuser=True))
    return client


@pytest.fixture
def run() -> Run:
    made = made_up.run()
    made_up.fill(made, seconds=30)
    Session.objects.filter(run=made, pk__in=list(Session.objects.values_list("pk", flat=True)[:3])).update(
        model="=large", params={"temperature": 0.7}
    )
    made_up.finish(made)
    made.refresh_from_db()
    return made


def all_pages(api: APIClient, address: str | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while address:
        page = api.get(address).json()
        found += page["results"]
        address = page["next"]
    return found


def test_users_and_conversations_add_up_to_the_report(api: APIClient, run: Run) -> None:
    report: Any = run.report
    assert report is not None
    users = all_pages(api, f"/api/runs/{run.pk}/users/?page_size=3")
    talks = all_pages(api, f"/api/runs/{run.pk}/conversations/?page_size=7")
    assert len(talks) == Session.objects.filter(run=run).count() > 7
    assert [one["user"] for one in users] == sorted({talk["user"] for talk in talks})
    for parts in (users, talks):
        for word in ("sent", "ok", "aborted", "unknown"):
            assert sum(part["turns"][word] for part in parts) == report["turns"][word]
        for word in ("input", "output", "total"):
            assert sum(part["tokens"][word] for part in parts) == report["tokens"][word]
        latencies = [part["latency_ms"] for part in parts if part["latency_ms"]["min"] is not None]
        assert min(one["min"] for one in latencies) == pytest.approx(report["metrics"]["e2e_ms"]["min"], abs=1e-3)
        assert max(one["max"] for one in latencies) == pytest.approx(report["metrics"]["e2e_ms"]["max"], abs=1e-3)
    assert sum(user["conversations"]["started"] for user in users) == report["sessions"]["started"] == len(talks)
    for word in ("completed", "failed"):
        assert sum(user["conversations"][word] for user in users) == report["sessions"][word]
    assert sum(user["models"].get("=large", 0) for user in users) == 3
    slept = Counter[int]()
    for talk in talks:
        slept[talk["user"]] += talk["sleep_s"]
        assert len(talk["latencies_ms"]) == talk["turns"]["ok"]
    assert all(user["sleep_s"] == pytest.approx(slept[user["user"]], abs=0.01) for user in users)


def test_files_have_a_line_for_each(admin_page: Client, run: Run) -> None:
    for kind, rows in (("users", 0), ("conversations", Session.objects.filter(run=run).count())):
        answer = admin_page.get(f"/runs/{run.pk}/{kind}.csv")
        lines = list(csv.DictReader(b"".join(answer).decode().splitlines()))
        assert answer["Content-Disposition"].endswith(f'run-{run.pk}-{kind}.csv"')
        assert len(lines) == rows or kind == "users"
        assert run.report is not None
        assert sum(int(line["tokens_total"]) for line in lines) == run.report["tokens"]["total"]
        if kind == "conversations":
            assert {line["model"] for line in lines} == {"", "'=large"}  # no formula in a spreadsheet


def test_sessions_say_what_was_drawn(api: APIClient, run: Run) -> None:
    first = api.get(f"/api/runs/{run.pk}/sessions/").json()["results"][0]
    assert (first["model"], first["params"]) == ("=large", {"temperature": 0.7})


def test_the_command_line_has_a_table_of_them(run: Run) -> None:
    text = users_text(run, 140)
    assert text.startswith("users")
    assert "=large (" in text
