"""Which tests each worker of a run gets, and which first.

xdist's `worksteal` gives each worker an equal number of tests in the order of collection, and lets who is done take
from the end of what others have left. So the tests that start processes, and take seconds or minutes, come first in
each worker's share, a whole file at a time (its fixtures are made once) and the longest files first; the thousands of
short ones come last and level out what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from itertools import groupby
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

FOLDERS = ("e2e", "integration/hosts", "integration/metrics", "integration/runs", "integration/web")
CONNECTORS = "tests/integration/connectors"
SLOW = (
    *(f"tests/{folder}/" for folder in FOLDERS),
    f"{CONNECTORS}/test_memory.py",
    f"{CONNECTORS}/test_foreign_chatbots.py",
)
"""Their tests start processes."""
SHARING = ("tests/e2e/browser/",)
"""One browser and one site for all files of the folder."""
SECONDS = {
    **dict.fromkeys(("kill_farm",), 150),
    **dict.fromkeys(("liars", "foreign_peers", "foreign_chatbots", "secrets_nowhere"), 90),
    **dict.fromkeys(("hosts/hosts", "schema", "matrix", "e2e/up", "red_team"), 80),
    **dict.fromkeys(("burn", "search_doors", "memory", "kill", "engine/people", "supervisor/budget", "local"), 50),
    **dict.fromkeys(("browser/live", "browser/pages", "browser/policy"), 60),
    **dict.fromkeys(("two_installations", "burn_ends", "local_killed", "beats", "capacity/search"), 40),
    **dict.fromkeys(("outage", "ingest_killed", "rotation", "lifecycle/load_changes", "browser/run"), 40),
    **dict.fromkeys(("burn_sweep", "foreign_server", "stages", "witness", "burn_search", "aggregate"), 30),
    **dict.fromkeys(("error_rate_farm", "workers/placement", "browser/theme", "burn_usage"), 30),
    **dict.fromkeys(("storage/store", "e2e/probe", "ci_examples", "e2e/steer", "odd_messages", "groups_run"), 25),
}
"""About how long a file of slow tests took, four at a time on two cores, by its name without `test_`, with its folder
where others have that name. A wrong number costs nothing but time."""
OTHERWISE_S = 12


def dealt(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """The same tests in the order in which `worksteal` cuts them into the shares of so many workers."""
    slow = [item for item in items if item.nodeid.startswith(SLOW)]
    files = [list(group) for _, group in groupby(slow, lambda item: _together(item.nodeid))]
    hands = _hands(files, workers)
    taken = set(map(id, slow))
    quick = [item for item in items if id(item) not in taken]
    order: list[pytest.Item] = []
    for number, hand in enumerate(hands):
        size = (len(items) - len(order)) // (workers - number)
        more, quick = quick[: max(0, size - len(hand))], quick[max(0, size - len(hand)) :]
        order += [*hand, *more]
    return [*order, *quick]


def _hands(files: Sequence[list[pytest.Item]], workers: int) -> list[list[pytest.Item]]:
    """The longest files first, each to the worker that has the least so far."""
    hands: list[list[pytest.Item]] = [[] for _ in range(workers)]
    loads = [0.0] * workers
    for file in sorted(files, key=_seconds, reverse=True):
        least = loads.index(min(loads))
        hands[least] += file
        loads[least] += _seconds(file)
    return hands


def _together(name: str) -> str:
    """What is not cut apart: a file, or a folder whose files share their fixtures."""
    return next((folder for folder in SHARING if name.startswith(folder)), name.partition("::")[0])


def _seconds(tests: Sequence[pytest.Item]) -> float:
    return sum(_file_seconds(file) for file in {item.nodeid.partition("::")[0] for item in tests})


def _file_seconds(file: str) -> float:
    folder, _, name = file.removesuffix(".py").rpartition("/test_")
    known = (f"{folder.rpartition('/')[2]}/{name}", name)
    return next((SECONDS[one] for one in known if one in SECONDS), OTHERWISE_S)


def import_all(worker: int, workers: int) -> None:
    """Import the files of tests, beginning at this worker's share: it compiles that, and finds the rest compiled by the
    others. In the same order all would compile everything at the same time, which takes half a minute after a checkout.
    """
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    begin = len(files) * worker // workers
    for file in files[begin:] + files[:begin]:
        with suppress(Exception):  # pytest will meet it again, and say it
            import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
