"""The site, made once for all cells of a module: each request is undone, so that none sees what another did."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from django.db import transaction
from pytest_django import DjangoDbBlocker

from tests.integration.web.permissions.site import Effects, Site, listening


@pytest.fixture(scope="module")
def site(valkey_running: str, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Site]:
    effects = Effects()
    refusals = logging.getLogger("django.request")
    refusals.disabled = True  # thousands: the sentence of a failure would drown in them
    with django_db_blocker.unblock(), listening(effects) as url, transaction.atomic():
        yield Site(effects, url)
        transaction.set_rollback(True)
    refusals.disabled = False
