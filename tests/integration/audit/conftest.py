"""Shared by the tests of the audit log."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.integration.web import made_up


@pytest.fixture
def boss(db: None) -> User:
    return made_up.user(superuser=True)


@pytest.fixture
def page(boss: User, client: Client) -> Client:
    """A browser in which somebody with every right is logged in; the log is empty but for that."""
    client.force_login(boss)
    return client
