"""The admin's theme in a real browser under the policy of the pages: every page and every control that a script moves.

Each page fails on any violation of its policy and any error or warning in the console (`Watched`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from runs.models import Run, RunStatus
from tests.integration.web import made_up
from tests.integration.web.pages.test_walk import EVERY
from tests.support.browser import Watched, chromium, page_in
from tests.support.site import running_site
from tokenburn_site.local.process_groups import ProcessGroups

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]


@pytest.fixture(scope="module", autouse=True)
def chrome() -> Iterator[Browser]:
    with pytest.MonkeyPatch.context() as patch, chromium() as started:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield started


@pytest.fixture(scope="module")
def site(
    django_db_setup: None, valkey_running: str, family: ProcessGroups, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with running_site(family, tmp_path_factory.mktemp("site") / "site.log") as url:
        yield url


@contextmanager
def browse(chrome: Browser, site: str) -> Iterator[Watched]:
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


def test_no_page_breaks_its_policy_in_either_theme(browser: Watched) -> None:
    finished()
    browser.expected = ("Failed to load resource",)  # pages of rows that do not exist
    pages = [
        address
        for address in EVERY
        if "logout" not in address
        and "text/html" in browser.page.request.get(browser.site + address).headers.get("content-type", "")
    ]
    assert len(pages) > 60
    for number, address in enumerate(pages):
        browser.page.emulate_media(color_scheme="dark" if number % 2 else "light")
        browser.page.goto(browser.site + address)
        assert browser.errors == [], address


def is_dark(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.classList.contains('dark')"))


def test_the_theme_switch_and_its_shortcut_last(browser: Watched) -> None:
    page = browser.page
    page.goto(f"{browser.site}/admin/")
    assert not is_dark(page)
    page.locator("[x-on\\:click='openUserLinks = !openUserLinks']").click()
    page.locator("nav:visible [x-on\\:click=\"switchTheme('dark')\"]").click()
    assert is_dark(page)
    page.reload()
    assert is_dark(page)
    page.keyboard.press("Control+e")
    assert not is_dark(page)


def test_the_sidebar_closes_and_stays_closed(browser: Watched) -> None:
    page = browser.page
    page.goto(f"{browser.site}/admin/runs/run/")
    sidebar, switch = (
        page.locator("#nav-sidebar-apps"),
        page.locator(".material-symbols-outlined:visible", has_text="dock_to_right"),
    )
    expect(sidebar).to_be_visible()
    switch.click()
    expect(sidebar).to_be_hidden()
    page.reload()
    expect(sidebar).to_be_hidden()
    switch.click()
    expect(sidebar).to_be_visible()
    page.locator("[x-on\\:click='navigationOpen = !navigationOpen']").first.click()
    page.set_viewport_size({"width": 390, "height": 844})
    expect(sidebar).to_be_hidden()
    switch.click()
    expect(sidebar).to_be_visible()


def test_the_command_palette_searches_and_goes_there(browser: Watched) -> None:
    page = browser.page
    page.goto(f"{browser.site}/admin/")
    page.keyboard.press("Control+k")
    field = page.locator("#search-input-command")
    expect(field).to_be_focused()
    field.press_sequentially("webhook")
    rows = page.locator("#command-results-list li")
    expect(rows.first).to_be_visible()
    field.press("ArrowDown")
    expect(rows.first).to_have_class(re.compile("active"))
    field.press("Escape")
    field.press_sequentially("target")
    expect(rows.first).to_contain_text("arget")
    field.press("ArrowDown")
    field.press("Enter")
    page.wait_for_url(re.compile("/admin/targets/target/"))
    page.keyboard.press("Control+k")
    field.press("Escape")
    expect(field).to_be_hidden()


def test_a_list_is_searched_filtered_and_acted_on(browser: Watched) -> None:
    page = browser.page
    for _ in range(2):
        made_up.run(RunStatus.RUNNING)
    page.goto(f"{browser.site}/admin/runs/run/")
    page.keyboard.press("/")
    expect(page.locator("#searchbar")).to_be_focused()
    page.locator(":visible", has_text=re.compile(r"^\s*Filters\s+filter_list\s*$")).last.click()
    expect(page.locator("#changelist-filter")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#changelist-filter")).to_be_hidden()
    page.locator("#action-toggle").check(force=True)
    expect(page.locator(".action-counter")).to_have_text("2 of 2 selected")
    bar = page.locator("#changelist-actions")
    assert bar.evaluate("(one) => one.style.width") == f"{bar.evaluate('(one) => one.offsetWidth')}px"
    expect(bar.locator("button")).to_be_hidden()
    bar.locator("select").select_option("stop_runs")
    bar.locator("button").click()
    page.wait_for_load_state()
    assert set(Run.objects.values_list("status", flat=True)) <= {RunStatus.STOPPING, RunStatus.STOPPED}
