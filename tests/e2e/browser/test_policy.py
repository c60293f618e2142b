"""The policy of the pages in a real browser: no page of ours breaks it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import unfold

from runs.models import RunStatus
from tests.integration.web import made_up
from tests.integration.web.pages.test_walk import EVERY
from tests.support.browser import Watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]


class Parts(HTMLParser):
    """What a page is made of: its elements, what they load and do, without the texts and names of its rows."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[tuple[str, str, str]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add((tag, "", ""))
        for name, value in attrs:
            loads = name in ("src", "href") and tag != "a"
            does = name.startswith(("x-", "@", ":", "on", "hx-", "style"))
            self.found.add((tag, name, re.sub(r"\d+", "1", value or "") if loads or does else ""))


KIND = re.compile(r"/admin/\w+/\w+/(?:1/)?(\w*)/?")


def parts(browser: Watched, address: str) -> set[tuple[str, str, str]]:
    """Nothing where a browser shows nothing of its own: data, a download, or another page. Pages of one kind (lists,
    forms of a new row, ...) differ only in what is in them."""
    answer = browser.page.request.get(browser.site + address, max_redirects=0)
    if "text/html" not in answer.headers.get("content-type", "") or "location" in answer.headers or not answer.body():
        return set()
    page, kind = Parts(), KIND.fullmatch(address)
    page.feed(answer.text())
    return page.found | {("page", kind[1] if kind else address, str(answer.status))}


def test_no_page_breaks_its_policy_in_either_theme(browser: Watched) -> None:
    """A page on which nothing is new is not opened: others have shown that all of it keeps to the policy."""
    run = made_up.run(RunStatus.COMPLETED)
    made_up.fill(run)
    made_up.finish(run)
    browser.expected = ("Failed to load resource",)  # pages of rows that do not exist
    seen: set[tuple[str, str, str]] = set()
    looked_at = opened = 0
    for address in EVERY:
        if "logout" in address or not (found := parts(browser, address)):
            continue
        looked_at += 1
        if found <= seen:
            continue
        seen |= found
        browser.page.emulate_media(color_scheme="dark" if opened % 2 else "light")
        browser.page.goto(browser.site + address)
        opened += 1
        assert browser.errors == [], address
    assert looked_at > 60
    assert opened > 30


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
    browser.on("console", lambda message: wrong.append(message.text) if "CSP Parser Error" in message.text else None)
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
