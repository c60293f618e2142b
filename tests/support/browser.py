"""Debian's chromium, driven by Playwright, and errors in it that are not visible."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 30_000
NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class Watched:
    """A page, its console's errors, and its requests to other hosts. `expected`: texts of errors a test provokes."""

    page: Page
    site: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(text in message.text for text in self.expected):
            self.errors.append(f"{message.text} ({message.location.get('url')})")

    def request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != urlsplit(self.site).netloc:
            self.foreign.append(request.url)

    def enter(self, session: str) -> None:
        """As somebody who has logged in already."""
        self.page.context.add_cookies([{"name": "sessionid", "value": session, "url": self.site}])

    def log_in(self, name: str, password: str) -> None:
        self.page.goto(f"{self.site}/admin/login/")
        self.page.fill("#id_username", name)
        self.page.fill("#id_password", password)
        self.page.click("#login-form [type=submit]")
        self.page.wait_for_url(f"{self.site}/admin/")

    def check(self) -> None:
        assert self.errors == []
        assert self.foreign == []


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser for several pages that know nothing of each other. Until it ends, an event loop runs in this thread."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    assert path is not None, "the browser tests need Debian's package chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()


@contextmanager
def page_in(browser: Browser, site: str) -> Iterator[Watched]:
    """A page of a person who was never here. Its errors and requests are checked at the end."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    context.set_default_timeout(WAIT_MS)
    watched = Watched(context.new_page(), site)
    watched.page.on("console", watched.console)
    watched.page.on("pageerror", lambda error: watched.errors.append(str(error)))
    watched.page.on("request", watched.request)
    try:
        yield watched
        watched.check()
    finally:
        context.close()


@contextmanager
def browser_page(site: str) -> Iterator[Watched]:
    """A browser of its own with one such page."""
    with chromium() as browser, page_in(browser, site) as watched:
        yield watched
