"""The admin's theme in a real browser under the policy of the pages: every control that a script moves.

Each test fails on any violation of the policy and any error or warning in the console (`Watched`).
"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Dialog, Page, expect

from runs.models import Run, RunStatus
from tests.integration.web import made_up
from tests.support.browser import Watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]


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


def look_for(page: Page, text: str) -> None:
    """Typed at once and answered once: while somebody types slowly, as on a busy machine, the palette looks for the
    first letters too, and what is chosen by then is lost when the next rows come."""
    field = page.locator("#search-input-command")
    with page.expect_response(lambda answer: answer.url.endswith(f"s={text}")):
        field.fill(text)
        field.press("End")


def test_the_command_palette_searches_and_goes_there(browser: Watched) -> None:
    page = browser.page
    page.goto(f"{browser.site}/admin/")
    page.keyboard.press("Control+k")
    field = page.locator("#search-input-command")
    expect(field).to_be_focused()
    look_for(page, "webhook")
    rows = page.locator("#command-results-list li")
    expect(rows.first).to_be_visible()
    field.press("ArrowDown")
    expect(rows.first).to_have_class(re.compile("active"))
    field.press("Escape")
    look_for(page, "target")
    expect(rows.first).to_contain_text("arget")
    leads = rows.first.locator("a").get_attribute("href")
    assert leads is not None and leads.startswith("/admin/targets/")
    field.press("ArrowDown")
    field.press("Enter")
    page.wait_for_url(f"**{leads}")
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


def test_the_rows_of_a_plan_are_added_removed_and_saved(browser: Watched) -> None:
    page, plan = browser.page, made_up.plan()
    more = made_up.scenario()
    page.goto(f"{browser.site}/admin/runs/testplan/{plan.pk}/change/")
    rows = page.locator("#mix-group .form-group:not(.empty-form)")
    expect(rows).to_have_count(1)
    page.locator("#mix-group .add-row").click()
    page.locator("#mix-group .add-row").click()
    expect(rows).to_have_count(3)
    page.locator("#id_mix-1-scenario + .select2 .select2-selection").click()
    page.locator(".select2-search__field").fill(more.name)
    page.locator(".select2-results__option", has_text=more.name).click()
    rows.nth(2).locator(".delete-template").click()
    expect(rows).to_have_count(2)
    page.locator("button[name=_continue]").click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert plan.mix.count() == 2


def test_leaving_a_changed_form_is_asked_about(browser: Watched) -> None:
    page, plan = browser.page, made_up.plan()
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    browser.on("dialog", leave)
    page.goto(f"{browser.site}/admin/runs/testplan/{plan.pk}/change/")
    page.locator("#id_name").press_sequentially(" changed")
    page.goto(f"{browser.site}/admin/")
    assert asked == ["beforeunload"]


def test_a_related_row_is_changed_in_a_window_of_its_own(browser: Watched) -> None:
    page, plan = browser.page, made_up.plan()
    page.goto(f"{browser.site}/admin/runs/testplan/{plan.pk}/change/")
    page.locator("[x-ref=relatedWidgetWrappertarget], [x-ref='relatedWidgetWrappertarget']").click()
    menu = page.locator("nav#related-widget-wrapper-target:visible")
    expect(menu).to_be_visible()
    with page.expect_popup() as opened:
        menu.locator(".change-related").click()
    window = opened.value
    window.fill("#id_name", "Renamed in a window")
    with window.expect_event("close"):
        window.locator("button[name=_save]").click()
    expect(page.locator("#id_target option:checked")).to_have_text("Renamed in a window")


def test_a_schedule_shows_the_fields_of_its_kind(browser: Watched) -> None:
    page, plan = browser.page, made_up.plan()
    page.goto(f"{browser.site}/admin/runs/planschedule/add/")
    expect(page.locator("#id_crontab")).to_be_visible()
    expect(page.locator("#id_at")).to_be_hidden()
    page.select_option("#id_kind", "at")
    expect(page.locator("#id_at")).to_be_visible()
    expect(page.locator("#id_crontab")).to_be_hidden()
    page.fill("#id_name", "Once")
    page.locator("#id_plan + .select2 .select2-selection").click()
    page.locator(".select2-results__option", has_text=plan.name).click()
    page.fill("#id_at", f"{timezone.now() + timedelta(days=2):%Y-%m-%dT%H:%M:%S}")
    page.locator("button[name=_continue]").click()
    expect(page.get_by_text("was added successfully")).to_be_visible()


def test_a_date_and_a_time_are_picked(browser: Watched) -> None:
    page, person = browser.page, made_up.user()
    page.goto(f"{browser.site}/admin/auth/user/{person.pk}/change/")
    page.locator("*:has(> #id_date_joined_0) .datetimeshortcuts a").last.click()
    page.locator(".calendarbox:visible td a", has_text=re.compile(r"^15$")).click()
    assert page.input_value("#id_date_joined_0").endswith("-15")
    page.locator("*:has(> #id_date_joined_1) .datetimeshortcuts a").last.click()
    page.locator(".clockbox:visible li a", has_text="Noon").click()
    assert page.input_value("#id_date_joined_1") == "12:00:00"
