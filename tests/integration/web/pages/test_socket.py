"""The live page's socket: everything from the page's last id on, to those who may look, until the run is over."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync, sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.test import Client

from runs import live_stream
from runs.models import Run, RunStatus
from runs.web import consumers
from runs.web.consumers import ENDED, NO_PAGE
from tests.integration.web import made_up
from tokenburn_site.asgi import application

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]
WAIT_S = 10.0


def cookie(user: User) -> str:
    client = Client()
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def page(run: Run, session: str = "", last: str = "", origin: str = "http://localhost:8000") -> WebsocketCommunicator:
    """A page's socket, as a browser opens it."""
    given = {"host": "localhost:8000", "origin": origin, "cookie": session}
    encoded = [(name.encode(), value.encode()) for name, value in given.items() if value]
    return WebsocketCommunicator(application, f"/ws/runs/{run.pk}/" + (f"?last={last}" if last else ""), encoded)


def in_loop(steps: Callable[[], Awaitable[Any]]) -> Any:
    return async_to_sync(steps)()


async def until(socket: WebsocketCommunicator, enough: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """The messages up to the one with which there are enough."""
    messages: list[dict[str, Any]] = []
    while not enough(messages):
        messages.append(json.loads(await socket.receive_from(timeout=WAIT_S)))
    return messages


def entries(messages: list[dict[str, Any]]) -> list[Any]:
    return [entry for message in messages if message["type"] == "entries" for entry in message["entries"]]


def viewer() -> str:
    """The session of somebody who may look and read."""
    return cookie(made_up.user("runs.view_run", "runs.view_texts"))


def refused(socket: WebsocketCommunicator) -> bool:
    async def steps() -> bool:
        connected, _ = await socket.connect(timeout=WAIT_S)
        await socket.disconnect()
        return not connected

    return bool(in_loop(steps))


def test_strangers_and_those_without_the_right_are_refused() -> None:
    run = made_up.run(RunStatus.RUNNING)
    assert refused(page(run))
    assert refused(page(run, cookie(made_up.user("targets.view_target"))))
    assert not refused(page(run, viewer()))


@pytest.mark.parametrize(
    "path",
    ["/", "/ws/", "/ws/runs/", "/ws/runs/x/", "/ws/runs/1", "/ws/runs/1/more/", f"/ws/runs/{10**30}/", "/\x00\n"],
)
def test_addresses_without_a_socket_are_refused(path: str) -> None:
    """Without an error of the server: the log would fill at a stranger's wish."""
    session = viewer()
    socket = page(made_up.run(RunStatus.RUNNING), session)
    socket.scope["path"] = path
    assert refused(socket)


@pytest.mark.parametrize(
    "origin",
    [
        *("http://evil.example", "http://localhost:9999", "http://localhost", "null", ""),
        *("http://[", "http://localhost:99999", "http://localhost:x", "http://[::1", "\xff"),
    ],
)
def test_pages_of_other_origins_are_refused(origin: str) -> None:
    assert refused(page(made_up.run(RunStatus.RUNNING), viewer(), origin=origin))


def test_a_trusted_origin_may_look(settings: Any) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["http://localhost:9999"]
    assert not refused(page(made_up.run(RunStatus.RUNNING), viewer(), origin="http://localhost:9999"))


def test_a_run_that_is_not_there_is_refused() -> None:
    run = made_up.run(RunStatus.RUNNING)
    socket = page(run, viewer())
    Run.objects.filter(pk=run.pk).delete()
    assert refused(socket)


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


def demote(person: User) -> None:
    person.user_permissions.clear()


def deactivate(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_active=False)


def log_out(person: User) -> None:
    Session.objects.all().delete()


def change_password(person: User) -> None:
    person.set_password("another long password")
    person.save()


def delete_account(person: User) -> None:
    person.delete()


@pytest.mark.parametrize("lose", [demote, deactivate, log_out, change_password, delete_account])
def test_who_loses_the_right_loses_the_socket(monkeypatch: pytest.MonkeyPatch, lose: Callable[[User], None]) -> None:
    monkeypatch.setattr(consumers, "LOOK_EVERY_S", 0.0)
    run, person = made_up.run(RunStatus.RUNNING), made_up.user("runs.view_run")
    session = cookie(person)

    async def steps() -> Any:
        socket = page(run, session)
        await socket.connect(timeout=WAIT_S)
        await until(socket, lambda got: bool(got) and got[-1]["type"] == "state")
        await sync_to_async(lose)(person)
        return await socket.receive_output(timeout=WAIT_S)

    assert in_loop(steps)["type"] == "websocket.close"


@pytest.mark.parametrize("reads", [True, False])
def test_texts_are_sent_to_those_who_may_read_them(reads: bool) -> None:
    run = made_up.run(RunStatus.RUNNING)
    rights = ["runs.view_run", *(["runs.view_texts"] if reads else [])]
    session = cookie(made_up.user(*rights))
    made_up.publish(run, 1, answer="planted-answer")
    why = "aborted: http_401: planted-error-body"
    live_stream.publish_status(run.pk, "failed", why)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.FAILED, reason=why, end_code="target_refuses")

    async def steps() -> list[dict[str, Any]]:
        socket = page(run, session)
        await socket.connect(timeout=WAIT_S)
        return await until(socket, lambda got: bool(got) and got[-1]["type"] == "end")

    said = json.dumps(in_loop(steps))
    assert ("planted-answer" in said, "planted-error-body" in said, "Hello" in said) == (reads,) * 3
    assert "e2e_ms" in said


def test_who_may_no_longer_read_loses_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the log-in: whoever logs in again sees figures."""
    monkeypatch.setattr(consumers, "LOOK_EVERY_S", 0.0)
    run, person = made_up.run(RunStatus.RUNNING), made_up.user("runs.view_run", "runs.view_texts")
    session = cookie(person)

    def forget() -> None:
        person.user_permissions.remove(Permission.objects.get(codename="view_texts"))

    async def steps() -> Any:
        socket = page(run, session)
        await socket.connect(timeout=WAIT_S)
        await until(socket, lambda got: bool(got) and got[-1]["type"] == "state")
        await sync_to_async(forget)()
        return await socket.receive_output(timeout=WAIT_S)

    assert in_loop(steps)["type"] == "websocket.close"


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


@pytest.mark.parametrize("said", [{"text_data": '{"type": "stop"}'}, {"bytes_data": b"\xff\x00"}])
def test_who_says_something_is_no_page_and_is_disconnected(said: dict[str, Any]) -> None:
    run, session = made_up.run(RunStatus.RUNNING), viewer()

    async def steps() -> Any:
        socket = page(run, session)
        await socket.connect(timeout=WAIT_S)
        await socket.send_to(**said)
        while (output := await socket.receive_output(timeout=WAIT_S))["type"] == "websocket.send":
            pass
        return output

    assert in_loop(steps) == {"type": "websocket.close", "code": NO_PAGE}
