"""A child process and all its descendants end when they are told to, and when their owner is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.support.processes import ROOT
from tokenburn_site.local.process_groups import ProcessGroups

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {STUBBORN!r}])"
OWNER = f"""
import subprocess, sys, time
from tokenburn_site.local.process_groups import ProcessGroups
family = ProcessGroups()
child = family.start([sys.executable, "-c", {PARENT!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(600)
"""


def group_members(pgid: int) -> list[int]:
    """Processes of that group that still run; a zombie does not."""
    members = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # no process, or gone by now
        if int(fields[2]) == pgid and fields[0] not in "ZX":
            members.append(int(entry.name))
    return members


def wait_until_empty(pgid: int, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while group_members(pgid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_stop_leaves_no_descendant_even_if_one_ignores_the_signal() -> None:
    with ProcessGroups() as family:
        child = family.start([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
        assert child.stdout is not None and child.stdout.readline() == b"up\n"
        assert len(group_members(child.pid)) == 2
        family.stop(child, timeout_s=1)
        assert group_members(child.pid) == []
        child.stdout.close()


def test_closing_the_family_stops_every_child() -> None:
    with ProcessGroups() as family:
        children = [family.start([sys.executable, "-c", "import time; time.sleep(600)"]) for _ in range(3)]
    assert [child.returncode for child in children] == [-signal.SIGTERM] * 3


def test_children_end_when_their_owner_is_killed() -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, env=env, text=True)
    assert owner.stdout is not None
    pgid = int(owner.stdout.readline())
    assert len(group_members(pgid)) == 2
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert wait_until_empty(pgid, timeout_s=10)


def test_a_child_that_ended_by_itself_is_left_alone() -> None:
    with ProcessGroups() as family:
        child = family.start([sys.executable, "-c", ""])
        assert child.wait(30) == 0
        family.stop(child)
