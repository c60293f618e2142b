"""Refused sockets are told as refused pages are."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator

from audit.models import AuditEvent
from runs.models import Run, RunStatus
from runs.web import consumers
from tests.integration.web import made_up
from tests.integration.web.losses import LOSSES
from tests.integration.web.pages.page_socket import WAIT_S, cookie, in_loop, page, refused, until, viewer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]
AGENT = (b"user-agent", b"a browser")


def told() -> list[tuple[Any, ...]]:
    events = AuditEvent.objects.exclude(action="login").order_by("id")
    return [(e.action, e.outcome, e.door, e.key, e.details["status"]) for e in events]


def closed(socket: WebsocketCommunicator) -> None:
    """Opened, and closed by the server."""

    async def steps() -> None:
        assert (await socket.connect(timeout=WAIT_S))[0]
        assert (await socket.receive_output(timeout=WAIT_S))["type"] == "websocket.close"

    in_loop(steps)


def test_a_refused_socket_says_who_and_from_where() -> None:
    run, person = made_up.run(RunStatus.RUNNING), made_up.user("targets.view_target")
    socket = page(run, cookie(person))
    socket.scope["client"] = ("192.0.2.7", 50000)
    socket.scope["headers"].append(AGENT)
    assert refused(socket)
    assert told() == [("request.socket", "refused", "socket", str(run.pk), 403)]
    event = AuditEvent.objects.latest("id")
    assert (event.user_key, event.address, event.user_agent) == (person.pk, "192.0.2.7", "a browser")
    assert event.text == f"/ws/runs/{run.pk}/"


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:9999", "", "http://["])
def test_pages_of_other_origins_are_told_with_their_user(origin: str) -> None:
    run, person = made_up.run(RunStatus.RUNNING), made_up.user("runs.view_run")
    assert refused(page(run, cookie(person), origin=origin))
    assert told() == [("request.socket", "refused", "socket", str(run.pk), 403)]
    assert AuditEvent.objects.latest("id").user_key == person.pk


def test_strangers_runs_that_are_not_there_and_too_many_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    run, session = made_up.run(RunStatus.RUNNING), viewer()
    stranger = page(run)
    stranger.scope["headers"] += [(b"content-type", b"a; charset=\xff"), (b"content-length", b"x")]
    stranger.scope["query_string"] = b"\xff"
    assert refused(stranger)
    monkeypatch.setattr(consumers, "MAX_SOCKETS", 0)
    closed(page(run, session))
    gone = page(run, session)
    Run.objects.filter(pk=run.pk).delete()
    assert refused(gone)
    assert [entry[-1] for entry in told()] == [403, 429, 404]


def test_a_socket_that_is_taken_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "BLOCK_MS", 20)
    monkeypatch.setattr(consumers, "LOOK_EVERY_S", 0.0)
    run, person = made_up.run(RunStatus.RUNNING), made_up.user("runs.view_run")
    session = cookie(person)

    async def steps() -> None:
        socket = page(run, session)
        await socket.connect(timeout=WAIT_S)
        await until(socket, lambda got: bool(got) and got[-1]["type"] == "state")
        await sync_to_async(LOSSES["the right to see runs"])(person)
        await socket.receive_output(timeout=WAIT_S)

    in_loop(steps)
    assert told() == [("request.socket", "refused", "socket", str(run.pk), 403)]


def test_sockets_that_open_and_addresses_without_one_are_not_told() -> None:
    run, session = made_up.run(RunStatus.RUNNING), viewer()
    assert not refused(page(run, session))
    elsewhere = page(run, session)
    elsewhere.scope["path"] = "/ws/nothing/"
    assert refused(elsewhere)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.COMPLETED)
    socket = page(run, session)

    async def steps() -> None:
        await socket.connect(timeout=WAIT_S)
        await until(socket, lambda got: bool(got) and got[-1]["type"] == "end")
        assert (await socket.receive_output(timeout=WAIT_S))["code"] == consumers.ENDED

    in_loop(steps)
    assert told() == []
