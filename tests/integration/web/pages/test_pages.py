"""The run pages: who may see them, what they show, what their buttons do."""

from __future__ import annotations

import csv
import hashlib
import html
import json
import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.test import Client

from metrics.number_format import number
from metrics.report.advice import advice
from runs import live_stream
from runs.models import Run, RunStatus
from tests.integration.web import made_up

PAGES = (
    *("live/", "report/", "report.json", "junit.xml", "summary.md", "series/"),
    *("turns.csv", "turns.json", "users.csv", "conversations.csv"),
)


def text_of(page: bytes) -> str:
    return html.unescape(re.sub(r"\s+", " ", page.decode()))


@pytest.mark.usefixtures("valkey")
def test_only_those_who_may_view_runs_see_them(client: Client, db: None) -> None:
    run = made_up.run()
    made_up.finish(run)
    for user, expected in (
        (made_up.user("targets.view_target"), 403),
        (made_up.user("runs.view_run"), 200),
        (made_up.user("runs.change_run"), 200),
    ):
        client.force_login(user)
        for page in PAGES:
            assert client.get(f"/runs/{run.pk}/{page}").status_code == expected, page


def test_a_run_that_is_not_there_is_not_found(admin_page: Client) -> None:
    for page in PAGES:
        assert admin_page.get(f"/runs/4711/{page}").status_code == 404


@pytest.mark.usefixtures("valkey")
def test_only_staff_with_the_right_start_and_stop(client: Client, db: None) -> None:
    plan, run = made_up.plan(), made_up.run(RunStatus.RUNNING)
    for user in (made_up.user("runs.view_run"), made_up.user("runs.change_run", staff=False)):
        client.force_login(user)
        assert client.post(f"/runs/plans/{plan.pk}/start/").status_code == 403
        assert client.post(f"/runs/{run.pk}/stop/").status_code == 403
    assert Run.objects.count() == 1
    client.force_login(made_up.user("runs.change_run"))
    answer = client.post(f"/runs/plans/{plan.pk}/start/")
    started = Run.objects.get(plan=plan)
    assert answer["Location"] == f"/runs/{started.pk}/live/"
    assert client.post(f"/runs/{run.pk}/stop/")["Location"] == f"/runs/{run.pk}/live/"
    run.refresh_from_db()
    assert run.stop_requested_at is not None


def test_buttons_ask_for_a_token_against_forgery(boss: User, db: None) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(boss)
    run = made_up.run(RunStatus.RUNNING)
    assert strict.post(f"/runs/{run.pk}/stop/").status_code == 403
    assert strict.post(f"/runs/plans/{run.plan_id}/start/").status_code == 403


def test_a_look_never_changes_anything(admin_page: Client) -> None:
    run = made_up.run(RunStatus.RUNNING)
    assert admin_page.get(f"/runs/{run.pk}/stop/").status_code == 405
    assert admin_page.get(f"/runs/plans/{run.plan_id}/start/").status_code == 405


def test_the_report_page_shows_the_reports_own_figures(admin_page: Client) -> None:
    run = made_up.run()
    made_up.fill(run)
    made_up.finish(run)
    report = run.report
    assert report is not None
    page = text_of(admin_page.get(f"/runs/{run.pk}/report/").content)
    assert f"<b>{report['turns']['sent']:,}</b><span>turns sent</span>" in page
    assert "<code>http_500</code></td> <td>10</td>" in page.replace("</td><td>", "</td> <td>")
    assert f"<td>{number(report['metrics']['ttft_ms']['p95'])}</td>" in page
    assert "<code>ttft_ms.p95<500</code>" in page
    for reason in report["verdict"]["reasons"]:
        assert reason in page
    [charts] = re.findall(r'id="report-charts"[^>]*>(.*?)</script>', page)
    columns = json.loads(charts)
    assert columns["turns"][1] == report["series"]["turns_per_s"]


def test_the_report_can_be_downloaded(admin_page: Client) -> None:
    run = made_up.run()
    made_up.fill(run)
    assert admin_page.get(f"/runs/{run.pk}/report.json").status_code == 302
    made_up.finish(run)
    answer = admin_page.get(f"/runs/{run.pk}/report.json")
    assert answer.json() == run.report
    assert answer["Content-Disposition"] == f'attachment; filename="token-burn-run-{run.pk}.json"'


@pytest.mark.parametrize(("name", "kind"), [("junit.xml", "application/xml"), ("summary.md", "text/markdown")])
def test_the_report_can_be_downloaded_for_ci(admin_page: Client, name: str, kind: str) -> None:
    run = made_up.run()
    made_up.fill(run)
    assert admin_page.get(f"/runs/{run.pk}/{name}").status_code == 302
    made_up.finish(run)
    answer = admin_page.get(f"/runs/{run.pk}/{name}")
    assert answer["Content-Type"].startswith(kind)
    assert answer["Content-Disposition"] == f'attachment; filename="token-burn-run-{run.pk}-{name}"'
    assert "ttft" in answer.content.decode()
    assert f'href="/runs/{run.pk}/{name}"' in text_of(admin_page.get(f"/runs/{run.pk}/report/").content)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_every_turn_can_be_downloaded(admin_page: Client, kind: str) -> None:
    run = made_up.run()
    made_up.fill(run)
    answer = admin_page.get(f"/runs/{run.pk}/turns.{kind}")
    assert answer["Content-Disposition"] == f'attachment; filename="token-burn-run-{run.pk}-turns.{kind}"'
    text = answer.getvalue().decode()
    rows = json.loads(text) if kind == "json" else list(csv.DictReader(text.splitlines()))
    assert [int(row["id"]) for row in rows] == list(run.turns.order_by("id").values_list("id", flat=True))


