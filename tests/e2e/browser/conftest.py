"""One site and one browser for all tests of this folder, and pages of an administrator in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.test import Client

from tests.integration.web import made_up
from tests.support.browser import Chrome, Watched, chromium
from tests.support.site import running_site
from tokenburn_site.local.process_groups import ProcessGroups


@pytest.fixture(scope="package")
def chrome() -> Iterator[Chrome]:
    """Playwright keeps an event loop in this thread, which is all that Django's guard looks at."""
    with pytest.MonkeyPatch.context() as patch, chromium() as started:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield started


@pytest.fixture(scope="package")
def site(
    django_db_setup: None, valkey_running: str, family: ProcessGroups, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The database under it is emptied between tests."""
    with running_site(family, tmp_path_factory.mktemp("site") / "site.log") as url:
        yield url


@contextmanager
def browse(chrome: Chrome, site: str) -> Iterator[Watched]:
    """A page on which somebody with every right is logged in."""
    client = Client()
    client.force_login(made_up.user(superuser=True))
    with chrome.visit(site) as watched:
        watched.enter(client.cookies[settings.SESSION_COOKIE_NAME].value)
        yield watched


@pytest.fixture
def browser(chrome: Chrome, site: str) -> Iterator[Watched]:
    with browse(chrome, site) as watched:
        yield watched
