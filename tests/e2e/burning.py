"""`manage.py burn` in a process of its own, as a person types it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from tests.support.processes import ROOT, Mock
from tokenburn_site.cli.burn.main import burn
from tokenburn_site.management.commands.burn import Command

LIMIT_S = 90.0
OURS = ("TOKENBURN_", "DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
FAST = ("--delay-ms", "1-20", "--itl-ms", "1", "--tokens", "5-20")
FAULTLESS = (*FAST, "--error-rate", "0")


@dataclass(frozen=True)
class Burnt:
    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line on stderr."""
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("burn: "), self.err
        return self.err.removeprefix("burn: ").rstrip("\n")

    def report(self) -> dict[str, Any]:
        """What `--json -` printed."""
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass(frozen=True)
class Burner:
    """`var_dir` holds its database and ledgers; nothing else of this process's configuration reaches it."""

    var_dir: Path

    def environment(self, **extra: str) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        env |= {"TOKENBURN_VAR_DIR": str(self.var_dir), "TOKENBURN_ENV_FILE": "", "COLUMNS": "100"}
        return env | extra

    def start(self, *argv: str, **extra: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "manage.py", "burn", *argv],
            cwd=ROOT,
            env=self.environment(**extra),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *argv: str, **extra: str) -> Burnt:
        return finish(self.start(*argv, **extra))


def burn_here(*argv: str) -> Burnt:
    """Without a process of its own, on the current test's database: for what is refused before a run begins."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            given = vars(Command().create_parser("manage.py", "burn").parse_args(argv))
            code = burn(given, shlex.join(("burn", *argv)))
        except SystemExit as exc:  # the parser's
            code = int(exc.code or 0)
    return Burnt(code, out.getvalue(), err.getvalue())


def finish(child: subprocess.Popen[str]) -> Burnt:
    """Wait for its end; a burn that hangs is killed and fails the test."""
    try:
        out, err = child.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        raise AssertionError(f"burn did not end within {LIMIT_S:g} s:\n{out}\n{err}") from None
    return Burnt(child.returncode, out, err)


def interrupt(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGINT)


def wait_until(child: subprocess.Popen[Any], condition: Callable[[], bool]) -> None:
    """Poll `condition` while the child lives."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert child.poll() is None, f"it ended with {child.returncode} before it came to that"
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.05)


def openai(mock: Mock) -> tuple[str, ...]:
    return ("--url", f"{mock.url}/v1", "--preset", "openai-chat")


def database(burn: Burner, query: str) -> list[Any]:
    path = burn.var_dir / "tokenburn.sqlite3"
    if not path.exists():
        return []
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        return connection.execute(query).fetchall()
