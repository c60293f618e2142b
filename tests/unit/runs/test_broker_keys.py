from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.management import call_command
from django.db import connection

from runs import broker_keys, live_stream
from runs.broker_keys import InstallationUnknownError, broker_key
from runs.models import Installation
from runs.workers import registry
from tests.support.databases import as_default, configuration
from tests.support.services import reserve_port
from tokenburn_site.web import health

AWAY = f"postgres://ann@127.0.0.1:{reserve_port()}/loads"


@pytest.fixture(autouse=True)
def not_read_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_keys, "_known", [])


@pytest.fixture
def database(migrated: Callable[[Path], Path], tmp_path: Path, transactional_db: None) -> Path:
    """A migrated one, for this test only."""
    (file,) = migrated(tmp_path / "var").iterdir()
    return file


def migrate(*to: str) -> None:
    call_command("migrate", *to, verbosity=0, interactive=False)


def test_a_database_gets_an_id_that_stays_and_that_no_other_has(database: Path, tmp_path: Path) -> None:
    with as_default(configuration(f"sqlite:///{database}")):
        migrate("runs", "0008")
        assert "runs_installation" not in connection.introspection.table_names()
    for name in ("one", "two"):
        shutil.copy(database, tmp_path / name)
    found: dict[str, str] = {}
    for name in ("one", "two", "one"):
        with as_default(configuration(f"sqlite:///{tmp_path / name}")):
            migrate()
            broker_keys._known.clear()
            assert found.setdefault(name, broker_key("x")) == broker_key("x"), "stays"
            (row,) = Installation.objects.all()
            assert found[name] == f"tokenburn:{row.name}:x"
            assert len(row.name) == 16
    assert found["one"] != found["two"]


def test_an_emptied_database_gets_a_new_one(database: Path) -> None:
    with as_default(configuration(f"sqlite:///{database}")):
        before = Installation.objects.get().name
        call_command("flush", verbosity=0, interactive=False)
        assert Installation.objects.get().name != before


@pytest.mark.django_db
def test_while_the_database_does_not_give_it_the_broker_is_as_good_as_away(valkey: str) -> None:
    with as_default(configuration(AWAY)):
        with pytest.raises(InstallationUnknownError, match="the database did not give"):
            broker_key()
        live_stream._publisher.cache_clear()
        assert not live_stream.publish_status(7, "running", "")
        assert registry.load_workers() is None
        registry.beat(registry.Worker("load@a"))
        registry.forget("load@a")
        assert registry.waiting("load") == 0
        assert "InstallationUnknownError" in health.workers().detail
        assert not health.scheduler().ok
    with redis.Redis.from_url(valkey) as client:
        assert client.dbsize() == 0
    live_stream._publisher.cache_clear()


@pytest.mark.django_db
def test_a_database_that_is_not_migrated_is_named_with_what_to_do(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(broker_keys, "_QUERY", f"{broker_keys._QUERY} WHERE id = 2")
    with pytest.raises(InstallationUnknownError, match="migrate"):
        broker_key()
