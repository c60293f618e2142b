"""Run by test_memory in a process of its own: what hostile servers cost this lane's memory, at the default limits.

stdin: one JSON list of [protocol, url], good servers first. stdout: one JSON object a line: code of the turn, and how
many bytes the process's highest resident size is above what it was when the first turns were over.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from connectors.registry import Lane
from tests.integration.connectors.lanes import make_spec, one_turn

WARM_UP = 2
TIMEOUTS = {"connect": 2, "first_byte": 2, "idle": 2, "total": 2}


def resident(field: str) -> int:
    """`VmRSS` (now) or `VmHWM` (highest) of this process in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def main(lane: Lane) -> None:
    baseline = 0
    for number, (protocol, url) in enumerate(json.loads(sys.stdin.readline())):
        spec = make_spec(protocol, url, limits={}, timeouts=TIMEOUTS)
        Path("/proc/self/clear_refs").write_text("5")  # the highest size starts anew at the present one
        turn = one_turn(lane, spec)
        if number < WARM_UP:
            baseline = resident("VmRSS")
        print(json.dumps({"code": turn.code, "grown": resident("VmHWM") - baseline}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])  # type: ignore[arg-type] # one of the two lanes, as test_memory calls it
