"""Text of strangers and of other users in a real browser: every page escapes it, and would it not, it ran nothing."""

from __future__ import annotations

import html
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from axes.models import AccessFailureLog, AccessLog
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.test import Client
from django.utils import timezone
from playwright.sync_api import CDPSession, ConsoleMessage

from accounts import tokens
from accounts.models import SsoIdentity
from audit.models import AuditEvent
from policy.models import OwnedHost, Panic, Policy
from runs.models import Approval, RunStatus, Webhook
from runs.schedules.services import create_schedule
from targets.models import Credential
from tests.integration.web import made_up
from tests.support.browser import Watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]

TEXT = """<script>hit = "script"</script><img src="/nowhere.png" onerror="hit = 'handler'">
<svg onload="hit = 'svg'"></svg><iframe srcdoc="<script>parent.hit = 'frame'</script>"></iframe>
<div x-data x-init="hit = 'alpine'"></div><div x-data x-init="$el.constructor.constructor('hit = 1')()"></div>
<div hx-on:load="hit = 'htmx'" hx-get="/favicon.ico" hx-trigger="load" hx-vals="js:{a: hit = 1}"></div>
<style>body { color: rgb(1, 2, 3) }</style><p style="color: rgb(1, 2, 3)"></p>
<a id="planted" href="javascript:hit = 'link'">link</a><base href="http://evil.example/">"""
NAME = """"><b id=planted onclick=hit=1><script>hit=1</script><img src onerror=hit=1>"""
"""Short enough for the name of a token; it also ends the attribute that it may stand in."""
LINES = f"""</textarea>{NAME}"""
PLANTED = (TEXT, LINES, NAME)
NO_SOCKET = "LOCAL_NETWORK_ACCESS"
"""The browser does not take a page that the test has rewritten for one of this machine."""


class Pages:
    """What the browser gets instead of the site's own pages."""

    def __init__(self, tools: CDPSession) -> None:
        """Of the browser's own tools: Playwright's `route` would switch its cache off, for which every page costs twice
        as much."""
        self.tools = tools
        tools.on("Fetch.requestPaused", self.without_escaping)
        tools.send("Fetch.enable", {"patterns": [{"resourceType": "Document", "requestStage": "Response"}]})
        self.raw: set[str] = set()
        """Addresses of pages that did not escape a planted text."""
        self.forbidden: list[str] = []
        """What the policy of the pages forbade."""

    def without_escaping(self, paused: dict[str, Any]) -> None:
        """The page as it would be if none of its templates escaped the planted texts."""
        asked = {"requestId": paused["requestId"]}
        status = paused["responseStatusCode"]
        if 300 <= status < 400:
            self.tools.send("Fetch.continueRequest", asked)
            return
        body = b64decode(self.tools.send("Fetch.getResponseBody", asked)["body"]).decode()
        if any(text in body for text in PLANTED):
            self.raw.add(paused["request"]["url"])
        for text in PLANTED:
            body = body.replace(html.escape(text), text)
        headers = [one for one in paused["responseHeaders"] if one["name"].lower() != "content-length"]
        answer = {"responseCode": status, "responseHeaders": headers, "body": b64encode(body.encode()).decode()}
        self.tools.send("Fetch.fulfillRequest", {**asked, **answer})

    def hear(self, message: ConsoleMessage) -> None:
        if "Content Security" in message.text:
            self.forbidden.append(message.text)


def of_runs() -> Iterator[str]:
    """What a target answers, and the names of targets, plans and runs."""
    target = made_up.target(name=NAME)
    run = made_up.run(RunStatus.COMPLETED, of=made_up.plan(target), reason=TEXT)
    assert run.plan is not None
    run.plan.name = NAME
    run.plan.save()
    made_up.fill(run, seconds=2, answer=TEXT)
    made_up.finish(run)
    yield "/admin/"
    yield f"/runs/{run.pk}/live/"
    yield f"/runs/{run.pk}/report/"
    yield from shown(run)
    yield change(run.turns.earliest("id"))
    yield from shown(target, "delete/", "test-message/")
    yield from shown(run.plan)


def of_people() -> Iterator[str]:
    """Names of users, groups and tokens, failed log-ins, and who is logged in how."""
    other = made_up.user()
    User.objects.filter(pk=other.pk).update(username=NAME, first_name=NAME, last_name=NAME)
    other.refresh_from_db()
    group = Group.objects.create(name=NAME)
    SsoIdentity.objects.create(user=other, name=NAME, issuer=NAME, subject=NAME)
    yield from shown(tokens.make(other, NAME, []))
    yield from shown(other)
    yield change(group)
    Client(HTTP_USER_AGENT=NAME).post("/admin/login/", {"username": NAME, "password": "x"})
    yield change(AccessFailureLog.objects.get())
    yield from shown(AccessLog.objects.create(username=NAME, user_agent=NAME, ip_address="192.0.2.1", path_info=NAME))


