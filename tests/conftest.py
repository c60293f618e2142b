"""Fixtures that all tests share.

Servers are real, start when the first test of a process asks for them, listen on loopback and end with the process
(see tokenburn_site/local/process_groups.py), under xdist once per worker.

- `valkey`: URL of a running server, emptied before the test; the settings, Celery and Channels already point to it.
- `postgres`: URL of a PostgreSQL server's maintenance database (to connect with psycopg, or to create databases).
- `any_database`: the test runs twice, on SQLite and on PostgreSQL, with committed transactions.
- `postgres_database`: the test runs with PostgreSQL as Django's "default", with committed transactions.
- `mock`: the mock chatbot with its own defaults; `start_mock(*flags)` starts one with flags of its own.
- `family`: starts processes that cannot outlive the tests; `var_dir`: an empty TOKENBURN_VAR_DIR for one test;
  `migrated(var_dir)` puts an empty database into one, for commands of which another test shows that they migrate.
"""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from django.conf import settings as django_settings
from django.db import connections
from django.template import Context, Template
from django.test import TransactionTestCase
from django.utils.safestring import SafeString
from hypothesis import settings as hypothesis_settings
from pytest_django import DjangoDbBlocker

from runs import broker_keys
from tests.support import databases, services
from tests.support.forking import forked_popen
from tests.support.processes import Mock, mock_chatbot
from tests.support.suite.dealing import dealt, import_all
from tests.support.suite.prepared import TEMPLATE, Prepared
from tokenburn_site.local.process_groups import ProcessGroups

# The machine may stand still in the middle of an example. Each run draws others, and those of a nightly run are many.
hypothesis_settings.register_profile("busy", deadline=None, max_examples=50)
hypothesis_settings.register_profile("thorough", deadline=None, max_examples=1000)
hypothesis_settings.load_profile("busy")
forked_popen.install()


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes that are no text do not name a test: they may hold the time of day, as gzip's do, and all workers of a run
    must give a test the same name."""
    if isinstance(val, bytes) and not (val.isascii() and val.decode().isprintable()):
        return f"{argname}-{len(val)}-bytes"
    return None


def pytest_collection(session: pytest.Session) -> None:
    """Collecting makes objects that stay: the garbage collector would look through all of them, again and again. Only
    where all tests are collected are they imported here."""
    gc.disable()
    config = session.config
    if (worker := getattr(config, "workerinput", None)) and config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        import_all(int(worker["workerid"].removeprefix("gw")), worker["workercount"])


@pytest.fixture(autouse=True)
def _installation() -> None:
    """Known to this process without a look into the database, which many tests may not use."""
    broker_keys.remember(databases.INSTALLATION)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """After tests were left out: the rest is dealt out."""
    if (worker := getattr(config, "workerinput", None)) is not None:
        items[:] = dealt(items, worker["workercount"])


def pytest_collection_finish() -> None:
    """What was collected stays to the end, and is not looked through during the tests; what they make less often than
    usual, which took a twentieth of their CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
    gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(django_settings.VAR_DIR, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _pages_remembered(django_test_environment: None) -> Iterator[None]:
    """Django's test client copies the context of each template that is rendered, also of the hundreds of which a page
    consists. Here it does for pages."""
    of_each = Template._render  # type: ignore[attr-defined]  # private: the stubs leave it out

    def render(template: Template, context: Context) -> SafeString:
        return of_each(template, context) if context.template is template else template.nodelist.render(context)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Template, "_render", render)
        yield


@pytest.fixture(scope="session")
def family() -> Iterator[ProcessGroups]:
    with ProcessGroups() as children:
        yield children


