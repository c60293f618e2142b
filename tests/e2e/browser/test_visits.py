"""Of the page that all browser tests share: each of them is a visit of somebody who was never here."""

from __future__ import annotations

import pytest

from tests.support.browser import Chrome

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LEAVE_TRACES = """() => {
  localStorage.mine = 1; sessionStorage.mine = 1; document.cookie = "mine=1"; window.mine = 1;
}"""
TRACES = """() => [localStorage.mine, sessionStorage.mine, document.cookie.includes("mine"), window.mine,
  innerWidth, matchMedia("(prefers-color-scheme: dark)").matches]"""


def test_a_visit_finds_nothing_of_the_one_before(chrome: Chrome, site: str) -> None:
    address, heard = f"{site}/admin/login/", list[str]()
    with chrome.visit(site) as first:
        first.on("console", lambda message: heard.append(message.text))
        first.page.goto(address)
        untouched = first.page.evaluate(TRACES)
        first.page.set_viewport_size({"width": 390, "height": 900})
        first.page.emulate_media(color_scheme="dark")
        first.page.evaluate(LEAVE_TRACES)
        assert first.page.evaluate(TRACES) == ["1", "1", True, 1, 390, True]
        first.page.context.new_page().goto(address)
    with chrome.visit(site) as second:
        assert second.page == first.page
        assert len(second.page.context.pages) == 1
        second.page.goto(address)
        assert second.page.evaluate(TRACES) == untouched
        second.page.evaluate("console.log('for nobody')")
    assert heard == []
