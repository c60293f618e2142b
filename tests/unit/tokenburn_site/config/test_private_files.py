"""Files of the site are for its own account; results that a user asked for follow the user's umask."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import ROOT
from tokenburn_site.config.private_files import keep_private, narrow, write_as_user


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_an_earlier_version_left_open_is_narrowed_and_nothing_else(tmp_path: Path, umask: None) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    ours = [tmp_path / "tokenburn.sqlite3", tmp_path / "tokenburn.sqlite3-wal", tmp_path / "django.key", logs / "a.log"]
    foreign = [tmp_path / "notes.txt", tmp_path / "other"]
    for path in (*ours, *foreign):
        path.touch()
    (tmp_path / "up.lock").symlink_to(foreign[0])
    assert narrow(tmp_path, None) == []
    assert [mode(path) for path in ours] == [0o600] * 4 and mode(logs) == 0o700
    assert [mode(path) for path in foreign] == [0o644] * 2


def test_a_database_elsewhere_is_narrowed_too(tmp_path: Path, umask: None) -> None:
    database = tmp_path / "elsewhere.db"
    database.touch()
    assert narrow(tmp_path / "var", database) == []
    assert mode(database) == 0o600


def test_a_file_of_somebody_else_is_reported(tmp_path: Path, umask: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    path = tmp_path / "django.key"
    path.touch()
    monkeypatch.setattr(Path, "chmod", refuse)
    (line,) = narrow(tmp_path, None)
    assert line.startswith(f"{path} can be read by other accounts") and f"chmod go-rwx {path}" in line


def test_a_result_follows_the_users_umask_and_an_existing_one_keeps_its_modes(tmp_path: Path) -> None:
    new, old = tmp_path / "new.json", tmp_path / "old.json"
    old.touch()
    old.chmod(0o640)
    write_as_user(new, b"{}")
    write_as_user(old, b"{}")
    assert mode(new) == 0o666 & ~keep_private() and mode(old) == 0o640


def test_a_command_makes_every_file_private(tmp_path: Path) -> None:
    var = tmp_path / "var"
    env = {"PATH": os.environ["PATH"], "TOKENBURN_VAR_DIR": str(var), "TOKENBURN_ENV_FILE": ""}
    argv = ["/bin/sh", "-c", 'umask 000; exec "$0" manage.py migrate --verbosity 0 metrics 0001', sys.executable]
    subprocess.run(argv, cwd=ROOT, env=env, check=True)
    found = {path: mode(path) for path in (var, *var.rglob("*"))}
    assert (var / "tokenburn.sqlite3") in found
    assert {path: f"{bits:o}" for path, bits in found.items() if bits & 0o077} == {}
