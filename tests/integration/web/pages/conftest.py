"""Fixtures of the tests of pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runs.web import consumers
from tests.support.site import site_process
from tokenburn_site.local.process_groups import ProcessGroups


@pytest.fixture
def quick_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Live pages' sockets of this process look around without a pause: nobody has to wait for what they see."""
    monkeypatch.setattr(consumers, "BLOCK_MS", 20)
    monkeypatch.setattr(consumers, "LOOK_EVERY_S", 0.0)


@dataclass(frozen=True)
class Server:
    url: str
    log: Path
    pid: int


@pytest.fixture(scope="module")
def server(
    django_db_setup: None, valkey_running: str, family: ProcessGroups, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The site in its own process, for all tests of a module: each makes rows of its own."""
    log = tmp_path_factory.mktemp("site") / "site.log"
    with site_process(family, log) as (url, pid):
        yield Server(url, log, pid)
