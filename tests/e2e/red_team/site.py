"""The site that is attacked, with its processes and its broker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import redis

from tests.e2e import test_up
from tests.e2e.red_team import rows
from tests.e2e.red_team.attacker import Attacker

BROKER_PASSWORD = "broker-Password-5"


@dataclass(frozen=True)
class Site:
    url: str
    var_dir: Path
    broker: int
    ids: dict[str, int]

    def user(self, name: str) -> Attacker:
        found = Attacker(self.url)
        assert found.log_in(name, rows.PASSWORD) == 302
        return found

    def processes(self, word: str) -> dict[int, str]:
        return {pid: line for pid, line in test_up.processes_of(self.var_dir).items() if word in line}

    def broker_client(self) -> redis.Redis:
        """With its password."""
        return redis.Redis(port=self.broker, password=BROKER_PASSWORD)
