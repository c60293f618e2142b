"""A burn that follows a run on workers outlives an outage of the database, as the run does, and the end of the site."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import OperationalError, connection

from runs.db_clock import DbNow
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.services import reap_lost
from runs.workers import registry
from runs.workers.leases import host_name
from tests.integration.runs.conftest import age_leases
from tests.support.databases import as_default, configuration
from tests.support.processes import database_url
from tests.support.runs import a_run, in_background, until
from tests.support.servers.proxy import Proxy
from tokenburn_site.cli.burn import farm
from tokenburn_site.cli.burn.farm import follow

pytestmark = pytest.mark.usefixtures("valkey", "postgres_database")


class Following:
    """`follow` of a run in progress, in a thread of its own."""

    def __init__(self, run: Run) -> None:
        self.run, self.statuses, self.interrupted = run, list[str](), threading.Event()
        self.ended: bool | Exception | None = None
        self.thread = in_background(self._follow)

    def _follow(self) -> None:
        try:
            self.ended = follow(
                self.run, on_tick=lambda _: None, on_status=self.statuses.append, interrupted=self.interrupted
            )
        except OperationalError as exc:
            self.ended = exc

    def sees(self, status: str) -> None:
        until(lambda: self.statuses[-1:] == [status], 60, status)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """What everything here reaches the database by."""
    here = urlsplit(database_url())
    assert here.hostname and here.port
    with Proxy(here.hostname, here.port) as made:
        through = here._replace(netloc=f"{here.username}@127.0.0.1:{made.port}").geturl()
        with as_default(configuration(through)):
            yield made


@pytest.fixture
def following(proxy: Proxy) -> Following:
    run = a_run(local=False)
    Run.objects.update(status=RunStatus.RUNNING)
    found = Following(run)
    found.sees("running")
    proxy.cut()
    found.sees("database away")
    return found


def test_it_goes_on_when_the_database_is_back(following: Following, proxy: Proxy) -> None:
    proxy.mend()
    following.sees("running")
    connection.close()  # this thread's own, which the outage broke
    Run.objects.update(status=RunStatus.COMPLETED, reason="done")
    following.thread.join(60)
    assert following.ended is False and following.run.reason == "done"


def test_an_interrupt_during_the_outage_reports_that_the_stop_was_not_requested(
    following: Following, proxy: Proxy
) -> None:
    following.interrupted.set()
    following.thread.join(60)
    assert isinstance(following.ended, OperationalError)
    proxy.mend()


@pytest.fixture
def forsaken(tmp_path: Path) -> Run:
    """A run whose only supervisor died a while ago, before its engine wrote anything."""
    run = a_run(local=False)
    Run.objects.update(status=RunStatus.RUNNING)
    Shard.objects.update(
        status=ShardStatus.RUNNING, epoch=1, owner="w", host=host_name(), ledger_path=str(tmp_path / "none.jsonl")
    )
    Shard.objects.update(lease_until=DbNow(0))
    age_leases()
    return run


def test_a_run_whose_whole_site_died_is_ended_by_who_follows_it(forsaken: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farm, "REAP_S", 0.1)
    found = Following(forsaken)
    found.thread.join(60)
    assert found.ended is False
    assert (forsaken.status, forsaken.shards.get().status) == (RunStatus.FAILED, ShardStatus.LOST)


def test_it_is_left_to_the_site_s_own_scheduler_where_that_works(
    forsaken: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farm, "REAP_S", 0.1)
    registry.note_pass("reap")
    found = Following(forsaken)
    found.sees("running")
    time.sleep(1.0)  # time enough for several looks
    assert found.statuses[-1] == "running"
    reap_lost()
    found.thread.join(60)
    assert found.ended is False
