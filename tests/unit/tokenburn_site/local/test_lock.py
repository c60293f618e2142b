"""One holder at a time, freed with its process, and an unclean end is noticed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT
from tokenburn_site.local.errors import LocalServiceError
from tokenburn_site.local.lock import note_site, only_one, running_site

HOLD = """
import pathlib, sys
from tokenburn_site.local.lock import only_one
with only_one(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", HOLD, str(path)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    assert child.stdout is not None and child.stdout.readline() == "held\n"
    return child


def test_a_second_holder_is_told_who_the_first_is(tmp_path: Path) -> None:
    path = tmp_path / "up.lock"
    with holder(path) as child:
        with (
            pytest.raises(LocalServiceError, match=rf"already running here \(process {child.pid}\)") as caught,
            only_one(path),
        ):
            pass
        assert caught.value.code == "already_up"
        child.communicate()
    with only_one(path) as was_killed:
        assert was_killed is False
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_killed_holder_frees_the_lock_and_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "up.lock"
    with holder(path) as child:
        child.kill()
        child.wait()
    with only_one(path) as was_killed:
        assert was_killed is True


def test_others_know_where_the_site_of_the_holder_is(tmp_path: Path) -> None:
    path = tmp_path / "up.lock"
    assert running_site(path) == ""
    with only_one(path):
        assert running_site(path) == "", "it is not up yet"
        note_site(path, "http://127.0.0.1:8123")
        assert running_site(path) == "http://127.0.0.1:8123"
    assert running_site(path) == ""


def test_the_site_of_a_holder_that_was_killed_is_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "up.lock"
    with holder(path) as child:
        note_site(path, "http://127.0.0.1:8123")
        assert running_site(path) == "http://127.0.0.1:8123"
        child.kill()
        child.wait()
        assert running_site(path) == ""
    with only_one(path):
        assert running_site(path) == "", "another one that is not up yet"
