"""Commands that begin together on a new database: one migrates it, the others wait."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from tests.support.databases import as_default, configuration
from tests.support.processes import ROOT, child_env
from tokenburn_site.cli import database
from tokenburn_site.cli.database import ensure_database
from tokenburn_site.cli.errors import CannotRun
from tokenburn_site.local.migrating import one_at_a_time

ENSURE = """
import sys
import django
django.setup()
from audit.origin import Origin, whole_process
from tokenburn_site.cli.database import ensure_database
whole_process(Origin("cli", account="somebody"))
sys.stdin.readline()
ensure_database()
from runs.models import Run
print(Run.objects.count())
"""


def test_commands_that_begin_together_all_find_a_database(tmp_path: Path) -> None:
    """Though the audit log of what they do has no table yet."""
    env = child_env(
        TOKENBURN_VAR_DIR=str(tmp_path),
        DATABASE_URL=f"sqlite:///{tmp_path / 'new.sqlite3'}",
        DJANGO_SETTINGS_MODULE="tokenburn_site.settings_cli",
    )
    command = [sys.executable, "-c", ENSURE]
    pipe = subprocess.PIPE
    children = [
        subprocess.Popen(command, cwd=ROOT, env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(3)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    said = [child.communicate(timeout=300) for child in children]
    assert [(out, child.returncode) for child, (out, _) in zip(children, said, strict=True)] == [("0\n", 0)] * 3, said


def enter_twice() -> list[str]:
    """What two threads do that want to be in there at once."""
    events: list[str] = []
    inside = threading.Event()

    def second() -> None:
        inside.wait(60)
        try:
            with one_at_a_time():
                events.append("second")
        finally:
            connection.close()

    thread = threading.Thread(target=second)
    thread.start()
    with one_at_a_time():
        inside.set()
        time.sleep(0.3)
        events.append("first")
    thread.join(60)
    return events


def test_a_sqlite_database_takes_one_at_a_time(tmp_path: Path) -> None:
    with as_default(configuration(f"sqlite:///{tmp_path / 'some.sqlite3'}")):
        assert enter_twice() == ["first", "second"]
        assert [path.name for path in tmp_path.iterdir()] == ["some.sqlite3.migrating"]


def test_postgresql_takes_one_at_a_time(postgres_database: str) -> None:
    assert enter_twice() == ["first", "second"]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with as_default(configuration(f"sqlite:///{tmp_path / 'no' / 'some.sqlite3'}")):
        with pytest.raises(OperationalError), one_at_a_time():
            pass
        with pytest.raises(CannotRun, match=r"No such file or directory; check that .* can be written"):
            ensure_database()


@pytest.mark.django_db
def test_no_migration_is_read_where_all_are_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    known = set(MigrationLoader(None).disk_migrations)
    assert database._migration_names() == known
    monkeypatch.setattr(database, "MigrationExecutor", None)
    ensure_database()


@pytest.mark.django_db
@pytest.mark.parametrize("app", ["runs", "axes"])
def test_a_migration_that_is_not_recorded_is_to_be_applied(app: str) -> None:
    (latest,) = MigrationLoader(None).graph.leaf_nodes(app)
    assert not database._pending()
    MigrationRecorder(connection).record_unapplied(*latest)
    assert database._pending()