def test_a_run_without_a_report_says_so(admin_page: Client) -> None:
    run = made_up.run(RunStatus.FAILED, reason="nothing listens there")
    page = text_of(admin_page.get(f"/runs/{run.pk}/report/").content)
    assert "No report" in page
    assert "nothing listens there" in page


def test_an_error_code_comes_with_what_to_do(admin_page: Client) -> None:
    run = made_up.run()
    made_up.fill(run)
    made_up.finish(run)
    assert run.report is not None and run.report["errors"]["http_500"]
    page = text_of(admin_page.get(f"/runs/{run.pk}/report/").content)
    assert f'<td class="tb-text tb-wrap">{advice("http_500")}</td>' in page


@pytest.mark.parametrize("page", ["report", "live"])
def test_a_target_without_a_name_of_its_own_is_shown_once(admin_page: Client, page: str) -> None:
    url = "http://127.0.0.1:9/v1/" + "x" * 200
    run = made_up.run()
    for name, shown in ((url, 1), (url[:100], 1), ("my bot", 1)):
        Run.objects.filter(pk=run.pk).update(target_spec={"name": name, "url": url})
        head = text_of(admin_page.get(f"/runs/{run.pk}/{page}/").content).partition('class="tb-head__facts"')[2]
        head = head.partition("</div>")[0]
        assert head.count("http://") == shown == head.count(url)
        assert ("my bot" in head) == (name == "my bot")


def test_hostile_text_stays_text(admin_page: Client) -> None:
    run = made_up.run(RunStatus.FAILED, reason=made_up.HOSTILE)
    Run.objects.filter(pk=run.pk).update(name=made_up.HOSTILE, target_spec={"name": made_up.HOSTILE, "url": "x"})
    made_up.fill(run, answer=made_up.HOSTILE)
    run.refresh_from_db()
    run.report = {
        "run": {"duration_s": 1.0},
        "errors": {made_up.HOSTILE: 1},
        "metrics": {made_up.HOSTILE: {"count": 1}},
        "verdict": {"trusted": False, "reasons": [made_up.HOSTILE], "notes": [made_up.HOSTILE]},
        "series": {"at_s": [made_up.HOSTILE]},
    }
    run.save()
    for page in (f"/runs/{run.pk}/live/", f"/runs/{run.pk}/report/", f"/admin/runs/run/{run.pk}/change/", "/admin/"):
        content = admin_page.get(page).content.decode()
        assert "owned" in content, page
        assert "<img src=x" not in content, page
        assert "<script>document" not in content, page


@pytest.mark.usefixtures("valkey")
def test_the_live_page_falls_back_to_the_stored_report_when_the_stream_is_gone(admin_page: Client) -> None:
    run = made_up.run(RunStatus.COMPLETED)
    made_up.fill(run)
    made_up.finish(run)
    assert "its live stream is no longer stored" in text_of(admin_page.get(f"/runs/{run.pk}/live/").content)
    live_stream.publish_status(run.pk, "completed", "")
    page = text_of(admin_page.get(f"/runs/{run.pk}/live/").content)
    assert "no longer kept" not in page
    assert "live-config" in page


def test_live_charts_of_stored_windows_are_what_ticks_draw(admin_page: Client) -> None:
    run = made_up.run(RunStatus.RUNNING)
    made_up.fill(run, seconds=20)
    charts = admin_page.get(f"/runs/{run.pk}/series/").json()
    made_up.finish(run)
    assert run.report is not None
    assert {name: len(columns) for name, columns in charts.items()} == {"turns": 3, "active": 2, "ttft": 4, "e2e": 4}
    assert sum(charts["turns"][1]) == run.report["turns"]["ok"]
    assert sum(charts["turns"][2]) == run.report["turns"]["error"]
    # Quantiles so far end where the whole run's stand.
    assert charts["ttft"][2][-1] == pytest.approx(run.report["metrics"]["ttft_ms"]["p95"])


VENDORED = {
    "vendor/uplot-1.6.32": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f  uPlot.iife.min.js",
    "unfold/js/alpine": "0d18d7f8d7910e2e0212f0f056b12f50bebc3abb7d88d2f7c7cb4c336fe4519a  alpine.js",
}
"""By folder as it is served: one digest of the npm package, so that a list cannot be changed along with its files."""


@pytest.mark.parametrize("folder", VENDORED)
def test_vendored_files_are_the_released_ones(folder: str) -> None:
    found = finders.find(f"{folder}/SHA256SUMS")
    assert isinstance(found, str)
    sums = Path(found)
    names = set()
    for line in sums.read_text(encoding="ascii").splitlines():
        digest, name = line.split()
        assert hashlib.sha256(sums.with_name(name).read_bytes()).hexdigest() == digest, name
        names.add(name)
    assert names == {path.name for path in sums.parent.iterdir()} - {"SHA256SUMS"}
    assert VENDORED[folder] in sums.read_text()


def test_the_theme_runs_on_the_alpine_that_evaluates_nothing() -> None:
    found = finders.find("unfold/js/alpine/alpine.js")
    assert isinstance(found, str)
    assert "alpinejs-csp-3.17.4" in found
    assert "async function(){}" not in Path(found).read_text("utf-8"), "whose constructor compiles text"
