"""The pages in a real browser, over made-up runs: what is drawn, what hostile text does, how a page comes back.

Longer than 300 lines, because all of these tests share one site and one browser, which take seconds to start.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from playwright.sync_api import Browser, expect

from metrics.analysis.threshold_status import ThresholdStatus
from metrics.ingest.batch import parse
from metrics.number_format import number, share
from metrics.report.charts import OVER_TIME
from metrics.storage import store
from runs import live_stream
from runs.models import Run, RunStatus
from runs.reporting.report import collect, report_of
from runs.supervisor.ticks import GROUPS_A_TICK, RunTotals
from tests.hostile import sse
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import chunk
from tests.integration.web import made_up
from tests.support.browser import Watched, chromium, page_in
from tests.support.data.curves import forty_users
from tests.support.ledgers import LedgerMaker, ledger_bytes
from tests.support.runs import talk
from tests.support.services import reserve_port
from tests.support.site import running_site
from tokenburn_site.local.process_groups import ProcessGroups

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]


RIGHT_ENDS = "(found) => found.map((one) => one.getBoundingClientRect().right)"
CUT = "(box) => box.scrollWidth - box.clientWidth"
NOTE_TEXTS = """window.drawn = new Map();
const write = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
  const name = this.canvas.closest(".tb-chart")?.id;
  drawn.set(name, [...(drawn.get(name) || []), text]);
  return write.call(this, text, ...rest);
};"""


@pytest.fixture(scope="module", autouse=True)
def chrome() -> Iterator[Browser]:
    """One browser for all tests here. Playwright keeps an event loop in this thread, which is all that Django's guard
    looks at."""
    with pytest.MonkeyPatch.context() as patch, chromium() as started:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield started


@pytest.fixture(scope="module")
def site(
    django_db_setup: None, valkey_running: str, family: ProcessGroups, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """One site for all tests here: the database under it is emptied between them."""
    with running_site(family, tmp_path_factory.mktemp("site") / "site.log") as url:
        yield url


@contextmanager
def browse(chrome: Browser, site: str) -> Iterator[Watched]:
    """A page on which somebody with every right is logged in."""
    client = Client()
    client.force_login(made_up.user(superuser=True))
    with page_in(chrome, site) as watched:
        watched.enter(client.cookies[settings.SESSION_COOKIE_NAME].value)
        yield watched


@pytest.fixture
def browser(chrome: Browser, site: str) -> Iterator[Watched]:
    with browse(chrome, site) as watched:
        yield watched


def finished() -> Run:
    run = made_up.run(RunStatus.COMPLETED)
    made_up.fill(run)
    made_up.finish(run)
    return run


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
    searched = finished()
    assert searched.report is not None
    searched.report = {**searched.report, **forty_users(knee=10)}
    searched.save(update_fields=["report"])
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
    chrome: Browser, family: ProcessGroups, tmp_path: Path
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
    run, page = finished(), browser.page
    made_up.publish(run, 2)
    page.goto(f"{browser.site}/runs/{run.pk}/live/", wait_until="commit")
    expect(page.locator("#ended")).to_contain_text("This run has ended.")
    expect(page.locator("#counters")).to_contain_text("turns ok")
    expect(page.locator("#counters")).not_to_contain_text("sessions active")
    expect(page.locator(".tb-so-far:visible")).to_have_count(0)
    expect(page.locator("figure")).to_have_count(4)
    expect(page.locator("figcaption")).to_have_text([chart.title for chart in OVER_TIME], use_inner_text=True)


def test_on_a_phone_no_row_is_cut_and_figures_stand_beside_their_names(browser: Watched) -> None:
    run, page = finished(), browser.page
    assert run.plan is not None
    run.name, run.load = f"https://a-long-address.example/v1: {run.name}", {**run.load, "budget": {"tokens": 100_000}}
    run.save(update_fields=["name", "load"])
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{browser.site}/runs/{run.pk}/report/")
    expect(page.locator("#metrics tbody tr").first).to_be_visible()
    figures = page.locator("#metrics tbody tr td:nth-child(4)").evaluate_all(RIGHT_ENDS)
    assert len(figures) > 5 and max(figures) <= 390
    for address, box in (
        ("/admin/", ".tb-scroll"),
        (f"/admin/runs/testplan/{run.plan.pk}/change/", "#mix-group .simplebar-content-wrapper"),
    ):
        page.goto(browser.site + address)
        expect(page.locator(box).first).to_be_visible()
        assert page.locator(box).first.evaluate(CUT) <= 1, address
    assert page.locator("#mix-group .form-row:visible").evaluate_all(RIGHT_ENDS) != []
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(f"{browser.site}/admin/")
    assert page.locator(".tb-scroll").first.evaluate(CUT) <= 1


def test_the_marks_of_a_short_runs_time_axis_differ(browser: Watched) -> None:
    """uPlot draws on a canvas: the texts that it writes there are recorded."""
    run, page = made_up.run(RunStatus.COMPLETED), browser.page
    made_up.fill(run, seconds=1)
    made_up.finish(run)
    page.add_init_script(NOTE_TEXTS)
    page.goto(f"{browser.site}/runs/{run.pk}/report/")
    expect(page.locator(".tb-chart canvas")).to_have_count(4)
    page.wait_for_function("(window.drawn.get('chart-active') || []).length > 3")
    drawn = page.evaluate("window.drawn.get('chart-active')")
    seconds = [text for text in drawn if text.endswith(" s")]
    assert len(seconds) > 1
    assert len(seconds) == len(set(seconds)), seconds


def test_no_page_is_wider_than_the_window(browser: Watched) -> None:
    """Opened on a phone and then turned to a wide window; what draws charts, which take their size when they are made,
    is opened in a wide window too."""
    run, page = finished(), browser.page
    made_up.fill(made_up.run(RunStatus.RUNNING))
    assert run.plan is not None
    charts = (f"/runs/{run.pk}/live/", f"/runs/{run.pk}/report/")
    user = made_up.user()
    lists = (f"/admin/auth/user/{user.pk}/change/",)
    for address in (
        "/admin/",
        "/admin/targets/target/",
        f"/admin/targets/target/{run.plan.target_id}/change/",
        f"/admin/targets/target/{run.plan.target_id}/test-message/",
        "/admin/scenarios/scenario/",
        f"/admin/runs/testplan/{run.plan.pk}/change/",
        "/admin/runs/run/",
        f"/admin/runs/run/{run.pk}/change/",
        f"/admin/metrics/sessionmetric/?run__id__exact={run.pk}",
        *charts,
        *lists,
        "/api/docs/",
    ):
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            if width == 390 or address in (*charts, *lists):
                page.goto(browser.site + address)
                page.wait_for_load_state("load")
            inner = page.evaluate("document.documentElement.scrollWidth")
            assert inner <= width, (address, width)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_test_message_is_sent_from_its_target_and_what_came_is_text(browser: Watched, width: int) -> None:
    def answer(peer: Peer) -> None:
        peer.read_request()
        events = (*sse.PIECES, b'data: {"choices":[{"delta":{"content":"<img src=x>"}}]}\n\n', sse.DONE)
        peer.send(sse.STREAM_HEAD + b"".join(chunk(event) for event in events) + b"0\r\n\r\n")
        peer.hold()

    page = browser.page
    page.set_viewport_size({"width": width, "height": 900})
    with HostileServer(answer) as server:
        target = made_up.target(url=f"{server.url.removesuffix('/v1')}/v1", stream=True)
        page.goto(f"{browser.site}/admin/targets/target/{target.pk}/change/")
        link = page.locator("a[href$='/test-message/']", has_text="Send a test message")
        page.goto(browser.site + str(link.first.get_attribute("href")))
        page.fill("#id_message", "Which river?")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.locator(".tb-verdict--good")).to_contain_text("Answered: ")
        assert len(server.requests) == 1
    expect(page.locator(".tb-frames tbody tr")).to_have_count(len(sse.PIECES) + 2)
    expect(page.locator(".tb-raw").first).to_contain_text("<img src=x>")
    assert page.locator(".tb-page img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.documentElement.classList.toggle('dark')")
    expect(page.locator(".tb-verdict--good")).to_be_visible()
    browser.check()  # not a word of the page's own breaks its policy
    browser.expected = ("Content Security Policy",)
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.owned = 1'}))")
    assert page.evaluate("window.owned") is None


def test_charts_follow_the_theme(browser: Watched) -> None:
    run, page = finished(), browser.page
    page.goto(f"{browser.site}/runs/{run.pk}/report/")
    expect(page.locator(".tb-chart canvas")).to_have_count(4)
    pixels = "document.querySelector('#chart-turns canvas').toDataURL()"
    light = page.evaluate(pixels)
    page.evaluate("document.documentElement.classList.toggle('dark')")
    page.wait_for_function(f"(before) => {pixels} !== before", arg=light)


def test_a_json_field_says_at_once_what_is_wrong(browser: Watched) -> None:
    page = browser.page
    page.goto(f"{browser.site}/admin/runs/testplan/add/")
    area = page.locator("#id_load")
    expect(area).to_have_value('{\n  "kind": "closed",\n  "users": 50,\n  "duration_s": 30\n}')
    area.fill('{\n  "kind": closed\n}')
    expect(page.locator("#id_load + .tb-json-problem")).to_contain_text("is not valid JSON")
    area.fill("{}")
    expect(page.locator("#id_load + .tb-json-problem")).to_be_empty()


def test_on_a_phone_no_level_of_a_search_is_broken_into_digits(browser: Watched) -> None:
    run, page = finished(), browser.page
    assert run.report is not None
    run.report = {**run.report, **forty_users()}
    run.save()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{browser.site}/runs/{run.pk}/report/")
    lines = page.locator("#levels th[scope=row]").evaluate_all(
        "(found) => found.map((one) => { const range = document.createRange(); range.selectNodeContents(one);"
        " return range.getClientRects().length; })"
    )
    assert lines == [1, 1, 1, 1]
