"""A program that is forked is what it would be if it were executed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.support.forking import forked_popen
from tests.support.processes import ROOT, read_json_line

ENGINE = (sys.executable, "-m", "runs.engine")
MOCK = (sys.executable, "-m", "mock_chatbot", "--port", "0")


def arguments(pid: int, name: str = "cmdline") -> list[str]:
    return Path(f"/proc/{pid}/{name}").read_text().rstrip("\0").split("\0")


@pytest.mark.parametrize("executed", [False, True])
def test_it_has_our_arguments_environment_and_parent_and_dies_of_our_signal(executed: bool) -> None:
    env = {"PATH": os.environ["PATH"], "SAID": "to nobody else"}
    with forked_popen.everything_executed() if executed else nullcontext():
        child = subprocess.Popen(MOCK, cwd=ROOT, env=env, stdout=subprocess.PIPE, bufsize=0, process_group=0)
    try:
        assert read_json_line(child)["url"].startswith("http://127.0.0.1:")
        assert arguments(child.pid) == [*MOCK]
        assert sorted(arguments(child.pid, "environ")) == sorted(f"{name}={value}" for name, value in env.items())
        assert os.getpgid(child.pid) == child.pid
        stat = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        assert int(stat[1]) == os.getpid()
    finally:
        child.terminate()
        assert child.wait(60) in (0, -signal.SIGTERM)
        assert child.stdout is not None
        child.stdout.close()


def test_input_output_and_exit_code_are_its_own() -> None:
    done = subprocess.run(ENGINE, cwd=ROOT, input='{"k": 1}\n', capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (3, "")
    assert '"order_invalid"' in done.stdout
