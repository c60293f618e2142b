"""The pages in a real browser, over made-up runs: what is drawn, on a phone and on a desk, in both themes."""

from __future__ import annotations

import orjson
import pytest
from playwright.sync_api import expect

from runs.models import RunStatus
from tests.hostile import sse
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import chunk
from tests.integration.web import made_up
from tests.support.browser import Watched
from tests.support.data.curves import forty_users

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


def test_on_a_phone_no_row_is_cut_and_figures_stand_beside_their_names(browser: Watched) -> None:
    plan, page = made_up.plan(), browser.page
    run = made_up.finished(plan)
    run.name, run.load = f"https://a-long-address.example/v1: {run.name}", {**run.load, "budget": {"tokens": 100_000}}
    run.save(update_fields=["name", "load"])
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{browser.site}/runs/{run.pk}/report/")
    expect(page.locator("#metrics tbody tr").first).to_be_visible()
    figures = page.locator("#metrics tbody tr td:nth-child(4)").evaluate_all(RIGHT_ENDS)
    assert len(figures) > 5 and max(figures) <= 390
    for address, box in (
        ("/admin/", ".tb-scroll"),
        (f"/admin/runs/testplan/{plan.pk}/change/", "#mix-group .simplebar-content-wrapper"),
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
    with page.add_init_script(NOTE_TEXTS):
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
    plan, page = made_up.plan(), browser.page
    run = made_up.finished(plan)
    made_up.fill(made_up.run(RunStatus.RUNNING))
    charts = (f"/runs/{run.pk}/live/", f"/runs/{run.pk}/report/")
    user = made_up.user()
    lists = (f"/admin/auth/user/{user.pk}/change/",)
    for address in (
        "/admin/",
        "/admin/targets/target/",
        f"/admin/targets/target/{plan.target_id}/change/",
        f"/admin/targets/target/{plan.target_id}/test-message/",
        "/admin/scenarios/scenario/",
        f"/admin/runs/testplan/{plan.pk}/change/",
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
    called = {"id": "c1", "function": {"name": "look_up", "arguments": "word" * 200}}

    def event(delta: object) -> bytes:
        return b"data: %b\n\n" % orjson.dumps({"choices": [{"delta": delta}]})

    def answer(peer: Peer) -> None:
        peer.read_request()
        events = (*sse.PIECES, *map(event, ({"content": "<img src=x>"}, {"tool_calls": [called]})), sse.DONE)
        peer.send(sse.STREAM_HEAD + b"".join(chunk(one) for one in events) + b"0\r\n\r\n")
        peer.hold()

    page = browser.page
    page.set_viewport_size({"width": width, "height": 900})
    with HostileServer(answer) as server:
        target = made_up.target(url=f"{server.url.removesuffix('/v1')}/v1", stream=True, params={"tools": [{}]})
        page.goto(f"{browser.site}/admin/targets/target/{target.pk}/change/")
        link = page.locator("a[href$='/test-message/']", has_text="Send a test message")
        page.goto(browser.site + str(link.first.get_attribute("href")))
        page.fill("#id_message", "Which river?")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.locator(".tb-verdict--good")).to_contain_text("Answered: ")
        assert len(server.requests) == 1
    expect(page.locator(".tb-frames tbody tr")).to_have_count(len(sse.PIECES) + 3)
    expect(page.locator(".tb-raw").first).to_contain_text("<img src=x>")
    assert page.locator(".tb-page img").count() == 0
    expect(page.locator(".tb-raw", has_text="look_up word")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.documentElement.classList.toggle('dark')")
    expect(page.locator(".tb-verdict--good")).to_be_visible()
    browser.check()  # not a word of the page's own breaks its policy
    browser.expected = ("Content Security Policy",)
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.owned = 1'}))")
    assert page.evaluate("window.owned") is None


def test_charts_follow_the_theme(browser: Watched) -> None:
    run, page = made_up.finished(), browser.page
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
    run, page = made_up.finished(**forty_users()), browser.page
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{browser.site}/runs/{run.pk}/report/")
    lines = page.locator("#levels th[scope=row]").evaluate_all(
        "(found) => found.map((one) => { const range = document.createRange(); range.selectNodeContents(one);"
        " return range.getClientRects().length; })"
    )
    assert lines == [1, 1, 1, 1]
