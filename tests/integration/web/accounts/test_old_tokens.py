"""Tokens that an earlier version stored in clear."""

from __future__ import annotations

import gzip
import re
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from accounts.models import ApiToken
from tests.integration.web import made_up
from tests.old_data import make
from tests.support import databases

KEY = "0123456789abcdef0123456789abcdef01234567"
"""That of the stored database."""


def test_their_keys_keep_working_and_are_nowhere_in_clear(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> None:
    file = tmp_path / "tokenburn.sqlite3"
    file.write_bytes(gzip.decompress((make.HERE / make.DATABASE).read_bytes()))
    assert KEY.encode() in file.read_bytes(), "guards the test itself"
    with django_db_blocker.unblock(), databases.as_default(databases.configuration(f"sqlite:///{file}")):
        call_command("migrate", verbosity=0)
        answer = Client().get("/api/targets/", HTTP_AUTHORIZATION=f"Token {KEY}")
        assert answer.status_code == 200
        token = ApiToken.objects.get()
        assert abs(token.expires_at - timezone.now() - timedelta(days=settings.TOKEN_DAYS)) < timedelta(minutes=5)
        assert token.state == "active" and token.last_used_at is not None
        assert "authtoken_token" not in connection.introspection.table_names()
        connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not re.search(KEY.encode(), file.read_bytes())


@pytest.mark.usefixtures("postgres_database")
def test_postgresql_takes_them_over_too() -> None:
    user = made_up.user("targets.view_target")
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE authtoken_token (key varchar(40) PRIMARY KEY, created timestamptz NOT NULL, "
            "user_id integer NOT NULL UNIQUE REFERENCES auth_user(id) DEFERRABLE INITIALLY DEFERRED)"
        )
        cursor.execute("INSERT INTO authtoken_token VALUES (%s, now(), %s)", [KEY, user.pk])
    with connection.schema_editor() as editor:
        import_module("accounts.migrations.0002_hash_old_tokens").move(apps, editor)
    assert Client().get("/api/targets/", HTTP_AUTHORIZATION=f"Token {KEY}").status_code == 200
    assert "authtoken_token" not in connection.introspection.table_names()
