"""`manage.py up` as a person uses it: it starts, recovers, refuses clearly, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import ROOT
from tests.support.services import reserve_port

UP_S = 100.0
DOWN_S = 40.0


@dataclass(frozen=True)
class Ports:
    web: int
    mock: int
    valkey: int

    def flags(self) -> list[str]:
        return ["--port", str(self.web), "--mock-port", str(self.mock), "--valkey-port", str(self.valkey)]


@pytest.fixture
def free() -> Ports:
    return Ports(reserve_port(), reserve_port(), reserve_port())


def environment(var_dir: Path) -> dict[str, str]:
    """A machine with nothing running: our own database and broker are used."""
    unset = {"REDIS_URL", "DATABASE_URL", "DJANGO_SETTINGS_MODULE"}
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    return {**kept, "TOKENBURN_VAR_DIR": str(var_dir), "TOKENBURN_ENV_FILE": ""}


def command(ports: Ports, *flags: str) -> list[str]:
    """By this name it is forked (see `tests.support.forking.forked_popen`)."""
    return [sys.executable, "manage.py", "up", "--workers", "1", *ports.flags(), *flags]


def refused(ports: Ports, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """An `up` that cannot start."""
    return subprocess.run(command(ports), cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


def processes_of(var_dir: Path) -> dict[int, str]:
    """Running processes whose environment names the directory: all that `up` starts, at any depth."""
    mark, found = f"TOKENBURN_VAR_DIR={var_dir}\0".encode(), {}
    for entry in Path("/proc").iterdir():
        try:
            if mark in (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, ValueError):
            continue  # no process, somebody else's, or gone by now
    return found


def wait_for(condition: Callable[[], Any], timeout_s: float, otherwise: Callable[[], object]) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.1)
    return found


def health(port: int) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health/", timeout=10) as answer:
            parsed: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as exc:
        parsed = json.load(exc)
    except OSError as exc:
        return {"ok": False, "error": str(exc)}
    return parsed


@contextmanager
def running_up(
    ports: Ports, var_dir: Path, *, is_forked: bool = False, **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """`up`, once its status block is printed, with more `variables` of its environment. Kills everything of `var_dir`
    in the end.

    `is_forked`: it and its services are forked, for tests of something else.
    """
    python, program, *argv = command(ports)
    up = subprocess.Popen(
        [python, program if is_forked else str(ROOT / program), *argv],
        cwd=ROOT,
        env=environment(var_dir) | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert up.stdout is not None
    try:
        first = up.stdout.readline()
        assert "Token-Burn is up" in first, first + up.stdout.read()
        yield up
    finally:
        up.kill()
        up.wait()
        up.stdout.close()
        for pid in processes_of(var_dir):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.timeout(240)
def test_up_serves_refuses_a_second_up_restarts_a_killed_broker_and_ends_cleanly(free: Ports, var_dir: Path) -> None:
    with running_up(free, var_dir) as up:
        assert health(free.web)["ok"] is True
        modes = {path: path.lstat().st_mode & 0o077 for path in (*var_dir.glob("*"), *var_dir.glob("[lv]*/*"))}
        assert {"tokenburn.sqlite3", "logs", "web.log", "valkey", "django.key"} <= {path.name for path in modes}
        assert {path: bits for path, bits in modes.items() if bits} == {}

        second = refused(free, environment(var_dir))
        assert second.returncode == 2
        assert second.stderr.count("\n") == 1 and f"already running here (process {up.pid})" in second.stderr

        (valkey,) = [pid for pid, line in processes_of(var_dir).items() if "valkey-server" in line]
        os.kill(valkey, signal.SIGKILL)
        wait_for(lambda: not health(free.web)["ok"], 30, lambda: "nobody noticed that the broker was killed")
        wait_for(lambda: health(free.web)["ok"], UP_S, lambda: health(free.web))

        up.send_signal(signal.SIGINT)
        assert up.wait(DOWN_S) == 0
        assert processes_of(var_dir) == {}


@pytest.mark.timeout(240)
def test_a_killed_up_leaves_nothing_and_can_be_started_again(
    free: Ports, var_dir: Path, migrated: Callable[[Path], Path]
) -> None:
    migrated(var_dir)
    with running_up(free, var_dir) as up:
        assert len(processes_of(var_dir)) >= 6
        up.kill()
        up.wait()
        wait_for(lambda: not processes_of(var_dir), DOWN_S, lambda: processes_of(var_dir))
    with running_up(free, var_dir, is_forked=True) as again:
        again.send_signal(signal.SIGTERM)
        assert again.wait(DOWN_S) == 0
        assert processes_of(var_dir) == {}


def test_a_port_in_use_is_one_line_that_names_the_flag(free: Ports, var_dir: Path) -> None:
    """Of one port; of the others see tests/unit/tokenburn_site/local/test_up.py."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free.mock))
        taken.listen()
        up = refused(free, environment(var_dir))
    assert up.returncode == 2
    assert up.stderr.count("\n") == 1
    assert f"port {free.mock} on 127.0.0.1 is in use" in up.stderr and "--mock-port" in up.stderr
    assert processes_of(var_dir) == {}


def test_a_broker_that_is_named_but_away_is_one_line(free: Ports, var_dir: Path) -> None:
    env = environment(var_dir) | {"REDIS_URL": f"redis://127.0.0.1:{free.valkey}/0"}
    up = refused(free, env)
    assert up.returncode == 2
    assert up.stderr == "up: no broker answers at REDIS_URL: start it, or unset REDIS_URL\n"
