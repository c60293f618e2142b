"""Two installations on one broker and database number, both under load: nothing of one is seen in the other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from django.conf import settings

from runs import broker_keys, live_stream, redis_client
from runs.models import Installation, Run
from runs.workers import registry
from tests.integration.runs.conftest import Counting, Start, check_invariants, counting_target
from tests.integration.runs.workers.test_placement import worker_of
from tests.support.databases import as_default, configuration
from tests.support.processes import ROOT, child_env
from tests.support.runs import until
from tests.support.suite.prepared import Prepared
from tokenburn_site.local.process_groups import ProcessGroups

pytestmark = pytest.mark.timeout(300)
NAMES = re.compile(r"tokenburn:([0-9a-f]{16}):")
KEYLESS = {"AUTH", "CLIENT", "DISCARD", "EXEC", "HELLO", "INFO", "MULTI", "PING", "SCRIPT", "SELECT", "UNWATCH"}
SLOTS = 2


@dataclass
class Site:
    """One installation; all that is equal in both is so on purpose."""

    users: int
    config: dict[str, Any]
    name: str
    folder: Path
    counting: Counting
    start_worker: Start

    @contextmanager
    def here(self) -> Iterator[None]:
        """This process belongs to it."""
        redis_client._client.cache_clear()
        with as_default(self.config):
            broker_keys.remember(self.name)
            yield

    def start_farm(self) -> set[int]:
        """Processes of the workers."""
        env = {"TOKENBURN_VAR_DIR": str(self.folder)}
        beat = ("-B", "-s", str(self.folder / "beat"))
        with self.here():
            load = self.start_worker("load", "-c", str(SLOTS), "-n", "load@same", **env)
            control = self.start_worker("control", "-c", "1", *beat, "-n", "control@same", **env)
        return {load.pid, control.pid}

    def burn(self, family: ProcessGroups) -> subprocess.Popen[bytes]:
        """A run on its workers, which prints the report."""
        overrides = self.folder / "overrides.json"
        overrides.write_text(json.dumps({"request": {"headers": {"x-turn": "{{ session.id }}/{{ turn }}"}}}))
        target = ("--url", self.counting.url, "--preset", "openai-chat", "--model", "m", "--overrides", str(overrides))
        load = ("--users", str(self.users), "--duration", "6s", "--prompt", "Hello", "--no-witness", "--processes", "2")
        argv = (sys.executable, "manage.py", "burn", *target, *load, "--workers", "--json", "-")
        with self.here():
            env = child_env(TOKENBURN_VAR_DIR=str(self.folder))
        with (self.folder / "burn.log").open("wb") as log:
            return family.start(argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=log)


@pytest.fixture
def two_sites(
    family: ProcessGroups, tmp_path: Path, start_worker: Start, prepared: Prepared, transactional_db: None
) -> Iterator[tuple[Site, Site]]:
    """Two databases, each as `migrate` leaves it, which gives each a name of its own."""
    with ExitStack() as stack:
        found = []
        for number, users in enumerate((6, 17)):
            folder = tmp_path / f"site{number}"
            shutil.copytree(settings.VAR_DIR, folder, ignore=lambda *_: ["valkey", "ledgers", "test.sqlite3"])
            config = configuration(f"sqlite:///{folder / 'tokenburn.sqlite3'}")
            shutil.copyfile(prepared.sqlite(), folder / "tokenburn.sqlite3")
            name = str(number + 1) * 16
            with as_default(config):
                Installation.objects.update(name=name)
            target = stack.enter_context(counting_target(family, folder / "received", 0.05))
            found.append(Site(users, config, name, folder, target, start_worker))
        first, second = found
        yield first, second


@contextmanager
def monitored(url: str) -> Iterator[dict[str, set[str]]]:
    """By address of each client: the installations that its commands name. A command that names none is an error."""
    seen: dict[str, set[str]] = defaultdict(set)
    client, started = redis.Redis.from_url(url), threading.Event()

    def listen() -> None:
        with client.monitor() as monitor:  # type: ignore[no-untyped-call]  # redis-py is half typed
            started.set()
            for entry in monitor.listen():
                command: str = entry["command"]
                if command == "ECHO enough":
                    return
                names = set(NAMES.findall(command))
                if names or command.partition(" ")[0].upper() not in KEYLESS:
                    who = f"{entry['client_type']} {entry['client_address']}:{entry['client_port']}"
                    seen["lua" if entry["client_type"] == "lua" else who] |= names or {f"none: {command[:100]}"}

    thread = threading.Thread(target=listen)
    thread.start()
    assert started.wait(10)
    try:
        yield seen
    finally:
        with redis.Redis.from_url(url) as other:
            other.echo("enough")
        thread.join()
        client.close()


def workers_of(site: Site) -> set[int]:
    with site.here():
        return {worker.pid for worker in registry.workers()}


def ticks_of(site: Site, run_id: int) -> list[live_stream.Tick]:
    with site.here():
        entries = live_stream.read_since(run_id, count=10_000)
    return [cast(live_stream.Tick, entry.data) for entry in entries if entry.kind == "tick"]


def test_two_installations_on_one_broker_under_load_see_nothing_of_each_other(
    two_sites: tuple[Site, Site], valkey: str, family: ProcessGroups
) -> None:
    assert two_sites[0].name != two_sites[1].name
    with monitored(valkey) as seen:
        farms = [site.start_farm() for site in two_sites]
        until(lambda: [workers_of(site) for site in two_sites] == farms, 60, "the workers")
        burns = [site.burn(family) for site in two_sites]
        until(lambda: all(site.counting.count() > 50 for site in two_sites), 60, "load of both")
        assert [workers_of(site) for site in two_sites] == farms
        reports = [json.loads(child.communicate(timeout=120)[0]) for child in burns]
        assert [child.returncode for child in burns] == [0, 0]

    own = {site.name for site in two_sites}
    assert seen.pop("lua", own) <= own
    assert all(len(names) == 1 and names <= own for names in seen.values()), dict(seen)
    assert {name for names in seen.values() for name in names} == own
    with redis.Redis.from_url(valkey, decode_responses=True) as client:
        assert {match.group(1) if (match := NAMES.match(key)) else key for key in client.scan_iter()} == own

    assert reports[0]["run"]["id"] == reports[1]["run"]["id"], "the streams' names differ by the installation alone"
    for site, report, farm in zip(two_sites, reports, farms, strict=True):
        run_id = report["run"]["id"]
        ticks = ticks_of(site, run_id)
        assert len(ticks) > 3
        assert {tick["active"] for tick in ticks} <= set(range(site.users + 1))
        assert ticks[-1]["counters"]["ok"] == report["turns"]["ok"]
        with site.here():
            check_invariants(Run.objects.get(pk=run_id), site.counting)
            owners = Run.objects.get().shards.values_list("owner", flat=True)
        assert {worker_of(owner) for owner in owners} <= farm
