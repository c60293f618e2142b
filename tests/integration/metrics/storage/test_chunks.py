"""A connection to the database that breaks while rows are read."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from metrics.models import Window
from metrics.storage.chunks import in_chunks
from runs.db_clock import DATABASE_AWAY
from tests.support.databases import as_default, configuration
from tests.support.processes import ROOT, database_url
from tests.support.servers.proxy import Proxy


def test_a_connection_that_breaks_before_the_cursor_is_closed_is_a_database_that_is_away(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Window.objects.create(run_id=1, shard_id=1, second=0, ledger_offset=0, data={})
    here = urlsplit(database_url())
    assert here.hostname and here.port
    close = psycopg.ServerCursor.close
    with Proxy(here.hostname, here.port) as proxy:

        def cut_and_close(cursor: psycopg.ServerCursor[Any]) -> None:
            proxy.cut()
            close(cursor)

        monkeypatch.setattr(psycopg.ServerCursor, "close", cut_and_close)
        url = here._replace(netloc=f"{here.username}@127.0.0.1:{proxy.port}").geturl()
        with as_default(configuration(url)), pytest.raises(DATABASE_AWAY):
            list(in_chunks(Window.objects.all()))


def test_runs_and_metrics_read_many_rows_in_no_other_way() -> None:
    files = [file for package in ("metrics", "runs") for file in (ROOT / package).rglob("*.py")]
    assert [file.name for file in files if ".iterator(" in file.read_text("utf-8")] == ["chunks.py"]
