"""A worker of another version of Token-Burn is said to be one, wherever its run is looked at."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from metrics.end_codes import EndCode
from metrics.mixed_versions import version_words
from runs.completion.finalize import finalize_run
from runs.models import Run, Shard, ShardStatus
from runs.workers.leases import claim_shard, finish_shard, host_name, mark_ready, release_shard
from tests.integration.web import made_up
from tests.support.runs import a_run, shards
from tokenburn_site.config.version import VERSION

SAYS = f"Token-Burn {VERSION} planned this run; engine 1 on {host_name()} is of 9.9.9."


def ended_by(version: str, settings: Any) -> Run:
    """A run planned by this version, whose one shard a worker of that version took."""
    run = a_run()
    settings.VERSION = version
    shard = claim_shard(shards(run)[0].pk, "me")
    assert shard is not None
    finish_shard(shard, ShardStatus.FAILED, EndCode.NOT_STARTED, "no luck")
    assert finalize_run(run.pk)
    run.refresh_from_db()
    return run


def notes(run: Run) -> list[str]:
    assert run.report is not None
    return [note for note in run.report["verdict"]["notes"] if note.startswith("versions_differ: ")]


@pytest.mark.django_db
def test_report_page_and_api_name_the_engine_and_its_version(client: Client, settings: Any) -> None:
    run = ended_by("9.9.9", settings)
    (note,) = notes(run)
    assert note.startswith(f"versions_differ: {SAYS}") and note.endswith("before you compare runs.")
    assert run.report is not None and run.report["shards"][0]["version"] == "9.9.9"
    client.force_login(made_up.user("runs.view_run"))
    for page in ("live", "report"):
        assert SAYS in client.get(f"/runs/{run.pk}/{page}/").content.decode(), page
    assert client.get(f"/api/runs/{run.pk}/").json()["shards"][0]["version"] == "9.9.9"


@pytest.mark.django_db
def test_one_version_is_no_news(client: Client, settings: Any) -> None:
    run = ended_by(VERSION, settings)
    assert notes(run) == [] and shards(run)[0].version == VERSION
    client.force_login(made_up.user("runs.view_run"))
    assert 'id="versions"' not in client.get(f"/runs/{run.pk}/live/").content.decode()


@pytest.mark.django_db
def test_a_worker_that_is_older_than_this_record_is_not_taken_for_the_one_before_it() -> None:
    run = a_run()
    shard = claim_shard(shards(run)[0].pk, "me")
    assert shard is not None and mark_ready(shard, 1) and release_shard(shard, "gone")
    Shard.objects.filter(pk=shard.pk).update(status=ShardStatus.CLAIMED, owner="old", host="host-b")  # as it claims
    rows = list(run.shards.values("index", "host", "version"))
    assert "engine 1 on host-b is of an earlier version" in version_words(run.version, rows)


@pytest.mark.django_db
def test_a_run_of_an_earlier_version_is_not_doubted(settings: Any) -> None:
    run = ended_by(VERSION, settings)
    Run.objects.update(version="")
    Shard.objects.update(version="")
    assert version_words("", run.shards.values("index", "host", "version")) == ""


def test_only_the_first_engines_are_named_and_unclaimed_ones_are_not() -> None:
    taken = [{"index": number, "host": f"h{number}", "version": "1"} for number in range(5)]
    waiting = {"index": 9, "host": "", "version": ""}
    words = version_words("2", [*taken, waiting])
    assert words == (
        "Token-Burn 2 planned this run; engine 1 on h0 is of 1, engine 2 on h1 is of 1, engine 3 on h2 is of 1 and 2 "
        "more. Versions may measure and count differently."
    )