@pytest.fixture(scope="session")
def prepared(family: ProcessGroups, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Of all workers of a run: the folder of a worker lies in the run's."""
    folder = tmp_path_factory.getbasetemp()
    return Prepared(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder, family)


@pytest.fixture(scope="session")
def django_db_keepdb(
    django_db_modify_db_settings: None, prepared: Prepared, django_db_blocker: DjangoDbBlocker
) -> bool:
    """Whether "default" is migrated already: a copy of a database that is."""
    if not databases.default_is("sqlite"):
        return False
    with django_db_blocker.unblock():
        template = prepared.sqlite()
    test = connections.settings["default"]["TEST"]
    shutil.copyfile(template, test["NAME"])
    test["MIGRATE"] = False
    return True


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """What follows each test whose transactions commit is `databases.empty`."""
    with django_db_blocker.unblock():
        databases.remember()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: databases.empty())
        yield


@pytest.fixture
def var_dir(tmp_path: Path) -> Path:
    path = tmp_path / "var"
    path.mkdir()
    return path


@pytest.fixture(scope="session")
def valkey_running(family: ProcessGroups) -> Iterator[str]:
    """URL of the server; prefer `valkey`, which is emptied for each test."""
    if external := os.environ["TOKENBURN_TEST_REDIS"]:
        yield services.external_redis(external, os.environ.get("PYTEST_XDIST_WORKER", "main"))
        return
    port = urlsplit(django_settings.REDIS_URL).port
    assert port is not None
    with services.valkey_server(family, port, Path(django_settings.VAR_DIR) / "valkey") as url:
        yield url


@pytest.fixture
def valkey(valkey_running: str) -> str:
    client = redis.Redis.from_url(valkey_running)
    client.flushdb()
    client.close()
    return valkey_running


@pytest.fixture(scope="session")
def postgres(family: ProcessGroups, prepared: Prepared, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    given = os.environ.get("DATABASE_URL", "")
    if given.startswith("postgres"):
        yield given
        return
    with django_db_blocker.unblock():
        cluster = prepared.cluster()
    with services.postgres_server(family, cluster=cluster) as url:
        yield url


@pytest.fixture(scope="session")
def other_databases() -> dict[str, dict[str, Any]]:
    """Configurations by vendor, each migrated once."""
    return {}


def _on(vendor: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the requesting test with `vendor` as "default"."""
    if databases.default_is(vendor):
        yield vendor
        return
    known: dict[str, dict[str, Any]] = request.getfixturevalue("other_databases")
    if vendor not in known:
        known[vendor] = _new_database(vendor, request)
    with databases.as_default(known[vendor]):
        yield vendor
        databases.empty()


def _new_database(vendor: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """A copy of the prepared one."""
    prepared: Prepared = request.getfixturevalue("prepared")
    name = f"tokenburn_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
    if vendor == "postgresql":
        server = request.getfixturevalue("postgres")
        config = databases.configuration(services.create_postgres_database(server, name, TEMPLATE))
    else:
        config = databases.configuration(databases.sqlite_url(f"{name}.sqlite3"))
        shutil.copyfile(prepared.sqlite(), config["NAME"])
    with databases.as_default(config):
        databases.remember()
    return config


@pytest.fixture(scope="session")
def migrated(prepared: Prepared, django_db_blocker: DjangoDbBlocker) -> Callable[[Path], Path]:
    """Call it with a TOKENBURN_VAR_DIR: a copy of a migrated database is put there unless there is one, which takes a
    command half of the time of its first start."""
    with django_db_blocker.unblock():
        file = prepared.sqlite()

    def prepare(var_dir: Path) -> Path:
        var_dir.mkdir(exist_ok=True)
        if not (var_dir / file.name).exists():  # one with a write-ahead log beside it must not be replaced
            shutil.copy(file, var_dir)
        return var_dir

    return prepare


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[str]:
    yield from _on(request.param, request)


@pytest.fixture
def postgres_database(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[str]:
    yield from _on("postgresql", request)


@pytest.fixture
def start_mock(family: ProcessGroups, tmp_path: Path) -> Iterator[Callable[..., Mock]]:
    """Call it with flags of `python -m mock_chatbot`; each mock ends with the test."""
    with ExitStack() as stack:
        yield lambda *flags: stack.enter_context(mock_chatbot(family, *flags, log=tmp_path / "mock.log"))


@pytest.fixture
def mock(start_mock: Callable[..., Mock]) -> Mock:
    return start_mock()
