"""The API's client of a user who may do everything."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient


@pytest.fixture
def api(boss: User) -> APIClient:
    client = APIClient()
    client.force_login(boss)
    return client
