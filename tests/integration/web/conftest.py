"""Fixtures of the web tests."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client, override_settings
from pytest_django import DjangoDbBlocker

from tests.integration.web import made_up
from tests.integration.web.permissions.site import Effects, Site, listening


@pytest.fixture
def boss(db: None) -> User:
    return made_up.user(superuser=True)


@pytest.fixture
def admin_page(boss: User, client: Client) -> Client:
    """A browser in which somebody with every right is logged in."""
    client.force_login(boss)
    return client


@pytest.fixture(scope="module")
def site(valkey_running: str, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Site]:
    """The site, made once for all requests of a module: each is undone, so that none sees what another did."""
    effects = Effects()
    chatty = [logging.getLogger(name) for name in ("django.request", "axes.handlers.database")]
    for one in chatty:
        one.disabled = True  # thousands of lines: the sentence of a failure would drown in them
    contact = override_settings(SECURITY_CONTACT="mailto:security@example.org")
    with django_db_blocker.unblock(), contact, listening(effects) as url, transaction.atomic():
        yield Site(effects, url)
        transaction.set_rollback(True)
    for one in chatty:
        one.disabled = False
