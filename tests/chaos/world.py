"""What a case needs around it: a directory, a database behind a wire that can be cut, the target, burn, the farm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.chaos.plan import DURATION_S, Case
from tests.support.processes import ROOT, read_json_line
from tests.support.proxy import Proxy
from tests.support.services import create_postgres_database, reserve_port
from tokenburn_site.local.family import Family

OURS = ("TOKENBURN_", "DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
SWING = 20
"""Requests after which a run counts as under way."""
UP_S, START_S, BURN_S, ENDED_S = 90.0, 60.0, 120.0, 75.0


class Stuck(Exception):
    """Something did not come to pass in time: the case fails with this text."""


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise Stuck(f"{what} did not come within {seconds:g} s")
        time.sleep(0.05)
    return found


@dataclass
class World:
    """One case's. `burn` is its process once it is started."""

    case: Case
    home: Path
    family: Family
    env: dict[str, str]
    log: Path
    url: str
    target: subprocess.Popen[bytes]
    wire: Proxy | None = None
    burn: subprocess.Popen[bytes] | None = None
    site: subprocess.Popen[bytes] | None = None
    done: list[str] = field(default_factory=list)
    """Faults that really happened."""

    def received(self) -> list[str]:
        """ "session/turn" of each request at the target, in order."""
        return [line.partition(" ")[2] for line in self.log.read_text(encoding="ascii").splitlines()]

    def processes(self) -> dict[int, str]:
        """Every process that burn or the site has started, at any depth: id and command line. Engines are given no
        environment of ours, so parents tell; a process that has lost its parent is not found."""
        parents, lines = {}, {}
        for entry in Path("/proc").iterdir():
            try:
                stat = (entry / "stat").read_text(encoding="ascii", errors="replace")
                parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
                lines[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (OSError, ValueError):
                continue  # no process, or gone by now
        found = {child.pid for child in (self.burn, self.site) if child is not None}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return {pid: lines[pid] for pid in found if pid in lines}

    def manage(self, *argv: str) -> list[str]:
        return [sys.executable, "manage.py", *argv]

    def start_burn(self, *more: str) -> None:
        headers = {"x-turn": "{{ session.id }}/{{ turn }}"}
        (self.home / "overrides.json").write_text(json.dumps({"request": {"headers": headers}}), encoding="ascii")
        argv = self.manage(
            "burn", "--url", self.url, "--preset", "openai-chat", "--prompt", "How are you?",
            "--overrides", str(self.home / "overrides.json"), "--users", str(self.case.users),
            "--duration", f"{DURATION_S:g}s", "--processes", str(self.case.processes), "--no-error-abort", *more,
        )  # fmt: skip
        with (self.home / "burn.log").open("ab") as out:
            self.burn = self.family.start(argv, cwd=ROOT, env=self.env, stdout=out, stderr=out)

    def small_burn(self) -> None:
        """The next command of a person whose last one was killed."""
        argv = self.manage(
            "burn", "--url", self.url, "--preset", "openai-chat", "--prompt", "Hello", "--users", "1",
            "--conversations", "1", "--no-witness",
        )  # fmt: skip
        with (self.home / "next.log").open("ab") as out:
            subprocess.run(argv, cwd=ROOT, env=self.env, stdout=out, stderr=out, timeout=BURN_S, check=False)

    def account(self, run: int | None = None) -> dict[str, Any] | None:
        argv = [sys.executable, "-m", "tests.chaos.account", *([] if run is None else [str(run)])]
        done = subprocess.run(argv, cwd=ROOT, env=self.env, capture_output=True, timeout=60, check=False)
        if done.returncode != 0:
            return None  # the database is away for a moment
        found: dict[str, Any] | None = json.loads(done.stdout)
        return found


@contextmanager
def world(case: Case, home: Path, server_url: str) -> Iterator[World]:
    """`server_url` is a PostgreSQL server's maintenance database."""
    with ExitStack() as stack:
        family = stack.enter_context(Family())
        env = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        env |= {"TOKENBURN_VAR_DIR": str(home), "TOKENBURN_ENV_FILE": "", "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
        wire = None
        if case.database == "postgresql":
            url = create_postgres_database(server_url, f"chaos_{case.seed}_{os.getpid()}")
            parts = urlsplit(url)
            wire = stack.enter_context(Proxy(str(parts.hostname), int(parts.port or 5432)))
            env["DATABASE_URL"] = f"postgres://{parts.username}@127.0.0.1:{wire.port}{parts.path}"
        log = home / "received"
        target = family.start(
            (sys.executable, "-m", "tests.support.counting_target", str(log)),
            cwd=ROOT, env={**env, "TOKENBURN_VAR_DIR": ""}, stdout=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        assert target.stdout is not None
        stack.callback(target.stdout.close)
        made = World(case, home, family, env, log, str(read_json_line(target)["url"]), target, wire)
        if case.way == "farm":
            _bring_up(made)
        elif wire is not None:  # a database of one's own is brought up to date by hand
            subprocess.run(made.manage("migrate", "-v", "0"), cwd=ROOT, env=env, check=True, timeout=START_S)
        try:
            yield made
        finally:
            _resume(made)


def _bring_up(made: World) -> None:
    port, valkey = reserve_port(), reserve_port()
    argv = made.manage("up", "--no-mock", "--workers", "2", "--port", str(port), "--valkey-port", str(valkey))
    out = made.home / "up.log"
    with out.open("ab") as log:
        child = made.family.start(argv, cwd=ROOT, env=made.env, stdout=log, stderr=log)
    made.site = child
    made.env["REDIS_URL"] = f"redis://127.0.0.1:{valkey}/0"

    def is_up() -> bool:
        if child.poll() is not None:
            raise Stuck(f"the site did not come up: {out.read_text()[-300:]}")
        return "Token-Burn is up" in out.read_text()

    until(is_up, UP_S, "the site")


def _resume(made: World) -> None:
    """Nobody is left standing still: a stopped process would not hear that it shall end."""
    for pid in [*made.processes(), made.target.pid]:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            continue
