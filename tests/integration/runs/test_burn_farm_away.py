"""A burn that follows a run on workers outlives an outage of the database, as the run does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.db import OperationalError, connection

from runs.models import Run, RunStatus
from tests.support.databases import as_default, configuration
from tests.support.processes import database_url
from tests.support.proxy import Proxy
from tests.support.runs import a_run, in_background, until
from tokenburn_site.burn.farm import follow

pytestmark = pytest.mark.usefixtures("valkey", "postgres_database")


class Following:
    """`follow` of a run that goes on, in a thread of its own."""

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


def test_who_interrupts_it_meanwhile_is_told_that_nobody_could_be_asked(following: Following, proxy: Proxy) -> None:
    following.interrupted.set()
    following.thread.join(60)
    assert isinstance(following.ended, OperationalError)
    proxy.mend()
