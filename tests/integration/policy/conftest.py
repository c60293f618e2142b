"""Fixtures of the tests of policy."""

from tests.integration.web.conftest import admin_page, boss

__all__ = ["admin_page", "boss"]
