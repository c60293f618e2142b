"""The site in its own process, as `manage.py up` serves it: daphne on loopback."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import ROOT, child_env
from tokenburn_site.local.ports import LOOPBACK, free_port, wait_until
from tokenburn_site.local.process_groups import ProcessGroups

START_S = 30.0
SITE = "tokenburn_site.asgi:application"
PATIENCE = ("--websocket_connect_timeout", "90")
"""It drops who does not have a socket after five seconds, also where a busy machine took them."""


@contextmanager
def running_site(family: ProcessGroups, log: Path, port: int | None = None, app: str = SITE) -> Iterator[str]:
    """URL of the site's root. It uses the database, directory and Redis of the current test."""
    with site_process(family, log, port, app) as (url, _):
        yield url


@contextmanager
def site_process(
    family: ProcessGroups, log: Path, port: int | None = None, app: str = SITE
) -> Iterator[tuple[str, int]]:
    """The same, with the id of its process."""
    port = port or free_port()
    argv = [sys.executable, "-m", "daphne", "-b", LOOPBACK, "-p", str(port), *PATIENCE, app]
    with log.open("ab") as out:
        child = family.start(argv, cwd=ROOT, env=child_env(), stdout=out, stderr=subprocess.STDOUT)
    url = f"http://{LOOPBACK}:{port}"
    wait_until(lambda: _serves(url), "the site", START_S, lambda: child.poll() is None)
    try:
        yield url, child.pid
    finally:
        family.stop(child)


def _serves(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/admin/login/", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
