"""What the policy of the pages forbids, in a real browser: no page of ours breaks it, and planted text runs nothing."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
import unfold
from playwright.sync_api import Route

from runs.models import RunStatus
from tests.integration.web import made_up
from tests.integration.web.pages.test_walk import EVERY
from tests.support.browser import Watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]


def is_page(browser: Watched, address: str) -> bool:
    """Whether a browser shows it itself: neither data, nor a download, nor an answer without content."""
    answer = browser.page.request.get(browser.site + address)
    return "text/html" in answer.headers.get("content-type", "") and answer.body() != b""


def test_no_page_breaks_its_policy_in_either_theme(browser: Watched) -> None:
    run = made_up.run(RunStatus.COMPLETED)
    made_up.fill(run)
    made_up.finish(run)
    browser.expected = ("Failed to load resource",)  # pages of rows that do not exist
    pages = [address for address in EVERY if "logout" not in address and is_page(browser, address)]
    assert len(pages) > 60
    for number, address in enumerate(pages):
        browser.page.emulate_media(color_scheme="dark" if number % 2 else "light")
        browser.page.goto(browser.site + address)
        assert browser.errors == [], address


TEMPLATES = Path(unfold.__file__).parent / "templates"
NOT_EXPRESSIONS = ("x-for", "x-ref", "x-teleport", "x-transition", "x-cloak", "x-model")
ATTRIBUTE = re.compile(r"\s(x-[\w:.-]+)=(?:\"([^\"]*)\"|'([^']*)')")


def expressions() -> set[str]:
    """What the theme's templates give Alpine to evaluate, with x1 for whatever a template fills in."""
    found = set()
    for path in TEMPLATES.rglob("*.html"):
        text = re.sub(r"{% else %}[^{]*{% endif %}|{%[^%]*%}", "", path.read_text("utf-8"))
        text = re.sub(r"{{[^}]*}}", "x1", text)
        for name, first, second in ATTRIBUTE.findall(text):
            if not name.startswith(NOT_EXPRESSIONS):
                found.add(first or second)
    return found - {""}


def test_the_parser_knows_every_expression_of_the_theme(browser: Watched) -> None:
    """Also of parts that no page of ours shows today. Only what does not parse counts: names are those of elsewhere."""
    browser.expected = ("Alpine Expression Error", "Undefined variable", "Cannot read", "is not a function")
    page, wrong = browser.page, []
    known = expressions()
    assert len(known) > 100
    page.on("console", lambda message: wrong.append(message.text) if "CSP Parser Error" in message.text else None)
    page.goto(f"{browser.site}/admin/runs/run/")
    page.evaluate(
        """(found) => found.forEach((expression) => {
          const place = document.createElement("div");
          place.setAttribute("x-init", expression);
          document.body.append(place);
        })""",
        [*sorted(known), "const a = 1"],
    )
    page.wait_for_timeout(1000)
    assert [text for text in wrong if "const a = 1" not in text] == []
    assert wrong != [], "what does not parse is found"
    browser.errors.clear()


PLANTED = """<script>owned = "script"</script><img src="/nowhere.png" onerror="owned = 'handler'">
<svg onload="owned = 'svg'"></svg><iframe srcdoc="<script>parent.owned = 'frame'</script>"></iframe>
<div x-data x-init="owned = 'alpine'"></div><div x-data x-init="$el.constructor.constructor('owned = 1')()"></div>
<div hx-on:load="owned = 'htmx'" hx-get="/favicon.ico" hx-trigger="load" hx-vals="js:{a: owned = 1}"></div>
<style>body { color: rgb(1, 2, 3) }</style><p style="color: rgb(1, 2, 3)"></p>
<a id="planted" href="javascript:owned = 'link'">link</a><base href="http://evil.example/">"""


PLANTED_NAME = (
    """<script>owned = 1</script><img src="/nowhere.png" onerror="owned = 2"><b id="planted" onclick="owned = 3">"""
)


def without_escaping(route: Route) -> None:
    """The page as it would be if none of its templates escaped the planted texts."""
    answer = route.fetch()
    body = answer.text()
    for text in (PLANTED, PLANTED_NAME):
        body = body.replace(html.escape(text), text)
    route.fulfill(response=answer, body=body)


def test_a_text_that_no_template_escaped_runs_nothing(browser: Watched) -> None:
    page, target = browser.page, made_up.target(name=PLANTED_NAME)
    run = made_up.run(RunStatus.COMPLETED, of=made_up.plan(target), reason=PLANTED)
    assert run.plan is not None
    run.plan.name = PLANTED_NAME
    run.plan.save()
    made_up.fill(run, seconds=2, answer=PLANTED)
    made_up.finish(run)
    turn = run.turns.earliest("id")
    browser.expected = ("Content Security", "Alpine Expression Error", "htmx:", "Failed to load resource")
    broken: list[str] = []
    page.on("console", lambda message: broken.append(message.text) if "Content Security" in message.text else None)
    page.route(re.compile("/(admin|runs)/"), without_escaping)
    for address in (
        "/admin/",
        f"/runs/{run.pk}/live/",
        f"/runs/{run.pk}/report/",
        "/admin/runs/run/",
        f"/admin/runs/run/{run.pk}/change/",
        f"/admin/metrics/sessionmetric/{turn.pk}/change/",
        "/admin/targets/target/",
        f"/admin/targets/target/{target.pk}/change/",
        f"/admin/targets/target/{target.pk}/test-message/",
        f"/admin/targets/target/{target.pk}/delete/",
        "/admin/runs/testplan/",
        f"/admin/runs/testplan/{run.plan.pk}/change/",
    ):
        broken.clear()
        page.goto(browser.site + address)
        assert page.locator("#planted").count(), address
        for planted in page.locator("#planted").all():
            planted.evaluate("(one) => one.dispatchEvent(new MouseEvent('click'))")  # of it alone
        page.wait_for_timeout(200)
        assert len(broken) >= 2, address
        assert page.evaluate("window.owned") is None, address
        assert page.evaluate("getComputedStyle(document.body).color") != "rgb(1, 2, 3)", address
    page.wait_for_timeout(300)
    browser.errors[:] = [error for error in browser.errors if "prohibited in the CSP build" not in error]
