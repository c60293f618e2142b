"""Long tests are at the beginning of every worker's share."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.suite.dealing import ROOT, SECONDS, dealt
from tests.support.suite.dealing import SLOW as SLOW_PLACES

SLOW = [f"tests/e2e/test_{file}.py::test_{n}" for file in "abcde" for n in range(3)]
QUICK = [f"tests/unit/test_{file}.py::test_{n}" for file in "xyz" for n in range(15)]


def order(names: list[str], workers: int) -> list[str]:
    items: Any = [SimpleNamespace(nodeid=name) for name in names]
    return [item.nodeid for item in dealt(items, workers)]


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_every_share_begins_with_whole_files_of_slow_tests_and_none_is_lost(workers: int) -> None:
    found = order(SLOW + QUICK, workers)
    assert sorted(found) == sorted(SLOW + QUICK)
    files = []
    for number in range(workers):
        share, found = found[: len(found) // (workers - number)], found[len(found) // (workers - number) :]
        slow = [name for name in share if "/e2e/" in name]
        assert slow and share[: len(slow)] == slow
        files += sorted({name.partition("::")[0] for name in slow})
    assert len(files) == len(set(files)) == 5


def test_a_few_tests_are_dealt_too() -> None:
    assert sorted(order(SLOW, 4)) == sorted(SLOW)
    assert order(QUICK, 4) == QUICK


@pytest.mark.parametrize("name", SECONDS)
def test_each_known_time_is_that_of_one_file(name: str) -> None:
    folder, _, stem = name.rpartition("/")
    found = (ROOT / "tests").rglob(f"{folder}/test_{stem}.py".lstrip("/"))
    files = [path.relative_to(ROOT).as_posix() for path in found]
    assert len([file for file in files if file.startswith(SLOW_PLACES)]) == 1, files


def test_the_longest_file_is_first_and_a_folder_tells_files_of_one_name_apart() -> None:
    names = [f"tests/{file}.py::test" for file in ("e2e/browser/test_people", "e2e/test_up",
             "integration/runs/engine/test_people")]  # fmt: skip
    assert order(names, 1) == [names[1], names[2], names[0]]


def test_files_that_share_a_browser_stay_together() -> None:
    shared = [f"tests/e2e/browser/test_{file}.py::test" for file in ("live", "pages", "theme")]
    found = order([*shared, "tests/e2e/test_up.py::test", "tests/e2e/test_burn.py::test"], 2)
    assert found[:3] == shared
