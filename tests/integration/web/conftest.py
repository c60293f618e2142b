"""Fixtures of the web tests."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.integration.web import made_up


@pytest.fixture
def boss(db: None) -> User:
    return made_up.user(superuser=True)


@pytest.fixture
def admin_page(boss: User, client: Client) -> Client:
    """A browser in which somebody with every right is logged in."""
    client.force_login(boss)
    return client
