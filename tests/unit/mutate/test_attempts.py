"""A changed line counts as noticed only if a test was run and failed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.mutate import attempts
from tests.mutate.attempts import Tree
from tests.mutate.mutants import Mutant
from tests.mutate.subjects import ROOT, Module

SHARES = ROOT / "metrics" / "shares.py"


def mutant(tests: list[Path]) -> Mutant:
    return Mutant(Module("shares", SHARES, tuple(tests), ()), SHARES.read_text("utf-8") + "\nMORE = 1\n")


def test_a_test_that_is_not_there_notices_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no test was run"):
        Tree(tmp_path).attempt(mutant([ROOT / "tests" / "unit" / "test_nowhere.py"]))


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
