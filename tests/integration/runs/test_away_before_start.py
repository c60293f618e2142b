"""A database that is away before a run starts is named, with its place and what to do, wherever a run is started."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

import pytest
from django.db import InterfaceError, OperationalError, connection

from runs.models import RunStatus
from runs.supervisor.supervisor import supervise
from tests.integration.runs.supervisor.test_supervisor import fake
from tests.support.databases import as_default, configuration
from tests.support.processes import database_url
from tests.support.runs import a_run, children_of, in_background, shards, until
from tests.support.servers.proxy import Proxy
from tests.support.services import reserve_port
from tests.unit.tokenburn_site.local.test_up import OPTIONS
from tokenburn_site.cli.database import database_needed, ensure_database
from tokenburn_site.cli.errors import CannotRun
from tokenburn_site.local import up
from tokenburn_site.local.errors import LocalServiceError


def engines() -> list[str]:
    return [command for command in children_of(os.getpid()).values() if "fake_engine" in command]


def test_an_engine_that_stopped_without_a_renewed_lease_gives_the_reason(postgres_database: str) -> None:
    here = urlsplit(database_url())
    assert here.hostname and here.port
    run = a_run()
    with Proxy(here.hostname, here.port) as proxy:
        url = here._replace(netloc=f"{here.username}:secret@127.0.0.1:{proxy.port}").geturl()
        with as_default(configuration(url)):
            thread = in_background(lambda: supervise(shards(run)[0].pk, command=fake("leave")))
            until(lambda: bool(engines()), 30, "the engine")
            proxy.cut()
            until(lambda: not engines(), 30, "the engine's end")
            proxy.mend()
            thread.join()
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    name = re.escape(here.path.removeprefix("/"))
    assert re.fullmatch(
        rf'the PostgreSQL database "{name}" at 127\.0\.0\.1:{proxy.port} did not answer for \d+ s before the start: '
        "check its server and the network to it, then start the run again",
        run.reason,
    )


@pytest.mark.django_db(transaction=True)
def test_an_engine_that_leaves_while_the_database_answers_is_not_blamed_on_it() -> None:
    run = a_run()
    assert supervise(shards(run)[0].pk, command=fake("leave"))
    run.refresh_from_db()
    assert run.reason == "its engine exited with code 0 before it was ready"


@pytest.mark.django_db
def test_burn_and_up_name_the_database_that_does_not_answer() -> None:
    port = reserve_port()
    with as_default(configuration(f"postgres://ann:secret@127.0.0.1:{port}/loads")):
        with pytest.raises(CannotRun) as refused:
            ensure_database()
        with pytest.raises(LocalServiceError) as not_up:
            up.prepare_database(OPTIONS)
    for said in (str(refused.value), str(not_up.value)):
        assert f'the PostgreSQL database "loads" at 127.0.0.1:{port}' in said and "secret" not in said
    assert "check DATABASE_URL, and that the server runs" in str(refused.value)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", [OperationalError, InterfaceError])
def test_a_burn_whose_database_goes_away_is_one_line(kind: type[Exception]) -> None:
    with pytest.raises(CannotRun) as refused, database_needed("then start again"):
        raise kind("the connection is lost\nline two")
    name = connection.settings_dict["NAME"]
    assert ("check DATABASE_URL" in str(refused.value)) is (connection.vendor == "postgresql")
    assert str(name) in str(refused.value) and str(refused.value).endswith("then start again")
    assert "\n" not in str(refused.value) and refused.value.exit_code == 3
