"""Memory that a hostile target can cost a turn at the default limits (a body: 32 MiB): at most 64 MiB."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from connectors.registry import Lane
from tests.hostile.good import GOOD, HTTP2, VARIANTS
from tests.hostile.server import HostileServer
from tests.hostile.table import BEHAVIOURS
from tests.integration.connectors.lanes import LANES

ROOT = Path(__file__).parents[3]
MEMORY_LIMIT = 64 * 1024 * 1024
WELL = GOOD | HTTP2 | VARIANTS
GREEDY = [
    b
    for b in BEHAVIOURS
    if any(word in b.name for word in ("endless", "bomb", "1_mb", "huge")) or b.name == "deeply_nested_json"
]


@pytest.mark.parametrize("lane", LANES)
def test_no_behaviour_makes_a_lane_take_more_than_its_limit(lane: Lane) -> None:
    with ExitStack() as stack:
        scripts = [(protocol, script, True) for protocol, script in WELL.items()]
        scripts += [(b.protocol, b.script, False) for b in GREEDY]
        scripts.sort(key=lambda one: (one[0] == "grpc", not one[2]))  # last, and good ones first: see the probe
        targets = [
            (protocol, stack.enter_context(HostileServer(script)).url, good) for protocol, script, good in scripts
        ]
        done = subprocess.run(
            [sys.executable, "-m", "tests.integration.connectors.memory_probe", lane],
            input=json.dumps(targets) + "\n",
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    results = sorted((json.loads(line) for line in done.stdout.splitlines()), key=lambda result: result["number"])
    assert [result["number"] for result in results] == list(range(len(scripts)))
    found = list(zip(scripts, results, strict=True))
    assert [r["code"] for (_, _, good), r in found if good] == [None] * len(WELL)
    assert [r["grown"] for r in results if r["grown"] > MEMORY_LIMIT] == [], results
    codes = {script: r["code"] for (_, script, _), r in found}
    # What is too much is found out before the time is over wherever the limit can be reached in time.
    for behaviour in GREEDY:
        assert codes[behaviour.script] in {behaviour.code, "connect_timeout", "total_timeout"}, behaviour.name
