"""The live page in a real browser, over made-up runs: what is drawn, what hostile text does, how it comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import transaction
from playwright.sync_api import expect

from metrics.analysis.threshold_status import ThresholdStatus
from metrics.ingest.batch import parse
from metrics.number_format import number, share
from metrics.report.charts import OVER_TIME
from metrics.storage import store
from runs import live_stream
from runs.models import Run, RunStatus
from runs.reporting.report import collect, report_of
from runs.supervisor.ticks import GROUPS_A_TICK, RunTotals
from tests.e2e.browser.conftest import browse
from tests.integration.web import made_up
from tests.support.browser import Chrome, Watched
from tests.support.data.curves import forty_users
from tests.support.ledgers import LedgerMaker, ledger_bytes
from tests.support.runs import talk
from tests.support.services import reserve_port
from tests.support.site import running_site
from tokenburn_site.local.process_groups import ProcessGroups

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]


def test_the_live_page_shows_the_stream_as_text_and_charts(browser: Watched) -> None:
    run, page = made_up.run(RunStatus.RUNNING), browser.page
    made_up.publish(run, 20, held_back=12)
    page.goto(f"{browser.site}/runs/{run.pk}/live/")
    expect(page.locator("#counters")).to_contain_text("160turns ok")
    expect(page.locator("#quantiles")).to_contain_text("Time to first token (ms)")
    expect(page.locator("#log .tb-line--gap")).to_have_count(4)
    expect(page.locator("#log .tb-line--gap").first).to_have_text("12 lines held back")
    expect(page.locator("#log .tb-line__answer").first).to_have_text(made_up.HOSTILE)
    expect(page.locator(".tb-chart canvas")).to_have_count(4)
    assert page.locator("#log img, #log script").count() == 0
    assert "owned" not in page.title()


def test_a_threshold_says_live_what_it_reached_and_nothing_before_that(browser: Watched) -> None:
    run, page = made_up.run(RunStatus.RUNNING), browser.page
    statuses: list[ThresholdStatus] = [
        {"expr": "ttft_ms.p95<500", "value": None, "state": "early"},
        {"expr": "error_rate<1%", "value": 0.0125, "high": None, "state": "missed"},
    ]
    live_stream.publish(run.pk, [("tick", {**made_up.tick(1.0, 8), "thresholds": statuses})])
    page.goto(f"{browser.site}/runs/{run.pk}/live/")
    cells = page.locator("#threshold-statuses tbody td:not(.tb-text)")
    expect(cells).to_have_text(["-", "≥1.25%"])


def test_a_search_says_live_what_it_does_and_draws_its_report_over_load(browser: Watched) -> None:
    run, page = made_up.run(RunStatus.RUNNING), browser.page
    doing = "level 3: 40 users: measuring, 2 s left; 20 is good"
    live_stream.publish(run.pk, [("tick", {**made_up.tick(1.0, 8), "doing": doing})])
    page.goto(f"{browser.site}/runs/{run.pk}/live/")
    expect(page.locator("#doing")).to_have_text(doing)
    searched = made_up.finished(**forty_users(knee=10))
    page.goto(f"{browser.site}/runs/{searched.pk}/report/")
    expect(page.locator(".tb-chart canvas")).to_have_count(8)
    expect(page.locator("#capacity")).to_contain_text("capacity: 40 users keep e2e_ms.p95<105; 42 miss")
    expect(page.locator("#levels tbody tr")).to_have_count(4)
    expect(page.locator("#levels tbody tr").nth(1)).to_contain_text("capacity")


def test_groups_are_a_table_that_grows_and_is_the_same_for_who_comes_late(browser: Watched) -> None:
    run, page, late = made_up.run(RunStatus.RUNNING), browser.page, browser.page.context.new_page()
    names = [made_up.HOSTILE, *(f"talk {number}" for number in range(1, GROUPS_A_TICK + 3))]
    run.scenario_specs = [{"weight": 1, "scenario": talk(name=name)} for name in names]
    run.save(update_fields=["scenario_specs"])
    totals, table = RunTotals(run), page.locator("#groups-so-far")
    page.goto(f"{browser.site}/runs/{run.pk}/live/")
    expect(page.locator("#status")).to_have_text("running")
    expect(table).to_be_hidden()
    data, offset = ledger_bytes(LedgerMaker(600, run.pk, run.shards.get().pk, groups=len(names))), 0
    for end in (data.index(b"\n", len(data) // 3) + 1, len(data)):
        with transaction.atomic():
            store.write(parse(data[offset:end], run.pk, run.shards.get().pk, offset, groups=len(names)))
        offset = end
        totals.update()
        live_stream.publish(run.pk, [("tick", totals.tick())])
        counts = totals.tick()["groups"]["rows"][0][1]
        expect(table.locator("tbody tr").first.locator("td").nth(1)).to_have_text(str(counts))
    expect(table.locator("tbody tr")).to_have_count(GROUPS_A_TICK)
    expect(table.locator("p")).to_have_text("Times in ms. And 3 more: the report has them all.")
    group = report_of(run, collect(run), run.status, "")["groups"][0]
    assert table.locator("tbody tr").first.locator("td").all_inner_texts() == [
        made_up.HOSTILE,
        str(sum(group["turns"][word] for word in ("ok", "error", "timeout"))),
        share(group["error_rate"]),
        *(number(group["metrics"][name]["p95"]) for name in ("ttft_ms", "e2e_ms")),
    ]
    assert table.locator("img, script").count() == 0
    late.goto(f"{browser.site}/runs/{run.pk}/live/")
    expect(late.locator("#groups-so-far tbody tr")).to_have_count(GROUPS_A_TICK)
    assert late.locator("#groups-so-far").inner_html() == table.inner_html()
    page.goto(f"{browser.site}/runs/{made_up.run(RunStatus.RUNNING).pk}/live/")
    assert page.locator("#groups-so-far").count() == 0, "one group is the whole run"


def test_a_page_comes_back_by_itself_and_shows_everything_once(
    chrome: Chrome, family: ProcessGroups, tmp_path: Path
) -> None:
    run, port, log = made_up.run(RunStatus.RUNNING), reserve_port(), tmp_path / "site.log"
    made_up.publish(run, 3, held_back=0)
    with browse(chrome, f"http://127.0.0.1:{port}") as watched:
        watched.expected = ("WebSocket connection to", "ERR_CONNECTION")
        rows, note = watched.page.locator("#log .tb-line"), watched.page.locator("#connection")
        with running_site(family, log, port):
            watched.page.goto(f"{watched.site}/runs/{run.pk}/live/")
            expect(rows).to_have_count(9)
        expect(note).to_contain_text("Reconnecting")
        made_up.publish(run, 2, held_back=0)
        with running_site(family, log, port):
            expect(rows).to_have_count(15, timeout=20_000)
            expect(note).to_be_hidden()
        assert watched.page.locator("#log .tb-line--gap").count() == 0


def test_the_end_of_a_run_is_said_with_a_way_to_its_report(browser: Watched) -> None:
    run, page = made_up.run(RunStatus.RUNNING), browser.page
    made_up.fill(run)
    made_up.publish(run, 2)
    page.goto(f"{browser.site}/runs/{run.pk}/live/")
    expect(page.locator("#counters")).to_contain_text("turns in flight")
    expect(page.locator("#ended")).to_be_hidden()
    expect(page.locator(".tb-so-far").first).to_be_visible()
    made_up.finish(run)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.COMPLETED)
    expect(page.locator("#status")).to_have_text("completed")
    expect(page.locator("#ended")).to_contain_text("This run has ended.")
    expect(page.locator("#counters")).not_to_contain_text("turns in flight")
    expect(page.locator(".tb-so-far:visible")).to_have_count(0)
    page.get_by_role("link", name="Read its report").click()
    expect(page.locator("#metrics")).to_contain_text("Time to first token (ms)")
    expect(page.locator(".tb-chart canvas")).to_have_count(4)


def test_the_live_page_of_an_ended_run_says_so_at_once(browser: Watched) -> None:
    run, page = made_up.finished(), browser.page
    made_up.publish(run, 2)
    page.goto(f"{browser.site}/runs/{run.pk}/live/", wait_until="commit")
    expect(page.locator("#ended")).to_contain_text("This run has ended.")
    expect(page.locator("#counters")).to_contain_text("turns ok")
    expect(page.locator("#counters")).not_to_contain_text("sessions active")
    expect(page.locator(".tb-so-far:visible")).to_have_count(0)
    expect(page.locator("figure")).to_have_count(4)
    expect(page.locator("figcaption")).to_have_text([chart.title for chart in OVER_TIME], use_inner_text=True)
