from __future__ import annotations

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


@pytest.mark.django_db(transaction=True)
def test_a_database_gets_an_id_that_stays_and_that_no_other_has(tmp_path: Path) -> None:
    found: dict[str, str] = {}
    for name in ("one", "two", "one"):
        with as_default(configuration(f"sqlite:///{tmp_path / name}")):
            call_command("migrate", verbosity=0, interactive=False)
            broker_keys._known.clear()
            assert found.setdefault(name, broker_key("x")) == broker_key("x"), "stays"
            (row,) = Installation.objects.all()
            assert found[name] == f"tokenburn:{row.name}:x"
            assert len(row.name) == 16
    assert found["one"] != found["two"]


@pytest.mark.django_db(transaction=True)
def test_an_emptied_database_gets_a_new_one_and_a_migration_back_and_forth_works(tmp_path: Path) -> None:
    with as_default(configuration(f"sqlite:///{tmp_path / 'db'}")):
        call_command("migrate", verbosity=0, interactive=False)
        before = Installation.objects.get().name
        call_command("flush", verbosity=0, interactive=False)
        assert Installation.objects.get().name != before
        call_command("migrate", "runs", "0008", verbosity=0, interactive=False)
        assert "runs_installation" not in connection.introspection.table_names()
        call_command("migrate", verbosity=0, interactive=False)
        assert Installation.objects.count() == 1


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
