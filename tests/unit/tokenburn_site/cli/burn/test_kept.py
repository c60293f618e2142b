"""A database that is removed during a run is noticed at the run's end."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from runs.load.profile import parse_load
from runs.models import Run, RunStatus
from tests.support.databases import as_default, configuration
from tests.support.runs import a_run
from tests.support.suite.prepared import Prepared
from tokenburn_site.cli.burn import main
from tokenburn_site.cli.burn.kept import database_file, is_lost
from tokenburn_site.cli.console import PatientConsole
from tokenburn_site.cli.options.burn_options import Options

Act = Callable[[Path], Any]


def delete(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def replace(path: Path) -> None:
    delete(path)
    path.write_bytes(b"another one")


def make_anew(path: Path) -> None:
    delete(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE some (id int)")


def take_the_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def nothing(_path: Path) -> None: ...


@pytest.fixture
def path(tmp_path: Path, transactional_db: None, prepared: Prepared) -> Path:
    return Path(shutil.copyfile(prepared.sqlite(), tmp_path / "own.sqlite3"))


@pytest.mark.parametrize(
    ("act", "lost"),
    [(nothing, False), (delete, True), (replace, True), (make_anew, True), (take_the_log, True)],
)
def test_burn_says_when_the_database_was_taken_away(
    act: Act, lost: bool, path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ledger = path.parent / "run-1.jsonl"
    ledger.touch()

    def runs(_options: Options, run: Run, _progress: object) -> bool:
        act(path)
        run.shards.update(ledger_path=str(ledger))
        Run.objects.filter(pk=run.pk).update(status=RunStatus.COMPLETED)
        run.refresh_from_db()
        return False

    monkeypatch.setattr(main, "_run", runs)
    with as_default(configuration(f"sqlite:///{path}")):
        run = a_run()
        load = parse_load(run.load)
        code = main._see_through(Options(), run, load, PatientConsole(), "manage.py burn")
    said = capfd.readouterr()
    assert code == (3 if lost else 0)
    assert ("page" in said.out) is not lost
    assert (f"burn: the SQLite database {path} was deleted or replaced during run {run.pk}: " in said.err) is lost
    assert (f"its ledgers hold everything: {ledger}" in said.err) is lost


@pytest.mark.django_db
def test_a_database_without_a_file_cannot_be_lost() -> None:
    run = Run(pk=1, status=RunStatus.COMPLETED)
    assert not is_lost(run, None)
    if connection.vendor != "sqlite":
        assert database_file() is None
