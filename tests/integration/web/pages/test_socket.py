"""The live page's socket: everything from the page's last id on, until the run is over."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from django.conf import settings

from runs import live_stream
from runs.models import Run, RunStatus
from runs.web import consumers
from runs.web.consumers import ENDED
from tests.integration.web import made_up
from tests.integration.web.pages.page_socket import WAIT_S, entries, in_loop, page, until, viewer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey", "quick_sockets")]


def test_opening_late_shows_the_same_as_staying() -> None:
    run, session = made_up.run(RunStatus.RUNNING), viewer()
    made_up.publish(run, 5)

    async def steps() -> tuple[list[Any], list[Any]]:
        stayed = page(run, session)
        await stayed.connect(timeout=WAIT_S)
        first = await until(stayed, lambda got: len(entries(got)) == 10)
        assert live_stream.publish(run.pk, [("tick", made_up.tick(6, 48))])
        rest = await until(stayed, lambda got: bool(entries(got)))
        late = page(run, session)
        await late.connect(timeout=WAIT_S)
        all_at_once = await until(late, lambda got: len(entries(got)) == 11)
        await stayed.disconnect()
        await late.disconnect()
        return entries(first) + entries(rest), entries(all_at_once)

    stayed, late = in_loop(steps)
    assert stayed == late
    assert [kind for _, kind, _ in late] == ["tick", "lines"] * 5 + ["tick"]


def test_a_page_that_comes_back_gets_what_it_missed_and_nothing_twice() -> None:
    run, session = made_up.run(RunStatus.RUNNING), viewer()
    made_up.publish(run, 3)
    seen = live_stream.read_since(run.pk)[2].id

    async def steps() -> list[dict[str, Any]]:
        socket = page(run, session, last=seen)
        await socket.connect(timeout=WAIT_S)
        got = await until(socket, lambda got: bool(entries(got)))
        await socket.disconnect()
        return got

    got = in_loop(steps)
    assert [entry[0] for entry in entries(got)] == [entry.id for entry in live_stream.read_since(run.pk)[3:]]
    assert not any(message["type"] == "gap" for message in got)


@pytest.mark.parametrize("came_back", [False, True], ids=["opened late", "came back late"])
def test_what_the_stream_no_longer_holds_is_marked_as_a_gap(came_back: bool) -> None:
    run, session = made_up.run(RunStatus.RUNNING), viewer()
    made_up.publish(run, 5)
    seen = live_stream.read_since(run.pk)[1].id if came_back else ""
    redis.Redis.from_url(settings.REDIS_URL).xtrim(live_stream.stream_key(run.pk), maxlen=4, approximate=False)

    async def steps() -> list[dict[str, Any]]:
        socket = page(run, session, last=seen)
        await socket.connect(timeout=WAIT_S)
        got = await until(socket, lambda got: bool(entries(got)))
        await socket.disconnect()
        return got

    got = in_loop(steps)
    assert [message["type"] for message in got] == ["gap", "entries"]
    assert len(entries(got)) == 4


@pytest.mark.parametrize("last", ["nonsense", "1-", "-1", "9" * 20, "0%0d%0aDEL x"])
def test_a_last_id_that_is_none_starts_from_the_beginning(last: str) -> None:
    run, session = made_up.run(RunStatus.RUNNING), viewer()
    made_up.publish(run, 1)

    async def steps() -> int:
        socket = page(run, session, last=last)
        await socket.connect(timeout=WAIT_S)
        got = await until(socket, lambda got: bool(entries(got)))
        await socket.disconnect()
        return len(entries(got))

    assert in_loop(steps) == 2


def test_a_run_that_is_over_is_shown_to_its_end_and_the_socket_closes() -> None:
    run, session = made_up.run(RunStatus.COMPLETED, reason="done"), viewer()
    made_up.publish(run, 2)

    async def steps() -> tuple[list[dict[str, Any]], Any]:
        socket = page(run, session)
        await socket.connect(timeout=WAIT_S)
        got = await until(socket, lambda got: bool(got) and got[-1]["type"] == "end")
        return got, await socket.receive_output(timeout=WAIT_S)

    got, closing = in_loop(steps)
    assert len(entries(got)) == 4
    assert got[-1] == {"type": "end", "status": "completed", "reason": "done"}
    assert closing == {"type": "websocket.close", "code": ENDED}


def test_a_change_of_status_is_told_when_it_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the stream, whose entry makes the page look at the database; else it looks now and then."""
    monkeypatch.setattr(consumers, "LOOK_EVERY_S", 3600.0)
    run, session = made_up.run(RunStatus.RUNNING), viewer()

    async def steps() -> list[str]:
        socket = page(run, session)
        await socket.connect(timeout=WAIT_S)
        await until(socket, lambda got: bool(got) and got[-1]["type"] == "state")
        await Run.objects.filter(pk=run.pk).aupdate(status=RunStatus.STOPPING)
        assert live_stream.publish_status(run.pk, "stopping", "")
        got = await until(socket, lambda got: bool(got) and got[-1]["type"] == "state")
        await socket.disconnect()
        return [message["status"] for message in got if message["type"] == "state"]

    assert in_loop(steps) == ["stopping"]


def test_the_end_is_seen_even_if_its_status_never_reached_the_stream() -> None:
    run, session = made_up.run(RunStatus.RUNNING), viewer()

    async def steps() -> dict[str, Any]:
        socket = page(run, session)
        await socket.connect(timeout=WAIT_S)
        await until(socket, lambda got: bool(got) and got[-1]["type"] == "state")
        await Run.objects.filter(pk=run.pk).aupdate(status=RunStatus.FAILED, reason="all lost")
        return (await until(socket, lambda got: bool(got) and got[-1]["type"] == "end"))[-1]

    assert in_loop(steps) == {"type": "end", "status": "failed", "reason": "all lost"}


def test_without_redis_the_page_is_told_and_the_socket_stays(settings: Any) -> None:
    run, session = made_up.run(RunStatus.RUNNING), viewer()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    async def steps() -> dict[str, Any]:
        socket = page(run, session)
        await socket.connect(timeout=WAIT_S)
        got = await until(socket, bool)
        await socket.disconnect()
        return got[0]

    assert in_loop(steps) == {"type": "state", "status": "running", "reason": "", "feed": False}
