"""Who may open the live page's socket, what it sends them, and when it is taken away."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from runs import live_stream
from runs.models import Run, RunStatus
from runs.web.consumers import NO_PAGE, NO_RIGHT
from tests.integration.web import made_up
from tests.integration.web.losses import LOSSES
from tests.integration.web.pages.page_socket import WAIT_S, cookie, in_loop, page, refused, until, viewer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey", "quick_sockets")]


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


@pytest.mark.parametrize("lost", LOSSES)
def test_who_loses_the_right_loses_the_socket(lost: str) -> None:
    """Of texts too, with the log-in: whoever logs in again sees figures."""
    run, person = made_up.run(RunStatus.RUNNING), made_up.user("runs.view_run", "runs.view_texts")
    session = cookie(person)

    async def steps() -> Any:
        socket = page(run, session)
        await socket.connect(timeout=WAIT_S)
        await until(socket, lambda got: bool(got) and got[-1]["type"] == "state")
        await sync_to_async(LOSSES[lost])(person)
        return await socket.receive_output(timeout=WAIT_S)

    assert in_loop(steps) == {"type": "websocket.close", "code": NO_RIGHT}


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
