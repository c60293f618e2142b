"""Log-ins, second factors and tokens in a real browser."""

from __future__ import annotations

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User

from accounts import second_factor
from tests.integration.web import made_up
from tests.integration.web.accounts.authenticator import PAGE, shown
from tests.support.browser import Watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_second_factor_from_the_picture_to_the_next_log_in(browser: Watched) -> None:
    page, user = browser.page, User.objects.get(is_superuser=True)
    user.password = PBKDF2PasswordHasher().encode(made_up.PASSWORD, "salt")  # the site knows not the tests' quick one
    user.save()
    browser.log_in(user.username, made_up.PASSWORD)
    page.goto(browser.site + PAGE)
    page.get_by_role("button", name="Set it up").click()
    box = page.locator(".tb-qr svg").bounding_box()
    assert box is not None and box["width"] > 100
    factor = second_factor.begin(user)
    page.fill("#id_code", shown(factor, -1))
    page.get_by_role("button", name="Confirm").click()
    codes = page.locator(".tb-key").inner_text().split()
    assert len(codes) == second_factor.RECOVERY_CODES
    page.context.clear_cookies()
    page.goto(f"{browser.site}/admin/login/?next={PAGE}")
    page.fill("#id_username", user.username)
    page.fill("#id_password", made_up.PASSWORD)
    page.click("#login-form [type=submit]")
    page.wait_for_selector("#code-form")
    page.fill("#id_code", "000000")
    page.click("#code-form [type=submit]")
    page.get_by_text("This code is wrong").wait_for()
    page.fill("#id_code", codes[0])
    page.click("#code-form [type=submit]")
    page.wait_for_url(browser.site + PAGE)
    page.get_by_text("Unused recovery").wait_for()


def test_a_token_is_made_and_shown(browser: Watched) -> None:
    page = browser.page
    page.goto(f"{browser.site}/admin/accounts/apitoken/add/")
    page.fill("#id_name", "nightly CI")
    page.get_by_label("Run: start").check()
    page.get_by_role("button", name="Save", exact=True).click()
    assert page.locator("#token-key").inner_text().startswith("tb_")
    page.get_by_role("link", name="All tokens").click()
    page.get_by_text("read, run").wait_for()
