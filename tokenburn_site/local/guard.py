"""Ends process groups whose owner died. A process of its own that only reads stdin.

Lines `+PGID` and `-PGID` add and remove a group. When stdin closes, the owner is gone, however it went (kill -9
too): what is still listed gets SIGTERM and, after GRACE_S, SIGKILL. Kept free of imports, so that it starts at once.
"""

import os
import signal
import sys
import time

GRACE_S = 3.0
POLL_S = 0.05


def send(groups: set[int], signum: int) -> set[int]:
    """Signal each group; returns those that still exist."""
    alive = set()
    for pgid in groups:
        try:
            os.killpg(pgid, signum)
        except (ProcessLookupError, PermissionError):
            continue
        alive.add(pgid)
    return alive


def main() -> None:
    # Only the owner decides: a Ctrl-C or hang-up that reaches the whole group must not end the guard first.
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    alive = send(groups, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while alive and time.monotonic() < deadline:
        time.sleep(POLL_S)
        alive = send(alive, 0)
    send(alive, signal.SIGKILL)


if __name__ == "__main__":
    main()
