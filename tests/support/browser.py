"""Debian's Chromium, driven by Playwright, and errors in it that are not visible."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, ViewportSize, expect, sync_playwright

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 30_000
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first has no window, also none that nobody sees, for which the others take a sixth more CPU."""
SIZE: ViewportSize = {"width": 1280, "height": 900}


@dataclass
class Watched:
    """A page, the errors in its console, and its requests to other hosts, also of windows that it opens. `expected`:
    texts of errors a test provokes."""

    page: Page
    site: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()
    _listeners: list[tuple[str, Callable[[Any], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.on("console", self.console)
        self.on("weberror", lambda found: self.errors.append(str(found.error)))
        self.on("request", self.request)

    def on(self, event: str, listener: Callable[[Any], None]) -> None:
        """Of the page and of windows that it opens, until somebody else uses it."""
        self.page.context.on(event, listener)  # type: ignore[call-overload]  # one overload for each event's name
        self._listeners.append((event, listener))

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

    def rest(self) -> None:
        """Show nothing that moves or asks for more, but of the same site: elsewhere the browser would give up the
        process that has read the site's scripts."""
        self.page.goto(f"{self.site}/favicon.ico")

    def leave(self) -> bool:
        """Whether somebody else may use the page: nothing of this visit stays in it, but for the site's files in the
        browser's cache. Not if the site has ended."""
        page, context = self.page, self.page.context
        for event, listener in self._listeners:
            context.remove_listener(event, listener)
        for other in context.pages[1:]:
            other.close()
        if page.url.startswith(self.site):
            page.evaluate("sessionStorage.clear()")
        try:
            self.rest()
        except Error:
            return False
        context.clear_cookies()
        tools = context.new_cdp_session(page)
        tools.send("Storage.clearDataForOrigin", {"origin": self.site, "storageTypes": "all"})
        tools.detach()
        page.set_viewport_size(SIZE)
        page.emulate_media(color_scheme="light")
        return True


class Chrome:
    """A browser with one page, which one test after another uses: the first address in a page of its own would cost
    each test three times as much."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self._page: Page | None = None

    @contextmanager
    def visit(self, site: str) -> Iterator[Watched]:
        """The page as of a person who was never here. Its errors and requests are checked at the end."""
        page = self._page or self._new_page()
        self._page = None
        watched, is_clean = Watched(page, site), False
        try:
            yield watched
            watched.check()
            is_clean = watched.leave()
        finally:
            if is_clean:
                self._page = page
            else:
                page.context.close()

    def _new_page(self) -> Page:
        context = self.browser.new_context(viewport=SIZE, color_scheme="light")
        context.set_default_timeout(WAIT_MS)
        return context.new_page()


@contextmanager
def chromium() -> Iterator[Chrome]:
    """Until it ends, an event loop runs in this thread."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    assert path is not None, "the browser tests need Debian's package chromium-headless-shell or chromium"
    expect.set_options(timeout=WAIT_MS)  # five seconds are few on a busy machine
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield Chrome(browser)
        browser.close()


@contextmanager
def browser_page(site: str) -> Iterator[Watched]:
    """A browser of its own with one such page."""
    with chromium() as chrome, chrome.visit(site) as watched:
        yield watched
