"""Databases that are migrated once for all workers of a run, and copied by each: a migration takes seconds of CPU."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

from tests.support import databases, services
from tokenburn_site.local.process_groups import ProcessGroups

TEMPLATE = "migrated"
"""The migrated database in a prepared cluster."""


class Prepared:
    """Makes each of them when it is first asked for. `folder` is the same for all workers of a run."""

    def __init__(self, folder: Path, family: ProcessGroups) -> None:
        self._folder = folder
        self._family = family

    def sqlite(self) -> Path:
        """An SQLite file as `migrate` leaves it."""
        return self._once("tokenburn.sqlite3", databases.write_migrated)

    def cluster(self) -> Path:
        """The data directory of a PostgreSQL server that is not running, with the migrated database TEMPLATE."""
        return self._once("cluster", self._make_cluster)

    def _make_cluster(self, folder: Path) -> None:
        with services.postgres_server(self._family, keep=folder) as url:
            config = databases.configuration(services.create_postgres_database(url, TEMPLATE))
            with databases.as_default(config):
                databases.migrate()

    def _once(self, name: str, make: Callable[[Path], None]) -> Path:
        """It, made by the first process that asks; the others wait."""
        path = self._folder / name
        with (self._folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                begun = self._folder / f"{name}.begun"
                make(begun)
                begun.rename(path)
        return path