def of_the_audit_log() -> Iterator[str]:
    Client(HTTP_USER_AGENT=NAME).get("/api/targets/")
    yield change(AuditEvent.objects.filter(user_agent=NAME).latest("id"))
    yield change(AuditEvent.objects.create(user_name=NAME, text=NAME, action="a", details={"reason": NAME}))
    yield f"/admin/audit/auditevent/?q={quote(NAME)}"


def of_permissions() -> Iterator[str]:
    """Credentials, policies, proved hosts and runs that wait for approval."""
    yield from shown(Credential.objects.create(name=NAME, origins=[f"https://{NAME}"]))
    group = Group.objects.create(name=NAME)
    yield from shown(Policy.objects.create(group=group, targets=LINES))
    yield from shown(OwnedHost.objects.create(host=NAME))
    waiting = made_up.run(RunStatus.WAITING, reason=NAME)
    Approval.objects.create(run=waiting, why=NAME, asked_at=timezone.now(), decided_by_name=NAME, note=NAME)
    yield f"/runs/{waiting.pk}/live/"
    yield change(waiting)


def of_the_emergency_stop() -> Iterator[str]:
    panic = Panic.objects.create(reason=NAME, began_by_name=NAME, ended_by_name=NAME)
    yield "/account/second-factor/"
    Panic.objects.update(is_on=False)
    yield from shown(panic)


def of_what_is_planned() -> Iterator[str]:
    """Schedules and webhooks."""
    schedule = create_schedule(name=NAME, plan=made_up.plan(), when={"crontab": "0 2 * * *"})
    yield from shown(schedule)
    yield from shown(Webhook.objects.create(name=NAME, schedule=schedule))


def of_oneself() -> Iterator[str]:
    """By the provider of single sign-on a user may have any name."""
    User.objects.filter(is_superuser=True).update(username=NAME)
    yield "/account/second-factor/"


def shown(row: Model, *more: str) -> Iterator[str]:
    """The list and the pages of the row."""
    page = change(row)
    yield page.removesuffix(f"{row.pk}/change/")
    yield page
    for other in more:
        yield page.replace("change/", other)


def change(row: Model) -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/"


GROUPS = (
    of_runs, of_people, of_the_audit_log, of_permissions, of_the_emergency_stop, of_what_is_planned, of_oneself,
)  # fmt: skip


@pytest.fixture
def pages(browser: Watched) -> Iterator[Pages]:
    browser.expected = ("Content Security", "Alpine Expression Error", "htmx:", "Failed to load resource", NO_SOCKET)
    pages = Pages(browser.page.context.new_cdp_session(browser.page))
    browser.on("console", pages.hear)
    yield pages
    pages.tools.detach()
    browser.rest()  # nothing is said any more
    browser.errors[:] = [error for error in browser.errors if "prohibited in the CSP build" not in error]


def check(browser: Watched, pages: Pages, address: str) -> None:
    """The planted text is in the page, and does nothing."""
    page = browser.page
    assert pages.raw == set(), "not escaped"
    assert page.locator("#planted").count(), address
    for planted in page.locator("#planted").all():
        planted.evaluate("(one) => one.dispatchEvent(new MouseEvent('click'))")  # of it alone
    page.wait_for_timeout(50)
    assert len(pages.forbidden) >= 2, address
    assert page.evaluate("window.hit") is None, address
    assert page.evaluate("getComputedStyle(document.body).color") != "rgb(1, 2, 3)", address


@pytest.mark.parametrize("addresses", GROUPS)
def test_planted_text_is_escaped_and_would_run_nothing(
    browser: Watched, pages: Pages, addresses: Callable[[], Iterator[str]]
) -> None:
    for address in addresses():
        pages.forbidden.clear()
        browser.page.goto(browser.site + address)
        check(browser, pages, address)


def test_neither_where_a_form_answers(browser: Watched, pages: Pages) -> None:
    """The key of a new token, and the key of a second factor."""
    page = browser.page
    page.goto(f"{browser.site}/admin/accounts/apitoken/add/")
    page.fill("#id_name", NAME)
    pages.forbidden.clear()
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector("#token-key")
    check(browser, pages, "the key of a token")
    User.objects.filter(is_superuser=True).update(username=NAME)
    page.goto(f"{browser.site}/account/second-factor/")
    pages.forbidden.clear()
    page.get_by_role("button", name="Set it up").click()
    page.wait_for_selector(".tb-qr svg")
    check(browser, pages, "the key of a second factor")
