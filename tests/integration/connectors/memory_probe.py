"""Run by test_memory in a process of its own: what hostile servers cost this lane's memory, at the default limits.

stdin: one JSON list of [protocol, url, whether it is a good server]. stdout: one JSON object a line: the number of the
server in the list, the code of the turn, and by how many bytes the highest resident size grew over what it was before.

Each turn runs in a fork, so that none profits from memory that an earlier one left to the allocator, a few at a time,
since most wait for their time limit; the turns on good servers come first and warm up what the forks share. Those of
gRPC come last, and without a fork, in which its library's threads would be missing.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path

from connectors.registry import Lane
from connectors.spec import TargetSpec
from tests.integration.connectors.lanes import LANES, ROOMY, make_spec, one_turn

TIMEOUTS = {"connect": 1.2, "first_byte": 2, "idle": 2, "total": 1}
AT_ONCE = 3


def resident(field: str) -> int:
    """`VmRSS` (now) or `VmHWM` (highest) of this process in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def main(lane: Lane) -> None:
    running = 0
    for number, (protocol, url, good) in enumerate(json.loads(sys.stdin.readline())):
        spec = make_spec(protocol, url, limits={}, timeouts=ROOMY if good else TIMEOUTS)
        if good or protocol == "grpc":
            running -= wait(running)
            ctypes.CDLL(None).malloc_trim(0)
            measure(lane, number, spec)
            continue
        running -= wait(running - AT_ONCE + 1)
        if os.fork() == 0:
            measure(lane, number, spec)
            os._exit(0)
        running += 1
    wait(running)


def wait(number: int) -> int:
    """For so many forks to end; how many did."""
    for _ in range(number):
        _, status = os.wait()
        assert status == 0
    return max(0, number)


def measure(lane: Lane, number: int, spec: TargetSpec) -> None:
    Path("/proc/self/clear_refs").write_text("5")  # the highest size starts anew at the present one
    before = resident("VmRSS")
    turn = one_turn(lane, spec)
    said = json.dumps({"number": number, "code": turn.code, "grown": resident("VmHWM") - before})
    os.write(1, f"{said}\n".encode())  # at once: others write here too


if __name__ == "__main__":
    main(next(lane for lane in LANES if lane == sys.argv[1]))
