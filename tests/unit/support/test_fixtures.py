"""The shared fixtures do what their documentation says: other tests build on it."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection

from targets.models import Target
from tests.support.processes import ROOT, child_env

COUNT = "import django; django.setup(); from targets.models import Target; print(Target.objects.count(), flush=True)"


def in_child(code: str) -> str:
    argv = [sys.executable, "-c", code]
    return subprocess.run(argv, cwd=ROOT, env=child_env(), check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("round_", [1, 2])
def test_any_database_is_seen_by_threads_and_children_and_is_empty_for_the_next_test(
    any_database: str, round_: int
) -> None:
    assert connection.vendor == any_database
    assert Target.objects.count() == 0
    Target.objects.create(name="one", url="http://127.0.0.1/")
    seen: list[Any] = []

    def look() -> None:
        seen.extend([connection.vendor, Target.objects.count()])
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [any_database, 1]
    if round_ == 1:
        assert in_child(COUNT) == "1"


def test_postgres_takes_sql(postgres: str) -> None:
    with psycopg.connect(postgres) as direct:
        row = direct.execute("SELECT 40 + 2").fetchone()
    assert row == (42,)


@pytest.mark.parametrize("round_", [1, 2])
def test_valkey_is_what_the_settings_say_and_is_emptied(valkey: str, round_: int) -> None:
    assert valkey == settings.REDIS_URL
    client = redis.Redis.from_url(valkey)
    assert client.dbsize() == 0
    client.set("left", "over")
    client.close()
