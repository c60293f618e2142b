"""The policy of the pages in a real browser: no page of ours breaks it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import unfold

from runs.models import RunStatus
from tests.integration.web import made_up
from tests.integration.web.pages.test_walk import EVERY
from tests.support.browser import Watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]


def is_page(browser: Watched, address: str) -> bool:
    """Whether a browser shows something of its own there: neither data, a download or nothing, nor another page."""
    answer = browser.page.request.get(browser.site + address, max_redirects=0)
    is_html = "text/html" in answer.headers.get("content-type", "") and answer.body() != b""
    return is_html and "location" not in answer.headers


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
