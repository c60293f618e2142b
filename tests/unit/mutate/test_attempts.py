"""A changed line counts as noticed only if a test was run and failed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.mutate import attempts
from tests.mutate.attempts import Tree
from tests.mutate.subjects import ROOT

SHARES = ROOT / "metrics" / "shares.py"


ATTEMPT = """
import sys
from pathlib import Path
from tests.mutate.attempts import Tree
from tests.mutate.mutants import Mutant
from tests.mutate.subjects import Module
folder, shares, test = map(Path, sys.argv[1:])
Tree(folder).attempt(Mutant(Module("shares", shares, (test,), ()), shares.read_text("utf-8") + "MORE = 1"))
"""


def test_a_test_that_is_not_there_notices_nothing(tmp_path: Path) -> None:
    """In a process of its own, as `make mutate` does it: without Django's settings."""
    argv = [sys.executable, "-c", ATTEMPT, *map(str, (tmp_path, SHARES, ROOT / "tests" / "unit" / "test_nowhere.py"))]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert "RuntimeError: no test was run" in done.stderr
    assert Path(settings.VAR_DIR).is_dir(), "the tests of the copy delete a folder of their own at their end"


def test_a_new_file_that_git_does_not_know_yet_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    for folder in (source, copy):
        folder.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=source, check=True)
    (source / ".gitignore").write_text("ignored.py\n")
    for name in ("new.py", "ignored.py"):
        (source / name).touch()
    monkeypatch.setattr(attempts, "ROOT", source)
    Tree(copy)
    assert sorted(path.name for path in (copy / "tree").iterdir()) == [".gitignore", "new.py"]
