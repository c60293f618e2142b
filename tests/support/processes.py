"""Child processes of tests: their environment, and the mock chatbot."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections

from tokenburn_site.local.process_groups import ProcessGroups

ROOT = Path(__file__).resolve().parents[2]
START_S = 30.0


def database_url() -> str:
    """DATABASE_URL of the database that the current test uses as "default", for a child process."""
    config = connections.settings["default"]
    if config["ENGINE"].endswith("sqlite3"):
        return f"sqlite:///{config['NAME']}"
    host, port = config["HOST"], config["PORT"]
    password = f":{config['PASSWORD']}" if config.get("PASSWORD") else ""
    return f"postgres://{config['USER']}{password}@{host}:{port}/{config['NAME']}"


def child_env(**extra: str) -> dict[str, str]:
    """Environment of a child that uses the product's own settings on this test's database, directory and Redis."""
    env = {**os.environ, "DATABASE_URL": database_url(), "PYTHONPATH": str(ROOT), **extra}
    env["DJANGO_SETTINGS_MODULE"] = "tokenburn_site.settings"
    env["REDIS_URL"] = settings.REDIS_URL
    return env


def read_json_line(child: subprocess.Popen[Any], timeout_s: float = START_S) -> dict[str, Any]:
    """The first line of the child's stdout (opened unbuffered, in bytes) as JSON. Raises AssertionError without one."""
    assert child.stdout is not None
    fd, line, deadline = child.stdout.fileno(), b"", time.monotonic() + timeout_s
    while not line.endswith(b"\n"):
        readable, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
        piece = os.read(fd, 1) if readable else b""
        assert piece, f"no line from {child.args!r} within {timeout_s:g} s; so far {line!r}, exit {child.poll()}"
        line += piece
    parsed: dict[str, Any] = json.loads(line)
    return parsed


@dataclass(frozen=True)
class Mock:
    """A mock chatbot in its own process. `url` is its root; the OpenAI dialect lies under `/v1`."""

    url: str
    ready: dict[str, Any]
    child: subprocess.Popen[bytes]

    @property
    def grpc_url(self) -> str:
        """Of its gRPC face."""
        return str(self.ready["grpc_url"])

    def stats(self) -> dict[str, Any]:
        """What it counted itself."""
        with urllib.request.urlopen(f"{self.url}/__stats", timeout=10) as answer:
            counted: dict[str, Any] = json.load(answer)
            return counted


@contextmanager
def mock_chatbot(family: ProcessGroups, *flags: str, log: Path) -> Iterator[Mock]:
    """`python -m mock_chatbot --port 0 ...`, whose first line of output is JSON with its `url`."""
    argv: Sequence[str] = (sys.executable, "-m", "mock_chatbot", "--port", "0", *flags)
    with log.open("ab") as stderr:
        child = family.start(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, bufsize=0)
    try:
        ready = read_json_line(child)
        yield Mock(url=str(ready["url"]).rstrip("/"), ready=ready, child=child)
    finally:
        family.stop(child)
        assert child.stdout is not None
        child.stdout.close()
